"""A packet and its metadata as text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from .._text import counted
from .._typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..isa.dialects import Dialect
    from .metadata import Metadata


_X32_BIT: Final = 0x4000_0000  # __X32_SYSCALL_BIT of Linux on x86-64; no other numbers are as large


def packet_lines(packet: bytes, wire_length: int, metadata: Metadata, dialect: Dialect) -> Iterator[str]:
    """Yield a packet's lengths, its bytes with their offsets, and the metadata that differ from the defaults.

    A seccomp record is shown as the fields of its system call.
    """
    if dialect.record_size is None:
        yield f"packet: {counted(len(packet), 'byte')} captured, {wire_length:,} on the wire"
    else:
        yield f"system call: {_system_call(packet, dialect)}"
    yield from dump(packet)
    changes = changed_metadata(metadata)
    if changes:
        yield f"metadata: {changes}"


def dump(packet: bytes) -> Iterator[str]:
    """Yield the bytes, 16 per line; a run of lines equal to the line before them becomes a single star."""
    rows = [packet[start : start + 16] for start in range(0, len(packet), 16)]
    for index, row in enumerate(rows):
        if 0 < index < len(rows) - 1 and row == rows[index - 1]:
            if rows[index - 2 : index - 1] != [row] or index < 2:
                yield "  *"
            continue
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"  {16 * index:04x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  {text}"


def changed_metadata(metadata: Metadata) -> str:
    """Return the fields that differ from those of `Metadata()`, as keyword arguments in Python source."""
    defaults = type(metadata)()
    names = [name for name in metadata.__match_args__ if getattr(metadata, name) != getattr(defaults, name)]
    return ", ".join(f"{name}={getattr(metadata, name)!r}" for name in names)


def _system_call(record: bytes, dialect: Dialect) -> str:
    """Return the fields of a struct seccomp_data (linux/seccomp.h)."""

    def field(start: int, size: int) -> int:
        return int.from_bytes(record[start : start + size], dialect.byte_order)

    number = field(0, 4)
    number_text = str(number) if number < _X32_BIT else f"{number:#x}"
    arguments = ", ".join(f"{field(16 + 8 * index, 8):#x}" for index in range(6))
    return f"nr={number_text} arch={field(4, 4):#x} instruction_pointer={field(8, 8):#x} args=({arguments})"


_MAX_ZEROS: Final = 6  # bytes; a longer run of zeros is replaced by its length


def format_bytes(packet: bytes) -> str:
    """Return the bytes in hexadecimal on one line, with the length in place of each long run of zeros."""
    parts = []
    for is_zero, run in groupby(packet, lambda byte: byte == 0):
        data = bytes(run)
        parts.append(f"({len(data)} zeros)" if is_zero and len(data) > _MAX_ZEROS else data.hex())
    return " ".join(parts) or "(no bytes)"


def captured_of(packet: bytes, wire_length: int) -> str:
    """Return the length of a packet, and that on the wire if it differs: "14 bytes", "14 of 60 bytes"."""
    captured = len(packet)
    return counted(captured, "byte") if captured == wire_length else f"{captured:,} of {counted(wire_length, 'byte')}"
