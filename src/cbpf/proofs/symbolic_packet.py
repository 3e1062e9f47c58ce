"""The packet of a question: its bytes, lengths and metadata as unknowns, and their values once a solver found some.

Positions count from packet byte 0; those of the bytes before it, which only header windows reach, are negative, as
32-bit two's complement. Offsets and lengths stay far below 2**31, so that no sum of them wraps.
"""

from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

from ..isa.dialects import Dialect, FetchOrder
from ..isa.opcodes import OUT_OF_RANGE, SIGN_BIT, Action, Extension
from ..isa.semantics import HeaderKind
from ..packet.metadata import Device, Metadata, VlanTag
from .terms import Solver, Term, Terms, TruthTerm, WordTerm, key

FARTHEST_HEADER: Final = 0xFFFF  # bytes before or behind packet byte 0, as `Metadata` allows
NUMBERS: Final = {
    Extension.PROTO: ("protocol", 16),
    Extension.TYPE: ("packet_type", 3),
    Extension.MARK: ("mark", 32),
    Extension.QUEUE: ("queue", 16),
    Extension.RX_HASH: ("hash", 32),
    Extension.CPU_ID: ("cpu", 32),
    Extension.PAYLOAD_OFFSET: ("payload_offset", 32),
}
"""The extensions that are a field of `Metadata`, with their bits."""


class Model(NamedTuple):
    """One packet, with all that a program may see of it."""

    packet: bytes
    wire_length: int
    metadata: Metadata


class SymbolicPacket:
    """Any packet of *shortest* to *longest* bytes that *dialect* may show to a program."""

    def __init__(self, terms: Terms, dialect: Dialect, shortest: int, longest: int, *, indexed: bool) -> None:
        """*indexed*: bytes are loaded at positions that depend on the packet. Without, each is a variable."""
        self.terms = terms
        self.longest = longest
        self.shortest = shortest
        self._record_size = dialect.record_size
        self.captured: WordTerm = shortest if shortest == longest else terms.unknown("captured length")
        self.limits: list[TruthTerm] = [
            terms.at_most(shortest, self.captured),
            terms.at_most(self.captured, longest),
        ]
        self._packet = terms.unknown_array("packet", 8) if indexed else None
        self._bytes: dict[Hashable, tuple[WordTerm, Term]] = {}
        self._words: dict[str, WordTerm] = {}
        self._truths: dict[str, TruthTerm] = {}
        self._draws: dict[Hashable, tuple[WordTerm, Term]] = {}
        self._random: Term = None
        self._search: Term = None
        self.exact: list[TruthTerm] = []  # where all hold, no netlink search is guessed

    def wire_length(self) -> WordTerm:
        """The length that the packet had: not less than what was captured of it."""
        if self._record_size is not None:
            return self.captured
        if "wire_length" not in self._words:
            length = self._words["wire_length"] = self.terms.unknown("wire length")
            self.limits.append(self.terms.at_most(self.captured, length))
        return self._words["wire_length"]

    # Bytes

    def load(self, position: WordTerm, size: int, byte_order: FetchOrder) -> WordTerm:
        """The number at *position*, where its bytes are known to be."""
        places = [self.terms.arithmetic(Action.ADD, position, offset) for offset in range(size)]
        in_order = places if byte_order == "big" else places[::-1]
        return self.terms.joined([self._byte(place) for place in in_order])

    def _byte(self, position: WordTerm) -> Term:
        place = key(position)
        if place not in self._bytes:
            if self._packet is None:
                byte = self.terms.unknown_byte(f"byte {position}")
            else:
                byte = self.terms.element(self._packet, position)
            self._bytes[place] = position, byte
        return self._bytes[place][1]

    def bytes_before(self) -> WordTerm:
        """How many bytes there are in front of packet byte 0."""
        return self._word("before", 32, lambda word: [self.terms.at_most(word, FARTHEST_HEADER)])

    def has_few_bytes_before(self, count: int) -> TruthTerm:
        """Whether there are at most *count* of them; True where nobody asks."""
        return self.terms.at_most(self._words["before"], count) if "before" in self._words else True

    def header(self, header: HeaderKind) -> WordTerm:
        """The position of a header's byte 0, or OUT_OF_RANGE."""
        if header == "packet":
            return 0
        position = self._word(header, 32, self._is_header)
        if header == "network":
            return position
        return self.terms.select(self._truth("has link header"), position, OUT_OF_RANGE)

    def _is_header(self, position: WordTerm) -> list[TruthTerm]:
        """A position within the limits of `Metadata`, and not before all bytes."""
        terms = self.terms
        first = terms.arithmetic(Action.SUB, 0, self.bytes_before())
        return [terms.signed_at_most(first, position), terms.signed_at_most(position, FARTHEST_HEADER)]

    # Metadata

    def lacks_device(self) -> TruthTerm:
        """Whether the packet belongs to no network device."""
        return self.terms.opposite(self._truth("has device"))

    def number(self, extension: Extension) -> WordTerm:
        """What an extension load gives that depends on the packet alone."""
        if extension in NUMBERS:
            return self._word(*NUMBERS[extension])
        if extension is Extension.INTERFACE_INDEX:
            return self._word("device index", 32)
        if extension is Extension.LINK_LAYER_TYPE:
            return self._word("device type", 16)
        has_tag = self._truth("has tag")
        if extension is Extension.VLAN_TAG_PRESENT:
            return self.terms.select(has_tag, 1, 0)
        name = "tag" if extension is Extension.VLAN_TAG else "tag protocol"
        return self.terms.select(has_tag, self._word(name, 16), 0)

    def draw(self, number: WordTerm) -> WordTerm:
        """Random number *number* of the run, from 1."""
        if self._random is None:
            self._random = self.terms.unknown_array("random", 32)
        return self._draws.setdefault(key(number), (number, self.terms.element(self._random, number)))[1]

    def guess(self, condition: TruthTerm, start: WordTerm, end: WordTerm, kind: WordTerm) -> WordTerm:
        """What a search for a netlink attribute may give, where *condition* holds: the same for equal searches."""
        if self._search is None:
            self._search = self.terms.unknown_function("search", 3)
        self.exact.append(self.terms.opposite(condition))
        return self.terms.value_of(self._search, start, end, kind)

    def _word(self, name: str, width: int, limits: Callable[[WordTerm], list[TruthTerm]] | None = None) -> WordTerm:
        if name not in self._words:
            self._words[name] = self.terms.unknown(name, width)
            if limits is not None:
                self.limits += limits(self._words[name])
        return self._words[name]

    def _truth(self, name: str) -> TruthTerm:
        if name not in self._truths:
            self._truths[name] = self.terms.unknown_truth(name)
        return self._truths[name]

    # Values

    def model(self, solver: Solver) -> Model:
        """The packet that the solver found; all that was never asked for is zero, or as `Metadata` has it."""
        captured, before = solver.number(self.captured), self._number(solver, "before")
        memory = bytearray(before + captured)
        for position, byte in self._bytes.values():
            place = before + _signed(solver.number(position))
            if 0 <= place < len(memory):
                memory[place] = solver.number(byte)
        metadata = Metadata(
            **{name: self._number(solver, name) for name, _ in NUMBERS.values() if name in self._words},
            device=self._device(solver),
            vlan=self._tag(solver),
            before=bytes(memory[:before]),
            network_header=_signed(self._number(solver, "network")),
            link_header=_signed(self._number(solver, "link")) if self._holds(solver, "has link header") else None,
            seed=0 if self._draws else None,  # for more numbers than those
            draws=self._drawn(solver),
        )
        return Model(bytes(memory[before:]), max(captured, self._number(solver, "wire_length")), metadata)

    def _device(self, solver: Solver) -> Device | None:
        if not self._holds(solver, "has device"):
            return None
        return Device(self._number(solver, "device index"), self._number(solver, "device type"))

    def _tag(self, solver: Solver) -> VlanTag | None:
        if not self._holds(solver, "has tag"):
            return None
        return VlanTag(self._number(solver, "tag"), self._number(solver, "tag protocol"))

    def _drawn(self, solver: Solver) -> tuple[int, ...]:
        drawn = {solver.number(number): solver.number(value) for number, value in self._draws.values()}
        return tuple(drawn.get(number, 0) for number in range(1, max(drawn, default=0) + 1))

    def _number(self, solver: Solver, name: str) -> int:
        return solver.number(self._words[name]) if name in self._words else 0

    def _holds(self, solver: Solver, name: str) -> bool:
        return name in self._truths and solver.holds(self._truths[name])


def _signed(position: int) -> int:
    return position - 2 * SIGN_BIT if position & SIGN_BIT else position
