"""The cBPF savefile of libpcap, cbpf-savefile(5), draft revision 8, version 1.1: a program with its context.

All integers are big-endian. A header of 20 bytes, the instructions, 8 bytes each, then optional fields, each of a
16-bit type, a 16-bit length, and that many bytes; each type stands at most once, the end mark last.
"""

import struct
from typing import Annotated, Any, Final, Self

from .._record import Record
from .._validators import Byte, HalfWord, Word, flag, optional, text, within
from ..errors import FieldError, ProgramFormatError
from ..isa.program import INSTRUCTION_SIZE, Program

MAGIC: Final = b"\xa1\xb2\xc3\xcbcBPF"
_HEADER: Final = struct.Struct(">8sBBHIHH")
_FIELD: Final = struct.Struct(">HH")
_MAJOR, _MINOR = 1, 1

# What the dialect that the program was made for allows; not what the program contains.
MOD, XOR, COP, COPX, RANDOM = 1, 2, 4, 8, 16

_END: Final = 0


def _program(place: str, value: Any) -> Program:
    program = Program(value)
    if not 1 <= len(program) <= 0xFFFF:
        raise FieldError(f"{place}: has {len(program)} instructions; a savefile holds 1 to 65535")
    return program


def _extras(place: str, value: Any) -> tuple[tuple[int, bytes], ...]:
    extras = tuple(value)
    for kind, data in extras:
        if type(kind) is not int or not isinstance(data, bytes):
            raise FieldError(f"{place}: {(kind, data)!r} is not a number and bytes")
        if kind in _CODECS or kind == _END or not 0 <= kind <= 0xFFFF or len(data) > 0xFFFF:
            raise FieldError(f"{place}: type {kind} with {len(data)} bytes is no unknown field of a savefile")
    if len({kind for kind, _ in extras}) != len(extras):
        raise FieldError(f"{place}: a type stands twice; each field stands at most once")
    return extras


class Savefile(Record):
    """A program, and for what it was made; `to_bytes` and `from_bytes` write and read it.

    program: 1 to 65,535 instructions.
    snaplen: the snapshot length, in bytes; link_type: the DLT_ number (see `LinkType.dlt`).
    flags: what the dialect allows: 1 mod, 2 xor, 4 cop, 8 copx, 16 random.
    link_type_name, expression, comment: text, or None; optimized: whether the optimiser was asked for.
    netmask: IPv4, in host order; time: seconds since 1970.
    minor: the minor version; unknown: (type, bytes) of fields that this version does not know, kept.
    ended: the file has the mark that shows it is whole.
    """

    program: Annotated[Program, _program]
    snaplen: Word = 262_144
    link_type: HalfWord = 1
    flags: HalfWord = MOD | XOR
    link_type_name: Annotated[str | None, optional(text)] = None
    expression: Annotated[str | None, optional(text)] = None
    optimized: Annotated[bool | None, optional(flag)] = None
    netmask: Annotated[int | None, optional(within(0, 0xFFFF_FFFF, "an IPv4 netmask"))] = None
    comment: Annotated[str | None, optional(text)] = None
    time: Annotated[int | None, optional(within(0, 2**64 - 1, "a time in seconds"))] = None
    minor: Byte = _MINOR
    unknown: Annotated[tuple[tuple[int, bytes], ...], _extras] = ()
    ended: Annotated[bool, flag] = True

    def to_bytes(self) -> bytes:
        """The whole file; the fields in the order of their types, the unknown ones behind."""
        head = _HEADER.pack(MAGIC, _MAJOR, self.minor, self.flags, self.snaplen, self.link_type, len(self.program))
        fields = [
            (kind, encode(getattr(self, name)))
            for kind, (name, encode, _) in _CODECS.items()
            if getattr(self, name) is not None
        ]
        fields += [*self.unknown, *([(_END, b"")] if self.ended else [])]
        parts = [_pack_field(kind, data) for kind, data in fields]
        return head + self.program.to_bytes(byte_order="big") + b"".join(parts)

    @staticmethod
    def recognizes(data: bytes) -> bool:
        """Whether *data* begins as a savefile."""
        return data.startswith(MAGIC[:4])

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Self:
        """Reads a whole file; raises `ProgramFormatError` with the offset of what is wrong."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise FieldError(f"Savefile.from_bytes: {data!r} is not bytes")
        data = bytes(data)
        if not data.startswith(MAGIC):
            raise ProgramFormatError("byte 0: not the magic number of a cBPF savefile")
        if len(data) < _HEADER.size:
            raise ProgramFormatError(f"byte {len(data)}: the header of a savefile has {_HEADER.size} bytes")
        _, major, minor, flags, snaplen, link_type, count = _HEADER.unpack_from(data)
        if major != _MAJOR:
            raise ProgramFormatError(f"byte 8: major version {major} is unknown; {_MAJOR} is read")
        end = _HEADER.size + count * INSTRUCTION_SIZE
        if count == 0 or end > len(data):
            fact = f"{len(data) - _HEADER.size} bytes follow the header"
            raise ProgramFormatError(f"byte 18: promises {count} instructions of 8 bytes, and {fact}")
        program = Program.from_bytes(data[_HEADER.size : end], byte_order="big")
        fields = {"snaplen": snaplen, "link_type": link_type, "flags": flags, "minor": minor}
        return cls(program, **fields, **_read_fields(data, end))


def _pack_field(kind: int, data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise FieldError(f"Savefile: field {kind} has {len(data)} bytes; at most 65535 fit")
    return _FIELD.pack(kind, len(data)) + data


def _read_fields(data: bytes, start: int) -> dict[str, Any]:
    """The optional fields from *start* on."""
    values: dict[str, Any] = {"ended": False}
    unknown: dict[int, bytes] = {}
    while start < len(data):
        kind, value, end = _read_field(data, start)
        name = _CODECS[kind][0] if kind in _CODECS else ""
        if values["ended"]:
            raise ProgramFormatError(f"byte {start}: follows the end mark, which stands last")
        if name in values or kind in unknown:
            raise ProgramFormatError(f"byte {start}: field {kind} stands twice; each stands at most once")
        if kind == _END:
            values["ended"] = True
        elif name:
            values[name] = _decode(_CODECS[kind][2], value, start + _FIELD.size)
        else:
            unknown[kind] = value
        start = end
    return values | {"unknown": tuple(unknown.items())}


def _read_field(data: bytes, start: int) -> tuple[int, bytes, int]:
    """The type and the bytes of the field at *start*, and where it ends."""
    body = start + _FIELD.size
    if body > len(data):
        raise ProgramFormatError(f"byte {start}: {len(data) - start} bytes are left over; a field has at least 4")
    kind, length = _FIELD.unpack_from(data, start)
    if body + length > len(data):
        raise ProgramFormatError(f"byte {start}: field {kind} promises {length} bytes, and {len(data) - body} follow")
    if kind in _LENGTHS and length != _LENGTHS[kind]:
        raise ProgramFormatError(f"byte {start}: field {kind} has {length} bytes instead of {_LENGTHS[kind]}")
    return kind, data[body : body + length], body + length


def _decode(decode: Any, value: bytes, offset: int) -> Any:
    try:
        return decode(value)
    except UnicodeDecodeError as error:
        raise ProgramFormatError(f"byte {offset + error.start}: {error.reason}; the text is UTF-8") from None
    except ValueError as error:
        raise ProgramFormatError(f"byte {offset}: {error}") from None


def _decode_bool(value: bytes) -> bool:
    if value not in (b"\0", b"\1"):
        raise ValueError(f"{value[0]} is neither 0 nor 1")
    return value == b"\1"


def _integer_codec(name: str, size: int) -> tuple[str, Any, Any]:
    return name, lambda value: value.to_bytes(size, "big"), lambda data: int.from_bytes(data, "big")


def _text_codec(name: str) -> tuple[str, Any, Any]:
    return name, str.encode, bytes.decode


# By type: the attribute, and how to write and read its bytes.
_CODECS: Final[dict[int, tuple[str, Any, Any]]] = {
    1: _text_codec("link_type_name"),
    2: _text_codec("expression"),
    3: ("optimized", lambda value: bytes([value]), _decode_bool),
    4: _integer_codec("netmask", 4),
    5: _text_codec("comment"),
    6: _integer_codec("time", 8),
}
_LENGTHS: Final = {_END: 0, 3: 1, 4: 4, 6: 8}
