"""The machine and the engine that count the executions of each instruction.

Machine code counts the runs; for each conditional jump, how often its test held; and for each other instruction, how
often it ended a run, by a load of a missing byte or a division by 0. The executions of all instructions follow from
these numbers, since each remaining execution of an instruction is followed by one of its only successor.
"""

import ctypes
from collections.abc import Sequence
from functools import partial, reduce
from operator import or_

from ..._typing import Any, Final
from ...isa.dialects import Dialect
from ...isa.program import Program
from ...isa.verdicts import ACCEPTING_ACTIONS, ACTION_MASK
from ...packet.skb import SocketBuffer
from ...packet.socket_fields import SOCKET_FIELDS
from .context import PacketContext, offset_of
from .engine import LLVMEngine
from .ir import I32, I64, IROperand, IRValue
from .machine import LLVMMachine, MakeMachine
from .socket_machine import SocketMachine

_DONE: Final = "done"  # the label of the block that ends every run

# The counters are 64-bit numbers, by index: the runs, those that accepted, the greatest number of instructions executed
# in a run, the taken jumps of each instruction, the runs that ended before the first instruction, and those that each
# instruction ended.
_RUNS: Final = 0
_ACCEPTED: Final = 1
_MAXIMUM: Final = 2
_TAKEN: Final = 3


class _CountingMachine(LLVMMachine):
    """A machine that counts in the memory of a `CountingEngine`, whose address is in the context."""

    def __init__(self, program: Program, *arguments: Any) -> None:
        super().__init__(*arguments)
        function = self._function
        self._counters = function["context"].gep(offset_of("counters")).load_pointer()
        self._first_end = _TAKEN + len(program)
        self._executed = function.variable(I64, 0)  # the number of instructions in this run
        self._verdict = function.variable(I32, 0)
        self._index = -1

    def _counter(self, index: int) -> IRValue:
        return self._counters.gep(8 * index)

    def _add(self, index: int, number: IROperand) -> None:
        counter = self._counter(index)
        counter.store(counter.load(8) + number)

    def begin_instruction(self, index: int) -> None:
        super().begin_instruction(index)
        self._index = index
        self._executed.value = self._executed.value + 1

    def branch(self, condition: IRValue, target_true: int, target_false: int) -> None:
        if target_true != target_false:
            self._add(_TAKEN + self._index, condition.zext_or_trunc(I64))
        super().branch(condition, target_true, target_false)

    def _reject_if(self, condition: IRValue) -> None:
        self.return_if(condition, self.word(0))

    def return_if(self, condition: IRValue, verdict: IRValue) -> None:
        with self._function.if_then(condition, rare=True):
            self._add(self._first_end + self._index + 1, 1)
            self.finish(verdict)
        self.is_terminated = False

    def finish(self, verdict: IRValue) -> None:
        self._verdict.value = verdict
        self._function.branch(_DONE)
        self.is_terminated = True

    def write_ends(self) -> None:
        function = self._function
        function.begin_block(_DONE)
        self._add(_RUNS, 1)
        self._add(_ACCEPTED, self._accepts(self._verdict.value).zext_or_trunc(I64))
        maximum, executed = self._counter(_MAXIMUM).load(8), self._executed.value
        self._counter(_MAXIMUM).store((executed > maximum).select(executed, maximum))
        function.ret(self._verdict.value)

    def _accepts(self, verdict: IRValue) -> IRValue:
        """Return whether a verdict accepts, as `isa.verdicts.accepts`."""
        if self._dialect.record_size is None:
            return verdict.ne(0)
        return reduce(or_, map((verdict & ACTION_MASK).eq, sorted(ACCEPTING_ACTIONS)))


class _CountingSocketMachine(_CountingMachine, SocketMachine):
    """A counting machine that runs on the view of a packet."""


class CountingEngine(LLVMEngine):
    """An engine whose runs are counted; only one thread may use it.

    Args:
        program: The program, which *dialect* must accept.
        dialect: The dialect.

    Raises:
        MissingLibrary: llvmlite is not installed.
    """

    _variant = "counting "

    def __init__(self, program: Program, dialect: Dialect) -> None:
        super().__init__(program, dialect)
        self._counters = (ctypes.c_uint64 * (_TAKEN + 2 * len(program) + 1))()

    @property
    def runs(self) -> int:
        """The number of runs."""
        return self._counters[_RUNS]

    @property
    def accepted(self) -> int:
        """The number of runs that accepted the packet or, in a seccomp dialect, run the system call."""
        return self._counters[_ACCEPTED]

    @property
    def maximum(self) -> int:
        """The greatest number of instructions executed in one run."""
        return self._counters[_MAXIMUM]

    @property
    def taken(self) -> Sequence[int]:
        """For each instruction, the number of times its test held; 0 if both targets are equal."""
        return self._counters[_TAKEN : _TAKEN + len(self._program)]

    @property
    def executed(self) -> Sequence[int]:
        """The number of executions of each instruction."""
        taken, (too_short, *ended) = self.taken, self._counters[_TAKEN + len(self._program) :]
        executed = [self._counters[_RUNS] - too_short, *(0 for _ in self._program[1:])]
        for index, raw in enumerate(self._program):  # jumps go forward, so the executions of this one are complete
            remaining = executed[index] - ended[index]
            match raw.successors(index):
                case (target_true, target_false):
                    executed[target_true] += taken[index]
                    executed[target_false] += remaining - taken[index]
                case (target,):
                    executed[target] += remaining
        return executed

    def context(self, buffer: SocketBuffer | None = None) -> PacketContext:
        """Return the context of a run, with the address of the counters."""
        context = super().context(buffer)
        context.counters = ctypes.addressof(self._counters)
        return context

    def _machine(self, socket_link_type: str | None) -> MakeMachine:
        if socket_link_type is None:
            return partial(_CountingMachine, self._program)
        return partial(_CountingSocketMachine, self._program, SOCKET_FIELDS[socket_link_type])
