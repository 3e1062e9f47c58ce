"""Programs written as assembly, with a label at each target of a jump."""

import re

from ..isa.instructions import RawInstruction
from ..isa.opcodes import CONDITIONS, OPCODE_BY_CODE, Action
from ..isa.program import Program


def render_assembly(program: Program) -> str:
    """Assembly text with a label, L and its index, at each target of a jump."""
    targets = {target for index, raw in enumerate(program) for target in _targets(index, raw)}
    last = len(program)
    lines = []
    for index, raw in enumerate(program):
        label = f"L{index}:" if index in targets else ""
        lines.append(f"{label:8}{_with_labels(raw, index, last)}")
    return "\n".join(lines) + "\n"


def _targets(index: int, raw: RawInstruction) -> tuple[int, ...]:
    opcode = OPCODE_BY_CODE.get(raw.op)
    if opcode is None or str(raw).startswith("{"):
        return ()
    if opcode.action is Action.JUMP:
        return (index + 1 + raw.k,)
    return (index + 1 + raw.jt, index + 1 + raw.jf) if opcode.action in CONDITIONS else ()


def _with_labels(raw: RawInstruction, index: int, last: int) -> str:
    """The instruction in Go's notation, its skips replaced by labels where their targets exist."""
    text = str(raw)
    if not _targets(index, raw):
        return text
    head, *skips = re.split(r",| (?=\d+$)", text)
    targets = [index + 1 + int(skip) for skip in skips]
    labels = [f"L{target}" if target < last else skip for target, skip in zip(targets, skips, strict=True)]
    return head + (" " if head == "ja" else ",") + ",".join(labels)
