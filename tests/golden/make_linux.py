"""Remake bpf_asm.json, bpf_dbg.json and bpf_dbg_sessions.json: the results of Linux's own assembler and debugger.

    cd tests && python -m golden.make_linux

Builds both from the kernel source that Debian's package linux-source-6.1 installs, in a temporary directory. If a
package is missing, the message names it, and the exit code is 1. Nothing here imports cbpf.
`make.py` runs this script too.
"""

import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from golden.debugger_sessions import make_sessions
from golden.make import ALU_K, ALU_X, CONDITIONAL, CONSTANTS, MissingToolError, Raw, Row, output, save, tool

KERNEL: Final = "linux-source-6.1"
TARBALL: Final = Path("/usr/src") / f"{KERNEL}.tar.xz"
SOURCES: Final = ("bpf_asm.c", "bpf_dbg.c", "bpf_exp.l", "bpf_exp.y")

# ---- texts for bpf_asm by their subject, without expected results: those come from bpf_asm -----------------

Texts = dict[str, list[str]]


def split(texts: str) -> list[str]:
    return texts.split(" | ")


WORDS: Final = "proto type poff ifidx nla nlan mark queue hatype rxhash cpu vlan_tci vlan_pr vlan_avail vlan_tpid rand"
ALU: Final = "add sub mul div mod and or xor lsh rsh"
JUMPS: Final = "jeq jgt jge jset"
NEGATIVES: Final = "jne jneq jlt jle"
OPERANDS: Final = ("#7", "x", "%x")

NUMBERS: Final = "0 1 42 4294967295 -1 +7 -2147483648 0x0 0xFFFFFFFF 0XfF 0x001 0b0 0b101 0B11 00 010 017 037777777777"
TOO_WIDE: Final = "4294967296 -2147483649 99999999999999999999 -99999999999999999999 0x1ffffffff 040000000000"


def statements() -> Texts:
    """Return every statement in every spelling of its operand."""
    jumps = [f"{name} {{}},next next: tax" for name in (JUMPS + " " + NEGATIVES).split()]
    jumps += [f"{name} {{}},over,next next: tax over: txa" for name in JUMPS.split()]
    return {
        "load": [
            *(f"{name} [{k}]" for name in ("ld", "ldh", "ldb") for k in ("12", "x + 12", "%x + 12")),
            *("ld #12", "ldi 12", "ldi #12", "ldx #12", "ldxi 12", "ldxi #12", "ld M[3]", "ldx M[3]"),
            *("ld len", "ld #len", "ldx len", "ldx #len", "ldx 4*([14]&0xf)", "ldxb 4*([14]&0xf)"),
        ],
        "extension": [
            *(f"ld {mark}{word}" for mark in ("", "#") for word in WORDS.split()),
            *("ldh proto", "ldh #vlan_tci", "ldb cpu", "ldb #type"),
        ],
        "store": ["st M[0]", "stx M[15]"],
        "calculation": [*(f"{name} {k}" for name in ALU.split() for k in OPERANDS), "neg", "tax", "txa"],
        "jump": [*(text.format(k) for text in jumps for k in OPERANDS), "ja to to: tax", "jmp to to: tax"],
        "return": ["ret #7", "ret a", "ret %a"],
        "return x": ["ret x", "ret %x", "RET %X"],
        "unchecked value": ["div #0", "mod #0", "lsh #32", "rsh #-1", "st M[16]", "ld M[-1]", "ldx M[0xffffffff]"],
    }


def numbers() -> Texts:
    """Return numbers in every base and position."""
    return {
        "number": [*(f"ld #{k}" for k in NUMBERS.split()), f"ret #0b{'1' * 32}", f"ret #0x{'0' * 30}12"],
        "number, bare": ["ldi -1", "ldi 0x10", "ldxi +1", "ldxi 0b1"],
        "number, signed": ["ld [-4056]", "ldh [+12]", "ldb [-1048576]", "ld [x + -1]", "ld [x+-1]", "ld [x ++1]"],
        "number, of 4 and 15": ["ldx 0x4*([0b1]&017)", "ldxb 04*([+1]&15)", "ldx 0b100*([0]&0b1111)"],
        "signed 4 or 15": ["ldx +4*([1]&15)", "ldx 4*([1]&+15)"],
        "number too wide": [*(f"ld #{k}" for k in TOO_WIDE.split()), f"ld #0b1{'0' * 32}", f"ld [0x{'f' * 20}]"],
        "number, malformed": ["ld #08", "ld #0b2", "ld #0xg", "ld #1_0", "ld #1.5", "ld #--1", "ld #+-1", "ld #1+2"],
        "sign of more than decimals": ["ld #-0", "ld #+0", "ld #-0x10", "ld #+0b1", "ld #-010", "ld #- 5", "ld #+ 5"],
        "not a 4 or a 15": ["ldx 5*([0]&0xf)", "ldx 4*([0]&0xe)", "ldxb 0*([0]&0xf)", "ldxb -4*([0]&0xf)"],
    }


def blanks() -> Texts:
    """Return blanks, comments, capitals, and several statements per line."""
    return {
        "blanks": split(
            "ld[12] | ld#12 | ld#len | ret%a |   \t ret  \t a   | ret % a | ld # 12 | ld M [ 3 ] | "
            "\n\nret\na\n | ldx 4 * ( [ 14 ] & 0xf ) | ld\n[\nx\n+\n5\n] | ld [ % x + 5 ] | ld [x+ 5] | "
            "ld [x+0] | ld [x+0x5] | jeq #1,to\tto:ret a | jeq # 1 , to , to to : ret a | "
            "jeq\n%\nx\n,\nto\nto\n:\nneg | ldx4*([14]&0xf) | retx | stM[3] | jato | ld le n | ld [1 2] | "
            "ret # a"
        ),
        "several per line": split(
            "tax txa neg | ld #5ret a | ldi 5ret a | ld M[3]ret a | ld [3]tax | ldx 4*([14]&0xf)tax | "
            "ld #0b1tax | ld #0x5tax | ldi 5 ldxi 6 ret a | ret a; ret #1 | tax, txa | tax; txa\ntxa | "
            "tax . txa"
        ),
        "capitals": split(
            "LDB [12] | RET A | ld m[3] | LDX 4*([14]&0XF) | ld LEN | ld #PROTO | Ldi 5 | "
            "LD [X + 5] | JEQ #1,to to: TAX | ld VLAN_tci"
        ),
        "comment": split(
            "; comment\nret a | ret a ; comment | ret a; | ret a ;;; /* ret #1 | # comment\nret a | "
            "ret a\n# comment | #len and more\nret a | #5\nret a | /* comment */ ret a | "
            "ret/**/a | ld /* [ */ [12] | /* two\nlines */ret a | /* * / ** */ ret a | ret a /* # */ | "
            "/* ; */ ret a ; /* | ret a\n#define X 1\nneg | ret a; comment\r\n | # comment\r\nret a | "
            "/* caf\xe9 */ ret a | ; \u20ac\nret a | #!/bin\nneg"
        ),
        "operand in the first column": ["ld\n#len\nret a", "ld\n#cpu", "ld\n#vlan_avail\n"],
        "alias or capitals in the first column": ["ld\n#LEN\nret a", "ld\n#vlan_pr\nret a"],
        "comment without text": ["#\nret a", "ret a\n#\n"],
        "comment in the words of an operand": ["ret a\n#len \nneg", "ret a\n#cpu\t\nneg"],
        "comment that continues after **/": ["/* a **/ ld #1 /* b */ ret a"],
        "comment that ends with **/": ["/* a **/ ret a", "/***/ ret a", "/***/ tax /**/ txa"],
        "not a comment": split(
            "ret a // no | ret a # no |  # no\nret a | ld\n#5\nret a | "
            "ret a /* no | ret a /* no / | */ ret a | ret a / | --"
        ),
    }


def labels() -> Texts:
    """Return labels in every position, and jumps of every length."""
    return {
        "label": [
            *split(
                "aa: ret a | aa:\n\nret a | aa : ret a | ja aa aa:/**/ret a | __: ret a | _x: ret a | x1: tax | "
                "a_: tax | ja Aa AA: neg Aa: tax aA: txa | ja ld_1 ld_1: tax | ja ldx4 ldx4: tax | ja rets rets: tax | "
                "ja jt jt: tax | jeq #1,jt,jf jt: tax jf: txa | ja mark1 mark1: tax | jeq #1,to,to to: neg | "
                "jlt #1,to neg to: neg | ja l1 l0: tax l1: txa | l0: ja l2 l1: tax l2: ret a"
            ),
            "label_" * 50 + ": ret a",
        ],
        "undefined or invalid label": split(
            "ja to | jeq #1,to,no to: ret a | ja to To: ret a | t\u00e9: ret a | t-o: ret a | 1a: ret a | "
            "jeq x,M1,%x M1: tax"
        ),
        "label that is a word of cbpf only": ["pktlen: ret a", "xor_x: ret a", "ja vlanp vlanp: tax", "random: ret a"],
        "label that is a reserved word": split("len: ret a | ret: ret a | proto: tax | a: tax | X: tax | ja neg tax"),
        "label of one letter": [
            "L: ret a",
            "ja y y: ret a",
            "_: ret a",
            "jeq #1,t,f t: tax f: txa",
            "m: tax",
            "ja M M: tax",
        ],
        "labels, several": ["aa: bb: ret a", "aa: aa: ret a"],
        "label at the end": ["ret a aa:", "aa:", "ja to to:", "ret a\naa:\n"],
        "duplicate label": ["ja to to: tax to: txa", "to: tax to: txa", "jeq #1,to to: tax txa to: neg"],
        "backward jump": ["to: ja to", "to: tax txa ja to", "tax to: txa jmp to"],
        "backward jump, conditional": ["to: jeq #1,to", "to: tax jlt #1,to", "to: tax jeq x,on,to on: tax"],
        "jump, far": [
            f"jeq #1,to,no no: {'tax ' * 254}to: txa",
            f"jlt x,to {'tax ' * 255}to: txa",
            f"ja to {'tax ' * 300}to: neg",
        ],
        "jump, too far": [f"jeq #1,to {'tax ' * 256}to: txa", f"jge x,no,to no: {'tax ' * 256}to: txa"],
    }


def syntax() -> Texts:
    """Return texts outside bpf_asm's grammar; some of them are valid in other assemblers."""
    return {
        "invalid operand": split(
            "ld | ld 5 | ld x | ld %x | ld a | ldx a | ldx x | ldx [4] | ldx proto | ldx [x + 5] | "
            "ldh #5 | ldb M[3] | ldh len | ldb #len | ldh 4*([14]&0xf) | st | st #3 | st [3] | stx 3 | "
            "st M3 | stx M[x] | st x | add | add 5 | add a | add [5] | add M[3] | add len | sub #len | "
            "mul # | or proto | neg x | neg #5 | tax x | txa a | ret | l0: ret | ret 5 | ret # | ret len | "
            "ret M[1] | ret [0] | ret #x | ld [ | ld [] | ld [x] | ld [x +] | ld [5 | ld 5] | "
            "ld [y + 5] | ld [a + 5] | ld [x * 5] | ld [5 + x] | ld [len] | ld [x + x] | ld [#5] | ld M | "
            "ld M[] | ld M[3 | ld M(3) | ld M[#3] | ldx 4*[14]&0xf | ldx 4*([14]) | ldx 4*(14&0xf) | "
            "ldx 4* | ldx (4*([14]&0xf)) | ldx 4*([14]&x) | ldx 4*([14]&0xf | ldx 4+([14]&0xf) | "
            "ldx 4*([x + 14]&0xf)"
        ),
        "invalid register": split(
            "ld %M[3] | ld %len | ld %proto | ld [%5] | ld [%proto] | ldx %4*([0]&15) | ld %#5 | ld #%5"
        ),
        "invalid jump": split(
            "jeq | jeq #1 | jeq #1, | jeq #1,to, | jeq #1,to,to,to | jeq #1 to | jeq 1,to | jeq a,to | "
            "jeq [5],to | jeq M[1],to | jeq len,to | jeq %a,to | jeq to | jlt #1,to,to | jne x,to,to | "
            "ja | ja +1 | ja #1 | ja [ | ja to,to | ja x | jmp %x | jset ,to | jeq #1,,to | jeq #1:to | "
            "jeq #x,to | jeq #1,#to | jeq #1,to to to: tax"
        ),
        "not a statement": split(
            "hello | ldq [0] | ret a hello | 5 | [ | : | : ret a | x | a | % | ret a ) | ret a 5 | "
            "lda #5 | tax\ntax\nbad\ntax | tax\n\n/* \n */ txa 5 | ret a\nret\n | ( | ret a +5 | "
            "M[3] | len | #len | ret a ret"
        ),
        "invalid character": split(
            'ret a @ | ret a ! | ret $a | ret a\\ | ret "a" | ret a\0 | ret \u20aca | ret a\xa0 | tax\ufeff | ret a.'
        ),
        "empty": ["", "  \n\t\n", "; ret", "/* comment */", "# comment", "#"],
        "[x+5] and [x - 5]": split(
            "ld [x+5] | ldh [%x+5] | ldb [x+12] | ld [x-5] | ld [x - 5] | ldb [x +5] | ld [x -0x5]"
        ),
        "carriage return": ["ret a\r\n", "tax\r\ntxa\r\n", "ld\r#5", "to:\r\nret a"],
        "form feed": ["tax\ftxa", "tax\vtxa"],
        "further words": split("ld pktlen | ldx #pktlen | ld xor_x | ld #xor_x | ld random | ldh vlanp"),
        "blank after #": ["ld # len", "ld # proto"],
        "extension in brackets": ["ld [proto]", "ldh [vlan_tci]"],
        "alias with any operand": split(
            "ldi [5] | ldi M[3] | ldi len | ldxi M[3] | ldxb #5 | ldxb M[3] | ldxb len | ldi proto"
        ),
        "skip": ["ja 0", "jmp 1", "jeq #1,0", "jeq x,1,2", "jlt #5,3", "ja 0x1"],
        "listing": split(
            "(000) ret | (000) ldh [12]\n(001) jeq #0x800 jt 2 jf 3\n(002) ret #1\n(003) ret #0 | l0: ja 1 l1: tax"
        ),
        "jt and jf": ["jeq #1 jt 0 jf 1"],
        "braces": ["{ 0x16, 0, 0, 0x40 }", "{ 22, 0, 0, 0 },", "tax { 6, 0, 0, 1 } txa"],
        "braces, malformed": ["{ 6, 0, 0 }", "{ 6 0 0 1 }", "{", "}", "{}", "{ 6, 256, 0, 0 }"],
        "too many": ["tax " * 4097],
    }


def programs() -> Texts:
    """Return complete programs, some from the documentation of Linux (networking/filter.rst)."""
    return {
        "program": [
            "ldh [12]\njne #0x806, drop\nret #-1\ndrop: ret #0\n",
            "ldh [12]\njne #0x800, drop\nldb [23]\njneq #6, drop\nret #-1\ndrop: ret #0",
            "ld vlan_tci\njneq #10, drop\nret #-1\ndrop: ret #0",
            "ldh [12]\njne #0x800, drop\nldb [23]\njneq #1, drop\n# get a random uint32 number\n"
            "ld rand\nmod #4\njneq #1, drop\nret #-1\ndrop: ret #0",
            "ld [4]                  /* offsetof(struct seccomp_data, arch) */\n"
            "jne #0xc000003e, bad    /* AUDIT_ARCH_X86_64 */\n"
            "ld [0]                  /* offsetof(struct seccomp_data, nr) */\n"
            "jeq #15, good           /* __NR_rt_sigreturn */\n"
            "jeq #231, good          /* __NR_exit_group */\n"
            "bad: ret #0             /* SECCOMP_RET_KILL_THREAD */\n"
            "good: ret #0x7fff0000   /* SECCOMP_RET_ALLOW */\n",
            "start:\n\tldxb 4*([14]&0xf)\n\tldh [x + 16]\n\tst M[1]\n\tjgt #1023, high, low\n"
            "high: ldx M[1]\n\ttxa\n\tlsh #0x10\n\tor x\n\tret a\nlow:\n\tld len\n\tsub #017\n\tret %a",
        ],
    }


# ---- bpf_asm.json ------------------------------------------------------------------------------------------


def run_bpf_asm(bpf_asm: str, *options: str, text: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([bpf_asm, *options], input=text.encode(), capture_output=True, check=False)


def assembled(bpf_asm: str, kind: str, text: str) -> Row:
    """Return the result of bpf_asm, in both its notations if it accepts the text."""
    answer = run_bpf_asm(bpf_asm, text=text)
    row: Row = {
        "kind": kind,
        "text": text,
        "status": answer.returncode,
        "output": answer.stdout.decode(errors="replace"),
    }
    if answer.returncode:
        return row | {"error": answer.stderr.decode()}
    return row | {"c": run_bpf_asm(bpf_asm, "-c", text=text).stdout.decode()}


def make_bpf_asm(versions: Sequence[str], bpf_asm: str) -> None:
    texts = statements() | numbers() | blanks() | labels() | syntax() | programs()
    pairs = dict.fromkeys((kind, text) for kind, several in texts.items() for text in several)
    rows = [assembled(bpf_asm, kind, text) for kind, text in pairs]
    save(
        "bpf_asm.json",
        versions,
        accepted=[row for row in rows if row["status"] == 0],
        rejected=[row for row in rows if row["status"] != 0],
    )


# ---- bpf_dbg.json ------------------------------------------------------------------------------------------

# bpf_dbg shows only programs that this machine's kernel accepts, without loads from 0xfffff001 or above.
OFFSETS: Final = (0, 1, 12, 0x7FFFFFFF, 0x80000000, 0xFFE00000, 0xFFFFEFFF, 0xFFFFF000)
SLOTS: Final = (0, 1, 15)


def plain_instructions() -> Iterator[Raw]:
    """Yield instructions that the kernel accepts at any index, with every kind of constant."""
    yield from ((op, 0, 0, k) for op in (0x20, 0x28, 0x30, 0x40, 0x48, 0x50) for k in OFFSETS)
    yield from ((op, 0, 0, k) for op in (0x01, 0xB1, 0x06) for k in CONSTANTS)
    yield from ((0x00, 0, 0, k) for k in CONSTANTS if k <= 0xFFFFF000)
    yield from ((op, 0, 0, k) for op in ALU_K for k in CONSTANTS if legal(op, k))
    yield from ((op, 0, 0, 0) for op in (*ALU_X, 0x84, 0x80, 0x81, 0x07, 0x87, 0x16))
    yield from ((op, 1, 2, 42) for op in (*ALU_X, 0x84, 0x80, 0x81, 0x07, 0x87, 0x16))  # ignored bits


def legal(op: int, k: int) -> bool:
    return k > 0 if op in (0x34, 0x94) else k < 32 if op in (0x64, 0x74) else True


def debugged_programs() -> Iterator[list[Raw]]:
    """Yield programs that the kernel accepts: every instruction, and every jump."""
    end: list[Raw] = [(0x06, 0, 0, 1), (0x06, 0, 0, 0)]
    yield from ([instruction, *end] for instruction in plain_instructions())
    yield from (
        [(store, 0, 0, slot), (load, 0, 0, slot), *end] for store, load in ((2, 0x60), (3, 0x61)) for slot in SLOTS
    )
    yield from ([(op, 0, 1, k), *end] for op in CONDITIONAL for k in CONSTANTS)
    yield from ([(op, 1, 0, 0), *end] for op in CONDITIONAL)
    yield from ([(0x05, 0, 0, skip), *end] for skip in (0, 1))
    yield [(0x05, 0, 0, 300), (0x15, 255, 254, 5), *([(0x04, 0, 0, 1)] * 300), *end]


def disassembled(bpf_dbg: str, program: Sequence[Raw], directory: Path) -> Row:
    """Return the output of `disassemble`; bpf_dbg repeats each command after its prompt."""
    code = ",".join([str(len(program)), *("{} {} {} {}".format(*raw) for raw in program)])
    commands, answer = directory / "commands", directory / "answer"
    commands.write_text(f"load bpf {code}\ndisassemble\nquit\n")
    environment = os.environ | {"HOME": str(directory), "TERM": "dumb"}  # it writes its history into HOME
    subprocess.run([bpf_dbg, commands, answer], stdin=subprocess.DEVNULL, env=environment, check=True)
    lines = re.findall(r"^l\d+:.*\n", answer.read_text(), re.MULTILINE)
    if len(lines) != len(program):
        raise RuntimeError(f"bpf_dbg: {program}: {answer.read_text()}")
    return {"program": program, "disassemble": "".join(lines)}


def make_bpf_dbg(versions: Sequence[str], bpf_dbg: str) -> None:
    with TemporaryDirectory() as directory:
        rows = [disassembled(bpf_dbg, program, Path(directory)) for program in debugged_programs()]
    save("bpf_dbg.json", versions, programs=rows)


# ---- the tools ---------------------------------------------------------------------------------------------


def build(directory: Path) -> None:
    """Build bpf_asm and bpf_dbg in *directory* as the kernel's Makefile does, in about ten seconds."""
    if not TARBALL.exists():
        raise MissingToolError(f"the kernel's source is not installed: apt-get install {KERNEL}")
    if not Path("/usr/include/readline/readline.h").exists():
        raise MissingToolError("readline is not installed: apt-get install libreadline-dev")
    flex, bison, gcc = (tool(name, package=name) for name in ("flex", "bison", "gcc"))
    with tarfile.open(TARBALL, "r|xz") as tarball:
        missing = {f"{KERNEL}/tools/bpf/{name}" for name in SOURCES}
        for member in tarball:
            if member.name in missing and (source := tarball.extractfile(member)):
                (directory / Path(member.name).name).write_bytes(source.read())
                missing.remove(member.name)
            if not missing:
                break
    compiler = (gcc, "-w", "-O2", "-D__EXPORTED_HEADERS__")
    for command in (
        (flex, "-o", "bpf_exp.lex.c", "bpf_exp.l"),
        (bison, "-o", "bpf_exp.yacc.c", "-d", "bpf_exp.y"),
        (*compiler, "-o", "bpf_asm", "bpf_asm.c", "bpf_exp.lex.c", "bpf_exp.yacc.c"),
        (*compiler, "-o", "bpf_dbg", "bpf_dbg.c", "-lreadline"),
    ):
        subprocess.run(command, cwd=directory, check=True)


def main() -> int:
    with TemporaryDirectory() as directory:
        try:
            build(Path(directory))
            query = tool("dpkg-query", package="dpkg")
        except MissingToolError as missing:
            print(f"make_linux: {missing}", file=sys.stderr)
            return 1
        versions = [output(query, "-W", "-f", "${Package} ${Version}", KERNEL)]
        make_bpf_asm(versions, f"{directory}/bpf_asm")
        make_bpf_dbg(versions, f"{directory}/bpf_dbg")
        make_sessions(versions, f"{directory}/bpf_dbg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
