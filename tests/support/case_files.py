"""Reader of tests/cases/*.case: a reason, a program, and packets with their expected verdicts.

A line `-- name` begins a section. `program` is assembly; `dialect`, `metadata` (fields of cbpf.Metadata as
Python source) and `wire length` apply to all packets; each `packet`, in hexadecimal, is followed by its `verdict`.
Cases in one file are separated by lines of `====`.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cbpf
from support.project import TESTS

FOLDER = TESTS / "cases"
SECTIONS = ("why", "dialect", "program", "metadata", "wire length", "packet", "verdict")


class Case(NamedTuple):
    """One program with its packets and verdicts."""

    name: str
    why: str
    dialect: cbpf.Dialect
    program: cbpf.Program
    metadata: cbpf.Metadata | None
    wire_length: int | None
    runs: list[tuple[bytes, int]]


def load_cases() -> Iterator[Case]:
    """Yield the cases of all files, named by file and position."""
    for path in sorted(FOLDER.glob("*.case")):
        for position, text in enumerate(path.read_text().split("\n====\n"), 1):
            yield _case(f"{path.stem}-{position}", text)


def _case(name: str, text: str) -> Case:
    sections: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for part in f"\n{text}".split("\n-- ")[1:]:
        section, _, body = part.partition("\n")
        sections[section].append(body.strip())
    packets = [bytes.fromhex(packet) for packet in sections["packet"]]
    verdicts = [int(verdict, 0) for verdict in sections["verdict"]]
    return Case(
        name,
        sections["why"][0],
        cbpf.DIALECTS[sections["dialect"][0] if sections["dialect"] else "pcap"],
        cbpf.parse(sections["program"][0], format="asm"),
        _metadata(sections["metadata"][0]) if sections["metadata"] else None,
        int(sections["wire length"][0]) if sections["wire length"] else None,
        list(zip(packets, verdicts, strict=True)),
    )


def _metadata(fields: str) -> cbpf.Metadata:
    metadata: cbpf.Metadata = eval(f"Metadata({fields})", {name: getattr(cbpf, name) for name in cbpf.__all__})
    return metadata
