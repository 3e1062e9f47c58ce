"""Clauses of expressions in the output of `compile --show`, `explain`, `graph` and `cases`."""

import re
from pathlib import Path

import pytest

import cbpf
from support.command_line import CommandLine

EXPRESSION = "arp or ip and not len > 99"


def _lines(cli: CommandLine, *arguments: str) -> list[str]:
    code, out, err = cli(*arguments)
    assert (code, err) == (0, "")
    return out.decode().splitlines()


def test_compile_shows_plain_code_with_clauses(cli: CommandLine) -> None:
    lines = _lines(cli, "compile", "--show", "plain", "-s", "77", EXPRESSION)
    plain = cbpf.compile(EXPRESSION, optimizer=None, snaplen=77)
    assert [line[:46].rstrip() for line in lines] == [
        line.rstrip() for line in cbpf.listing(plain).expandtabs(8).splitlines()
    ]
    margins = [line[46:].strip() for line in lines]
    assert [text for text in margins if text not in ("", "|")] == ["arp", "ip", "len > 99"]
    assert margins[1:4] == ["|", "ip", "|"]
    assert margins[-2:] == ["", ""]


def test_compile_shows_clauses_with_their_bytes(cli: CommandLine) -> None:
    assert _lines(cli, "compile", "--show", "clauses", "arp or vlan 5 and ip") == [
        " 1-3  arp",
        "        instructions 0..1, bytes 12..13",
        " 8-13 vlan 5",
        "        instructions 2..10, bytes 12..13; 14..15",
        "19-20 ip",
        "        instructions 11..12, bytes 16..17",
    ]
    assert _lines(cli, "compile", "--show", "clauses") == []
    assert _lines(cli, "compile", "--show", "clauses", "-y", "IPV4", "ip")[1].strip() == "no instructions"


@pytest.mark.parametrize("option", ["-d", "-w x", "--hosts blocked.txt"])
def test_show_is_the_only_output(cli: CommandLine, option: str, tmp_path: Path) -> None:
    (tmp_path / "blocked.txt").write_text("192.0.2.1")
    words = [str(tmp_path / word) if "." in word else word for word in option.split()]
    code, out, err = cli("compile", "--show", "plain", *words, "ip")
    assert (code, out) == (2, b"")
    assert "mutually exclusive" in err


def test_explain_shows_the_clauses_of_plain_code(cli: CommandLine) -> None:
    lines = _lines(cli, "explain", "udp port 67 or arp")
    beside = [re.search(r"(udp port 67|arp)   ", line) for line in lines[1:30]]
    assert [match[1] for match in beside if match] == ["udp port 67", "arp"]


def test_graph_shows_clauses_and_counts(cli: CommandLine, traffic: Path) -> None:
    mapped = cbpf.source_map(EXPRESSION)
    expected = cbpf.graph(mapped.program, notes=mapped.texts()).dot()
    code, out, err = cli("graph", "--clauses", "-e", EXPRESSION)
    assert (code, out.decode(), err) == (0, expected, "")
    counted = "\n".join(_lines(cli, "graph", "--clauses", "-e", EXPRESSION, "-r", str(traffic), "--to", "mermaid"))
    assert 'b0["905 runs, 100%<br>arp<br>0 ldh [12]' in counted
    assert "<br>len #gt; 99<br>" in counted
    assert "--clauses requires -e EXPRESSION" in cli("graph", "--clauses", stdin=b"1,6 0 0 0,")[2]
    long = " or ".join(f"host 192.0.2.{number}" for number in range(40))
    listed = "\n".join(_lines(cli, "graph", "--clauses", "-e", long, "-r", str(traffic), "--to", "mermaid"))
    assert "host (192.0.2.0 or ... or 192.0.2.39: 40 identifiers)" in listed


def test_notes_of_graphs_are_checked_and_shortened() -> None:
    program = cbpf.compile("arp")
    with pytest.raises(cbpf.FieldError, match="1 texts for 4 instructions"):
        cbpf.graph(program, notes=["x"])
    note = "y" * 80
    dot = cbpf.graph(program, notes=[note, note, "", ""]).dot()
    assert dot.count("y" * 56 + " ...") == 1
    assert note not in dot


def test_cases_show_the_outcomes_of_clauses(cli: CommandLine) -> None:
    lines = _lines(cli, "cases", "-e", "arp or vlan and ip")
    assert [line.partition(":")[0] for line in lines if line.startswith("clause")] == [
        "clause arp",
        "clause vlan",
        "clause ip",
    ]
    assert re.fullmatch(r"clause vlan: [1-9] true, [1-9] false, [1-9] not evaluated", lines[-2])
    assert ", 1 with bytes missing" in lines[-1]
