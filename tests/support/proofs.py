"""Programs for the tests of proofs, and replays of the packets that the proofs return."""

from __future__ import annotations

from typing import Any, Final

import cbpf


def program(text: str) -> cbpf.Program:
    """Parse assembly whose lines are separated by semicolons."""
    return cbpf.parse(text.replace(";", "\n"), format="asm")


def replay(program: Any, result: cbpf.Difference | cbpf.Witness | cbpf.Case, dialect: cbpf.Dialect) -> int:
    """Return the verdict on a packet, which the interpreter and the python engine agree on."""
    verdicts = {
        cbpf.VM(program, dialect=dialect, engine=engine).evaluate(
            result.packet, metadata=result.metadata, wire_length=result.wire_length
        )
        for engine in ("interpreter", "python")
    }
    (verdict,) = verdicts
    return verdict


HARD: Final = (
    program("ld [4];tax;ld [0];st M[0];div x;mul x;st M[1];ld M[0];mod x;ldx M[1];add x;ret a"),
    program("ld [4];tax;ld [0];st M[0];div x;ld M[0];ret a"),
)
"""Equivalent programs that the solver does not compare within the timeouts of tests: x / y * y + x % y, and x."""
