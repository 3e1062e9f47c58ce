"""`cbpf print`: selection, forms of output, several captures, and errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import cbpf
from support.command_line import CommandLine


def test_selected_packets_of_several_captures(cli: CommandLine, traffic: Path) -> None:
    path = str(traffic)
    code, out, err = cli("print", "-r", path, "-r", path, "-c", "60", "--time", "epoch", "icmp")
    lines = out.decode().splitlines()
    assert (code, err, len(lines)) == (0, "", 60)
    half = lines.index(lines[0], 1)  # the second capture begins with the same packet
    assert lines[:half][: 60 - half] == lines[half:]
    assert all(": ICMP " in line for line in lines)


def test_json_lines_have_the_time_that_is_chosen(cli: CommandLine, traffic: Path) -> None:
    for form, expected in (("epoch", "1795197587.026394"), ("delta", "0.000000"), ("clock", "17:59:47.026394")):
        _, out, _ = cli("print", "-r", str(traffic), "--json", "-c", "1", "--time", form)
        assert json.loads(out)["time"] == expected


def test_json_lines_have_the_packets_of_a_period(cli: CommandLine, traffic: Path) -> None:
    code, out, _ = cli(
        "print", "-r", str(traffic), "--json", "--since", "+5s", "--until", "2026-11-20T18:00:00Z", "arp"
    )
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert rows
    assert all("2026-11-20T17:59:52" < row["time"] < "2026-11-20T18:00:00" and "arp_operation" in row for row in rows)


def test_the_packets_of_a_sample_that_a_socket_would_accept(cli: CommandLine, traffic: Path) -> None:
    options: dict[str, Any] = {"sample": 3, "seed": 2, "as_socket": True, "dialect": cbpf.LINUX}
    expected = [packet.number for packet in cbpf.read_capture(traffic, filter="vlan", **options)]
    words = ("--sample", "1/3", "--seed", "2", "--as-socket", "--dialect", "linux", "vlan")
    code, out, _ = cli("print", "-r", str(traffic), "--json", *words)
    assert (code, [json.loads(line)["number"] for line in out.splitlines()]) == (0, expected)
    assert expected


def test_bytes_are_printed_below_each_packet(cli: CommandLine, traffic: Path) -> None:
    code, out, _ = cli("print", "-r", str(traffic), "--hex", "-l", "-c", "2", "tcp port 443")
    lines = out.decode().splitlines()
    assert code == 0
    assert [line[:8] for line in lines if not line.startswith("  ")] == ["18:00:06", "18:00:06"]
    assert lines[1].startswith("  0000  02 00 00 00")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("--hex", "--json"), "--hex and --json are mutually exclusive (see cbpf print --help)"),
        (("-vv",), "No such option '-v'; --json prints all fields (see cbpf print --help)"),
        (
            ("-i", "eth0"),
            "No such option '-i'; cbpf capture captures packets (see cbpf print --help)",
        ),
        (
            ("--since", "2026-11-20"),
            "--since: '2026-11-20' has no offset from UTC; write 2026-11-20T00:00:00Z, or another offset",
        ),
        (("--until", "soon"), "--until: 'soon' is not a time; examples: 2026-11-27T08:00:00Z, 1795766400.5, +5m"),
        (("tcp prot 80",), "expression: column 5: 'prot' is not a keyword; write \"tcp port 80\""),
    ],
)
def test_errors(cli: CommandLine, traffic: Path, arguments: tuple[str, ...], error: str) -> None:
    code, out, err = cli("print", "-r", str(traffic), *arguments)
    assert (code, out) == (2, b"")
    assert err.splitlines()[0] == f"cbpf: {error}"


def test_truncated_capture(cli: CommandLine, traffic: Path) -> None:
    """All packets before the end are printed, and then the error."""
    code, out, err = cli("print", "-r", "-", stdin=traffic.read_bytes()[:-1])
    assert (code, len(out.splitlines())) == (2, 904)
    assert "packet 905" in err
