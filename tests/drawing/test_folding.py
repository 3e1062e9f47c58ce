"""Large graphs show each chain of tests with a common target as one box."""

import re
from typing import Final

import pytest

import cbpf
from cbpf.drawing.folding import MAX_BLOCKS, drawn_blocks
from support import random_programs
from support.command_line import TRAFFIC, CommandLine
from support.project import Rounds

PORTS: Final = cbpf.compile("tcp port " + " or ".join(str(port) for port in range(1, 80, 2)), optimizer=None)


def test_a_large_graph_is_folded() -> None:
    picture = cbpf.graph(PORTS)
    assert len(picture.flow.blocks) > MAX_BLOCKS
    assert picture.is_folded
    assert repr(picture) == f"<Graph of {len(PORTS)} instructions in {len(picture.flow.blocks)} blocks, drawn as " + (
        f"{picture.dot().count('fillcolor')} boxes>"
    )
    for text in (picture.dot(), picture.mermaid(), picture.svg()):
        assert "drawn as" in text
        assert re.search(r"\d+ tests", text)
    assert "one of" in picture.svg()
    assert not cbpf.graph(PORTS, folds=False).is_folded


def test_a_small_graph_is_drawn_in_full() -> None:
    ports = "tcp port 1 or 3 or 5"
    assert not cbpf.graph(ports).is_folded
    assert cbpf.graph(ports, folds=True).is_folded
    with pytest.raises(cbpf.FieldError, match=r"graph\.folds"):
        cbpf.graph(ports, folds=1)  # type: ignore[arg-type]


def test_a_block_that_only_continues_is_joined() -> None:
    program = cbpf.parse("ldb [0]\njmp next\nnext: ldb [1]\njeq #1,0,1\nret #1\nret #0")
    assert len(cbpf.Flow(program).blocks) == 4
    assert cbpf.graph(program, folds=True).mermaid().count("[12:2]") == 0
    assert "3 jeq" in cbpf.graph(program, folds=True).dot().split("b1 ")[0]


def test_executions_are_conserved() -> None:
    packets = [packet.data for packet in cbpf.read_capture(TRAFFIC)]
    counts = cbpf.execution_counts(PORTS, packets)
    texts = [cbpf.graph(PORTS, counts=counts, folds=folds).dot() for folds in (True, False)]
    for verdict in ("accept", "reject"):
        assert len({re.search(rf'label="([\d,]+) runs?,[^"]*{verdict}\\l"', text)[1] for text in texts}) == 1  # type: ignore[index]


@pytest.mark.fuzz
def test_chains_of_random_programs_have_their_edges(rounds: Rounds) -> None:
    folded = 0
    for random in rounds(60):
        blocks = cbpf.Flow(random_programs.plausible(random)).blocks
        drawn = drawn_blocks(blocks, folds=True)
        assert [part for each in drawn for part in each.parts] == list(blocks)
        box_of = {part.number: number for number, each in enumerate(drawn) for part in each.parts}
        for number, each in enumerate(drawn):
            inside = {part.number for part in each.parts}
            leaving = {(edge.outcome, box_of[edge.target]) for part in each.parts for edge in part.edges}
            assert each.block.number == number
            assert (each.block.start, each.block.stop) == (each.parts[0].start, each.parts[-1].stop)
            assert {(edge.outcome, edge.target) for edge in each.block.edges} == leaving - {
                (outcome, number) for outcome in (True, False, None)
            }
            assert all(set(part.predecessors) <= inside for part in each.parts[1:])
        folded += len(drawn) < len(blocks)
    assert folded


def test_the_command_says_so(cli: CommandLine) -> None:
    expression = "tcp port " + " or ".join(str(port) for port in range(1, 80, 2))
    code, out, err = cli("graph", "-e", expression)
    assert code == 0
    assert b"tests" in out
    assert err == "cbpf: note: chains of tests are drawn as one box each; --no-fold draws every block\n"
    assert cli("graph", "--no-fold", "-e", expression)[2] == ""
