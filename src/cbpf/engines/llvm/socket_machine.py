"""The machine of the llvm engine for captured packets that a filter sees as a live packet socket would.

The function of a program begins with the code of `packet.socket_fields`: it computes the metadata of the packet, whose
extension loads need no context then, and the bytes that the socket does not receive. These are skipped, not removed:
a load that includes bytes on both sides of them combines two loads.
"""

from collections.abc import Callable
from functools import partial, reduce
from operator import or_

from ..._typing import Any, Final, TypeAlias
from ...isa.dialects import Dialect
from ...isa.enumerations import Extension
from ...isa.opcodes import OUT_OF_RANGE
from ...isa.semantics import HeaderKind
from ...packet.socket_fields import SOCKET_FIELDS, CapturedPacket, SocketFields
from .ir import I1, I32, I64, Function, IRValue
from .machine import LLVMMachine

FieldsFunction: TypeAlias = Callable[[CapturedPacket[Any, Any]], SocketFields]


class _CompiledPacket:
    """A `CapturedPacket` whose words are i32 values of a function under construction, and whose conditions are i1."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._start = 0  # of the bytes removed
        self._removed = function.constant(I64, 0)  # their number
        self._memory = function["memory"]  # plus the number of bytes removed
        self.length = function["length"]
        self.wire = function["wire"]

    def has(self, count: int) -> IRValue:
        return self.length >= count

    def number(self, offset: int, size: int) -> IRValue:
        result = self._function.variable(I32, 0)
        with self._function.if_then(self.has(offset + size)):
            result.value = self.bytes_at(self._function.constant(I64, offset), size).bswap().zext_or_trunc(I32)
        return result.value

    def bits(self, word: IRValue, shift: int, mask: int) -> IRValue:
        return word >> shift & mask

    def is_one_of(self, word: IRValue, *values: int) -> IRValue:
        return reduce(or_, map(word.eq, values))

    def at_least(self, word: IRValue, bound: int) -> IRValue:
        return word >= bound

    def both(self, first: IRValue, second: IRValue) -> IRValue:
        return first & second

    def select(self, condition: IRValue, then: IRValue | int, otherwise: IRValue | int) -> IRValue:
        return condition.select(self.word(then), self.word(otherwise))

    def word(self, value: IRValue | int) -> IRValue:
        return self._function.constant(I32, value) if isinstance(value, int) else value

    def condition(self, value: IRValue | bool) -> IRValue:
        return self._function.constant(I1, int(value)) if isinstance(value, bool) else value

    def remove(self, start: int, count: int, condition: IRValue) -> None:
        self._start, self._removed = start, self.select(condition, count, 0).zext_or_trunc(I64)
        self._memory = self._memory.gep(self._removed)
        self.length = self.length - self._removed
        removed = self._removed.zext_or_trunc(I32)
        self.wire = (self.wire < removed).select(self.word(0), self.wire - removed)

    def bytes_at(self, position: IRValue, size: int) -> IRValue:
        """Return the number, in the host's byte order, in *size* bytes of the packet that are within its length."""
        after = self._memory.gep(position).load(size)
        if self._start == 0:
            return after
        before = self._memory.gep(position - self._removed).load(size)
        zero, one, start, whole = (self._function.constant(I64, number) for number in (0, 1, self._start, size))
        distance = (position < start).select(start - position, zero)
        bit_count = (distance < size).select(distance, whole) << 3  # of the bytes before *start*
        mask = ((one << bit_count) - 1).zext_or_trunc(after.type)
        return after ^ (after ^ before) & mask


class SocketMachine(LLVMMachine):
    """A machine that runs on the view of a packet; *fields_of* is a function of `SOCKET_FIELDS`."""

    def __init__(self, fields_of: FieldsFunction, function: Function, dialect: Dialect) -> None:
        super().__init__(function, dialect)
        self._packet = _CompiledPacket(function)
        self._fields = fields_of(self._packet)
        self._length = self._packet.length

    def captured_length(self) -> IRValue:
        return self._length.zext_or_trunc(I32)

    def wire_length(self) -> IRValue:
        return self._packet.wire

    def header(self, header: HeaderKind) -> IRValue:
        if not self._dialect.header_windows or header == "packet":
            return self.word(0)
        offset = self._fields.network_header if header == "network" else self._fields.link_header
        return self.word(OUT_OF_RANGE if offset is None else offset)

    def lacks_device(self) -> IRValue:
        return self._packet.condition(self._fields.has_device).eq(0)

    def extension(self, extension: Extension, a: IRValue, x: IRValue) -> IRValue:
        if extension is Extension.RAND:
            return super().extension(extension, a, x)
        return self._packet.word(self._fields.extensions.get(extension, 0))

    def _bytes_at(self, position: IRValue, size: int) -> IRValue:
        return self._packet.bytes_at(position, size)


SOCKET_MACHINES: Final = {name: partial(SocketMachine, fields_of) for name, fields_of in SOCKET_FIELDS.items()}
"""The constructors of machines by name of the link type; packets of other link types are unchanged."""
