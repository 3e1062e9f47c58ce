"""docs/libpcap.md: each packet there shows what is said of it, by cbpf and by tcpdump."""

import re
import shutil
import subprocess
from typing import Final, NamedTuple

import pytest

import cbpf
from support.project import ROOT

DOCUMENT: Final = ROOT / "docs" / "libpcap.md"
_ROW: Final = re.compile(r"\| \[(\d+)\]\((.+?)\) \| (\d+) \| `(.+?)` \| (keeps|rejects) \| (keeps|rejects) \|")


class Mistake(NamedTuple):
    """A row of the document."""

    path: str
    length: int
    expression: str
    plain_keeps: bool

    def __str__(self) -> str:
        return self.expression


MISTAKES: Final = [
    Mistake(str(DOCUMENT.parent / path), int(length), expression, plain == "keeps")
    for _, path, length, expression, plain, optimized in _ROW.findall(DOCUMENT.read_text())
    if plain != optimized
]


def test_every_row_has_its_packet() -> None:
    assert len(MISTAKES) == len(list((DOCUMENT.parent / "witnesses").iterdir())) == 11


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_the_programs_differ(mistake: Mistake) -> None:
    (packet,) = cbpf.read_capture(mistake.path)
    assert len(packet.data) == packet.wire_length == mistake.length
    plain, exact, libpcap = (
        cbpf.VM(cbpf.compile(mistake.expression, optimizer=one)).evaluate(packet.data) > 0
        for one in (None, "cbpf", "libpcap")
    )
    assert (plain, exact, libpcap) == (mistake.plain_keeps, mistake.plain_keeps, not mistake.plain_keeps)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
def test_tcpdump_shows_it(mistake: Mistake) -> None:
    assert _tcpdump(mistake, "-O") is mistake.plain_keeps
    assert _tcpdump(mistake) is not mistake.plain_keeps


def _tcpdump(mistake: Mistake, *options: str) -> bool:
    """Whether tcpdump prints the packet."""
    command = ["tcpdump", "-n", *options, "-r", mistake.path, mistake.expression]
    return subprocess.run(command, capture_output=True, check=True).stdout != b""
