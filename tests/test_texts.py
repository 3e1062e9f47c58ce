"""`str` of a result is the text that the commands print, and notebooks display it."""

import pickle
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

import cbpf
from support.command_line import TRAFFIC, CommandLine

ARP: Final = bytes(12) + b"\x08\x06" + bytes(28)
RESULTS: Final[dict[str, tuple[Callable[[], Any], tuple[str, ...]]]] = {
    "CaptureInfo": (lambda: cbpf.capture_info(TRAFFIC), ("info", str(TRAFFIC))),
    "ProgramInfo": (lambda: cbpf.program_info("tcp"), ("stats", "-e", "tcp")),
    "Program": (lambda: cbpf.compile("arp"), ("compile", "arp")),
    "cases": (lambda: cbpf.cases("arp"), ("cases", "-e", "arp")),
    "Difference": (lambda: cbpf.difference("ip", "ip6"), ("diff", "-e", "ip", "-e", "ip6")),
}


@pytest.mark.parametrize(("make", "command"), RESULTS.values(), ids=RESULTS)
def test_the_text_of_a_result_is_that_of_its_command(
    cli: CommandLine, make: Callable[[], Any], command: tuple[str, ...]
) -> None:
    if command[0] in ("cases", "diff"):
        pytest.importorskip("bitwuzla")
    printed = cli(*command)[1].decode().expandtabs(8)
    lines = str(make()).expandtabs(8).splitlines()
    assert len(lines) > 1
    assert set(lines) - {line.removeprefix("different: ") for line in printed.splitlines()} == set()


def test_the_text_of_a_step_is_that_of_trace(cli: CommandLine) -> None:
    program = cbpf.compile("arp")
    (packet, *_) = cbpf.read_capture(TRAFFIC)
    steps = [str(step) for step in cbpf.VM(program).trace(packet.data)]
    assert steps == cli("trace", "-e", "arp", str(TRAFFIC))[1].decode().splitlines()[1:-1]
    assert "bytes 12..13: 0x" in steps[0]


def test_the_verdict_of_a_seccomp_step_is_an_action() -> None:
    program = cbpf.parse("ret #0x7fff0000")
    (step,) = cbpf.VM(program, dialect=cbpf.SECCOMP).trace(bytes(64))
    assert "ret      #0x7fff0000" in step.describe(dialect=cbpf.SECCOMP)
    assert "ret      #2147418112" in str(step)


def test_the_text_of_facts() -> None:
    facts = cbpf.Flow("tcp").facts(2)
    assert str(facts).splitlines() == [
        "A         [12:2] in 0..0xffff != 0x800",
        "X         0",
        "captured  at least 14 bytes",
        "loads     [12:2]",
        "refined   [12:2] in 0..0xffff != 0x800",
    ]


def test_the_text_of_a_witness() -> None:
    pytest.importorskip("bitwuzla")
    verdict, lengths, *packet = str(cbpf.witness("arp", verdict="accept")).splitlines()
    assert verdict == "accepts the packet (verdict 262144)"
    assert lengths == "packet: 14 bytes captured, 14 on the wire"
    assert packet == ["  0000  00 00 00 00 00 00 00 00  00 00 00 00 08 06        .............."]


@pytest.mark.parametrize("make", [make for make, _ in RESULTS.values()], ids=RESULTS)
def test_notebooks_display_the_text(make: Callable[[], Any]) -> None:
    result = make()
    page = result._repr_html_()
    assert re.match(r'<pre style="[^"]*font-family: monospace; white-space: pre;', page)
    assert page.endswith("</pre>")
    assert len(page.splitlines()) == len(str(result).splitlines())


def test_text_is_escaped_in_html() -> None:
    info = cbpf.capture_info(TRAFFIC).replace(name="<script>&")
    assert info._repr_html_().partition(">")[2].startswith("&lt;script&gt;&amp;\n")


def test_cases_are_a_tuple() -> None:
    pytest.importorskip("bitwuzla")
    cases = cbpf.cases("arp")
    assert isinstance(cases, tuple)
    assert pickle.loads(pickle.dumps(cases)) == cases == tuple(cases)
