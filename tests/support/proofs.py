"""Programs for the tests of proofs, and replays of the packets that proofs find."""

from __future__ import annotations

from typing import Any

import cbpf


def program(text: str) -> cbpf.Program:
    """Assembly, with ; between the lines."""
    return cbpf.parse(text.replace(";", "\n"), format="asm")


def replay(one: Any, found: cbpf.Difference | cbpf.Witness | cbpf.Case, dialect: cbpf.Dialect) -> int:
    """The verdict on a packet that was found, which is the same by every engine."""
    verdicts = {
        cbpf.VM(one, dialect=dialect, engine=engine).evaluate(
            found.packet, metadata=found.metadata, wire_length=found.wire_length
        )
        for engine in ("interpreter", "python")
    }
    (verdict,) = verdicts
    return verdict


HARD = (
    program("ld [4];tax;ld [0];st M[0];div x;mul x;st M[1];ld M[0];mod x;ldx M[1];add x;ret a"),
    program("ld [4];tax;ld [0];st M[0];div x;ld M[0];ret a"),
)
