"""Writers of assembly: with labels, in Go's syntax, and as the listings of tcpdump -d and bpf_dbg.

The assembler parses all four.
"""

import re

from ..isa.listing import debugger_listing, listing
from ..isa.opcodes import JUMPS, OPCODE_BY_CODE
from ..isa.program import Program
from ..isa.raw_instruction import RawInstruction


def render_go(program: Program) -> str:
    """Return the program in Go's syntax, one instruction per line."""
    return "".join(f"{raw}\n" for raw in program)


def render_tcpdump(program: Program) -> str:
    """Return the listing of `tcpdump -d`."""
    return listing(program) + "\n"


def render_bpf_dbg(program: Program) -> str:
    """Return the listing of the command `disassemble` of bpf_dbg."""
    return debugger_listing(program) + "\n"


def render_assembly(program: Program) -> str:
    """Return assembly text with a label, L and the index, at each jump target."""
    targets = {target for index, raw in enumerate(program) for target in _targets(index, raw)}
    end = len(program)
    lines = []
    for index, raw in enumerate(program):
        label = f"L{index}:" if index in targets else ""
        lines.append(f"{label:8}{_with_labels(raw, index, end)}")
    return "\n".join(lines) + "\n"


def _targets(index: int, raw: RawInstruction) -> tuple[int, ...]:
    """Return the targets of a jump; none for other instructions, and for a jump that is shown in braces."""
    opcode = OPCODE_BY_CODE.get(raw.op)
    if opcode is None or opcode.action not in JUMPS or str(raw).startswith("{"):
        return ()
    return raw.successors(index)


def _with_labels(raw: RawInstruction, index: int, end: int) -> str:
    """Return the instruction in Go's syntax, with labels in place of the skips that stay within the program."""
    text = str(raw)
    if not _targets(index, raw):
        return text
    head, *skips = re.split(r",| (?=\d+$)", text)
    targets = [index + 1 + int(skip) for skip in skips]
    labels = [f"L{target}" if target < end else skip for target, skip in zip(targets, skips, strict=True)]
    return head + (" " if head == "ja" else ",") + ",".join(labels)
