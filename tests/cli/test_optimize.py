"""The subcommands `optimize` and `explain`, and the optimiser options of `compile`."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cbpf
from support.command_line import CommandLine
from support.libpcap_release import needs_libpcap

UNEQUAL = "udp port 67 or udp port 68"


def test_optimize_writes_the_program_and_reports_sizes(cli: CommandLine) -> None:
    code, out, err = cli("optimize", "-e", "tcp port 443", "--to", "json")
    assert code == 0
    assert cbpf.parse(out) == cbpf.compile("tcp port 443")
    plain = cbpf.compile("tcp port 443", optimizer=None)
    assert re.fullmatch(rf"{len(plain)} instructions, now 20; longest path 21, now 12; \d+ ms\n", err)


def test_optimize_reads_any_format_and_proves(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "p.asm").write_text("ldh [12]\ntax\ntxa\njeq #0x806,0,1\nret #9\nret #0")
    code, out, err = cli("optimize", "--prove", "p.asm", "-w", "short", cwd=tmp_path)
    assert (code, out) == (0, b"")
    assert err.endswith("ms, proved equivalent\n")
    assert len(cbpf.parse((tmp_path / "short").read_bytes())) == 4


def test_optimize_is_undecided_after_the_time_limit(cli: CommandLine, tmp_path: Path) -> None:
    arguments = ("optimize", "--prove", "--timeout", "1e-9", "-e", "tcp port 80", "-w", "short")
    code, out, err = cli(*arguments, cwd=tmp_path)
    assert (code, out) == (3, b"")
    assert err == "cbpf: undecided: timed out after 1e-09 seconds; increase --timeout\n"
    assert not (tmp_path / "short").exists()
    code, _, err = cli("optimize", "--prove", "--timeout", "0", "-e", "ip")
    assert (code, err) == (
        2,
        "cbpf: Invalid value for '--timeout': 0.0 is not a number of seconds above 0 (see cbpf optimize --help)\n",
    )


def test_explain_is_undecided_after_the_time_limit(cli: CommandLine) -> None:
    code, out, err = cli("explain", "--timeout", "1e-9", "tcp port 80")
    assert (code, err) == (3, "")
    answer = "undecided: timed out after 1e-09 seconds; increase --timeout"
    assert f"proof        {answer}" in out.decode()


def test_optimize_for_speed(cli: CommandLine, tmp_path: Path) -> None:
    lines = "\n".join(f"jeq #{3 * number},{100 - number}" for number in range(100))
    (tmp_path / "policy").write_text(f"ld [0]\n{lines}\nret #0x50001\nret #0x7fff0000")
    code, _, err = cli("optimize", "--dialect", "seccomp", "--goal", "speed", "policy", "-w", "out", cwd=tmp_path)
    assert code == 0
    report = re.search(r"longest path 102, now (\d+);", err)
    assert report is not None
    assert int(report[1]) < 20


def test_optimize_warns_if_the_result_is_still_too_long(cli: CommandLine, tmp_path: Path) -> None:
    lines = "\n".join(f"ld [{4 * number}]\njeq #{number},0,1\nret #{number}" for number in range(1500))
    (tmp_path / "long").write_text(f"{lines}\nret #0")
    code, _, err = cli("optimize", "--dialect", "linux", "long", "-w", "out", cwd=tmp_path)
    assert code == 0
    assert err.splitlines()[-1] == "cbpf: warning: linux accepts at most 4,096 instructions"


def test_optimize_rejects_invalid_programs(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("ld [0]\nldx #1")
    code, out, err = cli("optimize", "bad", cwd=tmp_path)
    assert (code, out) == (2, b"")
    fact = "the last instruction is ldx #1; it must be a ret, so that every path returns"
    assert err == f"cbpf: bad: instruction 1: {fact} [no-return]\n"


def test_explain_shows_both_programs_each_pass_and_the_proof(cli: CommandLine) -> None:
    needs_libpcap()
    code, out, err = cli("explain", "tcp", "port", "443")
    lines = out.decode().splitlines()
    assert (code, err) == (0, "")
    assert re.split(r"  +", lines[0]) == [
        "plain: 22 instructions, path length 5 to 21",
        "optimised: 20 instructions, path length 4 to 12",
    ]
    assert lines[1].startswith("(000) ldh      [12]  ")
    assert lines[24:26] == [
        "    22       plain code",
        "    21    -1 value numbering, dead code, registers",
    ]
    assert re.fullmatch(r"proof        identical verdicts on all packets \(\d+\.\d ms\)", lines[-2])
    assert re.fullmatch(r"libpcap -O   20 instructions, identical verdicts on all packets \(\d+\.\d ms\)", lines[-1])
    assert all(len(line) <= 110 for line in lines)


def test_explain_shows_a_counterexample_to_libpcaps_optimiser(cli: CommandLine, tmp_path: Path) -> None:
    needs_libpcap()
    target = tmp_path / "counterexample.pcap"
    code, out, err = cli("explain", UNEQUAL, "-w", str(target))
    text = out.decode()
    assert (code, err) == (0, "")
    assert "proof        identical verdicts on all packets" in text
    assert "plain code rejects the packet (verdict 0), libpcap's optimised code accepts the packet" in text
    assert "packet: 36 bytes captured, 36 on the wire" in text
    (packet,) = cbpf.read_capture(target)
    verdicts = [
        cbpf.VM(cbpf.compile(UNEQUAL, optimizer=name, frontend="libpcap")).run(packet.data) > 0
        for name in (None, "libpcap")
    ]
    assert verdicts == [False, True]


def test_explain_for_another_link_type(cli: CommandLine) -> None:
    assert b"proof        identical verdicts" in cli("explain", "-y", "RAW", "--goal", "speed", "ip")[1]
    assert cli("explain", "-y", "RAW", "vlan")[0] == 2


def test_explain_without_the_solver() -> None:
    code = "import sys; sys.modules['bitwuzla'] = None; from cbpf.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "explain", "arp"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "pip install 'cbpf[smt]'" in done.stdout


@pytest.mark.parametrize("options", [("-O",), ("--optimizer", "none")])
def test_compile_without_an_optimiser(cli: CommandLine, options: tuple[str, ...]) -> None:
    out = cli("compile", *options, "-dd", "tcp port 443")[1]
    assert cbpf.parse(out) == cbpf.compile("tcp port 443", optimizer=None)


def test_compile_preserves_the_arithmetic_of_the_dialect(cli: CommandLine, tmp_path: Path) -> None:
    """Linux shifts by the count modulo 32: a shift by 33 is one by 1, and the result is 0 elsewhere."""
    text = "(ip[0:4] << ip[8]) = 2"
    for dialect in (cbpf.PCAP, cbpf.LINUX):
        out = cli("compile", "--dialect", dialect.name, "-dd", text)[1]
        plain = cbpf.compile(text, optimizer=None)
        assert cbpf.difference(plain, cbpf.parse(out), dialect=dialect) is None


def test_a_savefile_records_whether_it_is_optimised(cli: CommandLine, tmp_path: Path) -> None:
    for options, optimized in (((), True), (("-O",), False)):
        cli("compile", *options, "-w", str(tmp_path / "saved"), "arp")
        assert cbpf.Savefile.from_bytes((tmp_path / "saved").read_bytes()).optimized is optimized
