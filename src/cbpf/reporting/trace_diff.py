"""The traces of programs on a packet: one in a column, or two side by side with equal steps aligned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Final

COLUMN_WIDTH: Final = 54  # characters
_MAX_EQUAL_ROWS: Final = 8  # shown of a stretch of steps that both programs execute
_MAX_ROWS: Final = 40  # shown of any other stretch of steps
_MAX_ALIGNED_STEPS: Final = 2000  # the alignment takes quadratic time


class _TraceRow(NamedTuple):
    """A step as text, and the part of it that does not depend on the step's position in the program."""

    text: str
    content: str


def side_by_side(left: cbpf.VM, right: cbpf.VM, difference: cbpf.Difference) -> Iterator[str]:
    """Yield the lines of two columns: the traces of two programs on the packet of their difference."""
    packet = (difference.packet, difference.wire_length, difference.metadata)
    left_rows, right_rows = _rows(left, *packet), _rows(right, *packet)
    if max(len(left_rows), len(right_rows)) > _MAX_ALIGNED_STEPS:
        yield from _stretch(left_rows, right_rows, "steps", _MAX_ROWS)
        return
    left_contents, right_contents = [row.content for row in left_rows], [row.content for row in right_rows]
    matcher = SequenceMatcher(None, left_contents, right_contents, autojunk=False)
    for tag, start, end, right_start, right_end in matcher.get_opcodes():
        name, max_rows = ("equal steps", _MAX_EQUAL_ROWS) if tag == "equal" else ("steps", _MAX_ROWS)
        yield from _stretch(left_rows[start:end], right_rows[right_start:right_end], name, max_rows)


def _stretch(left: Sequence[_TraceRow], right: Sequence[_TraceRow], name: str, max_rows: int) -> Iterator[str]:
    lines = [_line(*pair) for pair in zip_longest(left, right, fillvalue=_TraceRow("", ""))]
    return _abridged(lines, name, max_rows)


def _abridged(lines: list[str], name: str, max_lines: int) -> Iterator[str]:
    """Yield the lines; of more than *max_lines* the middle is replaced by the number of lines left out."""
    if len(lines) > max_lines:
        hidden = len(lines) - max_lines + 1
        lines[max_lines // 2 : max_lines // 2 + hidden] = [f"... {hidden} more {name} ..."]
    yield from lines


def _line(left: _TraceRow, right: _TraceRow) -> str:
    separator = " " if left.content == right.content else "|"
    return f"{left.text:{COLUMN_WIDTH}} {separator} {right.text}".rstrip()


def trace_lines(vm: cbpf.VM, packet: bytes, wire_length: int, metadata: cbpf.Metadata) -> Iterator[str]:
    """Yield the trace of one program, one step per line."""
    rows = _rows(vm, packet, wire_length, metadata)
    yield from _abridged([row.text for row in rows], "steps", _MAX_ROWS)


def _rows(vm: cbpf.VM, packet: bytes, wire_length: int, metadata: cbpf.Metadata) -> list[_TraceRow]:
    images = cbpf.listing(vm.program, dialect=vm.dialect).splitlines()
    rows = []
    for step in vm.trace(packet, metadata=metadata, wire_length=wire_length):
        index, image = images[step.index].split(" ", 1)
        image = image.split(" jt ")[0].rstrip()
        effect, target = _effect(step, image.split()[0], "#x" if vm.dialect.record_size else "d")
        rows.append(_TraceRow(f"{index} {image:24} {effect}{target}", f"{image} {effect}"))
    return rows


def _effect(step: cbpf.Step, mnemonic: str, verdict_format: str) -> tuple[str, str]:
    """Return the effect of a step, and the target of its jump; either may be empty."""
    if step.fetched is not None and step.fetched.value is None:
        return "past the end, verdict 0", ""
    if step.verdict is not None:
        return f"verdict {step.verdict:{verdict_format}}", ""
    if step.taken is not None:
        return ("true" if step.taken else "false"), f", to {step.next_index}"
    if mnemonic in ("st", "stx"):
        return "", ""
    if mnemonic == "ja":
        return "", f"to {step.next_index}"
    if mnemonic in ("ldx", "ldxb", "tax"):
        return f"X={step.x:#x}", ""
    return f"A={step.a:#x}", ""
