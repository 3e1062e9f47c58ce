"""docs/explanation/libpcap.md: cbpf and tcpdump reproduce the verdicts of each row of its tables."""

import re
import shutil
import subprocess
from typing import Final, NamedTuple

import pytest

import cbpf
from support.project import ROOT

DOCUMENT: Final = ROOT / "docs" / "explanation" / "libpcap.md"
_ROW: Final = re.compile(r"\| \[(\d+)\]\((.+?)\) \| (\d+) \| `(.+?)` \| (accepts|rejects) \| (accepts|rejects) \|")


class Mistake(NamedTuple):
    """A row of the tables: a packet on which libpcap's optimiser changes the verdict."""

    path: str
    length: int
    expression: str
    plain_accepts: bool

    def __str__(self) -> str:
        return self.expression


MISTAKES: Final = [
    Mistake(str(DOCUMENT.parent / path), int(length), expression, plain == "accepts")
    for _, path, length, expression, plain, optimized in _ROW.findall(DOCUMENT.read_text())
    if plain != optimized
]


def test_every_row_has_a_packet() -> None:
    assert len(MISTAKES) == len(list((DOCUMENT.parent / "witnesses").iterdir())) == 11


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_optimised_program_changes_the_verdict(mistake: Mistake) -> None:
    (packet,) = cbpf.read_capture(mistake.path)
    assert len(packet.data) == packet.wire_length == mistake.length
    plain, exact, libpcap = (
        cbpf.VM(cbpf.compile(mistake.expression, optimizer=optimizer, frontend="libpcap")).evaluate(packet.data) > 0
        for optimizer in (None, "cbpf", "libpcap")
    )
    assert (plain, exact, libpcap) == (mistake.plain_accepts, mistake.plain_accepts, not mistake.plain_accepts)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_tcpdump_reproduces_the_verdicts(mistake: Mistake) -> None:
    assert _tcpdump(mistake, "-O") is mistake.plain_accepts
    assert _tcpdump(mistake) is not mistake.plain_accepts


def _tcpdump(mistake: Mistake, *options: str) -> bool:
    """Return whether tcpdump prints the packet."""
    command = ["tcpdump", "-n", *options, "-r", mistake.path, mistake.expression]
    return subprocess.run(command, capture_output=True, check=True).stdout != b""
