"""The command `cbpf lint`: its output, its exit codes and its options."""

import json
from pathlib import Path

from support.command_line import CommandLine


def test_lint_shows_the_mistake_the_suggestion_and_the_packet(cli: CommandLine) -> None:
    code, out, err = cli("lint", "vlan or ip")
    message, line, underline, suggestion, outcome, packet, *_, summary = out.decode().splitlines()
    assert (code, err) == (1, "")
    assert message.startswith("expression: column 1: warning: 'ip' is tested 4 bytes further")
    assert (line, underline) == ("vlan or ip", "^~~~    ~~")
    assert suggestion == "  write: ip or vlan"
    assert outcome == "  this packet is rejected as written, and accepted by the suggestion:"
    assert packet == "  packet: 24 bytes captured, 24 on the wire"
    assert summary == "1 mistake"


def test_lint_hides_notes(cli: CommandLine) -> None:
    assert cli("lint", "tcp", "port", "80") == (0, b"no mistakes found; 2 notes with --all\n", "")
    code, out, _ = cli("lint", "--all", "tcp port 80")
    assert code == 0
    assert out.count(b": note: ") == 2
    assert out.endswith(b"\nno mistakes found\n")


def test_lint_prints_json(cli: CommandLine, tmp_path: Path) -> None:
    source = tmp_path / "filter.txt"
    source.write_text("tcp and\n  host 1.2 # a network\n")
    code, out, err = cli("lint", "--json", "-F", str(source))
    finding = json.loads(out)
    assert (code, err) == (1, "")
    assert (finding["line"], finding["column"], finding["identifier"]) == (2, 3, "short-address")
    assert finding["is_equivalent"] is True
    assert cli("lint", "-F", str(source))[1].startswith(f"{source}: line 2, column 3: warning: ".encode())


def test_lint_reports_errors_and_missing_answers(cli: CommandLine) -> None:
    code, out, err = cli("lint", "tcp prot 80")
    assert (code, out) == (2, b"")
    assert err.startswith("cbpf: expression: column 5: ")
    assert cli("lint", "-y", "RAW", "vlan")[0] == 2
    assert cli("lint", "--timeout", "0", "ip")[0] == 2
    code, out, err = cli("lint", "--timeout", "1e-9", "ip and tcp[13] = 2")
    assert code == 1
    assert err.endswith("[time-limit]\n")


def test_compile_warns_of_mistakes(cli: CommandLine) -> None:
    code, out, err = cli("compile", "--lint", "net 10.0.0.0")
    assert code == 0
    assert out == cli("compile", "net 10.0.0.0")[1]
    assert err.startswith("cbpf: warning: expression 'net 10.0.0.0': column 1: '10.0.0.0' is one address")
