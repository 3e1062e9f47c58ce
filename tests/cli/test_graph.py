"""The subcommands `graph` and `stats`."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

import cbpf
from support.command_line import PACKETS, TRAFFIC, CommandLine, without_excerpt

EXPRESSION = "tcp port 443"
PROGRAM = cbpf.compile(EXPRESSION)


def counts() -> cbpf.ExecutionCounts:
    with cbpf.read_capture(TRAFFIC) as capture:
        return cbpf.execution_counts(cbpf.compile_for_capture(EXPRESSION, capture), capture)


@pytest.mark.parametrize("name", ["dot", "mermaid", "svg"])
def test_graph_draws_three_formats(cli: CommandLine, name: str, tmp_path: Path) -> None:
    picture = cbpf.graph(PROGRAM)
    expected = {"dot": picture.dot(), "mermaid": picture.mermaid(), "svg": picture.svg()}[name].encode()
    assert cli("graph", "-e", EXPRESSION, "--to", name) == (0, expected, "")
    path = tmp_path / "program.c"
    path.write_text(cbpf.render(PROGRAM, "c"))
    assert cli("graph", str(path), "--to", name, "--dialect", "linux") == (0, expected, "")
    assert cli("graph", "--to", name, stdin=path.read_bytes()) == (0, expected, "")


@pytest.mark.parametrize(
    ("name", "beginning"),
    [
        ("x.svg", b"<svg xmlns="),
        ("x.SVG", b"<svg xmlns="),
        ("x.mmd", b"flowchart TD\n"),
        ("x.md", b"```mermaid\nflowchart TD\n"),
        ("x.dot", b"digraph program {\n"),
        ("x", b"digraph program {\n"),
    ],
)
def test_the_suffix_of_a_file_selects_the_format(cli: CommandLine, name: str, beginning: bytes, tmp_path: Path) -> None:
    assert cli("graph", "-e", "arp", "-w", str(tmp_path / name)) == (0, b"", "")
    assert (tmp_path / name).read_bytes().startswith(beginning)
    assert cli("graph", "-e", "arp", "-w", str(tmp_path / name), "--to", "dot")[0] == 0
    assert (tmp_path / name).read_bytes() == cbpf.graph(cbpf.compile("arp")).dot().encode()


def test_graph_shows_execution_counts(cli: CommandLine, tmp_path: Path) -> None:
    expected = cbpf.graph(PROGRAM, counts=counts()).svg().encode()
    assert b"905 runs, 100%" in expected
    assert cli("graph", "-e", EXPRESSION, "-r", TRAFFIC, "--to", "svg") == (0, expected, "")
    data = Path(TRAFFIC).read_bytes()
    assert cli("graph", "-e", EXPRESSION, "-r", "-", "--to", "svg", stdin=data) == (0, expected, "")
    assert ElementTree.fromstring(expected).tag.endswith("svg")
    (tmp_path / "tagged").write_text("ld vlan_avail\njeq #1,0,1\nret #1\nret #0")
    options = ["-r", TRAFFIC, "--dialect", "linux"]
    tagged = sum(packet.data[12:14] in (b"\x81\x00", b"\x88\xa8") for packet in PACKETS)
    assert tagged
    assert f"true {100 * tagged / 905:.1f}% ({tagged})" in _dot(cli, str(tmp_path / "tagged"), *options, "--as-socket")
    assert "true 0% (0)" in _dot(cli, str(tmp_path / "tagged"), *options)


def _dot(cli: CommandLine, *arguments: str) -> str:
    return cli("graph", *arguments).stdout.decode()


def test_packets_before_the_damage_are_counted(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "truncated.pcap").write_bytes(Path(TRAFFIC).read_bytes()[:100_000])
    complete = cbpf.capture_info(tmp_path / "truncated.pcap").totals.packets
    target = tmp_path / "x.svg"
    code, out, err = cli("graph", "-e", "ip", "-r", str(tmp_path / "truncated.pcap"), "-w", str(target))
    assert (code, out, err.count("\n")) == (2, b"", 1)
    assert err.endswith("the capture is truncated\n")
    assert f"{complete} runs, 100%" in target.read_text()
    code, out, err = cli("stats", "-e", "ip", "-r", str(tmp_path / "truncated.pcap"), "--json")
    assert (code, json.loads(out)["run"]["packets"], err.count("\n")) == (2, complete, 1)


def test_stats(cli: CommandLine) -> None:
    code, out, err = cli("stats", "-e", EXPRESSION, "-r", TRAFFIC)
    assert (code, err) == (0, "")
    rows = dict(line.split("  ", 1) for line in out.decode().splitlines())
    assert {name: value.strip() for name, value in rows.items()} == {
        "program": "20 instructions in 11 blocks",
        "unreachable in the graph": "none",
        "unreachable on any input": "none found",
        "path length": "4 to 12 instructions (fewer for truncated packets)",
        "bytes inspected": "at most the first 78",
        "loads": "12..14, 20..21, 23, 54..57, [(([14:1] & 0xf) << 2) + 14:2] within 14..75,"
        " [(([14:1] & 0xf) << 2) + 16:2] within 16..77",
        "scratch": "reads none, writes none",
        "extensions": "none",
        "opcodes": "jeq 8, ldh 6, ldb 2, ret 2, jset 1, ldx 1",
        "accepted by": "pcap, linux, freebsd, netbsd, openbsd, macos",
        "packets": f"905, {sum(cbpf.VM(PROGRAM).run(packet.data) > 0 for packet in PACKETS)} accepted",
        "executed": f"{counts().mean:.1f} instructions per packet, at most {counts().maximum}",
        "hottest blocks": "0..1 (100.0%), 19 (91.8%), 3..4 (60.1%), 2 (39.9%), 5..6 (39.4%)",
    }


def test_stats_of_a_seccomp_filter_do_not_mention_truncated_packets(cli: CommandLine) -> None:
    _, out, _ = cli("stats", "--dialect", "seccomp", stdin=b"ld [0]\njeq #101,0,1\nret #0x50001\nret #0x7fff0000\n")
    assert "path length               3 instructions\n" in out.decode()


def test_stats_as_json(cli: CommandLine) -> None:
    code, out, err = cli("stats", "-e", EXPRESSION, "-r", TRAFFIC, "--json")
    fields = json.loads(out)
    assert (code, err, out.count(b"\n")) == (0, "", 1)
    assert fields.pop("run") == json.loads(json.dumps(counts().as_dict()))
    assert fields == json.loads(json.dumps(cbpf.program_info(PROGRAM).as_dict()))
    assert json.loads(cli("stats", "-e", EXPRESSION, "--json")[1]) == fields


def test_stats_of_unusual_programs(cli: CommandLine) -> None:
    code, out, _ = cli("stats", stdin=b"ja 1\nld #1\nld #5\nst M[3]\njeq #5,0,1\nldb [x + 0]\nld len\nret a\n")
    text = out.decode()
    assert code == 0
    for row in (
        "unreachable in the graph  1",
        "writes M[3]",
        "extensions                len",
        "loads                     0",
    ):
        assert f"{row}\n" in text
    text = cli("stats", stdin=b"ld [0]\ntax\nldb [x + 7]\nret a\n")[1].decode()
    assert "bytes inspected           any\n" in text
    assert "loads                     0..3, [[0:4] + 7:1] anywhere\n" in text
    text = cli("stats", "--dialect", "seccomp", stdin=b"ld [4]\njeq #5,0,1\nret #1\nret #0x7fff0000\n")[1].decode()
    assert "accepted by               pcap, linux, seccomp, freebsd, netbsd, openbsd, macos\n" in text


def test_an_expression_with_two_programs_is_rejected(cli: CommandLine, tmp_path: Path) -> None:
    """A pcapng file may have several link types, but executions are counted for one program."""
    path = tmp_path / "two.pcapng"
    path.write_bytes(_two_link_types())
    code, out, err = cli("graph", "-e", "ip", "-r", str(path))
    assert (code, out) == (2, b"")
    assert err == (
        f"cbpf: {path}: packet 2: the expression compiles to a different program for link type RAW;"
        " executions are counted for one program\n"
    )
    code, out, _ = cli("stats", "-e", "less 100", "-r", str(path), "--json")
    assert (code, json.loads(out)["run"]["packets"]) == (0, 2)


def _two_link_types() -> bytes:
    def block(kind: int, body: bytes) -> bytes:
        length = (len(body) + 12).to_bytes(4, "little")
        return kind.to_bytes(4, "little") + length + body + length

    section = block(0x0A0D0D0A, bytes.fromhex("4d3c2b1a01000000ffffffffffffffff"))
    interfaces = b"".join(block(1, kind.to_bytes(4, "little") + bytes(4)) for kind in (1, 101))
    packets = b"".join(
        block(6, number.to_bytes(4, "little") + bytes(8) + (4).to_bytes(4, "little") * 2 + b"data") for number in (0, 1)
    )
    return section + interfaces + packets


USAGE_ERRORS = [
    (["graph", "nope"], "nope: No such file or directory"),
    (["graph", "-e", "ip", "x"], "PROGRAM and -e EXPRESSION are mutually exclusive (see cbpf graph --help)"),
    (["stats", "-e", "ip", "x", "-r", "T"], "PROGRAM and -e EXPRESSION are mutually exclusive (see cbpf stats --help)"),
    (["graph", "-r", "-"], "PROGRAM and -r CAPTURE cannot both be standard input (see cbpf graph --help)"),
    (["stats", "-", "-r", "-"], "PROGRAM and -r CAPTURE cannot both be standard input (see cbpf stats --help)"),
    (["graph", "-e", "ip", "--as-socket"], "--as-socket requires -r CAPTURE (see cbpf graph --help)"),
    (
        ["stats", "-e", "ip", "-y", "RAW", "-r", "T"],
        "-y LINKTYPE and -r CAPTURE are mutually exclusive: CAPTURE has a link type (see cbpf stats --help)",
    ),
    (["graph", "-e", "ip", "-r", "nope.pcap"], "nope.pcap: No such file or directory"),
    (["graph", "-e", "ip", "--to", "png"], "Invalid value for '--to': 'png' is not one of 'dot', 'mermaid', 'svg'"),
    (["graph", "-e", "ip", "-w", ""], "a file name must not be empty"),
    (["graph", "-e", "ip", "-w", "no/such/place"], "no/such/place: No such file or directory"),
    (["graph", "-e", "ip", "--dialect", "seccomp"], "instruction 0: opcode 0x28"),
    (["stats", "-e", "tcp prot 5"], "expression: column 5: 'prot' is not a keyword; write \"tcp port 5\""),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE_ERRORS, ids=lambda value: " ".join(value) if value else "")
def test_errors_are_one_line(cli: CommandLine, arguments: list[str], message: str, tmp_path: Path) -> None:
    code, out, err = cli(*(TRAFFIC if argument == "T" else argument for argument in arguments), cwd=tmp_path)
    assert (code, out) == (2, b"")
    assert err.startswith(f"cbpf: {message}")
    assert without_excerpt(err).count("\n") == 1
    assert not list(tmp_path.iterdir())
