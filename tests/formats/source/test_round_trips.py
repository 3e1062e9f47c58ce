"""The corpus through every notation: independent writers here, and gcc, strace and ss where they are installed."""

import json
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

import cbpf
from support.corpus_filters import CORPUS
from support.project import Rounds
from support.random_choices import below, pick

Fields = list[tuple[int, ...]]

PROGRAMS = sorted({filter.program(None) for filter in CORPUS}, key=lambda program: (len(program), bytes(program)))
SAMPLE = [program for program in PROGRAMS if len(program) < 150][:: max(1, len(PROGRAMS) // 15)]

_CLASSES = ["LD", "LDX", "ST", "STX", "ALU", "JMP", "RET", "MISC"]
_SIZES = {0x00: "W", 0x08: "H", 0x10: "B"}
_MODES = {0x00: "IMM", 0x20: "ABS", 0x40: "IND", 0x60: "MEM", 0x80: "LEN", 0xA0: "MSH"}
_OPERATIONS = ["ADD", "SUB", "MUL", "DIV", "OR", "AND", "LSH", "RSH", "NEG", "MOD", "XOR"]
_JUMPS = ["JA", "JEQ", "JGT", "JGE", "JSET"]


def _names(op: int) -> list[str]:
    """Return the names whose values make up an operation code, as in linux/bpf_common.h."""
    match op & 7:
        case 0 | 1:
            rest = [_SIZES[op & 0x18], _MODES[op & 0xE0]]
        case 2 | 3:
            rest = []
        case 4:
            rest = [_OPERATIONS[op >> 4], "X" if op & 8 else "K"]
        case 5:
            rest = [_JUMPS[op >> 4], "X" if op & 8 else "K"]
        case 6:
            rest = ["A" if op & 0x10 else "K"]
        case _:
            rest = ["TXA" if op & 0x80 else "TAX"]
    return [f"BPF_{name}" for name in [_CLASSES[op & 7], *rest]]


def _macros(rows: Fields, joint: str = " | ") -> str:
    lines = []
    for op, jt, jf, k in rows:
        name, end = ("BPF_JUMP", f", {jt}, {jf}") if jt or jf else ("BPF_STMT", "")
        lines.append(f"\t{name}({joint.join(_names(op))}, {k:#x}{end}),\n")
    return "struct sock_filter code[] = {\n" + "".join(lines) + "};\n"


def _keys(rows: Fields, head: str, assign: str, names: tuple[str, ...]) -> str:
    written = (", ".join(f"{name}{assign}{value}" for name, value in zip(names, row, strict=True)) for row in rows)
    return "".join(f"{head}{{ {fields} }},\n" for fields in written)


WRITERS: dict[str, Callable[[Fields], str]] = {
    "C, macros": _macros,
    "C, macros with +": lambda rows: _macros(rows, "+"),
    "C, designated": lambda rows: "f f[] = {" + _keys(rows, "", " = ", (".code", ".jt", ".jf", ".k")) + "};",
    "C, signed": lambda rows: "".join(f"{{ {op}, {jt}, {jf}, {k - (k >> 31 << 32)} }},\n" for op, jt, jf, k in rows),
    "Go": lambda rows: "x := []bpf.RawInstruction{\n" + _keys(rows, "", ": ", ("Op", "Jt", "Jf", "K")) + "}",
    "Rust": lambda rows: "let x = [" + _keys(rows, "libc::sock_filter ", ": ", ("code", "jt", "jf", "k")) + "];",
    "Python": lambda rows: f"program = {rows!r}\n",
    "Python, struct": lambda rows: (
        "["
        + "".join(f"struct.pack('HBBI', {row!r:.99}),\n" for row in rows)
        .replace("('HBBI', (", "('HBBI', ")
        .replace(")),\n", "),\n")
        + "]"
    ),
    "Python, repr": lambda rows: repr(cbpf.Program(cbpf.RawInstruction(*row) for row in rows)),
    "JSON": lambda rows: json.dumps(
        {"program": [dict(zip(cbpf.RawInstruction._fields, row, strict=True)) for row in rows]}
    ),
    "ss": lambda rows: f"bpf filter ({len(rows)}): " + "".join(f" {op:#04x} {jt} {jf} {k}," for op, jt, jf, k in rows),
    "tables": lambda rows: "".join(
        f" {index:04}: 0x{op:02x} 0x{jt:02x} 0x{jf:02x} 0x{k:08x}   ...\n" for index, (op, jt, jf, k) in enumerate(rows)
    ),
    "escapes": lambda rows: '"' + "".join(f"\\x{byte:02x}" for row in rows for byte in struct.pack("HBBI", *row)) + '"',
}


@pytest.mark.parametrize("name", WRITERS)
def test_the_corpus_reads_back_from_every_notation(name: str) -> None:
    for program in SAMPLE:
        text = WRITERS[name]([tuple(raw) for raw in program])
        assert cbpf.parse(text) == program, text


def test_gcc_and_the_reader_agree_on_the_corpus(tmp_path: Path) -> None:
    """Compile the programs as C, and compare the bytes of their arrays."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    texts = [_macros([tuple(raw) for raw in program]) for program in SAMPLE]
    arrays = [text.replace("code[]", f"code{index}[]") for index, text in enumerate(texts)]
    writes = "".join(f"fwrite(code{index}, sizeof(code{index}), 1, stdout);" for index in range(len(texts)))
    code = "#include <stdio.h>\n#include <linux/filter.h>\n" + "".join(arrays) + f"int main(void) {{ {writes} }}\n"
    command = ["gcc", "-w", "-x", "c", "-o", str(tmp_path / "arrays"), "-"]
    if subprocess.run(command, input=code.encode(), capture_output=True).returncode:
        pytest.skip("the headers of Linux are not installed")
    output = subprocess.run([str(tmp_path / "arrays")], capture_output=True, check=True).stdout
    assert output == b"".join(bytes(cbpf.parse(text)) for text in texts)


_ATTACH = """
import ctypes, socket, struct, sys
code = bytes.fromhex(sys.argv[1])
socket_ = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
buffer = ctypes.create_string_buffer(code)
socket_.setsockopt(1, 26, struct.pack("HL", len(code) // 8, ctypes.addressof(buffer)))
print("attached", flush=True)
sys.stdin.read()
"""


def _can_open_packet_sockets() -> bool:
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except OSError:
        return False
    return True


LIVE = [cbpf.compile(text) for text in ("arp", "tcp port 80", "host 192.0.2.1 and udp")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
@pytest.mark.skipif(not _can_open_packet_sockets(), reason="packet sockets need CAP_NET_RAW")
@pytest.mark.parametrize("program", LIVE, ids=["arp", "port", "host"])
def test_the_output_of_strace_is_read(program: cbpf.Program) -> None:
    command = ["strace", "-v", "-e", "trace=setsockopt", sys.executable, "-c", _ATTACH, bytes(program).hex()]
    trace = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stderr
    (line,) = [line for line in trace.split("\n") if "SO_ATTACH_FILTER" in line] or [""]
    if not line:
        pytest.skip("strace cannot trace here")
    assert cbpf.parse(line) == program


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ss") is None, reason="ss is not installed")
@pytest.mark.skipif(not _can_open_packet_sockets(), reason="packet sockets need CAP_NET_RAW")
@pytest.mark.parametrize("program", LIVE, ids=["arp", "port", "host"])
def test_the_output_of_ss_is_read(program: cbpf.Program) -> None:
    command = [sys.executable, "-c", _ATTACH, bytes(program).hex()]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "attached\n"
        listing = subprocess.run(["ss", "-0", "-b", "-p"], capture_output=True, text=True, check=True).stdout
        process.stdin.close()
    _, _, ours = listing.partition(f"pid={process.pid},")
    filters = [line for line in ours.split("\n")[:2] if "bpf filter" in line]
    if not filters:
        pytest.skip("ss does not show filters here")
    assert cbpf.parse(filters[0] + "\n") == program


# -- Mutated texts


@pytest.mark.fuzz
def test_mutated_source_raises_only_our_errors(rounds: Rounds) -> None:
    """A changed text is another program or one of our errors, whose message is one line with a place."""
    for random in rounds(250, min_checked=0.9):
        rows: Fields = [tuple(raw) for raw in pick(random, SAMPLE[:40])]
        text = WRITERS[pick(random, tuple(WRITERS))](rows)
        for _ in range(1 + below(random, 3)):
            text = _mutated(random, text)
        message = _error(partial(cbpf.parse, text))
        assert message.isprintable()
        assert len(message) < 300
        rounds.checked()


def _error(read: Callable[[], object]) -> str:
    """Return the message of our error, empty if there is none."""
    try:
        read()
    except (cbpf.ProgramFormatError, cbpf.FieldError, cbpf.ExpressionError) as error:
        return str(error)
    return ""


_PIECES = (
    *("{", "}", "(", ")", "[", "]", ",", ";", ":", "=", "#", "\n", "\\\n", "##", '"', "'", "/*", "*/", "//", "\x1b[1m"),
    *("#define A A\n", "#if X\n", "#else\n", "#endif\n", "A(", "~", "-", "<<", "as u8", "0x", "99999999999", "BPF_LD"),
    *(
        "BPF_STMT(",
        "bpf.LoadAbsolute{",
        "struct.pack('HBBI',",
        "offsetof(struct seccomp_data, args[9])",
        "\ufeff",
        "\0",
    ),
)


def _mutated(random: Random, text: str) -> str:
    start, end = sorted(below(random, len(text) + 1) for _ in range(2))
    match below(random, 4):
        case 0:
            return text[:start] + pick(random, _PIECES) + text[start:]
        case 1:
            return text[:start] + text[min(end, start + 8) :]
        case 2:
            return text[:start]
        case _:
            return text[:end] + text[start : start + 40] + text[end:]


@pytest.mark.fuzz
def test_random_lists_raise_only_our_errors(rounds: Rounds) -> None:
    pieces = b"10.0.0.1 ::1 /8 /33 - 80 65536 # \n \r \r\n \xff \0 \xef\xbb\xbf \xff\xfe a,b x".split(b" ")
    for random in rounds(500, min_checked=0.9):
        content = pick(random, (b"", b" ")).join(pick(random, pieces) for _ in range(below(random, 12)))
        for read in (cbpf.read_hosts, cbpf.read_ports, cbpf.read_expression):
            message = _error(partial(read, content, name="F"))
            assert message.startswith("F: ") or not message
            assert message.isprintable()
        rounds.checked()
