"""System calls as values: the record that a filter reads, struct seccomp_data (linux/seccomp.h)."""

import struct
import sys
from collections.abc import Iterable

from .._record import Immutable
from .._typing import Any, Final, Literal, Self, TypeAlias
from .._validators import integer, iterable
from ..errors import FieldError
from .names.architectures import Architecture, ArchitectureName, architecture_of
from .names.architectures import architecture as find_architecture
from .names.system_calls import call_name, call_number

RecordByteOrder: TypeAlias = Literal["native", "little", "big"]
"""The byte order of a record: that of this machine, or one by its name."""

_FIELDS: Final = "II7Q"  # number, architecture, instruction pointer, six arguments
_LAYOUTS: Final = {
    "little": struct.Struct("<" + _FIELDS),
    "big": struct.Struct(">" + _FIELDS),
    "native": struct.Struct(("<" if sys.byteorder == "little" else ">") + _FIELDS),
}
CALL_SIZE: Final = 64
"""The size of struct seccomp_data, in bytes."""
_ARGUMENTS: Final = 6
_X32_BIT: Final = 0x4000_0000


class SystemCall(Immutable):
    """A system call, as a filter sees it.

    Calls are equal if all four attributes are, and can be used as dictionary keys.

    Args:
        call: The name of the call, such as "openat", or its number as the register holds it: those of x32 have bit 30
            set.
        arguments: Up to six arguments; the others are 0. Negative numbers are two's complement of 64 bits: an `int` of
            -1 that C code passes has 64 bits set, unless the compiler left the upper 32 bits 0.
        architecture: A row of `ARCHITECTURES`, a name that `cbpf.seccomp.architecture` finds, or the number AUDIT_ARCH
            of any architecture.
        instruction_pointer: The address of the instruction after the call.

    Attributes:
        number: The number, unsigned with 32 bits.
        arguments: The six arguments, unsigned with 64 bits.
        audit_arch: AUDIT_ARCH of the architecture.
        instruction_pointer: The address of the instruction after the call.

    Raises:
        FieldError: An argument is not valid for its field, or the architecture has no such call.
        MissingLibrary: *call* is a name, and the library system-calls is not installed.

    >>> call = SystemCall("socket", (38, 5, 0))
    >>> call.number, call.architecture.name, len(call.to_bytes())
    (41, 'x86_64', 64)
    >>> SystemCall.from_bytes(call.to_bytes(), byte_order="little") == call
    True
    """

    __slots__ = __match_args__ = ("number", "arguments", "audit_arch", "instruction_pointer")
    number: int
    arguments: tuple[int, ...]
    audit_arch: int
    instruction_pointer: int

    def __init__(
        self,
        call: str | int,
        arguments: Iterable[int] = (),
        *,
        architecture: ArchitectureName | int = "x86_64",
        instruction_pointer: int = 0,
    ) -> None:
        row = _architecture(architecture)
        values = [_unsigned("arguments", value, 64) for value in iterable("SystemCall.arguments", arguments)]
        if len(values) > _ARGUMENTS:
            raise FieldError(f"SystemCall.arguments: {len(values)} arguments; a system call has at most {_ARGUMENTS}")
        self._set_once(
            number=_number(call, row),
            arguments=(*values, *[0] * (_ARGUMENTS - len(values))),
            audit_arch=row if isinstance(row, int) else row.audit_arch,
            instruction_pointer=_unsigned("instruction_pointer", instruction_pointer, 64),
        )

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, byte_order: RecordByteOrder = "native") -> Self:
        """Decode a record.

        Args:
            data: The 64 bytes of struct seccomp_data.
            byte_order: The byte order of its fields.

        Returns:
            The system call.

        Raises:
            FieldError: *data* is not 64 bytes, or the byte order is undefined.
        """
        if not isinstance(data, bytes | bytearray | memoryview) or len(data) != CALL_SIZE:
            text = f"{len(data)} bytes" if isinstance(data, bytes | bytearray | memoryview) else repr(data)
            raise FieldError(f"SystemCall.from_bytes: {text}; struct seccomp_data has {CALL_SIZE} bytes")
        number, audit_arch, instruction_pointer, *arguments = _layout(byte_order).unpack(data)
        return cls(number, arguments, architecture=audit_arch, instruction_pointer=instruction_pointer)

    def to_bytes(self, byte_order: RecordByteOrder | None = None) -> bytes:
        """Encode the record that a filter reads.

        Args:
            byte_order: The byte order of its fields; None (the default): that of the architecture, or of this machine
                if the architecture is unknown.

        Returns:
            The 64 bytes of struct seccomp_data.

        Raises:
            FieldError: The byte order is undefined.
        """
        row = self.architecture
        layout = _layout(byte_order or (row.byte_order if row else "native"))
        return layout.pack(self.number, self.audit_arch, self.instruction_pointer, *self.arguments)

    @property
    def architecture(self) -> Architecture | None:
        """The architecture; None if `ARCHITECTURES` does not have it."""
        return architecture_of(self.audit_arch, self.number)

    @property
    def name(self) -> str | None:
        """The name of the call; None if the number has no name, or the library system-calls is not installed."""
        row = self.architecture
        return call_name(row, self.number) if row else None

    def as_dict(self) -> dict[str, Any]:
        """Return the call as a dictionary that can be converted to JSON.

        Returns:
            The names of the architecture and of the call, or None, and the four attributes by name.
        """
        return {
            "architecture": self.architecture.name if self.architecture else None,
            "audit_arch": self.audit_arch,
            "name": self.name,
            "number": self.number,
            "arguments": list(self.arguments),
            "instruction_pointer": self.instruction_pointer,
        }

    def _fields(self) -> tuple[Any, ...]:
        return (self.number, self.arguments, self.audit_arch, self.instruction_pointer)

    def __eq__(self, other: object) -> bool:
        return self._fields() == other._fields() if isinstance(other, SystemCall) else NotImplemented

    def __hash__(self) -> int:
        return hash((SystemCall, self._fields()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_big_endian, (self.to_bytes("big"),)

    def __repr__(self) -> str:
        row = self.architecture
        call = repr(self.name) if self.name else f"{self.number:#x}"
        arguments = ", ".join(f"{value:#x}" if value > 9 else f"{value}" for value in self.arguments)
        place = f", instruction_pointer={self.instruction_pointer:#x}" if self.instruction_pointer else ""
        name = repr(row.name) if row else f"{self.audit_arch:#x}"
        return f"SystemCall({call}, ({arguments}), architecture={name}{place})"


def _from_big_endian(data: bytes) -> SystemCall:
    return SystemCall.from_bytes(data, byte_order="big")


def _architecture(value: ArchitectureName | int) -> Architecture | int:
    if isinstance(value, Architecture | str):
        return find_architecture(value)
    return _unsigned("architecture", value, 32)


def _number(call: str | int, row: Architecture | int) -> int:
    """Return the number of a call, which is a name or a number."""
    if not isinstance(call, str):
        number = _unsigned("call", call, 32)
        if isinstance(row, Architecture) and row.number_base == _X32_BIT and not number & _X32_BIT:
            raise FieldError(f"SystemCall.call: {number} is not a number of {row.name}; those have bit 30 set")
        return number
    named = architecture_of(row) if isinstance(row, int) else row
    if named is None:
        raise FieldError(f"SystemCall.call: {call!r}: architecture {row:#x} is unknown; use the number of the call")
    return call_number(named, call)


def _unsigned(field: str, value: object, bits: int) -> int:
    """Return an integer of this many bits, signed or unsigned, as an unsigned one."""
    number = integer(f"SystemCall.{field}", value)
    if not -(1 << bits - 1) <= number < 1 << bits:
        raise FieldError(f"SystemCall.{field}: {number} is not a number of {bits} bits")
    return number % (1 << bits)


def _layout(byte_order: str) -> struct.Struct:
    if byte_order not in _LAYOUTS:
        raise FieldError(f"byte_order: {byte_order!r} is not one of {', '.join(_LAYOUTS)}")
    return _LAYOUTS[byte_order]
