"""Queries about the packets of one or two programs: symbolic execution, a solver with a deadline, and shrinking."""

from functools import cached_property

from .._typing import Final
from .._validators import within
from ..errors import FieldError, Undecided
from ..isa.enumerations import Extension, extension_of
from ..isa.opcodes import OPCODE_BY_CODE, SIGN_BIT, Operand
from ..vm import VM
from .limits import Limits
from .machine import Execution, execute_symbolically
from .shrink import Confirm, shrink
from .symbolic_packet import Model, SymbolicPacket
from .terms import BoolTerm, Solver, Terms

SPURIOUS_COUNTEREXAMPLE: Final = (
    "the counterexample depends on netlink attributes beyond the third, which are not modelled"
)
_MAX_LENGTH: Final = 0xFF_FFFF  # bytes
_check_length: Final = within(0, _MAX_LENGTH, "a length in bytes")

_COMMON_HEADER: Final = 0x45  # the byte that `ldx 4*([k]&0xf)` reads: IPv4 with a header of 20 bytes
_FEW_BYTES_BEFORE: Final = 64
_MAX_SHRINK_STEPS: Final = 400_000  # instructions that all runs of the shrinker execute, approximately
_MIN_SHRINK_RUNS: Final = 40


class Query:
    """A query about all packets of *shortest* to *longest* captured bytes.

    Args:
        *vms: The programs, which are executed symbolically at once. All have one dialect.
        shortest: The smallest captured length, in bytes. A dialect of records (SECCOMP) has a fixed size instead.
        longest: The greatest captured length, in bytes.
        timeout: The time for all answers, in seconds from now; None: no limit.

    Attributes:
        dialect: The dialect of the programs.
        vms: The programs.
        terms: The builder of all terms of the query.
        packet: The symbolic packet.
    """

    def __init__(self, *vms: VM, shortest: int, longest: int, timeout: float | None) -> None:
        limits = Limits(timeout)
        shortest, longest = _check_length("shortest", shortest), _check_length("longest", longest)
        if shortest > longest:
            raise FieldError(f"shortest: {shortest} bytes exceed longest, {longest} bytes")
        self.dialect = vms[0].dialect
        if self.dialect.record_size is not None:
            shortest = longest = self.dialect.record_size
        self.vms = vms
        self.terms = Terms(limits)
        indexed = any(has_indexed_load(vm) for vm in vms)
        self.packet = SymbolicPacket(self.terms, self.dialect, shortest, longest, indexed=indexed)
        self._limits = limits
        self._solver: Solver | None = None

    @cached_property
    def executions(self) -> list[Execution]:
        """The symbolic execution of each program. Raises `Undecided`."""
        return [execute_symbolically(vm.program, self.dialect, self.packet) for vm in self.vms]

    def find(self, condition: BoolTerm, *, confirm: Confirm) -> Model | None:
        """Return a small packet that satisfies a condition, or None: there is a proof that no packet does.

        *confirm* runs the programs on a packet and returns whether the condition holds. Raises `Undecided`.
        """
        model = self.solve(condition)
        if model is None:
            return None
        if not confirm(model):
            raise Undecided(SPURIOUS_COUNTEREXAMPLE)
        readable = self._readable_packet(condition)
        if readable is not None and confirm(readable):
            model = readable
        qualities = self._qualities(model)
        max_runs = max(_MIN_SHRINK_RUNS, _MAX_SHRINK_STEPS // sum(len(vm.program) for vm in self.vms))
        return shrink(
            model,
            lambda candidate: confirm(candidate) and qualities <= self._qualities(candidate),
            self.packet.shortest,
            max_runs,
            self._limits,
        )

    def solve(self, *conditions: BoolTerm) -> Model | None:
        """Return the solver's packet that satisfies all conditions, or None if there is none. Raises `Undecided`."""
        if any(condition is False for condition in conditions):
            return None
        if self._solver is None:
            self._solver = self.terms.solver()
            self._solver.add_constraints(*self.packet.constraints)
        exact = self.packet.exact_search_conditions
        if self._solver.is_satisfiable(*conditions, *exact) or (exact and self._solver.is_satisfiable(*conditions)):
            return self.packet.model(self._solver)
        return None

    def _readable_packet(self, condition: BoolTerm) -> Model | None:
        """Return a more readable counterexample if the solver finds one before the deadline.

        It satisfies as many preferences as possible: no load exceeds the packet, IP headers have the usual first byte,
        and few or no bytes precede the packet.
        """
        terms = self.terms
        complete = [terms.any(*(path for path, _ in execution.returned)) for execution in self.executions]
        headers = [
            terms.any(terms.negate(execution.reached[index]), self._has_common_header(offset))
            for vm, execution in zip(self.vms, self.executions, strict=True)
            for index, offset in header_loads(vm)
        ]
        none_before, few_before = (self.packet.has_at_most_before(count) for count in (0, _FEW_BYTES_BEFORE))
        for preferences in (
            [*complete, *headers, none_before],
            [*headers, none_before],
            [*headers, few_before],
            [few_before],
        ):
            try:
                model = self.solve(terms.all(condition, *preferences))
            except Undecided:
                return None
            if model is not None:
                return model
        return None

    def _has_common_header(self, offset: int) -> BoolTerm:
        terms, captured = self.terms, self.packet.captured
        if offset >= self.packet.longest:
            return True
        byte = self.packet.load(offset, 1, "big")
        return terms.any(terms.at_most(captured, offset), terms.equal(byte, _COMMON_HEADER))

    def _qualities(self, model: Model) -> set[str]:
        """Return the qualities that make a packet readable; the shrinker preserves them."""
        qualities = {"complete", "common headers"}
        for vm in self.vms:
            uncommon = {
                index
                for index, offset in header_loads(vm)
                if model.packet[offset : offset + 1] not in (b"", bytes([_COMMON_HEADER]))
            }
            for step in vm.trace(model.packet, wire_length=model.wire_length, metadata=model.metadata):
                if step.index in uncommon:
                    qualities.discard("common headers")
                if step.fetched is not None and step.fetched.value is None:
                    qualities.discard("complete")
        return qualities


def has_indexed_load(vm: VM) -> bool:
    """Return whether a program has a load whose position may depend on the packet."""
    for raw in vm.program:
        opcode = OPCODE_BY_CODE[raw.op]
        if opcode.operand is Operand.INDIRECT:
            return True
        if opcode.operand in (Operand.ABSOLUTE, Operand.MEMORY_SHIFT) and raw.k >= SIGN_BIT:
            if extension_of(opcode, raw.k) in (Extension.NETLINK_ATTR, Extension.NETLINK_ATTR_NESTED):
                return True
            if vm.dialect.header_windows and extension_of(opcode, raw.k) is None:
                return True
    return False


def header_loads(vm: VM) -> list[tuple[int, int]]:
    """Return the index and the offset of each instruction that loads the length of an IP header from the packet."""
    return [
        (index, raw.k)
        for index, raw in enumerate(vm.program)
        if OPCODE_BY_CODE[raw.op].operand is Operand.MEMORY_SHIFT and raw.k < SIGN_BIT
    ]
