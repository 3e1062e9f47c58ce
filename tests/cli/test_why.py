"""The command `cbpf why`: its output, its exit codes and its options."""

import re
from pathlib import Path

from support.command_line import CommandLine


def _why(cli: CommandLine, *arguments: object) -> list[str]:
    code, out, err = cli("why", *map(str, arguments))
    assert (code, err) == (0, "")
    return out.decode().splitlines()


def test_why_shows_outcomes_bytes_and_the_smallest_change(cli: CommandLine, traffic: Path) -> None:
    text = "tcp port 443 or udp port 53 and not net 10.0.0.0/8"
    assert _why(cli, "-r", traffic, "-n", 39, text) == [
        "packet 39: 64 of 64 bytes captured, link type EN10MB",
        "",
        "  false  and",
        "  true     or",
        "  false      tcp port 443    [12:2]=0800 [23]=11",
        "  true       udp port 53     [12:2]=0800 [23]=11 [20:2]=4000 [14]=45 [34:2]=b79d [36:2]=0035",
        "  false    not",
        "> true       net 10.0.0.0/8  [12:2]=0800 [26:4]=c0000207 [30:4]=0affff35",
        "",
        "rejects the packet: 'net 10.0.0.0/8' is true",
        "",
        "smallest change that inverts the verdict:",
        "  byte 30: 0a -> 09, then 'net 10.0.0.0/8' is false",
    ]


def test_why_shows_runs_that_end_early_and_empty_expressions(cli: CommandLine, traffic: Path) -> None:
    assert _why(cli, "-r", traffic, "ether[2000] = 1 or ip6")[2:] == [
        "  bytes missing  or",
        "> bytes missing    ether[2000] = 1  [2000] is missing",
        "  not evaluated    ip6",
        "",
        "rejects the packet: 'ether[2000] = 1' needs bytes that are missing",
        "",
        "no change of the bytes inverts the verdict",
    ]
    assert _why(cli, "-r", traffic)[1:] == [
        "",
        "accepts the packet: the expression is empty",
        "",
        "no change of the bytes inverts the verdict",
    ]


def test_long_clauses_and_many_loads_fit_the_width(cli: CommandLine, traffic: Path) -> None:
    words = " + ".join(f"ether[{offset}:2]" for offset in range(24))
    lines = _why(cli, "-r", traffic, "-n", 2, f"({words} = 7) or " + "not (" * 30 + "ip" + ")" * 30)
    loads = [line for line in lines if line.lstrip().startswith("[")]
    assert len(loads) > 1
    assert max(map(len, loads)) <= 100
    assert re.search(r"\(31\) ip +\[12:2\]=86dd", "\n".join(lines))


def test_why_shows_packets_as_a_socket_does(cli: CommandLine, traffic: Path, tmp_path: Path) -> None:
    tagged = tmp_path / "tagged.pcap"
    assert cli("filter", "-r", str(traffic), "-w", str(tagged), "-q", "-c", "1", "vlan and arp")[0] == 0
    source = tmp_path / "filter.txt"
    source.write_text("arp # without its tag\n")
    assert "rejects the packet: 'arp' is false" in _why(cli, "-r", tagged, "-F", source)
    assert "accepts the packet: 'arp' is true" in _why(cli, "--as-socket", "-r", tagged, "-F", source)


def test_why_reports_missing_answers_and_errors(cli: CommandLine, traffic: Path) -> None:
    lines = _why(cli, "--timeout", "1e-9", "-r", traffic, "arp")
    reason = "timed out after 1e-09 seconds; increase timeout"
    assert lines[-1] == f"smallest change that inverts the verdict: unknown: {reason}"
    for arguments, message in (
        (("-r", str(traffic), "-n", "906", "ip"), f"{traffic}: contains fewer than 906 packets"),
        (("-r", str(traffic), "tcp prot 80"), "column 5"),
        (("ip",), "Missing option '-r'"),
    ):
        code, out, err = cli("why", *arguments)
        assert (code, out) == (2, b"")
        assert message in err
