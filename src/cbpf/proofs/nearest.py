"""The smallest change of a packet that inverts the decision of a program (extra `smt` for more than one byte).

One of the bytes that the run reads must change, because otherwise the run would be the same. So changes of one byte
are found by trying them; the solver finds those of more bytes.
"""

from collections.abc import Iterator

from .._named_tuple import NamedTuple
from .._typing import Final
from ..engines.interpreter import Step
from ..errors import Undecided
from ..isa.enumerations import Extension
from ..isa.opcodes import Action
from ..packet.metadata import Metadata
from ..packet.skb import SocketBuffer
from ..vm import VM
from .limits import Limits
from .machine import Execution, execute_symbolically
from .query import has_indexed_load, header_loads
from .symbolic_packet import SymbolicPacket
from .terms import BoolTerm, Solver, Terms, WordTerm
from .verdicts import accepting_condition

_BYTES: Final = range(256)


class Nearest(NamedTuple):
    """A packet of the same length with the opposite decision.

    Args:
        packet: The packet.
        is_nearest: Whether each such packet differs in as many bytes, or more; False if time was too short for a proof.
    """

    packet: bytes
    is_nearest: bool


def nearest_opposite(
    vm: VM, packet: bytes, wire_length: int, metadata: Metadata | None, *, timeout: float | None
) -> Nearest | None:
    """Return a packet of the same length with the opposite decision that differs in as few bytes as possible.

    Args:
        vm: The program, under the dialect PCAP or LINUX.
        packet: The captured bytes.
        wire_length: The length of the packet on the wire, which does not change.
        metadata: The values of extension loads, which do not change, for the dialect LINUX.
        timeout: The time in seconds; None: no limit.

    Returns:
        The packet; None if there is none.

    Raises:
        Undecided: There is neither a packet nor a proof within the time.
        MissingLibrary: No change of one byte is sufficient, and bitwuzla is not installed.
    """
    return _Search(vm, packet, wire_length, metadata, Limits(timeout)).nearest()


class _Search:
    def __init__(self, vm: VM, packet: bytes, wire_length: int, metadata: Metadata | None, limits: Limits) -> None:
        self._vm = vm
        self._packet = packet
        self._wire_length = wire_length
        self._metadata = metadata
        self._limits = limits
        self._wanted = not vm.evaluate(packet, wire_length=wire_length, metadata=metadata)

    def nearest(self) -> Nearest | None:
        """Return the result of the search."""
        single = next(filter(self._is_opposite, self._single_changes()), None)
        if single is not None:
            return Nearest(single, True)
        changed = _ChangedPacket(self._vm, self._packet, self._wire_length, self._metadata, self._limits)
        best = changed.solution(self._wanted, len(self._packet))
        if best is None:
            return None
        best = self._reduced(best)
        for limit in range(2, _distance(best, self._packet) + 1):
            try:
                closer = changed.solution(self._wanted, limit)
            except Undecided:
                return Nearest(best, False)
            if closer is not None:
                return Nearest(self._reduced(closer), True)
        return Nearest(best, True)

    def _is_opposite(self, packet: bytes) -> bool:
        self._limits.check()
        verdict = self._vm.evaluate(packet, wire_length=self._wire_length, metadata=self._metadata)
        return bool(verdict) is self._wanted

    def _single_changes(self) -> Iterator[bytes]:
        """Yield all changes of one byte that the run reads: first of those that it reads last."""
        steps = list(self._vm.trace(self._packet, wire_length=self._wire_length, metadata=self._metadata))
        offsets = dict.fromkeys(offset for step in reversed(steps) for offset in _offsets(step))
        for offset in offsets:
            if offset < len(self._packet):
                yield from self._changes_of(self._packet, offset)

    def _changes_of(self, packet: bytes, offset: int) -> Iterator[bytes]:
        """Yield a packet with other values of a byte, first those that are close to the original value."""
        original = self._packet[offset]
        for value in sorted(_BYTES, key=lambda value: abs(value - original)):
            if value != packet[offset]:
                yield packet[:offset] + bytes([value]) + packet[offset + 1 :]

    def _reduced(self, packet: bytes) -> bytes:
        """Return a packet with the opposite decision, and with values as close to the original ones as possible."""
        for offset in range(len(packet)):
            if packet[offset] != self._packet[offset]:
                distance = abs(packet[offset] - self._packet[offset])
                for closer in self._changes_of(packet, offset):
                    if abs(closer[offset] - self._packet[offset]) >= distance:
                        break
                    if self._is_opposite(closer):
                        packet = closer
                        break
        return packet


def _offsets(step: Step) -> range:
    """Return the offsets of the bytes that a step loads, the least significant one first."""
    if step.fetched is None:
        return range(0)
    return range(step.fetched.position + step.fetched.size - 1, step.fetched.position - 1, -1)


def _distance(left: bytes, right: bytes) -> int:
    return sum(one != other for one, other in zip(left, right, strict=True))


class _ChangedPacket:
    """The packets of the length of a packet, as terms, and the number of bytes in which they differ from it."""

    def __init__(self, vm: VM, packet: bytes, wire_length: int, metadata: Metadata | None, limits: Limits) -> None:
        self._terms = Terms(limits)
        self._original = packet
        symbolic = _ChangingPacket(self._terms, vm, packet, wire_length, metadata)
        execution = execute_symbolically(vm.program, vm.dialect, symbolic)
        self._accepts = accepting_condition(self._terms, vm.dialect, execution)
        end = min(len(packet), self._end_of_loads(execution))
        self._bytes = [symbolic.load(offset, 1, "big") for offset in range(end)]
        self._changes = self._number_of_changes()
        lengths = {offset for _, offset in header_loads(vm) if offset < end}
        self._usual = self._terms.all(*(self._terms.equal(self._bytes[i], packet[i]) for i in sorted(lengths)))
        self._solver: Solver = self._terms.solver()
        self._solver.add_constraints(*symbolic.constraints)

    def solution(self, accepts: bool, limit: int) -> bytes | None:
        """Return a packet with a decision and with at most *limit* changed bytes, or None if there is none.

        If possible, the lengths of IP headers do not change: a packet with other headers would be hard to read.
        """
        decision: BoolTerm = self._accepts if accepts else self._terms.negate(self._accepts)
        condition = self._terms.all(decision, self._terms.at_most(self._changes, limit))
        if not any(self._solver.is_satisfiable(condition, wish) for wish in (self._usual, True)):
            return None
        changed = bytes(self._solver.word_value(byte) for byte in self._bytes)
        return changed + self._original[len(changed) :]

    def _end_of_loads(self, execution: Execution) -> int:
        """Return the number of leading bytes that the program may read."""
        attempts = (attempt for attempts in execution.loads.values() for attempt in attempts)
        return max((self._terms.sum_of(attempt.base).maximum() + attempt.end for attempt in attempts), default=0)

    def _number_of_changes(self) -> WordTerm:
        terms = self._terms
        changes: WordTerm = 0
        for byte, original in zip(self._bytes, self._original, strict=False):
            changes = terms.arithmetic(Action.ADD, changes, terms.select(terms.equal(byte, original), 0, 1))
        return changes


class _ChangingPacket(SymbolicPacket):
    """A packet whose bytes change, while its captured length, its wire length and its metadata do not."""

    def __init__(self, terms: Terms, vm: VM, packet: bytes, wire_length: int, metadata: Metadata | None) -> None:
        super().__init__(terms, vm.dialect, len(packet), len(packet), indexed=has_indexed_load(vm))
        self._known_wire_length = wire_length
        self._buffer = SocketBuffer(packet, metadata or Metadata(), header_windows=vm.dialect.header_windows)

    def wire_length(self) -> WordTerm:
        """Return the length on the wire."""
        return self._known_wire_length

    def lacks_device(self) -> BoolTerm:
        """Return whether the packet does not belong to a network device."""
        return self._buffer.lacks_device()

    def extension_value(self, extension: Extension) -> WordTerm:
        """Return the result of an extension load that reads metadata."""
        return self._buffer.extension(extension, 0, 0)
