"""Decisions of the running kernel about system calls, of which none is executed.

A child process makes the calls by the machine code of `call_maker`, whose filters are for these calls alone. In the
filters, each verdict is replaced by one that runs nothing: ERRNO with a number, which the call returns. Apart from that
they run in the kernel as they are.

The number of a single filter is a part of its verdict, of 12 bits; three children show the whole verdict.

Among several filters the kernel takes the smallest action, and with ERRNO for all verdicts this would not be seen. So
there is a child for each action of the filters, in the order of precedence: verdicts of this action and of smaller
ones become ERRNO with the number of the verdict, all others USER_NOTIF, whose precedence is lower. The first child in
which a call returns the number of a verdict has the action that the kernel takes, and the number shows the filter and
the data.
"""

import errno
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ..._validators import instance_of, iterable
from ...errors import FieldError, SeccompError
from ...isa.enumerations import ALUOp
from ...isa.instructions import ALUOpConstant, Instruction, Jump, RetA, RetConstant
from ...isa.opcodes import OPCODE_BY_CODE, WORD_MASK, Action, Operand
from ...isa.program import Program
from ...isa.raw_instruction import RawInstruction
from ...isa.verdicts import SeccompAction
from ..calls import SystemCall
from ..names.actions import ACTION_WORDS, MAX_ERRNO
from ..names.architectures import ARCHITECTURES
from ..stacks import Decision, Stack
from .call_maker import GATE_LENGTH, CallMaker, Outcome
from .installing import INSTALLATION_RULES

_ERRNO: Final = ACTION_WORDS["errno"].value
_USER_NOTIF: Final = ACTION_WORDS["user_notif"].value
_POINTER_OFFSETS: Final = (8, 12)  # of the instruction pointer
_PART_BITS: Final = 12
_MAX_LENGTH: Final = 4096 - GATE_LENGTH - 4  # of which the last ones return a part of A
_X86: Final = frozenset(ARCHITECTURES[name].audit_arch for name in ("x86_64", "i386"))


def kernel_decisions(stack: Stack, calls: Iterable[SystemCall]) -> list[Decision]:
    """Return the decisions of the running kernel about system calls, of which none is executed.

    Child processes make the calls under the filters, which are changed so that no call runs; the results show which
    verdict each would have had. This process is not under the filters.

    Args:
        stack: The filters, without loads of the instruction pointer, which is another one here; if there are several,
            also without `ret a` and division by X. Each has at most 4,087 instructions.
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
    if value.dialect.byte_order != sys.byteorder:
        fact = f"the filters are for {value.dialect.byte_order}-endian machines"
        raise FieldError(f"kernel_decisions.stack: {fact}, and this one is {sys.byteorder}-endian")
    if len(value.programs) > 1:
        return _decisions(value.programs, made)
    return [Decision(SeccompAction(verdict), 0) for verdict in _verdicts(value.programs[0], made)]


def obstacle(call: SystemCall) -> str:
    """Return why the kernel of a machine for x86-64 cannot decide about a call here; empty if it can."""
    row = call.architecture
    if call.audit_arch not in _X86:
        return "only calls of x86_64, x32 and i386 can be made"
    if row and call.number in row.unfiltered:
        return "Linux runs this call without a filter"
    if call.audit_arch == ARCHITECTURES["i386"].audit_arch and max(call.arguments) > WORD_MASK:
        return "arguments of i386 have 32 bits"
    return ""


def _check_call(call: SystemCall) -> SystemCall:
    reason = obstacle(instance_of(SystemCall)("kernel_decisions.calls", call))
    if reason:
        raise FieldError(f"kernel_decisions.calls: {call!r}: {reason}")
    return call


def _check_program(index: int, program: Program, *, is_alone: bool) -> None:
    place = f"kernel_decisions.stack: filter {index + 1}"
    if len(program) > _MAX_LENGTH:
        raise FieldError(f"{place}: {len(program):,} instructions; at most {_MAX_LENGTH:,} leave room for the changes")
    for raw in program:
        opcode = OPCODE_BY_CODE[raw.op]
        if _returns_a(raw) and not is_alone:
            raise FieldError(f"{place}: the verdict of `ret a` cannot be distinguished; test the filter alone")
        if opcode.operand is Operand.ABSOLUTE and raw.k in _POINTER_OFFSETS:
            raise FieldError(f"{place}: it loads the instruction pointer, which is another one here")
        if opcode.action is Action.DIV and opcode.operand is Operand.X and not is_alone:
            raise FieldError(f"{place}: a division by X may end the process; test the filter alone")


@cache
def _call_maker() -> CallMaker:
    return CallMaker()


def _results(programs: Sequence[Program], calls: Sequence[SystemCall]) -> Iterator[int | None]:
    """Yield the error number of each call under filters; None if a filter has killed the process that made it."""
    while calls:
        outcome = _call_maker().run(programs, calls)
        yield from (-result for result in outcome.results)
        calls = calls[len(outcome.results) :]
        if calls:
            _check_killed(outcome, calls[0])
            yield None
            calls = calls[1:]


def _check_killed(outcome: Outcome, call: SystemCall) -> None:
    """Raise an error unless the filters have ended a process at a call."""
    if outcome.error:
        rule = INSTALLATION_RULES.get(outcome.error, os.strerror(outcome.error))
        hint = "; this check adds instructions to them" if outcome.error == errno.ENOMEM else ""
        raise SeccompError(outcome.error, f"seccomp: {rule}{hint}")
    if not os.WIFSIGNALED(outcome.status) or os.WTERMSIG(outcome.status) != signal.SIGSYS:
        raise SeccompError(errno.ENOTSUP, f"seccomp: this machine cannot make the call {call!r}")


def _verdicts(program: Program, calls: Sequence[SystemCall]) -> list[int]:
    """Return the verdict of a filter about each call; 0 where a division by 0 ends it."""
    parts = [list(_results([_returning_part(program, shift)], calls)) for shift in range(0, 32, _PART_BITS)]
    verdicts = []
    for digits in zip(*parts, strict=True):
        known = [digit << index * _PART_BITS for index, digit in enumerate(digits) if digit is not None]
        verdicts.append(sum(known) if len(known) == len(digits) else 0)
    return verdicts


def _returning_part(program: Program, shift: int) -> Program:
    """Return a filter whose verdicts are errors, with the numbers (verdict >> shift) & 0xfff."""
    end = len(program)
    rows = [_part(raw, shift, end - index - 1) if _returns(raw) else raw for index, raw in enumerate(program)]
    of_a = (
        ALUOpConstant(ALUOp.SHIFT_RIGHT, shift),
        ALUOpConstant(ALUOp.AND, MAX_ERRNO),
        ALUOpConstant(ALUOp.OR, _ERRNO),
        RetA(),
    )
    return Program([*rows, *of_a]) if any(map(_returns_a, program)) else Program(rows)


def _part(raw: RawInstruction, shift: int, distance: int) -> Instruction:
    """Return the instruction in place of a `ret`: a part of its constant, or a jump to the end, where that of A is."""
    return Jump(distance) if _returns_a(raw) else RetConstant(_ERRNO | raw.k >> shift & MAX_ERRNO)


def _returns(raw: RawInstruction) -> bool:
    return OPCODE_BY_CODE[raw.op].action is Action.RETURN


def _returns_a(raw: RawInstruction) -> bool:
    return _returns(raw) and OPCODE_BY_CODE[raw.op].operand is Operand.A


class _Verdict(NamedTuple):
    """A verdict of one filter of a stack."""

    filter_index: int
    value: int


def _decisions(programs: Sequence[Program], calls: Sequence[SystemCall]) -> list[Decision]:
    """Return the decisions of several filters, whose verdicts are constants."""
    verdicts = {_Verdict(index, raw.k) for index, program in enumerate(programs) for raw in program if _returns(raw)}
    numbers = [number for number in range(1, MAX_ERRNO + 1) if number != errno.ENOSYS]  # which USER_NOTIF returns
    if len(verdicts) > len(numbers):
        fact = f"{len(verdicts):,} verdicts; at most {len(numbers):,} can be distinguished"
        raise FieldError(f"kernel_decisions.stack: {fact}")
    verdict_of = dict(zip(numbers, sorted(verdicts), strict=False))
    number_of = {verdict: number for number, verdict in verdict_of.items()}
    decided: dict[int, Decision] = {}
    for precedence in sorted({SeccompAction(verdict.value).precedence for verdict in verdicts}):
        changed = [_returning_numbers(index, program, number_of, precedence) for index, program in enumerate(programs)]
        remaining = [index for index in range(len(calls)) if index not in decided]
        results = _results(changed, [calls[index] for index in remaining])
        for index, number in zip(remaining, results, strict=True):
            if number in verdict_of:
                verdict = verdict_of[number]
                decided[index] = Decision(SeccompAction(verdict.value), verdict.filter_index)
    return [decided[index] for index in range(len(calls))]


def _returning_numbers(index: int, program: Program, number_of: Mapping[_Verdict, int], precedence: int) -> Program:
    """Return a filter whose verdicts up to a precedence are errors with their numbers."""

    def changed(raw: RawInstruction) -> Instruction:
        if not _returns(raw):
            return raw
        is_shown = SeccompAction(raw.k).precedence <= precedence
        return RetConstant(_ERRNO | number_of[_Verdict(index, raw.k)] if is_shown else _USER_NOTIF)

    return Program(map(changed, program))
