"""The pages of the instruction set and of the dialects: their tables are generated from those of the package.

CBPF_UPDATE=1 ./dev test -k documents writes them again.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import griffe

import cbpf
from cbpf.isa import verifier
from cbpf.isa.enumerations import EXTENSION_NUMBERS, EXTENSION_WORDS
from cbpf.isa.opcodes import (
    ARITHMETIC_ACTIONS,
    CONDITIONS,
    EXTENSION_OFFSET,
    JUMPS,
    OPCODES,
    SIGNS,
    Action,
    Opcode,
    Operand,
)
from cbpf.isa.verdicts import SECCOMP_ACTIONS
from support.generated import check_generated
from support.project import ROOT

REFERENCE: Final = ROOT / "docs" / "reference"
GENERATOR: Final = "tests/isa/test_documents.py"
# The numbers that represent jt, jf and k in the text of an instruction; a scratch slot is at most 15.
JT, JF, K, SLOT = 77, 88, 31313, 13
GROUPS: Final = (
    ("Loads into A", {Action.LOAD_A}),
    ("Loads into X", {Action.LOAD_X}),
    ("Stores", {Action.STORE_A, Action.STORE_X}),
    ("Arithmetic", ARITHMETIC_ACTIONS | {Action.NEGATE}),
    ("Jumps", JUMPS),
    ("Copies and returns", {Action.TAX, Action.TXA, Action.RETURN}),
)
NAMES: Final = {Operand.K: "k", Operand.X: "X", Operand.A: "A", Operand.SCRATCH: "M[k]"}
SEPARATE: Final = {
    Action.STORE_A: "M[k] = A",
    Action.STORE_X: "M[k] = X",
    Action.NEGATE: "A = -A",
    Action.JUMP: "skip k",
    Action.BITS_SET: "if (A & {operand}) != 0 skip jt, else jf",
    Action.RETURN: "end with verdict {operand}",
    Action.TAX: "X = A",
    Action.TXA: "A = X",
}


def _example(opcode: Opcode) -> cbpf.RawInstruction:
    """Return an instruction with this opcode whose numbers can be recognised in its text."""
    jt, jf = (JT, JF) if opcode.action in CONDITIONS else (0, 0)
    takes_k = opcode.operand not in (Operand.X, Operand.A, Operand.NONE, Operand.LENGTH)
    k = SLOT if opcode.operand is Operand.SCRATCH else K
    return cbpf.RawInstruction(opcode.code, jt, jf, k if takes_k else 0)


def _with_names(text: str, jt: str = "jt", jf: str = "jf") -> str:
    names = {JT: jt, JF: jf, K: "k", SLOT: "k"}
    return re.sub(r"\b\d+\b", lambda match: names.get(int(match[0]), match[0]), text)


def _assembly(opcode: Opcode) -> str:
    text = str(_example(opcode))
    if text.startswith("{"):
        return "`ldx #len`"  # Go has no syntax for it
    return f"`{_with_names(text)}`"


def _jump_with_labels(opcode: Opcode) -> str:
    if opcode.action is Action.JUMP:
        return "`ja L`"
    return f"`{_with_names(str(_example(opcode)), 'Lt', 'Lf')}`"


def _typed(opcode: Opcode) -> str:
    instruction = _example(opcode).disassemble()
    name = type(instruction).__name__
    text = f"{name}({opcode.code:#04x})" if isinstance(instruction, cbpf.RawInstruction) else repr(instruction)
    without_keywords = re.sub(r"\b[a-z_]+=", "", text)
    return f"[`{_with_names(without_keywords)}`][cbpf.{name}]"


def _effect(opcode: Opcode) -> str:
    operand = NAMES.get(opcode.operand, "")
    if opcode.action in SEPARATE:
        return SEPARATE[opcode.action].format(operand=operand)
    if opcode.action in CONDITIONS:
        return f"if A {SIGNS[opcode.action]} {operand} skip jt, else jf"
    if opcode.action in ARITHMETIC_ACTIONS:
        return f"A = A {SIGNS[opcode.action]} {operand}"
    amount = "byte" if opcode.size == 1 else f"{opcode.size} bytes"
    loaded = {
        Operand.ABSOLUTE: f"the {amount} at offset k",
        Operand.INDIRECT: f"the {amount} at offset X + k",
        Operand.MEMORY_SHIFT: "4 * the low 4 bits of the byte at offset k: the length of an IPv4 header",
        Operand.LENGTH: "the length of the packet on the wire in bytes",
    }.get(opcode.operand, operand)
    return f"{'A' if opcode.action is Action.LOAD_A else 'X'} = {loaded}"


def _dialects(opcode: Opcode) -> str:
    missing = [name for name in cbpf.DIALECTS if name not in opcode.dialects]
    return f"all but {', '.join(missing)}" if missing else "all"


def _code(opcode: Opcode) -> str:
    return f"`{opcode.code:#04x}`"


OTHER_COLUMNS: Final = (
    ("opcode", "assembly", "effect", "typed instruction", "dialects"),
    (_code, _assembly, _effect, _typed, _dialects),
)
JUMP_COLUMNS: Final = (
    ("opcode", "bpf_asm", "Go", "effect", "typed instruction"),
    (_code, _jump_with_labels, _assembly, _effect, _typed),
)


def _table(*rows: tuple[str, ...]) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])


def _opcode_tables() -> Iterator[str]:
    for title, actions in GROUPS:
        header, columns = JUMP_COLUMNS if actions == JUMPS else OTHER_COLUMNS
        rows = [tuple(column(opcode) for column in columns) for opcode in OPCODES if opcode.action in actions]
        yield f"## {title}\n\n" + _table(header, *rows)


def _extension_texts() -> dict[str, str]:
    """Return the meaning of each extension, from its description without its name."""
    enum = griffe.load("cbpf.isa.enumerations", search_paths=[ROOT / "src"])["Extension"]
    texts = {name: member.docstring.value for name, member in enum.members.items() if member.docstring}
    return {name: _with_links(text.partition(": ")[2]) for name, text in texts.items()}


def _with_links(text: str) -> str:
    return re.sub(r"`([A-Z]\w+)\.(\w+)`", r"[`\1.\2`][cbpf.\1.\2]", text)


def _extensions() -> str:
    texts = _extension_texts()
    rows = []
    for extension in sorted(EXTENSION_NUMBERS):
        load = cbpf.RawInstruction(0x20, k=EXTENSION_OFFSET + extension)
        tcpdump = cbpf.listing([load]).split()[-1]
        rows.append(
            (
                f"`{extension.value}`",
                f"`#{EXTENSION_WORDS[extension]}`",
                f"`{tcpdump}`",
                f"[`{extension.name}`][cbpf.Extension.{extension.name}]",
                texts[extension.name],
            )
        )
    return _table(("number", "bpf_asm, Go", "tcpdump -d", "`Extension`", "A = ..."), *rows)


def _jump_tests() -> str:
    rows = []
    for test in cbpf.JumpTest:
        jump = cbpf.JumpIf(test, K, skip_true=JT)
        raw = jump.assemble()
        mnemonic = str(raw).split()[0]
        fields = f"`op={raw.op:#04x}, jt={raw.jt}, jf={raw.jf}, k={raw.k}`"
        rows.append(
            (f"`{test.name}`", f"`{mnemonic}`", f"`{_with_names(str(jump), 'n')}`", _with_names(fields, "n", "n"))
        )
    return _table(("`JumpTest`", "mnemonic", "a jump that skips n instructions if the test holds", "encoding"), *rows)


def _text() -> str:
    return "\n\n".join(
        [
            *_opcode_tables(),
            "## Extensions\n\n"
            "A load of 1, 2 or 4 bytes at the offset SKF_AD_OFF (0xfffff000) plus the number of an extension loads a "
            "value that is not in the packet. Linux and the dialect `pcap` have all of them; seccomp has none. "
            "[`Metadata`][cbpf.Metadata] holds the values. bpf_asm and Go have no name for number 40.\n\n"
            + _extensions(),
            "## Tests of jumps\n\n"
            "Four of the eight tests of [`JumpTest`][cbpf.JumpTest] are opcodes. Each other test is encoded as its "
            "opposite, with exchanged skips.\n\n" + _jump_tests(),
        ]
    )


def test_the_groups_contain_every_opcode_once() -> None:
    assert sorted(row.code for _, actions in GROUPS for row in OPCODES if row.action in actions) == sorted(
        row.code for row in OPCODES
    )
    assert {_dialects(row) for row in OPCODES if row.action in JUMPS} == {"all"}, "the table of jumps has no dialects"


def test_documents_list_the_instruction_set() -> None:
    check_generated(REFERENCE / "instructions.md", _text(), GENERATOR)


SECCOMP_EFFECTS: Final = {
    "KILL_PROCESS": ("kills the process", "-"),
    "KILL_THREAD": ("kills the thread", "-"),
    "TRAP": ("sends SIGSYS in place of the system call", "si_errno of the signal"),
    "ERRNO": ("the system call fails", "the error number, at most 4095; 0 for success"),
    "USER_NOTIF": ("another process decides; ENOSYS without one", "-"),
    "TRACE": ("a tracer decides; ENOSYS without one", "the message of the ptrace event"),
    "LOG": ("runs the system call and logs it", "-"),
    "ALLOW": ("runs the system call", "-"),
}


def test_documents_list_the_actions_of_seccomp() -> None:
    actions = SECCOMP_ACTIONS.values()
    assert [action.name for action in actions] == list(SECCOMP_EFFECTS)
    rows = [
        (
            f"`{action.value:#010x}`",
            action.name,
            *SECCOMP_EFFECTS[action.name],
            "accepts" if action.runs else "rejects",
        )
        for action in actions
    ]
    header = ("verdict", "action, SECCOMP_RET_", "effect", "data", "in proofs and counts")
    check_generated(REFERENCE / "dialects.md", _table(header, *rows), GENERATOR)


def test_documents_list_the_identifiers_of_all_findings() -> None:
    identifiers = set(re.findall(r'Finding\("([a-z-]+)"', Path(verifier.__file__).read_text()))
    rows = re.findall(r"^\| `([a-z-]+)` \|", (REFERENCE / "dialects.md").read_text(), re.MULTILINE)
    assert len(identifiers) > 10
    assert sorted(rows) == sorted(identifiers)
