"""What the subcommands that prove share: their options, and how a packet is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, Final

import click

import cbpf


def question_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command --shortest, --longest and --timeout."""
    for option in (
        click.option("--timeout", metavar="SECONDS", type=float, default=30, show_default=True, help="For the proof."),
        click.option("--longest", metavar="BYTES", type=int, default=65535, show_default=True, help="Most captured."),
        click.option("--shortest", metavar="BYTES", type=int, default=0, show_default=True, help="Fewest captured."),
    ):
        command = option(command)
    return command


_ACTIONS: Final = {
    0x80000000: "KILL_PROCESS",
    0x00000000: "KILL_THREAD",
    0x00030000: "TRAP",
    0x00050000: "ERRNO",
    0x7FC00000: "USER_NOTIF",
    0x7FF00000: "TRACE",
    0x7FFC0000: "LOG",
    0x7FFF0000: "ALLOW",
}


def describe_verdict(verdict: int, dialect: cbpf.Dialect) -> str:
    """A verdict in words, with its number."""
    if dialect.record_size is None:
        return f"{'keeps' if verdict else 'rejects'} the packet (verdict {verdict})"
    action, data = _ACTIONS.get(verdict & 0xFFFF0000, "unknown action"), verdict & 0xFFFF
    return f"{action}{f' {data}' if data else ''} (verdict {verdict:#010x})"


def packet_lines(packet: bytes, wire_length: int, metadata: cbpf.Metadata, dialect: cbpf.Dialect) -> Iterator[str]:
    """A packet for people: lengths, bytes with their offsets, and what is known beside them."""
    if dialect.record_size is None:
        yield f"packet: {len(packet)} bytes captured, {wire_length} on the wire"
    else:
        yield f"system call: {_system_call(packet, dialect)}"
    yield from _dump(packet)
    known = changed_metadata(metadata)
    if known:
        yield f"metadata: {known}"


def _dump(packet: bytes) -> Iterator[str]:
    """Sixteen bytes a line; lines that are all as the one before are a single star."""
    rows = [packet[start : start + 16] for start in range(0, len(packet), 16)]
    for number, row in enumerate(rows):
        if 0 < number < len(rows) - 1 and row == rows[number - 1]:
            if rows[number - 2 : number - 1] != [row] or number < 2:
                yield "  *"
            continue
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"  {16 * number:04x}  {row[:8].hex(' '):23}  {row[8:].hex(' '):23}  {text}"


def changed_metadata(metadata: cbpf.Metadata) -> str:
    """What is not as `Metadata()` has it, as Python source."""
    usual = cbpf.Metadata()
    names = [name for name in metadata.__match_args__ if getattr(metadata, name) != getattr(usual, name)]
    return ", ".join(f"{name}={getattr(metadata, name)!r}" for name in names)


def _system_call(record: bytes, dialect: cbpf.Dialect) -> str:
    """Struct seccomp_data (linux/seccomp.h)."""

    def number(start: int, size: int) -> int:
        return int.from_bytes(record[start : start + size], dialect.byte_order)

    arguments = ", ".join(f"{number(16 + 8 * index, 8):#x}" for index in range(6))
    return f"nr={number(0, 4)} arch={number(4, 4):#x} instruction_pointer={number(8, 8):#x} args=({arguments})"


_LONGEST_RUN: Final = 6  # zeros that are shown as such


def format_bytes(packet: bytes) -> str:
    """The bytes in one line, with long runs of zeros counted."""
    parts = []
    for is_zero, run in groupby(packet, lambda byte: byte == 0):
        data = bytes(run)
        parts.append(f"({len(data)} zeros)" if is_zero and len(data) > _LONGEST_RUN else data.hex())
    return " ".join(parts) or "(no bytes)"
