"""Expressions with the programs and errors of libpcap, which the repository does not contain.

The environment variable CBPF_VECTORS names the folder of these files: pcap_filter_accept.json, pcap_filter_reject.json
and pcap_filter_carets.txt.
"""

from __future__ import annotations

import json
import os
import re
import struct
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from cbpf.expression.libpcap import NETMASK_UNKNOWN, Handle
from cbpf.isa.raw_instruction import RawInstruction
from cbpf.packet.link_types import link_type
from support.equal_programs import Code
from support.random_filters import Case
from support.savefile_headers import file_header

FOLDER: Final = os.environ.get("CBPF_VECTORS")
needs_vectors: Final = pytest.mark.skipif(not FOLDER, reason="needs the folder of vectors in $CBPF_VECTORS")

_MARK: Final = re.compile("⟦(.*?)⟧")


class AcceptedRow(NamedTuple):
    """An expression that libpcap accepts.

    Args:
        case: The expression with its packets.
        code: libpcap's plain code.
        release: The release that compiled it: "1.10.6", or "1.11" if only that one accepts the expression.
        changes: How 1.11 differs: "full" on packets of any length, "short" on truncated packets only, or "".
        needs_names: Whether the expression contains one of the names of `support.resolver`.
        loops: Whether the code has a backward jump.
        is_live: Whether the expression is for a live device of Linux.
    """

    case: Case
    code: Code
    release: str
    changes: str
    needs_names: bool
    loops: bool
    is_live: bool


class RejectedRow(NamedTuple):
    """An expression that libpcap 1.11 rejects for some link types, for a kind of reason."""

    text: str
    kind: str
    link_types: tuple[int, ...]
    accepted_before: bool
    needs_names: bool


class CaretRow(NamedTuple):
    """A wrong expression, the kind of its error, and the spans (start, end) that the error may begin in."""

    link_type: str
    kind: str
    text: str
    places: tuple[tuple[int, int], ...]


@cache
def accepted_rows() -> list[AcceptedRow]:
    """Return the rows of pcap_filter_accept.json."""
    return [_accepted(row) for row in _rows("pcap_filter_accept.json")]


@cache
def rejected_rows() -> list[RejectedRow]:
    """Return the rows of pcap_filter_reject.json."""
    return [
        RejectedRow(
            row["expression"],
            row["kind"],
            tuple(row["numbers"]),
            row.get("accepted_by_1_10_6", False),
            row.get("names", False),
        )
        for row in _rows("pcap_filter_reject.json")
    ]


@cache
def caret_rows() -> list[CaretRow]:
    """Return the rows of pcap_filter_carets.txt."""
    assert FOLDER
    lines = Path(FOLDER, "pcap_filter_carets.txt").read_text("utf-8").splitlines()
    return [_caret(*line.split("\t")) for line in lines if line and not line.startswith("#")]


def _rows(name: str) -> list[dict[str, Any]]:
    assert FOLDER
    rows: list[dict[str, Any]] = json.loads(Path(FOLDER, name).read_bytes())["rows"]
    return rows


def _accepted(row: dict[str, Any]) -> AcceptedRow:
    handle = Handle(link_type(row["number"]).dlt, row.get("snaplen", 262_144))
    if "file" in row:
        handle = handle._replace(file_header=file_header(handle, {"little": "<", "big": ">"}[row["file"]]))
    code = bytes.fromhex(row.get("plain") or row["plain_1_11"])
    return AcceptedRow(
        Case(row["expression"], handle, row.get("netmask", NETMASK_UNKNOWN)),
        tuple(RawInstruction(*fields) for fields in struct.iter_unpack("<HBBI", code)),
        "1.10.6" if "plain" in row else "1.11",
        row.get("changes_in_1_11", ""),
        row.get("names", False),
        row.get("loops", False),
        row.get("live", False),
    )


def _caret(link_type: str, kind: str, marked: str) -> CaretRow:
    places, removed = [], 0
    text = marked.replace("\\n", "\n")
    for match in _MARK.finditer(text):
        start = match.start() - removed
        places.append((start, start + len(match[1])))
        removed += 2
    return CaretRow(link_type, kind, _MARK.sub(r"\1", text), tuple(places))
