"""The symbolic packet of a query: variables for its bytes, lengths and metadata, and its concrete value in a model.

Positions count from packet byte 0. Bytes before the packet, which only header windows reach, have negative positions
in 32-bit two's complement. Offsets and lengths are far below 2**31, so sums of them do not wrap.
"""

from collections.abc import Callable, Hashable

from .._named_tuple import NamedTuple
from .._typing import Final
from ..isa.dialects import Dialect, FetchOrder
from ..isa.enumerations import Extension
from ..isa.opcodes import OUT_OF_RANGE, SIGN_BIT, Action
from ..isa.semantics import HeaderKind
from ..packet.metadata import Device, Metadata, VlanTag
from .terms import BoolTerm, Solver, Term, Terms, WordTerm, term_key

_MAX_HEADER_DISTANCE: Final = 0xFFFF  # bytes before or after packet byte 0, as in `Metadata`
_METADATA_FIELDS: Final = {
    Extension.PROTO: ("protocol", 16),
    Extension.TYPE: ("packet_type", 3),
    Extension.MARK: ("mark", 32),
    Extension.QUEUE: ("queue", 16),
    Extension.RX_HASH: ("hash", 32),
    Extension.CPU_ID: ("cpu", 32),
    Extension.PAYLOAD_OFFSET: ("payload_offset", 32),
}
"""The extensions that read a field of `Metadata`: its name and its width in bits."""


class Model(NamedTuple):
    """A concrete packet from a model of the solver, with everything that a program can read."""

    packet: bytes
    wire_length: int
    metadata: Metadata


class SymbolicPacket:
    """An arbitrary packet of *shortest* to *longest* captured bytes, as a program of *dialect* reads it.

    Variables are created when a program first reads them.

    Args:
        terms: The builder of the terms.
        dialect: The dialect of the programs.
        shortest: The smallest captured length, in bytes.
        longest: The greatest captured length, in bytes.
        indexed: Whether the position of a load may depend on the packet. If so, the bytes are one array; otherwise
            each byte is a variable of its own, with which the slowest proofs take half the time.

    Attributes:
        captured: The captured length.
        constraints: Conditions that hold for every packet.
        exact_search_conditions: Conditions; if all hold, the result of every netlink search is modelled exactly.
    """

    def __init__(self, terms: Terms, dialect: Dialect, shortest: int, longest: int, *, indexed: bool) -> None:
        self.terms = terms
        self.longest = longest
        self.shortest = shortest
        self._record_size = dialect.record_size
        self.captured: WordTerm = shortest if shortest == longest else terms.variable("captured length")
        self.constraints: list[BoolTerm] = [
            terms.at_most(shortest, self.captured),
            terms.at_most(self.captured, longest),
        ]
        self._byte_array = terms.array_variable("packet", 8) if indexed else None
        self._bytes: dict[Hashable, tuple[WordTerm, Term]] = {}
        self._loads: dict[Hashable, WordTerm] = {}
        self._words: dict[str, WordTerm] = {}
        self._bools: dict[str, BoolTerm] = {}
        self._draws: dict[Hashable, tuple[WordTerm, Term]] = {}
        self._random_array: Term = None
        self._search_function: Term = None
        self.exact_search_conditions: list[BoolTerm] = []

    def wire_length(self) -> WordTerm:
        """Return the length on the wire: any 32-bit number that is not smaller than the captured length."""
        if self._record_size is not None:
            return self.captured
        if "wire_length" not in self._words:
            length = self._words["wire_length"] = self.terms.variable("wire length")
            self.constraints.append(self.terms.at_most(self.captured, length))
        return self._words["wire_length"]

    # Bytes

    def load(self, position: WordTerm, size: int, byte_order: FetchOrder) -> WordTerm:
        """Return the number of *size* bytes at *position*; the path condition ensures that they are captured."""
        key = term_key(position), size, byte_order
        if key not in self._loads:
            positions = [self.terms.arithmetic(Action.ADD, position, offset) for offset in range(size)]
            most_significant_first = positions if byte_order == "big" else positions[::-1]
            self._loads[key] = self.terms.concatenate([self._byte(position) for position in most_significant_first])
        return self._loads[key]

    def _byte(self, position: WordTerm) -> Term:
        key = term_key(position)
        if key not in self._bytes:
            if self._byte_array is None:
                byte = self.terms.byte_variable(f"byte {position}")
            else:
                byte = self.terms.element(self._byte_array, position)
            self._bytes[key] = position, byte
        return self._bytes[key][1]

    def bytes_before(self) -> WordTerm:
        """Return the number of bytes before packet byte 0."""
        return self._word("before", 32, lambda word: [self.terms.at_most(word, _MAX_HEADER_DISTANCE)])

    def has_at_most_before(self, count: int) -> BoolTerm:
        """Return the condition that at most *count* bytes precede the packet; True if no program reads them."""
        return self.terms.at_most(self._words["before"], count) if "before" in self._words else True

    def header(self, header: HeaderKind) -> WordTerm:
        """Return the position of byte 0 of a header, or OUT_OF_RANGE for a packet without a link header."""
        if header == "packet":
            return 0
        position = self._word(header, 32, self._header_constraints)
        if header == "network":
            return position
        return self.terms.select(self._bool("has link header"), position, OUT_OF_RANGE)

    def _header_constraints(self, position: WordTerm) -> list[BoolTerm]:
        """Return the constraints of a header position: within the limits of `Metadata`, not before the first byte."""
        terms = self.terms
        first = terms.arithmetic(Action.SUB, 0, self.bytes_before())
        return [terms.signed_at_most(first, position), terms.signed_at_most(position, _MAX_HEADER_DISTANCE)]

    # Metadata

    def lacks_device(self) -> BoolTerm:
        """Return the condition that the packet does not belong to a network device."""
        return self.terms.negate(self._bool("has device"))

    def extension_value(self, extension: Extension) -> WordTerm:
        """Return the result of an extension load that reads metadata."""
        if extension in _METADATA_FIELDS:
            return self._word(*_METADATA_FIELDS[extension])
        if extension is Extension.INTERFACE_INDEX:
            return self._word("device index", 32)
        if extension is Extension.LINK_LAYER_TYPE:
            return self._word("device type", 16)
        has_tag = self._bool("has tag")
        if extension is Extension.VLAN_TAG_PRESENT:
            return self.terms.select(has_tag, 1, 0)
        name = "tag" if extension is Extension.VLAN_TAG else "tag protocol"
        return self.terms.select(has_tag, self._word(name, 16), 0)

    def random_number(self, draw: WordTerm) -> WordTerm:
        """Return the random number of draw *draw* of the run, counted from 1."""
        if self._random_array is None:
            self._random_array = self.terms.array_variable("random", 32)
        return self._draws.setdefault(term_key(draw), (draw, self.terms.element(self._random_array, draw)))[1]

    def unmodelled_search(
        self, condition: BoolTerm, start: WordTerm, end: WordTerm, attribute_type: WordTerm
    ) -> WordTerm:
        """Return an arbitrary result of a netlink search, which runs if *condition* holds; equal searches agree."""
        if self._search_function is None:
            self._search_function = self.terms.uninterpreted_function("search", 3)
        self.exact_search_conditions.append(self.terms.negate(condition))
        return self.terms.apply(self._search_function, start, end, attribute_type)

    def _word(self, name: str, width: int, constrain: Callable[[WordTerm], list[BoolTerm]] | None = None) -> WordTerm:
        if name not in self._words:
            self._words[name] = self.terms.variable(name, width)
            if constrain is not None:
                self.constraints += constrain(self._words[name])
        return self._words[name]

    def _bool(self, name: str) -> BoolTerm:
        if name not in self._bools:
            self._bools[name] = self.terms.bool_variable(name)
        return self._bools[name]

    # The model

    def model(self, solver: Solver) -> Model:
        """Return the packet of the solver's model. Bytes that no program reads are 0, metadata have their defaults."""
        captured, before = solver.word_value(self.captured), self._word_value(solver, "before")
        memory = bytearray(before + captured)
        for position, byte in self._bytes.values():
            index = before + _signed(solver.word_value(position))
            if 0 <= index < len(memory):
                memory[index] = solver.word_value(byte)
        metadata = Metadata(
            **{name: self._word_value(solver, name) for name, _ in _METADATA_FIELDS.values() if name in self._words},
            device=self._device(solver),
            vlan=self._tag(solver),
            before=bytes(memory[:before]),
            network_header=_signed(self._word_value(solver, "network")),
            link_header=_signed(self._word_value(solver, "link"))
            if self._bool_value(solver, "has link header")
            else None,
            seed=0 if self._draws else None,  # for further draws
            draws=self._draw_values(solver),
        )
        return Model(bytes(memory[before:]), max(captured, self._word_value(solver, "wire_length")), metadata)

    def _device(self, solver: Solver) -> Device | None:
        if not self._bool_value(solver, "has device"):
            return None
        return Device(self._word_value(solver, "device index"), self._word_value(solver, "device type"))

    def _tag(self, solver: Solver) -> VlanTag | None:
        if not self._bool_value(solver, "has tag"):
            return None
        return VlanTag(self._word_value(solver, "tag"), self._word_value(solver, "tag protocol"))

    def _draw_values(self, solver: Solver) -> tuple[int, ...]:
        values = {solver.word_value(draw): solver.word_value(value) for draw, value in self._draws.values()}
        return tuple(values.get(draw, 0) for draw in range(1, max(values, default=0) + 1))

    def _word_value(self, solver: Solver, name: str) -> int:
        return solver.word_value(self._words[name]) if name in self._words else 0

    def _bool_value(self, solver: Solver, name: str) -> bool:
        return name in self._bools and solver.bool_value(self._bools[name])


def _signed(position: int) -> int:
    return position - 2 * SIGN_BIT if position & SIGN_BIT else position
