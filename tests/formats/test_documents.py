"""The generated parts of the documents: the capabilities of each format, and the error messages for invalid input.

CBPF_UPDATE=1 ./dev test -k documents writes them again.
"""

import pytest

import cbpf
from cbpf.formats.registry import BYTES_FORMATS, TEXT_FORMATS
from support.command_line import CommandLine
from support.generated import check_generated
from support.project import ROOT

# Kinds of instructions that some formats cannot represent; each is tested in a complete program.
KINDS = {
    "all 49 opcodes except `ldx #len`": [
        cbpf.RawInstruction(op, k=1) for op in sorted(cbpf.LINUX.opcodes - {0x81, 0x16})
    ],
    "`ldx #len`": [cbpf.RawInstruction(0x81)],
    "unused bits set": [cbpf.RawInstruction(0x16, 1, 2, 3)],
    "unknown opcodes": [cbpf.RawInstruction(0x21, k=5)],
    "backward `ja`": [cbpf.RawInstruction(0x00), cbpf.RawInstruction(0x05, k=0xFFFFFFFF)],
}


def _without_stray_bits(raw: cbpf.RawInstruction) -> cbpf.RawInstruction:
    return raw if str(raw)[0] != "{" else raw._replace(k=0)


def _represents(name: str, instructions: list[cbpf.RawInstruction]) -> bool:
    program = cbpf.Program([*map(_without_stray_bits, instructions[:1]), *instructions[1:], cbpf.RetConstant(0)])
    if instructions == KINDS["all 49 opcodes except `ldx #len`"]:
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
    rows = ["| format | description | cannot represent |", "|---|---|---|"]
    for name in sorted([*TEXT_FORMATS, *BYTES_FORMATS]):
        missing = [title for title, instructions in KINDS.items() if not _represents(name, instructions)]
        description = (TEXT_FORMATS.get(name) or BYTES_FORMATS[name]).description
        rows.append(f"| `{name}` | {description} | {', '.join(missing) or '-'} |")
    return "\n".join(rows)


def test_documents_list_the_capabilities_of_each_format() -> None:
    check_generated(ROOT / "docs" / "reference" / "formats.md", _table(), "tests/formats/test_documents.py")


# Twenty invalid inputs in groups: the command, and its standard input.
INVALID_INPUTS = {
    "Assembly": (
        (["asm"], "ldh [12]\njeq #0x806 keep\nret #1\n"),
        (["asm"], "ldq [0]\n  ld [foo]\nret a ret\n"),
        (["asm"], "loop: ldb [0]\nja loop\nret a\n"),
        (["asm"], "jeq #1, done\nret #0\n"),
        (["asm"], "x: ret a\nL: tax\nL: ret a\n"),
        (["asm"], "ld #0x1ffffffff\nlsh #08\nret a\n"),
        (["asm"], "jlt #5, P, Q\nP: ret a\nQ: ret #0\n"),
        (["asm"], "ldx 4*([14]&0xe)\nret x /* unclosed\n"),
        (["asm", "--to", "tcpdump"], "ldx #len\nret a\n"),
    ),
    "Other formats of programs": (
        (["disasm"], "(000) ldh [12]\n(002) ret #1\n"),
        (["disasm"], "3\n40 0 0 12\n6 0 0 1\n"),
        (["disasm"], "{ 0x28, 0, 0, 12 },\n{ 0x15, 0, 256, 5 },\n{ 0x6, 0, 0, 0 },\n"),
        (["disasm"], '[{"op": 6, "kk": 1}]\n'),
        (["convert", "--from", "hex"], "0600000000000g00\n"),
        (["convert", "--to", "savefile"], ""),
    ),
    "Verification": (
        (["verify", "--dialect", "linux"], "ld M[3]\njeq #1,200\ndiv #0\n"),
        (["verify", "--dialect", "seccomp"], "ldh [2]\nmod #3\nret #0x7fff0000\n"),
    ),
    "Expressions": (
        (["compile", "tcp prot 80"], ""),
        (["compile", "-y", "WIFI", "ip"], ""),
    ),
    "Captures": ((["filter", "--count", "ip"], "no capture"),),
}


def _example(arguments: list[str], text: str) -> str:
    command = " ".join(f"'{word}'" if " " in word else word for word in ["cbpf", *arguments])
    result = CommandLine()(*arguments, stdin=text.encode())
    shown = f"$ {command} <<'END'\n{text.rstrip()}\nEND" if text else f"$ {command} </dev/null"
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.stderr
    return f"```\n{shown}\n{result.stdout.decode()}{result.stderr}[exit {result.exit_code}]\n```"


def test_documents_show_the_errors_of_twenty_invalid_inputs() -> None:
    assert sum(map(len, INVALID_INPUTS.values())) == 20
    groups = [
        "\n\n".join([f"### {title}", *(_example(*each) for each in group)]) for title, group in INVALID_INPUTS.items()
    ]
    check_generated(ROOT / "docs" / "reference" / "errors.md", "\n\n".join(groups), "tests/formats/test_documents.py")


@pytest.mark.parametrize("name", sorted({**TEXT_FORMATS, **BYTES_FORMATS}))
def test_documents_describe_each_format(name: str) -> None:
    assert f"| `{name}` |" in (ROOT / "docs" / "reference" / "formats.md").read_text()
