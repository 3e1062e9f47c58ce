"""The generated parts of the documents: what each notation carries, and what a user sees of wrong input.

CBPF_UPDATE=1 ./dev test -k documents writes them anew.
"""

import os
from pathlib import Path

import pytest

import cbpf
from cbpf.formats import BYTES_FORMATS, TEXT_FORMATS
from support.command_line import CommandLine
from support.project import ROOT

# What a notation may carry or not: an instruction of each kind, in a program that is whole.
KINDS = {
    "all 49 opcodes but `ldx #len`": [cbpf.RawInstruction(op, k=1) for op in sorted(cbpf.LINUX.opcodes - {0x81, 0x16})],
    "`ldx #len`": [cbpf.RawInstruction(0x81)],
    "unused bits set": [cbpf.RawInstruction(0x16, 1, 2, 3)],
    "unknown opcodes": [cbpf.RawInstruction(0x21, k=5)],
    "backward `ja`": [cbpf.RawInstruction(0x00), cbpf.RawInstruction(0x05, k=0xFFFFFFFF)],
}


def _without_stray_bits(raw: cbpf.RawInstruction) -> cbpf.RawInstruction:
    return raw if str(raw)[0] != "{" else raw._replace(k=0)


def _carries(name: str, instructions: list[cbpf.RawInstruction]) -> bool:
    program = cbpf.Program([*map(_without_stray_bits, instructions[:1]), *instructions[1:], cbpf.RetConstant(0)])
    if instructions == KINDS["all 49 opcodes but `ldx #len`"]:
        program = cbpf.Program([*map(_without_stray_bits, instructions), cbpf.RetA(), cbpf.RetConstant(0)])
    elif instructions == KINDS["unused bits set"]:
        program = cbpf.Program([*instructions, cbpf.RetConstant(0)])
    try:
        data = cbpf.render_bytes(program, name)
    except cbpf.ProgramFormatError:
        return False
    assert cbpf.parse(data, format=name) == program
    return True


def _table() -> str:
    rows = [f"| notation | what it is | {' | '.join(KINDS)} |", f"|{'---|' * (len(KINDS) + 2)}"]
    for name in sorted([*TEXT_FORMATS, *BYTES_FORMATS]):
        one = TEXT_FORMATS.get(name) or BYTES_FORMATS[name]
        marks = ["yes" if _carries(name, kind) else "no" for kind in KINDS.values()]
        description = one.description
        rows.append(f"| `{name}` | {description} | {' | '.join(marks)} |")
    return "\n".join(rows)


def _check(path: Path, expected: str) -> None:
    if os.environ.get("CBPF_UPDATE"):
        path.write_text(expected)
    assert path.read_text() == expected, f"{path.name} is out of date: CBPF_UPDATE=1 ./dev test -k documents"


def test_documents_show_what_each_notation_carries() -> None:
    path = ROOT / "docs" / "formats.md"
    before, _, rest = path.read_text().partition("<!-- begin: made by tests/test_format_documents.py -->\n")
    _, _, after = rest.partition("<!-- end -->\n")
    begin = "<!-- begin: made by tests/test_format_documents.py -->\n"
    _check(path, f"{before}{begin}{_table()}\n<!-- end -->\n{after}")


# Twenty wrong inputs: a command, and the file that it reads from standard input.
WRONG = (
    (["asm"], "ldh [12]\njeq #0x806 keep\nret #1\n"),
    (["asm"], "ldq [0]\n  ld [foo]\nret a ret\n"),
    (["asm"], "loop: ldb [0]\nja loop\nret a\n"),
    (["asm"], "jeq #1, done\nret #0\n"),
    (["asm"], "x: ret a\nL: tax\nL: ret a\n"),
    (["asm"], "ld #0x1ffffffff\nlsh #08\nret a\n"),
    (["asm"], "jlt #5, P, Q\nP: ret a\nQ: ret #0\n"),
    (["asm"], "ldx 4*([14]&0xe)\nret x /* for ever\n"),
    (["asm", "--to", "tcpdump"], "ldx #len\nret a\n"),
    (["disasm"], "(000) ldh [12]\n(002) ret #1\n"),
    (["disasm"], "3\n40 0 0 12\n6 0 0 1\n"),
    (["disasm"], "{ 0x28, 0, 0, 12 },\n{ 0x15, 0, 256, 5 },\n{ 0x6, 0, 0, 0 },\n"),
    (["disasm"], '[{"op": 6, "kk": 1}]\n'),
    (["convert", "--from", "hex"], "0600000000000g00\n"),
    (["convert", "--to", "savefile"], ""),
    (["verify", "--dialect", "linux"], "ld M[3]\njeq #1,200\ndiv #0\n"),
    (["verify", "--dialect", "seccomp"], "ldh [2]\nmod #3\nret #0x7fff0000\n"),
    (["compile", "tcp prot 80"], ""),
    (["compile", "-y", "WIFI", "ip"], ""),
    (["filter", "--count", "ip"], "no capture"),
)


def _page() -> str:
    parts = ["# Twenty wrong inputs\n\nWhat a user sees of each. Made by tests/test_format_documents.py.\n"]
    for arguments, text in WRONG:
        command = " ".join(f"'{word}'" if " " in word else word for word in ["cbpf", *arguments])
        result = CommandLine()(*arguments, stdin=text.encode())
        shown = f"$ {command} <<'END'\n{text.rstrip()}\nEND" if text else f"$ {command} </dev/null"
        parts.append(f"```\n{shown}\n{result.stdout.decode()}{result.stderr}[exit {result.exit_code}]\n```\n")
        assert result.exit_code in (1, 2)
        assert "Traceback" not in result.stderr
    return "\n".join(parts)


def test_documents_show_twenty_wrong_inputs() -> None:
    assert len(WRONG) == 20
    _check(ROOT / "docs" / "errors.md", _page())


@pytest.mark.parametrize("name", sorted({**TEXT_FORMATS, **BYTES_FORMATS}))
def test_documents_describe_each_notation(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "formats.md").read_text()
