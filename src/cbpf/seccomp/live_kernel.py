"""Decisions of the running kernel about system calls, of which none is executed.

A child process makes the calls by the machine code of `call_maker`, whose filters are for these calls alone. In the
filters, each verdict is replaced by one that runs nothing: ERRNO with the number of the verdict, which the call
returns. Apart from that they run in the kernel as they are, so the number shows the verdict.

Among several filters the kernel takes the smallest action, and with ERRNO for all verdicts this would not be seen. So
there is a child for each action of the filters, in the order of precedence: verdicts of this action and of smaller
ones become ERRNO, all others USER_NOTIF, whose precedence is lower. The first child in which a call returns the number
of a verdict has the action that the kernel takes, and the number shows the filter and the data.
"""

import errno
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from .._named_tuple import NamedTuple
from .._typing import Final
from .._validators import instance_of, iterable
from ..errors import FieldError, SeccompError
from ..isa.opcodes import OPCODE_BY_CODE, WORD_MASK, Action, Operand
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction
from ..isa.verdicts import SeccompAction
from .actions import ACTION_WORDS, MAX_ERRNO
from .architectures import ARCHITECTURES
from .call_maker import GATE_LENGTH, CallMaker, Outcome
from .calls import SystemCall
from .stacks import Decision, Stack

_ERRNO: Final = ACTION_WORDS["errno"].value
_USER_NOTIF: Final = ACTION_WORDS["user_notif"].value
_POINTER_OFFSETS: Final = (8, 12)  # of the instruction pointer
_MAX_LENGTH: Final = 4096 - GATE_LENGTH
_X86: Final = frozenset(ARCHITECTURES[name].audit_arch for name in ("x86_64", "i386"))


class _Verdict(NamedTuple):
    """A verdict of one filter of a stack."""

    filter_index: int
    value: int

    @property
    def decision(self) -> Decision:
        """The decision with this verdict."""
        return Decision(SeccompAction(self.value), self.filter_index)


def kernel_decisions(stack: Stack, calls: Iterable[SystemCall]) -> list[Decision]:
    """Return the decisions of the running kernel about system calls, of which none is executed.

    Child processes make the calls under the filters, which are changed so that no call runs; the results show which
    verdict each would have had. This process is not under the filters.

    Args:
        stack: The filters, without `ret a` and without loads of the instruction pointer, since both would be changed;
            without a division by X if there are several. Each has at most 4,091 instructions.
        calls: The system calls, of x86_64, x32 or i386. The calls `uprobe` and `uretprobe` of x86_64 are rejected: the
            kernel runs them without a filter. The instruction pointers of the calls have no effect.

    Returns:
        The decisions, as `Stack.evaluate` returns them.

    Raises:
        FieldError: A filter or a call is none of those above.
        SeccompError: This machine does not run seccomp filters for such calls.
    """
    value = instance_of(Stack)("kernel_decisions.stack", stack)
    made = [_check_call(call) for call in iterable("kernel_decisions.calls", calls)]
    for index, program in enumerate(value.programs):
        _check_program(index, program, is_alone=len(value.programs) == 1)
    if sys.platform != "linux" or os.uname().machine != "x86_64" or sys.maxsize < 1 << 32:
        raise SeccompError(errno.ENOTSUP, "seccomp: decisions of the kernel need Linux and Python for x86-64")
    return _Experiment(value).decisions(made)


def _check_call(call: SystemCall) -> SystemCall:
    row = instance_of(SystemCall)("kernel_decisions.calls", call).architecture
    if call.audit_arch not in _X86:
        raise FieldError(f"kernel_decisions.calls: {call!r}: only calls of x86_64, x32 and i386 can be made")
    if row and call.number in row.unfiltered:
        raise FieldError(f"kernel_decisions.calls: {call!r}: Linux runs this call without a filter")
    if call.audit_arch == ARCHITECTURES["i386"].audit_arch and max(call.arguments) > WORD_MASK:
        raise FieldError(f"kernel_decisions.calls: {call!r}: arguments of i386 have 32 bits")
    return call


def _check_program(index: int, program: Program, *, is_alone: bool) -> None:
    place = f"kernel_decisions.stack: filter {index}"
    if len(program) > _MAX_LENGTH:
        raise FieldError(f"{place}: {len(program):,} instructions; at most {_MAX_LENGTH:,} leave room for the changes")
    for raw in program:
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.action is Action.RETURN and opcode.operand is Operand.A:
            raise FieldError(f"{place}: `ret a` cannot be followed; all verdicts must be constants")
        if opcode.operand is Operand.ABSOLUTE and raw.k in _POINTER_OFFSETS:
            raise FieldError(f"{place}: it loads the instruction pointer, which is another one here")
        if opcode.action is Action.DIV and opcode.operand is Operand.X and not is_alone:
            raise FieldError(f"{place}: a division by X may end the process; test the filter alone")


@cache
def _call_maker() -> CallMaker:
    return CallMaker()


class _Experiment:
    """The verdicts of a stack by their numbers, and the children that show which one the kernel takes."""

    def __init__(self, stack: Stack) -> None:
        self._programs = stack.programs
        verdicts = (
            _Verdict(index, raw.k)
            for index, program in enumerate(stack.programs)
            for raw in dict.fromkeys(raw for raw in program if _returns(raw))
        )
        numbers = (number for number in range(1, MAX_ERRNO + 1) if number != errno.ENOSYS)
        self._verdict_of = dict(zip(numbers, dict.fromkeys(verdicts), strict=False))
        self._number_of = {verdict: number for number, verdict in self._verdict_of.items()}

    def decisions(self, calls: Sequence[SystemCall]) -> list[Decision]:
        """Return the decisions about calls."""
        decided: dict[int, Decision] = {}
        for precedence in self._precedences():
            remaining = [index for index in range(len(calls)) if index not in decided]
            verdicts = self._verdicts(precedence, [calls[index] for index in remaining])
            decided.update({index: found.decision for index, found in zip(remaining, verdicts, strict=True) if found})
        return [decided[index] for index in range(len(calls))]

    def _precedences(self) -> list[int]:
        """Return the precedences of the actions in order; of a single filter, the last one, which is sufficient."""
        precedences = sorted({SeccompAction(verdict.value).precedence for verdict in self._number_of})
        return precedences[-1:] if len(self._programs) == 1 else precedences

    def _verdicts(self, precedence: int, calls: Sequence[SystemCall]) -> Iterator[_Verdict | None]:
        """Yield the verdict about each call if its precedence is at most this one."""
        programs = [self._changed(index, precedence) for index in range(len(self._programs))]
        while calls:
            outcome = _call_maker().run(programs, calls)
            for result in outcome.results:
                yield self._verdict_of[-result] if result != -errno.ENOSYS else None
            calls = calls[len(outcome.results) :]
            if calls:
                _check_killed(outcome, calls[0])
                yield _Verdict(0, 0)  # a division by 0 ends the filter with KILL_THREAD
                calls = calls[1:]

    def _changed(self, index: int, precedence: int) -> Program:
        """Return a filter whose verdicts up to a precedence are errors with their numbers."""

        def changed(raw: RawInstruction) -> RawInstruction:
            if not _returns(raw):
                return raw
            if SeccompAction(raw.k).precedence > precedence:
                return raw._replace(k=_USER_NOTIF)
            return raw._replace(k=_ERRNO | self._number_of[_Verdict(index, raw.k)])

        return Program(map(changed, self._programs[index]))


def _returns(raw: RawInstruction) -> bool:
    return OPCODE_BY_CODE[raw.op].action is Action.RETURN


def _check_killed(outcome: Outcome, call: SystemCall) -> None:
    """Raise an error unless the filters have ended a process at a call."""
    if outcome.error:
        fact = f"the kernel rejects the filters: {os.strerror(outcome.error)}"
        raise SeccompError(outcome.error, f"seccomp: {fact}; their changed copies need room in its limits")
    if not os.WIFSIGNALED(outcome.status) or os.WTERMSIG(outcome.status) != signal.SIGSYS:
        raise SeccompError(errno.ENOTSUP, f"seccomp: this machine cannot make the call {call!r}")
