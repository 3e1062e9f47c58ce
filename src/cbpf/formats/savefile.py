"""The cBPF savefile of libpcap: a program, and the parameters of its compilation.

The file is a header of 20 bytes, the instructions (8 bytes each), and optional fields. A field has a 16-bit type, a
16-bit length, and as many bytes of content; each type appears at most once. The last field is the end marker (type 0),
which shows that the file is complete. All integers are big-endian.

Source: cbpf-savefile(5), draft revision 8, version 1.1 of the format.
"""

import struct

from .._record import Record
from .._typing import Annotated, Any, Final, Self
from .._validators import Byte, HalfWord, Word, flag, optional, text, within
from ..errors import FieldError, ProgramFormatError
from ..isa.program import INSTRUCTION_SIZE, Program

MAGIC: Final = b"\xa1\xb2\xc3\xcbcBPF"
_HEADER: Final = struct.Struct(">8sBBHIHH")
_FIELD: Final = struct.Struct(">HH")
_MAJOR, MINOR = 1, 1

# The instructions that the dialect of the program allows, whether or not the program contains them.
MOD, XOR, COP, COPX, RANDOM = 1, 2, 4, 8, 16

_END: Final = 0


def _program(path: str, value: Any) -> Program:
    program = Program(value)
    if not 1 <= len(program) <= 0xFFFF:
        raise FieldError(f"{path}: has {len(program)} instructions; a savefile contains 1 to 65535")
    return program


def _unknown_fields(path: str, value: Any) -> tuple[tuple[int, bytes], ...]:
    fields = tuple(value)
    for field_type, data in fields:
        if type(field_type) is not int or not isinstance(data, bytes):
            raise FieldError(f"{path}: {(field_type, data)!r} is not a pair of a type number and bytes")
        if field_type in _CODECS or field_type == _END or not 0 <= field_type <= 0xFFFF:
            raise FieldError(f"{path}: {field_type} is not an unknown type; use the attribute of a known field")
        if len(data) > 0xFFFF:
            raise FieldError(f"{path}: field {field_type} has {len(data)} bytes; at most 65535 fit")
    if len({field_type for field_type, _ in fields}) != len(fields):
        raise FieldError(f"{path}: duplicate type; each type appears at most once")
    return fields


class Savefile(Record):
    """A program, and the parameters of its compilation.

    Args:
        program: 1 to 65,535 instructions.
        snaplen: The snapshot length for which the program was compiled, in bytes, 32 bits.
        link_type: The DLT_ number of the link type (see `LinkType.dlt`), 16 bits; 1 is Ethernet.
        flags: The instructions that the dialect allows, as a sum: 1 mod, 2 xor, 4 cop, 8 copx, 16 random.
        link_type_name: The name of the link type, or None.
        expression: The filter expression, or None.
        optimized: Whether optimisation was requested at compilation; None if unknown.
        netmask: The IPv4 netmask, 32 bits in host order, or None.
        comment: Any text, or None.
        time: The time of compilation in seconds since 1970, 64 bits, or None.
        minor: The minor version of the format.
        unknown_fields: The type and the content of each field that this version does not know.
        has_end_marker: Whether the end marker follows the last field; False for a file that may be truncated.

    Raises:
        FieldError: A value does not fit its field.

    >>> from cbpf import compile
    >>> savefile = Savefile(compile("arp"), expression="arp", comment="an example")
    >>> len(savefile.to_bytes()), Savefile.from_bytes(savefile.to_bytes()) == savefile
    (77, True)
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
    minor: Byte = MINOR
    unknown_fields: Annotated[tuple[tuple[int, bytes], ...], _unknown_fields] = ()
    has_end_marker: Annotated[bool, flag] = True

    def to_bytes(self) -> bytes:
        """Encode the savefile.

        Returns:
            The content of the file: the known fields in the order of their types, then the unknown fields.

        Raises:
            FieldError: A text has more than 65,535 bytes in UTF-8.
        """
        head = _HEADER.pack(MAGIC, _MAJOR, self.minor, self.flags, self.snaplen, self.link_type, len(self.program))
        fields = [
            (field_type, encode(getattr(self, name)))
            for field_type, (name, encode, _) in _CODECS.items()
            if getattr(self, name) is not None
        ]
        fields += [*self.unknown_fields, *([(_END, b"")] if self.has_end_marker else [])]
        parts = [_pack_field(field_type, data) for field_type, data in fields]
        return head + self.program.to_bytes(byte_order="big") + b"".join(parts)

    @staticmethod
    def recognizes(data: bytes) -> bool:
        """Return whether *data* begins like a savefile.

        Args:
            data: The content of a file, or its first bytes.

        Returns:
            Whether the first four bytes are those of the magic number.
        """
        return data.startswith(MAGIC[:4])

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Self:
        """Decode a savefile.

        Args:
            data: The content of a file.

        Returns:
            The savefile; `has_end_marker` is False if *data* ends without the end marker.

        Raises:
            FieldError: *data* is not bytes.
            ProgramFormatError: *data* is not a savefile, is corrupt or truncated, or has another major version; the
                message gives the byte offset.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise FieldError(f"Savefile.from_bytes: {data!r} is not bytes")
        data = bytes(data)
        if not data.startswith(MAGIC):
            raise ProgramFormatError("byte 0: not a cBPF savefile; its magic number is a1b2c3cb 63425046")
        if len(data) < _HEADER.size:
            raise ProgramFormatError(
                f"byte {len(data)}: truncated header; the header of a savefile has {_HEADER.size} bytes"
            )
        _, major, minor, flags, snaplen, link_type, count = _HEADER.unpack_from(data)
        if major != _MAJOR:
            raise ProgramFormatError(f"byte 8: unsupported major version {major}; the supported version is {_MAJOR}")
        end = _HEADER.size + count * INSTRUCTION_SIZE
        if count == 0 or end > len(data):
            fact = f"header declares {count} instructions of 8 bytes, found {len(data) - _HEADER.size} bytes"
            raise ProgramFormatError(f"byte 18: {fact}; a savefile contains 1 to 65535 instructions")
        program = Program.from_bytes(data[_HEADER.size : end], byte_order="big")
        fields = {"snaplen": snaplen, "link_type": link_type, "flags": flags, "minor": minor}
        return cls(program, **fields, **_read_fields(data, end))


def _pack_field(field_type: int, data: bytes) -> bytes:
    if len(data) > 0xFFFF:
        raise FieldError(f"Savefile: field {field_type} has {len(data)} bytes; at most 65535 fit")
    return _FIELD.pack(field_type, len(data)) + data


def _read_fields(data: bytes, start: int) -> dict[str, Any]:
    """Return the optional fields from *start* on, by attribute."""
    values: dict[str, Any] = {"has_end_marker": False}
    unknown: dict[int, bytes] = {}
    while start < len(data):
        field_type, value, end = _read_field(data, start)
        name = _CODECS[field_type][0] if field_type in _CODECS else ""
        if values["has_end_marker"]:
            raise ProgramFormatError(f"byte {start}: data after the end marker; the end marker must be the last field")
        if name in values or field_type in unknown:
            raise ProgramFormatError(f"byte {start}: duplicate field {field_type}; each type appears at most once")
        if field_type == _END:
            values["has_end_marker"] = True
        elif name:
            values[name] = _decode(_CODECS[field_type][2], value, start + _FIELD.size)
        else:
            unknown[field_type] = value
        start = end
    return values | {"unknown_fields": tuple(unknown.items())}


def _read_field(data: bytes, start: int) -> tuple[int, bytes, int]:
    """Return the type and the content of the field at *start*, and the offset after it."""
    body = start + _FIELD.size
    if body > len(data):
        raise ProgramFormatError(f"byte {start}: truncated field of {len(data) - start} bytes; a field has at least 4")
    field_type, length = _FIELD.unpack_from(data, start)
    if body + length > len(data):
        raise ProgramFormatError(f"byte {start}: field {field_type} declares {length} bytes, found {len(data) - body}")
    if field_type in _LENGTHS and length != _LENGTHS[field_type]:
        raise ProgramFormatError(
            f"byte {start}: field {field_type} has {length} bytes; it must have {_LENGTHS[field_type]}"
        )
    return field_type, data[body : body + length], body + length


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


# By field type: the attribute, its encoder and its decoder.
_CODECS: Final[dict[int, tuple[str, Any, Any]]] = {
    1: _text_codec("link_type_name"),
    2: _text_codec("expression"),
    3: ("optimized", lambda value: bytes([value]), _decode_bool),
    4: _integer_codec("netmask", 4),
    5: _text_codec("comment"),
    6: _integer_codec("time", 8),
}
_LENGTHS: Final = {_END: 0, 3: 1, 4: 4, 6: 8}
