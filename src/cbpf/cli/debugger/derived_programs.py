"""Programs that accept the packets on which another program reaches an instruction, for searches by machine code."""

from __future__ import annotations

import cbpf

from ..._typing import Final, Iterable

_ACCEPT: Final = cbpf.RetConstant(1).assemble()
_REJECT: Final = cbpf.RetConstant(0).assemble()
_MAX_SKIP: Final = 0xFF  # instructions that a conditional jump skips


def reaching(program: cbpf.Program, indices: Iterable[int]) -> cbpf.Program:
    """Return a program that accepts the packets on which another one executes one of some instructions."""
    return _with(program, dict.fromkeys(indices, _ACCEPT))


def with_accumulator(program: cbpf.Program, index: int) -> cbpf.Program:
    """Return a program whose verdict is A before an instruction of another one; 0 if it is not executed."""
    return _with(program, {index: cbpf.RetA().assemble()})


def with_outcome(program: cbpf.Program, index: int, *, taken: bool) -> cbpf.Program | None:
    """Return a program that accepts the packets on which a conditional jump of another one has an outcome.

    Two instructions are inserted after the jump. The result is None if an earlier jump cannot skip them as well, or if
    the program would be too long.
    """
    instructions = []
    for number, raw in enumerate(program):
        longer = raw if number >= index else _past(raw, number, index)
        if longer is None:
            return None
        instructions.append(_without_verdict(longer))
    jump = program[index]._replace(jt=0, jf=1)
    instructions[index : index + 1] = [jump, *((_ACCEPT, _REJECT) if taken else (_REJECT, _ACCEPT))]
    try:
        return cbpf.Program(instructions)
    except cbpf.CbpfError:
        return None


def _with(program: cbpf.Program, replaced: dict[int, cbpf.RawInstruction]) -> cbpf.Program:
    """Return a program with other instructions at some indices, which rejects where the program ends."""
    return cbpf.Program(replaced.get(index) or _without_verdict(raw) for index, raw in enumerate(program))


def _without_verdict(raw: cbpf.RawInstruction) -> cbpf.RawInstruction:
    """Return an instruction, or in place of one that ends the run one that rejects."""
    return raw if raw.successors(0) else _REJECT


def _past(raw: cbpf.RawInstruction, number: int, index: int) -> cbpf.RawInstruction | None:
    """Return an instruction whose jumps beyond *index* skip two more instructions; None if they cannot."""
    successors = raw.successors(number)
    if all(successor <= index for successor in successors):
        return raw
    if len(successors) == 1:
        return raw._replace(k=raw.k + 2)
    skips = [skip + 2 if number + 1 + skip > index else skip for skip in (raw.jt, raw.jf)]
    return raw._replace(jt=skips[0], jf=skips[1]) if max(skips) <= _MAX_SKIP else None
