"""`support.equal_programs` finds equal and different programs; its fast steps agree with the proof and with runs."""

from __future__ import annotations

from random import Random
from typing import Final

import pytest

import cbpf
from cbpf.isa.opcodes import CONDITIONS, OPCODE_BY_CODE, Action, Operand
from cbpf.isa.raw_instruction import RawInstruction
from support.equal_programs import compare, reads_unwritten_slot, step_that_shows_equality
from support.project import Rounds
from support.random_choices import below, pick
from support.random_expressions import expression

Code = tuple[RawInstruction, ...]

EQUAL: Final = (
    ("not arp", "not (not (not arp))", "instructions"),
    ("(ip[0] & 255) + 0 = 1", "ip[0] = 1", "diagram"),
    ("less 5", "len <= 5", "diagram"),
    ("ip and tcp", "ip and ip proto 6", "passes"),
    ("len = 1 or len = 2", "len = 2 or len = 1", "passes"),
    ("ip[0:2] = 257", "ip[1] = 1 and ip[0] = 1", "proof"),
)

DIFFERENT: Final = (
    ("tcp", "udp"),
    ("ether[100] = 1 or arp", "arp or ether[100] = 1"),  # only for packets without a byte 100
    ("ip", "ip and len >= 15"),
    ("tcp port 80", "tcp port 80 and ip"),
    ("ip[8] = 1 or ip[1] = 2", "ip[1] = 2 or ip[8] = 1"),
    ("host 192.0.2.1", "ip host 192.0.2.1"),
    ("inbound", "outbound"),  # only on a socket: the load is outside every packet of a file
    ("ifindex 1", "ifindex 2"),
    ("len & 4 = 0", "len & 4 = 4"),
    ("ip[0] << ip[1] = 1", "ip[0] << (ip[1] & 31) = 1"),
)


def _plain(text: str) -> Code:
    return tuple(cbpf.compile(text, optimizer=None))


@pytest.mark.parametrize(("left", "right", "step"), EQUAL)
def test_equal_programs_are_found_in_the_cheapest_step(left: str, right: str, step: str) -> None:
    assert compare(_plain(left), _plain(right)) == (step, None)


@pytest.mark.parametrize(("left", "right"), DIFFERENT)
def test_different_programs_have_a_counterexample(left: str, right: str) -> None:
    decision = compare(_plain(left), _plain(right))
    assert decision.step == "proof"
    assert decision.counterexample is not None
    assert decision.counterexample.left_verdict != decision.counterexample.right_verdict


def test_snapshot_lengths_are_part_of_the_verdict() -> None:
    programs = [tuple(cbpf.compile("tcp", optimizer=None, snaplen=snaplen)) for snaplen in (96, 97)]
    decision = compare(*programs)
    assert decision.counterexample is not None
    assert {decision.counterexample.left_verdict, decision.counterexample.right_verdict} == {96, 97}


def _changed(random: Random, program: Code) -> Code:
    """Return the program with one constant, offset, size or jump changed."""
    index = below(random, len(program))
    changes: Code
    raw = program[index]
    opcode = OPCODE_BY_CODE[raw.op]
    if opcode.action in CONDITIONS:
        changes = (raw._replace(jt=raw.jf, jf=raw.jt), raw._replace(k=raw.k ^ 1), raw._replace(jf=0))
    elif opcode.operand in (Operand.ABSOLUTE, Operand.INDIRECT):
        changes = (raw._replace(k=raw.k + 1), raw._replace(op=raw.op ^ 0x10 if raw.op & 0x18 else raw.op ^ 0x08))
    elif opcode.action in (Action.RETURN, Action.TAX, Action.TXA, Action.JUMP):
        changes = (raw,)
    else:
        changes = (raw._replace(k=(raw.k + 1) % 16),)
    changed = (*program[:index], pick(random, changes), *program[index + 1 :])
    return program if cbpf.findings(cbpf.Program(changed)) else changed


@pytest.mark.fuzz
def test_fast_steps_agree_with_the_proof(rounds: Rounds) -> None:
    """The proof finds no difference where a fast step shows equality, and a difference only where none does."""
    steps: dict[str | None, int] = {}
    for random in rounds(100, min_checked=0.4):
        try:
            plain = _plain(expression(random, max_primitives=3))
        except cbpf.ExpressionError:
            continue
        changed = _changed(random, plain)
        if changed == plain:
            continue
        step = step_that_shows_equality(plain, changed)
        is_equal = cbpf.equivalent(cbpf.Program(plain), cbpf.Program(changed), longest=262_144)
        assert step is None or is_equal, cbpf.Program(plain)
        assert (compare(plain, changed).counterexample is None) == is_equal
        steps[step if is_equal else "different"] = steps.get(step if is_equal else "different", 0) + 1
        rounds.checked()
    assert len(steps) > 1 or rounds.count < rounds.MIN_ROUNDS


def test_unwritten_slots_are_found() -> None:
    assert reads_unwritten_slot(_plain("geneve or ip"))
    assert not reads_unwritten_slot(_plain("geneve and ip"))
