"""Program: an immutable sequence of raw instructions, and its encoding as bytes."""

import struct
import sys

from .._lazy import Lazy
from .._record import Immutable
from .._text import Readable
from .._typing import TYPE_CHECKING, Any, Final, Iterable, Iterator, Literal, Self, Sequence, TypeAlias, overload
from ..errors import FieldError, ProgramFormatError
from .encoding import disassemble, to_raw
from .raw_instruction import RawInstruction

if TYPE_CHECKING:
    from .instructions import Instruction

EncodingByteOrder: TypeAlias = Literal["native", "little", "big"]
"""The byte order of encoded instructions: that of this machine, or one by its name."""

# struct sock_filter (linux/filter.h): 16-bit code, 8-bit jt and jf, 32-bit k; no padding.
_LAYOUTS: Final = {
    "little": "<HBBI",
    "big": ">HBBI",
    "native": "<HBBI" if sys.byteorder == "little" else ">HBBI",
}
INSTRUCTION_SIZE: Final = 8
"""The size of an encoded instruction, in bytes."""

Instructions: TypeAlias = "Iterable[Instruction | tuple[int, int, int, int]]"
"""A program as an argument: a `Program`, or any iterable of typed instructions, raw ones and tuples (op, jt, jf, k)."""


class Program(Immutable, Readable, Sequence[RawInstruction]):
    """An immutable sequence of raw instructions, which can be indexed, sliced, compared and used as a dictionary key.

    Any bit pattern is allowed, and no rule of a dialect is checked. Programs are equal if their raw instructions are.
    `str` returns the listing of `tcpdump -d`, and `bytes` the array of struct sock_filter that Linux takes.

    Args:
        instructions: Typed instructions, raw ones, tuples (op, jt, jf, k), or a mixture.

    Raises:
        FieldError: An item is not an instruction.

    >>> from cbpf import LoadAbsolute, RetA
    >>> program = Program([LoadAbsolute(12, 2), RetA()])
    >>> print(program)
    (000) ldh      [12]
    (001) ret
    >>> Program.from_bytes(bytes(program)) == program
    True
    """

    __slots__ = ("__dict__", "_raw")
    _raw: tuple[RawInstruction, ...]

    def __init__(self, instructions: Instructions = ()) -> None:
        if isinstance(instructions, str | bytes | bytearray | memoryview):
            kind = type(instructions).__name__
            raise FieldError(f"Program: {kind} is not a sequence of instructions; use cbpf.compile or cbpf.parse")
        if not isinstance(instructions, Iterable):
            raise FieldError(f"Program: {instructions!r} is not a sequence of instructions")
        raw = instructions._raw if type(instructions) is Program else tuple(map(to_raw, instructions))
        self._set_once(_raw=raw)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, byte_order: EncodingByteOrder = "native") -> Self:
        """Decode an array of struct sock_filter, 8 bytes per instruction.

        Args:
            data: The bytes of the array.
            byte_order: The byte order of the 16-bit and 32-bit fields.

        Returns:
            The program.

        Raises:
            FieldError: *data* is not bytes, or the byte order is undefined.
            ProgramFormatError: The length is not a multiple of 8 bytes.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise FieldError(f"Program.from_bytes: {data!r} is not bytes")
        if len(data) % INSTRUCTION_SIZE:
            raise ProgramFormatError(
                f"byte {len(data) // INSTRUCTION_SIZE * INSTRUCTION_SIZE}: truncated instruction"
                f" ({len(data) % INSTRUCTION_SIZE} of {INSTRUCTION_SIZE} bytes); the length must be a multiple of 8"
            )
        return cls(struct.iter_unpack(_layout(byte_order), data))

    def to_bytes(self, *, byte_order: EncodingByteOrder = "native") -> bytes:
        """Encode the program as an array of struct sock_filter, 8 bytes per instruction.

        `bytes(program)` is the same array in native byte order.

        Args:
            byte_order: The byte order of the 16-bit and 32-bit fields.

        Returns:
            The bytes of the array.

        Raises:
            FieldError: The byte order is undefined.
        """
        pack = struct.Struct(_layout(byte_order)).pack
        return b"".join(pack(*raw) for raw in self._raw)

    def __bytes__(self) -> bytes:
        return self.to_bytes()

    @Lazy
    def instructions(self) -> "tuple[Instruction, ...]":
        """The typed form of each instruction, or the raw one if it has no typed form."""
        return disassemble(self._raw)[0]

    def __len__(self) -> int:
        return len(self._raw)

    @overload
    def __getitem__(self, index: int) -> RawInstruction: ...
    @overload
    def __getitem__(self, index: slice) -> "Program": ...
    def __getitem__(self, index: int | slice) -> "RawInstruction | Program":
        return Program(self._raw[index]) if isinstance(index, slice) else self._raw[index]

    def __iter__(self) -> Iterator[RawInstruction]:
        return iter(self._raw)

    def __eq__(self, other: object) -> bool:
        return self._raw == other._raw if isinstance(other, Program) else NotImplemented

    def __hash__(self) -> int:
        return hash((Program, self._raw))

    def __reduce__(self) -> tuple[Any, ...]:
        return _from_little_endian, (self.to_bytes(byte_order="little"),)

    def __repr__(self) -> str:
        return f"Program([{', '.join(map(repr, self.instructions))}])"

    def __str__(self) -> str:
        from .listing import listing

        return "\n".join(line.rstrip() for line in listing(self._raw).split("\n"))


def _layout(byte_order: EncodingByteOrder) -> str:
    if byte_order not in _LAYOUTS:
        raise FieldError(f"byte_order: {byte_order!r} is not one of {', '.join(_LAYOUTS)}")
    return _LAYOUTS[byte_order]


def _from_little_endian(data: bytes) -> Program:
    return Program.from_bytes(data, byte_order="little")
