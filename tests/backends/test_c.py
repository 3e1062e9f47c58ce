"""The C target: compiled with all warnings and sanitizers, and compared with the interpreter."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

import cbpf
from support.command_line import CommandLine
from support.emitted import LARGEST, Case, corpus_cases, packets_for, random_case
from support.generated import check_file
from support.judges import c_compiler
from support.project import TESTS, Rounds

COMPILERS = [
    pytest.param(
        name, marks=pytest.mark.skipif(bool(c_compiler.available(name)), reason=str(c_compiler.available(name)))
    )
    for name in c_compiler.COMPILERS
]
GOLDEN = {
    "arp": "arp",
    "port": "tcp port 443",
    "syn": "host 192.0.2.1 and tcp[tcpflags] & (tcp-syn|tcp-ack) = tcp-syn",
    "http": "tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)",
    "vlan": "vlan 100 and (udp port 53 or icmp6) and not net 10.0.0.0/8",
}


def compared(compiler: str, cases: Sequence[Case], random: Random, folder: Path, packets: int) -> int:
    """Compare the functions of programs with the interpreter; return the number of pairs."""
    sources = [cbpf.emit(case.program, dialect=case.dialect, name=f"f{n}") for n, case in enumerate(cases)]
    functions = c_compiler.Functions(compiler, sources, folder)
    runs = [
        (index, packet, len(packet) + random.choice([0, 0, 100]))
        for index, case in enumerate(cases)
        for packet in packets_for(case, random, packets, largest=4000 if index else LARGEST)
    ]
    for (index, packet, wire), verdict in zip(runs, functions.verdicts(runs), strict=True):
        assert verdict == cases[index].verdict(packet, wire), (sources[index], packet.hex(), wire)
    return len(runs)


@pytest.mark.parametrize("compiler", COMPILERS)
def test_corpus_has_the_verdicts_of_the_interpreter(compiler: str, tmp_path: Path, full_length: bool) -> None:
    cases = list(corpus_cases())[:: 1 if full_length else 8]
    assert compared(compiler, cases, Random(1), tmp_path, 8) > 10 * len(cases)


@pytest.mark.fuzz
@pytest.mark.parametrize("compiler", COMPILERS)
def test_random_programs_have_the_verdicts_of_the_interpreter(compiler: str, tmp_path: Path, rounds: Rounds) -> None:
    for random in rounds(16):
        cases = [random_case(random) for _ in range(60)]
        assert compared(compiler, cases, random, tmp_path, 20) > 1200


@pytest.mark.parametrize("compiler", COMPILERS)
def test_filter_of_system_calls_has_the_verdicts_of_the_interpreter(compiler: str, tmp_path: Path) -> None:
    program = cbpf.parse("ld [4]\njeq #0xc000003e, 0, 3\nld [0]\njge #400, 1\nret #0x7fff0000\nret #0x80000000")
    calls = [
        cbpf.seccomp.SystemCall(number, architecture=arch).to_bytes("native")
        for number in (0, 399, 400)
        for arch in ("x86_64", "i386")
    ]
    source = cbpf.emit(program, dialect=cbpf.SECCOMP, name="f0")
    functions = c_compiler.Functions(compiler, [source], tmp_path)
    records = [*calls, calls[0][:63], b""]
    verdicts = functions.verdicts([(0, record, len(record)) for record in records])
    assert verdicts == [cbpf.VM(program, dialect=cbpf.SECCOMP).run(record) for record in records]
    assert "0x7fff0000" in source


@pytest.mark.parametrize("name", GOLDEN)
def test_source_is_the_reviewed_one(name: str) -> None:
    check_file(TESTS / "golden" / "c" / f"{name}.c", cbpf.emit(GOLDEN[name]))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_main_function_filters_a_capture(cli: CommandLine, tmp_path: Path, traffic: Path) -> None:
    source, program = tmp_path / "filter.c", tmp_path / "filter"
    cli("emit", "-e", "udp port 53", "--main", "-w", str(source))
    subprocess.run(["gcc", *c_compiler.WARNINGS, source, "-o", program], check=True)
    result = subprocess.run([program], stdin=traffic.open("rb"), capture_output=True, check=True)
    cbpf.filter_capture(traffic, tmp_path / "expected.pcap", "udp port 53")
    assert result.stdout == (tmp_path / "expected.pcap").read_bytes()
    damaged = subprocess.run([program], input=traffic.read_bytes()[:-5], capture_output=True, check=False)
    assert (damaged.returncode, damaged.stderr) == (2, b"standard input: the last packet is truncated\n")


def test_the_empty_expression_has_a_title() -> None:
    assert "/*\n * all packets\n *\n" in cbpf.emit("")


def test_title_cannot_end_the_comment() -> None:
    from cbpf.backends.c.source import c_source

    source = c_source(cbpf.Program([cbpf.RetConstant(1)]), cbpf.PCAP, "filter", "a */ b\n#error")
    assert " * a * / b #error\n" in source
