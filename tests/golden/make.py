"""Remake the golden files in this folder: the results of other projects' tools.

    python tests/golden/make.py

Each file is remade with the tools found on this machine, those of Linux by make_linux.py. A missing tool leaves
its file alone, the message names its Debian package, and the exit code is 1. Nothing here imports cbpf, since
the files are the reference for it.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Final

Raw = tuple[int, int, int, int]  # op, jt, jf, k
Row = dict[str, object]

HERE: Final = Path(__file__).resolve().parent
CORPUS: Final = HERE.parent / "corpus" / "filters.txt"
GO_PATH: Final = Path("/usr/share/gocode")
GO_PACKAGE: Final = GO_PATH / "src/golang.org/x/net/bpf"
SNAPLEN: Final = 262144

# The instruction set, repeated on purpose: a golden file must not inherit a mistake of cbpf's table.
LOADS: Final = (0x00, 0x20, 0x28, 0x30, 0x40, 0x48, 0x50, 0x60, 0x80, 0x01, 0x61, 0x81, 0xB1)
STORES: Final = (0x02, 0x03)
ALU_K: Final = (0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xA4)
ALU_X: Final = (0x0C, 0x1C, 0x2C, 0x3C, 0x4C, 0x5C, 0x6C, 0x7C, 0x9C, 0xAC)
CONDITIONAL: Final = (0x15, 0x25, 0x35, 0x45, 0x1D, 0x2D, 0x3D, 0x4D)
OTHERS: Final = (0x84, 0x05, 0x06, 0x16, 0x07, 0x87)
PLAIN: Final = LOADS + STORES + ALU_K + ALU_X + OTHERS
ABSOLUTE: Final = (0x20, 0x28, 0x30)
INDIRECT: Final = (0x40, 0x48, 0x50)
ANCILLARY: Final = 0xFFFFF000

CONSTANTS: Final = (0, 1, 15, 16, 42, 0x800, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SKIPS: Final = tuple(product((0, 1, 8, 255), repeat=2))
ALU_OPS: Final = (0x00, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0x90, 0xA0)
EXTENSIONS: Final = (0, 1, 4, 8, 12, 16, 20, 24, 28, 32, 36, 44, 48, 52, 56, 60)


class MissingToolError(Exception):
    """A tool is not installed; the message contains the Debian package that has it."""


# ---- go.json: decoding, printing and assembling in Go ------------------------------------------------------


def raw_inputs() -> Iterator[Raw]:
    """Yield raw instructions to decode: all valid opcodes with many field values, and some invalid ones."""
    yield from ((op, 0, 0, k) for op in PLAIN for k in CONSTANTS)
    yield from ((op, jt, jf, k) for op in CONDITIONAL for k in CONSTANTS for jt, jf in SKIPS)
    yield from ((op, 0, 0, ANCILLARY + n) for op in ABSOLUTE for n in (*range(0, 68, 4), 1, 2, 3, 0xFFE))
    yield from ((op, 0, 0, ANCILLARY - 1) for op in ABSOLUTE)
    yield from ((op, 0, 0, 4) for op in range(256))
    yield from ((op, 1, 2, 42) for op in PLAIN)  # ignored bits
    yield from ((op | 0x100, 1, 2, 5) for op in PLAIN + CONDITIONAL)  # no valid opcode has a high byte


def bpf_asm_inputs() -> Iterator[Raw]:
    """Yield the instructions that Linux's bpf_asm made for the tests of Go's package, in their order."""
    text = (GO_PACKAGE / "testdata/all_instructions.bpf").read_text()
    for statement in text.strip().strip(",").split(",")[1:]:
        op, jt, jf, k = map(int, statement.split())
        yield op, jt, jf, k


def request(kind: str, **fields: int) -> Row:
    return {"type": kind, "fields": fields}


def typed_inputs() -> Iterator[Row]:
    """Yield typed instructions with fields in their documented ranges."""
    for register in (0, 1):
        yield from (request("LoadConstant", Dst=register, Val=k) for k in CONSTANTS)
        yield from (request("LoadScratch", Dst=register, N=n) for n in range(16))
        yield from (request("StoreScratch", Src=register, N=n) for n in range(16))
    edges = (ANCILLARY - 1, *(ANCILLARY + n for n in (0, 1, 40, 56)))
    for size, offset in product((1, 2, 4), CONSTANTS + edges):
        yield request("LoadAbsolute", Off=offset, Size=size)
        yield request("LoadIndirect", Off=offset, Size=size)
    yield from (request("LoadExtension", Num=number) for number in EXTENSIONS)
    yield from (request("ALUOpConstant", Op=op, Val=k) for op in ALU_OPS for k in CONSTANTS)
    yield from (request("ALUOpX", Op=op) for op in ALU_OPS)
    for kind, field in (("LoadMemShift", "Off"), ("Jump", "Skip"), ("RetConstant", "Val")):
        yield from (request(kind, **{field: k}) for k in CONSTANTS)
    yield from (request(kind) for kind in ("NegateA", "RetA", "TAX", "TXA"))
    yield from typed_conditional_jumps()


def typed_conditional_jumps() -> Iterator[Row]:
    """Yield every comparison with every pair of skips."""
    for test, (skip_true, skip_false) in product(range(8), SKIPS):
        skips = {"SkipTrue": skip_true, "SkipFalse": skip_false}
        yield request("JumpIfX", Cond=test, **skips)
        yield from (request("JumpIf", Cond=test, Val=k, **skips) for k in (0, 42, 0xFFFFFFFF))


def invalid_inputs() -> Iterator[Row]:
    """Yield typed instructions that Go can represent but does not assemble or print correctly."""
    yield from (request("LoadConstant", Dst=register, Val=42) for register in (2, 0xFFFF))
    for register, slot in ((0, -1), (0, 16), (0xFFFF, 3)):
        yield request("LoadScratch", Dst=register, N=slot)
        yield request("StoreScratch", Src=register, N=slot)
    for kind, size in product(("LoadAbsolute", "LoadIndirect"), (-1, 0, 3, 8)):
        yield request(kind, Off=42, Size=size)
    yield from (request("LoadExtension", Num=number) for number in (2, 40, 64, 4095, 4096))
    for op in (0x01, 0x80, 0xB0, 0x100, 0xFFFF):
        yield request("ALUOpConstant", Op=op, Val=42)
        yield request("ALUOpX", Op=op)
    for test in (8, 0xFFFF):
        yield request("JumpIf", Cond=test, Val=42, SkipTrue=8, SkipFalse=9)
        yield request("JumpIfX", Cond=test, SkipTrue=8, SkipFalse=9)


def make_go() -> None:
    versions = go_versions()
    raw: list[Row] = [{"raw": row} for row in dict.fromkeys(raw_inputs())]
    bpf_asm: list[Row] = [{"raw": row} for row in bpf_asm_inputs()]
    save(
        "go.json",
        versions,
        raw=with_answers(raw),
        bpf_asm=with_answers(bpf_asm),
        typed=query_go(list(typed_inputs())),
        invalid=query_go(list(invalid_inputs())),
    )


# ---- go_vm.json: verdicts of Go's virtual machine ----------------------------------------------------------

# The programs contain only instructions that Go's VM runs correctly: no neg, no extension load, and no ldx len, which
# Go confuses with ld len.
PROGRAMS: Final = 300
UNUSUAL_OFFSETS: Final = (62, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFEFFF)
UNUSUAL_WORDS: Final = (*CONSTANTS, 2, 3, 31, 32, 33, 0xFF, 0xFFFF, 0x10000, 0xFFFFFFFE)


def word(random: Random) -> int:
    match random.randrange(3):
        case 0:
            return random.choice(UNUSUAL_WORDS)
        case 1:
            return random.randrange(1, 48)
        case _:
            return random.randrange(2**32)


def offset(random: Random) -> int:
    return random.choice(UNUSUAL_OFFSETS) if random.random() < 0.02 else random.randrange(20)


def set_x(random: Random) -> Raw:
    return random.choice(
        (
            (0x01, 0, 0, word(random)),
            (0x01, 0, 0, random.randrange(40)),
            (0x61, 0, 0, random.randrange(16)),
            (0xB1, 0, 0, offset(random)),
            (0x07, 0, 0, 0),
        )
    )


def calculate(random: Random) -> list[Raw]:
    """Return one calculation, with x set before if the operand is x."""
    if random.random() < 0.5:
        return [set_x(random), (random.choice(ALU_X), 0, 0, 0)]
    op = random.choice(ALU_K)
    lower = 1 if op in (0x34, 0x94) else 0  # Go rejects division by the constant 0
    return [(op, 0, 0, max(lower, word(random)))]


def load(random: Random) -> list[Raw]:
    match random.randrange(6):
        case 0 | 1:
            return [(random.choice(ABSOLUTE), 0, 0, offset(random))]
        case 2:
            return [(0x01, 0, 0, offset(random)), (random.choice(INDIRECT), 0, 0, offset(random))]
        case 3:
            return [(0xB1, 0, 0, offset(random)), (random.choice(INDIRECT), 0, 0, 0)]
        case 4:
            return [random.choice(((0x00, 0, 0, word(random)), (0x80, 0, 0, 0)))]
        case _:
            return [set_x(random)]


def move(random: Random) -> list[Raw]:
    """Return a load or store of one of four scratch slots, or a move from x to a."""
    op = random.choice((0x02, 0x03, 0x60, 0x61, 0x87))
    return [(op, 0, 0, 0 if op == 0x87 else random.randrange(4))]


def branch(random: Random) -> list[Raw]:
    """Return a jump with skips that are set later, or rarely an early return."""
    if random.random() < 0.1:
        return [random.choice(((0x16, 0, 0, 0), (0x06, 0, 0, word(random))))]
    return [(random.choice((0x05, *CONDITIONAL)), 0, 0, word(random))]


def with_jump_targets(program: Sequence[Raw], random: Random) -> Iterator[Raw]:
    """Return the program with every jump target inside it."""
    for index, (op, jt, jf, k) in enumerate(program):
        max_skip = min(len(program) - index - 2, random.choice((1, 3, 255)))
        if op == 0x05:
            yield op, jt, jf, random.randint(0, max_skip)
        elif op in CONDITIONAL:
            yield op, random.randint(0, max_skip), random.randint(0, max_skip), k
        else:
            yield op, jt, jf, k


FRAGMENTS: Final = (load, load, calculate, calculate, calculate, move, branch)


def random_program(random: Random) -> list[Raw]:
    program: list[Raw] = []
    for _ in range(random.randrange(1, 16)):
        program += random.choice(FRAGMENTS)(random)
    endings: tuple[list[Raw], ...] = (
        [(0xAC, 0, 0, 0), (0x16, 0, 0, 0)],
        [(0x02, 0, 0, 1), (0x87, 0, 0, 0), (0x61, 0, 0, 1), (0x0C, 0, 0, 0), (0x16, 0, 0, 0)],
        [(0x16, 0, 0, 0)],
        [(0x15, 0, 0, word(random)), (0x06, 0, 0, word(random)), (0x06, 0, 0, word(random))],
    )
    return list(with_jump_targets(program + random.choice(endings), random))


def random_packets(random: Random) -> list[str]:
    """Return an empty packet, a short one, and two that are long enough for nearly every offset in the programs."""
    return [random.randbytes(size).hex() for size in (0, random.randrange(1, 24), 64, 64)]


def rejected_programs() -> Iterator[Row]:
    """Yield programs that Go rejects, when the VM is made or when it runs."""
    accept: Raw = (0x06, 0, 0, 1)
    cases: dict[str, list[Raw]] = {
        "no instruction": [],
        "does not end with a return": [accept, (0x00, 0, 0, 1)],
        "ends with ret x": [(0x0E, 0, 0, 0)],
        "ja past the end": [(0x05, 0, 0, 1), accept],
        "ja far past the end": [(0x05, 0, 0, 0xFFFFFFFF), accept],
        "true skip past the end": [(0x15, 1, 0, 0), accept],
        "false skip past the end": [(0x15, 0, 1, 0), accept],
        "true skip past the end, with x": [(0x3D, 2, 0, 0), accept, accept],
        "false skip past the end, with x": [(0x3D, 1, 2, 0), accept, accept],
        "division by the constant 0": [(0x34, 0, 0, 0), accept],
        "remainder by the constant 0": [(0x94, 0, 0, 0), accept],
        "store to slot 16": [(0x02, 0, 0, 16), accept],
        "load from slot 16": [(0x60, 0, 0, 16), accept],
        "opcode that does not exist": [(0xC0, 0, 0, 0), accept],
        "neg, which cbpf runs": [(0x84, 0, 0, 0), accept],
        "ld #mark, which cbpf runs": [(0x20, 0, 0, ANCILLARY + 20), accept],
    }
    for why, program in cases.items():
        yield {"why": why, "program": program, "packets": ["00"]}


def make_go_names() -> None:
    made_by = "".join(f"# {version}\n" for version in go_versions())
    (HERE / "go_names.txt").write_text(made_by + run_go("names.go"))


def make_go_vm() -> None:
    versions = go_versions()
    random = Random("cbpf golden programs 1")
    runs: list[Row] = [{"program": random_program(random), "packets": random_packets(random)} for _ in range(PROGRAMS)]
    rejected = list(rejected_programs())
    save("go_vm.json", versions, runs=with_answers(runs), rejected=with_answers(rejected))


# ---- tcpdump.json: filter expressions compiled by libpcap's compiler ----------------------------------------


def corpus() -> Iterator[tuple[str, str]]:
    """Yield each link type with its expression."""
    for line in CORPUS.read_text().splitlines():
        if line and not line.startswith("#"):
            link_type, expression = line.split("\t")
            yield link_type, expression


def compiled(tcpdump: str, link_type: str, expression: str, *, optimized: bool) -> Row:
    """Return an expression in tcpdump's three notations; with -y and no -i, tcpdump opens no device."""
    options = ["-y", link_type, "-s", str(SNAPLEN)] + ([] if optimized else ["-O"])
    row: Row = {"link_type": link_type, "expression": expression, "optimized": optimized}
    for notation in ("d", "dd", "ddd"):
        row[notation] = output(tcpdump, *options, f"-{notation}", expression)
    return row


def make_tcpdump() -> None:
    tcpdump = tool("tcpdump", package="tcpdump")
    versions = output(tcpdump, "--version").splitlines()[:2]
    programs = [compiled(tcpdump, *entry, optimized=flag) for entry in corpus() for flag in (False, True)]
    save("tcpdump.json", versions, programs=programs)


# ---- tools and files ---------------------------------------------------------------------------------------


def tool(name: str, *, package: str) -> str:
    """Return the path of an installed command."""
    path = shutil.which(name)
    if path is None:
        raise MissingToolError(f"{name} is not installed: apt-get install {package}")
    return path


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def go_versions() -> list[str]:
    """Return the versions of Go and of its package; raise `MissingToolError` if one is not installed."""
    go = tool("go", package="golang-go")
    package = "golang-golang-x-net-dev"
    if not GO_PACKAGE.is_dir():
        raise MissingToolError(f"golang.org/x/net/bpf is not installed: apt-get install {package}")
    query = tool("dpkg-query", package="dpkg")
    return [output(go, "version").strip(), output(query, "-W", "-f", "${Package} ${Version}", package)]


def query_go(requests: Sequence[Row]) -> list[Row]:
    """Return one reply per request; dump.go defines the requests."""
    answers = run_go("dump.go", "".join(f"{json.dumps(row)}\n" for row in requests))
    return [json.loads(line) for line in answers.splitlines()]


def run_go(program: str, text: str = "") -> str:
    """Return the output of a Go program of this folder."""
    return subprocess.run(
        [tool("go", package="golang-go"), "run", str(HERE / program)],
        input=text,
        env=os.environ | {"GO111MODULE": "off", "GOPATH": str(GO_PATH), "GOFLAGS": ""},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def with_answers(requests: Sequence[Row]) -> list[Row]:
    return [request | answer for request, answer in zip(requests, query_go(requests), strict=True)]


def save(name: str, made_by: Sequence[str], **tables: Sequence[Row]) -> None:
    """Write one JSON object: the versions of the tools, then each table with one row per line."""
    parts = [f'"made_by": {json.dumps(made_by)}']
    for title, rows in tables.items():
        lines = ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows)
        parts.append(f'"{title}": [\n{lines}\n]')
    (HERE / name).write_text("{\n" + ",\n".join(parts) + "\n}\n")


def main() -> int:
    status = 0
    for make in (make_go, make_go_names, make_go_vm, make_tcpdump):
        try:
            make()
        except MissingToolError as missing:
            print(f"{make.__name__}: {missing}", file=sys.stderr)
            status = 1
    return status | subprocess.run([sys.executable, "-m", "golden.make_linux"], cwd=HERE.parent, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
