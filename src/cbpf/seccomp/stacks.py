"""Filters that are installed one after another: Linux runs all of them for each system call."""

from collections.abc import Iterable

from .._lazy import Lazy
from .._record import Immutable, Record
from .._validators import iterable
from ..errors import FieldError
from ..isa.dialects import SECCOMP, Dialect, check_dialect
from ..isa.program import Instructions, Program
from ..isa.verdicts import SeccompAction
from ..isa.verifier import verify
from ..vm import VM
from .calls import CALL_SIZE, SystemCall


class Decision(Record):
    """The decision of a stack of filters about a system call.

    Args:
        action: The action that the kernel takes, with its data.
        index: The index, in the stack, of the filter whose action it is.
    """

    action: SeccompAction
    index: int


class Stack(Immutable):
    """The filters of a thread, oldest first.

    Linux runs all filters for each call. The action with the smallest `precedence` is taken; of equal actions, that of
    the newest filter, with its data (kernel/seccomp.c, seccomp_run_filters).

    Args:
        programs: The filters in the order of their installation; at least one.
        dialect: The rules of the filters and the byte order of the calls: `SECCOMP`, or the `dialect` of an
            architecture.

    Attributes:
        programs: The filters, oldest first.
        dialect: The dialect.

    Raises:
        FieldError: There is no program, or an argument is invalid.
        VerificationError: The dialect rejects a program.

    >>> from cbpf import parse
    >>> stack = Stack([parse("ret #0x50001"), parse("ret #0x7fff0000"), parse("ret #0x50002")])
    >>> stack.evaluate(SystemCall(41))
    Decision(action=SeccompAction(verdict=327682), index=2)
    """

    programs: tuple[Program, ...]
    dialect: Dialect

    def __init__(self, programs: Iterable[Instructions], *, dialect: Dialect = SECCOMP) -> None:
        if check_dialect(dialect, "Stack.dialect").record_size != CALL_SIZE:
            raise FieldError(f"Stack.dialect: {dialect!r} has no records of {CALL_SIZE} bytes; use cbpf.SECCOMP")
        if isinstance(programs, Program):
            raise FieldError("Stack.programs: a Program; a stack is a list of programs")
        values = tuple(map(Program, iterable("Stack.programs", programs)))
        if not values:
            raise FieldError("Stack.programs: no program; a stack has at least one")
        for program in values:
            verify(program, dialect=dialect)
        self._set_once(programs=values, dialect=dialect)

    @Lazy
    def _machines(self) -> tuple[VM, ...]:
        return tuple(VM(program, dialect=self.dialect) for program in self.programs)

    def evaluate(self, call: SystemCall | bytes) -> Decision:
        """Return the decision about a system call, by the kernel's rule.

        Args:
            call: The system call, or the 64 bytes of its record in the byte order of the dialect.

        Returns:
            The action with its data, and the index of the filter whose action it is.

        Raises:
            FieldError: *call* is neither a system call nor 64 bytes.
        """
        actions = self.actions(call)
        precedences = [action.precedence for action in actions]
        index = max(index for index, precedence in enumerate(precedences) if precedence == min(precedences))
        return Decision(actions[index], index)

    def actions(self, call: SystemCall | bytes) -> tuple[SeccompAction, ...]:
        """Return the action of each filter for a system call.

        Args:
            call: The system call, or the 64 bytes of its record in the byte order of the dialect.

        Returns:
            The actions with their data, in the order of the filters.

        Raises:
            FieldError: *call* is neither a system call nor 64 bytes.
        """
        record = call.to_bytes(self.dialect.byte_order) if isinstance(call, SystemCall) else call
        if not isinstance(record, bytes | bytearray | memoryview) or len(record) != CALL_SIZE:
            raise FieldError(f"Stack.call: {call!r} is neither a SystemCall nor {CALL_SIZE} bytes")
        return tuple(SeccompAction(machine.run(record)) for machine in self._machines)

    def __len__(self) -> int:
        return len(self.programs)

    def __eq__(self, other: object) -> bool:
        same = isinstance(other, Stack) and (self.programs, self.dialect) == (other.programs, other.dialect)
        return same if isinstance(other, Stack) else NotImplemented

    def __hash__(self) -> int:
        return hash((Stack, self.programs, self.dialect))

    def __repr__(self) -> str:
        return f"Stack({list(self.programs)!r}, dialect={self.dialect!r})"
