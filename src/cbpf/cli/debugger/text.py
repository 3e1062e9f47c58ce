"""The texts of a session: positions, registers, packets and listings.

`register_dump`, `packet_dump` and `initializers` print the lines of Linux's bpf_dbg (tools/bpf/bpf_dbg.c).
"""

from __future__ import annotations

import cbpf

from ..._typing import Final, Iterator
from ...packet.packet_text import captured_of, changed_metadata
from ...reporting.clause_output import shortened
from .code import Code
from .formulas import Formula
from .packet_run import PacketRun
from .state import State
from .stops import Breakpoint, stored_slot

_CURRENT: Final = "-> "
_INSTRUCTION: Final = 28  # columns of an instruction with its label
_MAX_CLAUSE: Final = 40  # characters


def packet_line(run: PacketRun) -> str:
    """Return the number and the lengths of a packet, and whether the filter fits it."""
    line = f"packet {run.number}: {captured_of(run.bytes.data, run.bytes.wire_length)}"
    if run.code is None:
        return f"{line}; rejected, because the filter does not fit its link type"
    return line if run.steps else f"{line}; rejected, because it is shorter than the record of the dialect"


def step_line(run: PacketRun, position: int, *, is_current: bool = True) -> str:
    """Return a step: the instruction, the registers before it, its effect, and its clause."""
    assert run.code is not None
    step, state = run.steps[position], run.state(position)
    instruction = f"l{step.index}: {run.code.texts[step.index]}"
    slots = "".join(f" M[{slot}]={value:#x}" for slot, value in enumerate(state.scratch) if value)
    line = f"{instruction:{_INSTRUCTION}} A={state.a:#010x} X={state.x:#010x}{slots}"
    effect = _effect(run, position)
    return (
        f"{_CURRENT if is_current else '   '}{line}{f'  => {effect}' if effect else ''}{_clause(run.code, step.index)}"
    )


def _clause(code: Code, index: int) -> str:
    text = code.clauses[index] if code.clauses else ""
    return f"  ; {shortened(text, _MAX_CLAUSE)}" if text else ""


def _effect(run: PacketRun, position: int) -> str:
    """Return the effect of a step: loads, changes and the next instruction."""
    step, before, after = run.steps[position], run.state(position), run.state(position + 1)
    parts = []
    if step.fetched is not None:
        parts.append(_load(step.fetched))
    loaded = None if step.fetched is None else step.fetched.value
    for name, old, new in (("A", before.a, after.a), ("X", before.x, after.x)):
        if old != new and new != loaded:
            parts.append(f"{name}={new:#x}")
    slot = stored_slot(step.instruction)
    if slot is not None:
        parts.append(f"M[{slot}]={after.scratch[slot]:#x}")
    if step.verdict is not None:
        parts.append(cbpf.describe_verdict(step.verdict, dialect=run.dialect))
    elif step.taken is not None:
        parts.append(f"{'true' if step.taken else 'false'}, to l{step.next_index}")
    elif step.next_index != step.index + 1:
        parts.append(f"to l{step.next_index}")
    return "; ".join(parts)


def _load(fetched: cbpf.Fetched) -> str:
    place = f"[{fetched.position}]" if fetched.size == 1 else f"[{fetched.position}:{fetched.size}]"
    return f"{place} is past the end" if fetched.value is None else f"{place}={fetched.value:#0{2 * fetched.size + 2}x}"


def register_dump(run: PacketRun, position: int) -> Iterator[str]:
    """Yield the instruction at a position and the registers before it, as bpf_dbg does at a breakpoint."""
    assert run.code is not None
    step, state = run.steps[position], run.state(position)
    raw = step.instruction
    yield "-- register dump --"
    yield f"pc:       [{step.index}]"
    yield f"code:     [{raw.op}] jt[{raw.jt}] jf[{raw.jf}] k[{raw.k}]"
    yield f"curr:     {run.code.line(step.index)}"
    if raw.jt or raw.jf:
        for name, skip in (("jt", raw.jt), ("jf", raw.jf)):
            yield f"{name}:       {run.code.line(step.index + 1 + skip)}"
    yield f"A:        {_word(state.a)}"
    yield f"X:        {_word(state.x)}"
    slots = [f"M[{slot}]: {_word(value)}" for slot, value in enumerate(state.scratch) if value]
    yield from slots or [f"M[0,15]:  {_word(0)}"]


def _word(value: int) -> str:
    """Return a number as C's "[%#08x][%u]" prints it, with the width of 8 that includes 0x."""
    return f"[{value:#08x}][{value}]" if value else "[00000000][0]"


def packet_dump(run: PacketRun) -> Iterator[str]:
    """Yield the lengths and bytes of a packet, as bpf_dbg does at a breakpoint, and then its metadata."""
    data, wire_length = run.bytes.data, run.bytes.wire_length
    yield "-- packet dump --"
    yield f"len: {len(data)}" if len(data) == wire_length else f"cap: {len(data)}, len: {wire_length}"
    for start in range(0, max(len(data), 1), 16):
        yield f"{start:3}: {data[start : start + 16].hex(' ')}".rstrip()
    metadata = changed_metadata(run.metadata.replace(seed=None))
    if metadata:
        yield f"metadata: {metadata}"


def initializers(program: cbpf.Program) -> Iterator[str]:
    """Yield a program as C initialisers, as bpf_dbg's `dump` does."""
    yield "/* { op, jt, jf, k }, */"
    for raw in program:
        constant = f"{raw.k:#010x}" if raw.k else "0" * 10
        yield f"{{ {raw.op:#04x}, {raw.jt:2}, {raw.jf:2}, {constant} }},"


def listing_lines(code: Code, indices: range, current: int | None, breakpoints: list[Breakpoint]) -> Iterator[str]:
    """Yield instructions: B marks those with a breakpoint, -> the current one; the clause follows."""
    stops = {stop.number for stop in breakpoints}
    for index in indices:
        marks = f"{'B' if index in stops else ' '} {'->' if index == current else '  '}"
        instruction = f"l{index}: {code.texts[index]}"
        yield f"{marks} {instruction:{_INSTRUCTION}}{_clause(code, index)}".rstrip()


def value_text(formula: Formula, state: State) -> str:
    """Return the value of an expression in a state: true or false, or in hexadecimal and decimal."""
    value = formula.value(state)
    if formula.is_condition:
        return "true" if value else "false"
    return f"{value:#x} = {value}"
