"""Two traces in two columns, with the same steps beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, NamedTuple

import cbpf

WIDTH: Final = 54  # of a column
_MOST_ROWS: Final = 8  # of a stretch of steps that are the same on both sides
_MOST_OWN_ROWS: Final = 40  # of one that is not
_LONGEST_COMPARED: Final = 2000  # steps; the comparison takes the square of the time


class _TraceRow(NamedTuple):
    """A step as it is shown, and without the indices that say where it stands."""

    text: str
    content: str


def columns(left: cbpf.VM, right: cbpf.VM, found: cbpf.Difference) -> Iterator[str]:
    """The traces of two programs on a packet."""
    seen = (found.packet, found.wire_length, found.metadata)
    first, second = _rows(left, *seen), _rows(right, *seen)
    if max(len(first), len(second)) > _LONGEST_COMPARED:
        yield from _stretch(first, second, "steps", _MOST_OWN_ROWS)
        return
    matcher = SequenceMatcher(None, [row.content for row in first], [row.content for row in second], autojunk=False)
    for kind, start, end, other_start, other_end in matcher.get_opcodes():
        most = _MOST_ROWS if kind == "equal" else _MOST_OWN_ROWS
        name = "steps that are the same" if kind == "equal" else "steps"
        yield from _stretch(first[start:end], second[other_start:other_end], name, most)


def _stretch(left: Sequence[_TraceRow], right: Sequence[_TraceRow], name: str, most: int) -> Iterator[str]:
    """Rows of the two sides, of which the middle is left out where there are too many."""
    return _cut([_line(*pair) for pair in zip_longest(left, right, fillvalue=_TraceRow("", ""))], name, most)


def _cut(lines: list[str], name: str, most: int) -> Iterator[str]:
    if len(lines) > most:
        hidden = len(lines) - most + 1
        lines[most // 2 : most // 2 + hidden] = [f"... {hidden} more {name} ..."]
    yield from lines


def _line(left: _TraceRow, right: _TraceRow) -> str:
    gutter = " " if left.content == right.content else "|"
    return f"{left.text:{WIDTH}} {gutter} {right.text}".rstrip()


def trace_lines(machine: cbpf.VM, packet: bytes, wire_length: int, metadata: cbpf.Metadata) -> Iterator[str]:
    """The trace of one program, in one column."""
    rows = _rows(machine, packet, wire_length, metadata)
    yield from _cut([row.text for row in rows], "steps", _MOST_OWN_ROWS)


def _rows(machine: cbpf.VM, packet: bytes, wire_length: int, metadata: cbpf.Metadata) -> list[_TraceRow]:
    images = cbpf.listing(machine.program).splitlines()
    rows = []
    for step in machine.trace(packet, metadata=metadata, wire_length=wire_length):
        number, image = images[step.index].split(" ", 1)
        image = image.split(" jt ")[0].rstrip()
        effect, target = _effect(step, image.split()[0], "#x" if machine.dialect.record_size else "d")
        rows.append(_TraceRow(f"{number} {image:24} {effect}{target}", f"{image} {effect}"))
    return rows


def _effect(step: cbpf.Step, mnemonic: str, form: str) -> tuple[str, str]:
    """What a step did, and where it went."""
    if step.fetched is not None and step.fetched.value is None:
        return "no such byte, verdict 0", ""
    if step.verdict is not None:
        return f"verdict {step.verdict:{form}}", ""
    if step.taken is not None:
        return ("true" if step.taken else "false"), f", to {step.next_index}"
    if mnemonic in ("st", "stx"):
        return "", ""
    if mnemonic == "ja":
        return "", f"to {step.next_index}"
    if mnemonic in ("ldx", "ldxb", "tax"):
        return f"X={step.x:#x}", ""
    return f"A={step.a:#x}", ""
