"""A fast decision whether two programs have the same verdict on every packet.

The steps, each of which decides most of the pairs that the one before it left:

1. The same instructions.
2. The same root after both programs are lifted into one diagram, in which equal nodes have one number.
3. The same root after the passes of the optimiser.
4. The proof of `cbpf.difference`, within a time limit. Only this step finds a difference, and its counterexample was
   run on both programs.

Steps 2 and 3 rely on the optimiser; tests/proofs/test_equal_programs.py compares them with step 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import cbpf
from cbpf.isa.opcodes import OPCODE_BY_CODE, SIGN_BIT, Operand
from cbpf.isa.raw_instruction import RawInstruction
from cbpf.optimizer.ir.diagram import Diagram, NodeId
from cbpf.optimizer.ir.value_numbering import TooLarge, ValueTable
from cbpf.optimizer.lift import lift_into
from cbpf.optimizer.pipeline import _roots

Code = Sequence[RawInstruction]

_NEGATIVE_OFFSETS: Final = 100_000
"""The place in the packet of the bytes at negative offsets, after all bytes that programs of expressions load."""


class Decision(NamedTuple):
    """The result of a comparison.

    Args:
        step: The step that decided: "instructions", "diagram", "passes" or "proof".
        counterexample: A packet on which the verdicts differ, or None: the programs are equal.
    """

    step: str
    counterexample: cbpf.Difference | None = None


def compare(left: Code, right: Code, *, timeout: float | None = 20, dialect: cbpf.Dialect = cbpf.PCAP) -> Decision:
    """Return whether two programs have the same verdict on every packet.

    Without header windows, loads at negative offsets, such as that of `inbound`, reject the packets of files, and have
    values on a socket. They are compared like loads of bytes that packets may have or lack, so programs are equal in
    both cases.

    Raises `cbpf.Undecided` if the solver needs more than *timeout* seconds.
    """
    if tuple(left) == tuple(right):
        return Decision("instructions")
    if not dialect.header_windows:
        left, right = (tuple(map(_with_positive_offset, program)) for program in (left, right))
    step = step_that_shows_equality(left, right, dialect=dialect)
    if step:
        return Decision(step)
    programs = cbpf.Program(left), cbpf.Program(right)
    return Decision("proof", cbpf.difference(*programs, longest=262_144, timeout=timeout, dialect=dialect))


def _with_positive_offset(raw: RawInstruction) -> RawInstruction:
    if raw.k < SIGN_BIT or OPCODE_BY_CODE[raw.op].operand not in (Operand.ABSOLUTE, Operand.INDIRECT):
        return raw
    return raw._replace(k=_NEGATIVE_OFFSETS + (raw.k & 0xFFFF))


def step_that_shows_equality(left: Code, right: Code, *, dialect: cbpf.Dialect = cbpf.PCAP) -> str | None:
    """Return "diagram" or "passes" if this step shows without a solver that two programs are equal, else None."""
    diagram = Diagram(ValueTable(dialect))
    try:
        roots = [lift_into(diagram, program) for program in (left, right)]
        if roots[0] == roots[1]:
            return "diagram"
        roots = [_after_passes(diagram, root) for root in roots]
    except TooLarge:
        return None
    return "passes" if roots[0] == roots[1] else None


def _after_passes(diagram: Diagram, root: NodeId) -> NodeId:
    for _, new_root in _roots(diagram, root):
        root = new_root
    return root


def reads_unwritten_slot(program: Code) -> bool:
    """Return whether a run may read a scratch slot before it is written: the verdict depends on the interpreter."""
    strict = cbpf.PCAP.replace(scratch_written=True)
    return any(
        finding.identifier == "scratch-unwritten" for finding in cbpf.findings(cbpf.Program(program), dialect=strict)
    )
