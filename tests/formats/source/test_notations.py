"""The notations of instructions in other tools and languages: each text below is the same program."""

import errno
import shutil
import subprocess
import sys

import pytest

import cbpf

ARP = cbpf.Program(
    [
        cbpf.LoadAbsolute(12, 2),
        cbpf.JumpIf(cbpf.JumpTest.EQUAL, 0x806, skip_false=1),
        cbpf.RetConstant(0xFFFFFFFF),
        cbpf.RetConstant(0),
    ]
)
_STRACE = (
    "setsockopt(3, SOL_SOCKET, SO_ATTACH_FILTER, {len=4, filter=[BPF_STMT(BPF_LD|BPF_H|BPF_ABS, 0xc),"
    " BPF_JUMP(BPF_JMP|BPF_K|BPF_JEQ, 0x806, 0, 0x1), BPF_STMT(BPF_RET|BPF_K, 0xffffffff), BPF_STMT(BPF_RET|BPF_K, 0)]}"
    ", 16) = 0\n"
)
_COMMA = "4,40 0 0 12,21 0 1 2054,6 0 0 4294967295,6 0 0 0"

NOTATIONS = {
    "C, macros": """
        #include <linux/filter.h>
        #ifndef ARP_H
        #define ARP_H
        #define ETHER_TYPE 12
        static const struct sock_filter code[] = {
            /* load */ BPF_STMT(BPF_LD + BPF_H + BPF_ABS, ETHER_TYPE),
            BPF_JUMP(BPF_JMP + BPF_JEQ + BPF_K, ETH_P_ARP, 0, 1),
            BPF_STMT(BPF_RET + BPF_K, (u_int)-1),
            BPF_STMT(BPF_RET + BPF_K, 0),
        };
        struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };
        int main(void) { if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0) return 1; }
        #endif
    """,
    "C, function-like macros": """
        #define LOAD(x) { BPF_LD | BPF_H | BPF_ABS, 0, 0, (x) }
        #define RETURN(x) BPF_STMT(BPF_RET | BPF_K, x)
        struct sock_filter f[] = { LOAD(12), {BPF_JMP|BPF_JEQ|BPF_K, 0, 1, 0x0806U}, RETURN(~0U), RETURN(0) };
    """,
    "C, designated": """
        { .code = 0x28, .k = 12 }, { .k = 0x806, .code = 0x15, .jf = 1 }, { .code = 6, .k = -1 }, { .code = 06 },
    """,
    "C, positions": "f f[4] = { [0] = {0x28,0,0,12}, [1] = {0x15,0,1,2054}, [2] = {6,0,0,-1}, {6,0,0,0} };",
    "C, no-break spaces": "{\u00a00x28, 0,\u00a00, 12 },\n{ 0x15, 0, 1, 0x806 },\n{6,0,0,-1},\n{6,0,0,0}\n",
    "C, a terminal": "$ sudo tcpdump -dd arp\nWarning: assuming Ethernet\n"
    "{40,0,0,12},\n{21,0,1,2054},\n{6,0,0,-1},\n{6,0,0,0}\n",
    "a listing in Markdown": "```\n(000) ldh [12]\n"
    "(001) jeq #0x806 jt 2 jf 3\n(002) ret #0xffffffff\n(003) ret #0\n```\n",
    "numbers in a terminal": "me@box:~# tcpdump -r x -ddd arp\nreading from file x, link-type EN10MB (Ethernet)\n"
    "4\n40 0 0 12\n21 0 1 2054\n6 0 0 4294967295\n6 0 0 0\n",
    "assembly in a terminal": "[me@box ~]$ cat arp.asm\n"
    "ldh [12]\njne #0x806, no\nret #-1 ; tcpdump $ cat x\nno: ret #0\n",
    "Python, four structures": "f = (SockFilter * 4)(\n SockFilter(40, 0, 0, 12), SockFilter(21, 0, 1, 2054),"
    " SockFilter(6, 0, 0, 0xffffffff), SockFilter(6, 0, 0, 0),\n)\n",
    "C, continued macro": "#define ARP \\\n {0x28,0,0,12}, {0x15,0,1,0x806}, \\\n {6,0,0,0xffffffff}, {6,0,0,0}\n",
    "C, bytes": "u8 f[] = {40,0,0,0,12,0,0,0,21,0,0,1,6,8,0,0,6,0,0,0,255,255,255,255,6,0,0,0,0,0,0,0};",
    "C, commented rows": "/* {1,2,3}, */ // {5,6,7,8},\n{40,0,0,12},{21,0,1,0x806},{6,0,0,4294967295UL},{6,0,0,'\\0'}",
    "Go, raw": "[]bpf.RawInstruction{\n{Op: 0x28, K: 0xc},\n{0x15, 0, 1, 0x806},\n{Op: 6, K: 0xffffffff},\n{Op: 6},\n}",
    "Go, SockFilter": """
        filter := []unix.SockFilter{
            {Code: unix.BPF_LD | unix.BPF_H | unix.BPF_ABS, K: 12},
            {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: unix.ETH_P_ARP},
            {Code: unix.BPF_RET | unix.BPF_K, K: ^uint32(0)},
            {Code: unix.BPF_RET},
        }
    """,
    "Go, LsfStmt": """
        []syscall.SockFilter{*syscall.LsfStmt(0x28, 12), *syscall.LsfJump(0x15, 0x806, 0, 1),
            *syscall.LsfStmt(6, 0xffffffff), *syscall.LsfStmt(6, 0)}
    """,
    "Go, instructions": """
        p := []bpf.Instruction{
            bpf.LoadAbsolute{Off: 12, Size: 2}, // EtherType
            bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0x806, SkipTrue: 1},
            bpf.RetConstant{0xffffffff}, bpf.RetConstant{},
        }
    """,
    "Go, printed": "[{Op:40 Jt:0 Jf:0 K:12} "
    "{Op:21 Jt:0 Jf:1 K:2054} {Op:6 Jt:0 Jf:0 K:4294967295} {Op:6 Jt:0 Jf:0 K:0}]",
    "Go, printed without names": "[{40 0 0 12} {21 0 1 2054} {6 0 0 4294967295} {6 0 0 0}]",
    "Rust": """
        let filter = [
            libc::sock_filter { code: (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16, jt: 0, jf: 0, k: 12 },
            sock_filter { code: 0x15, jt: 0, jf: 1, k: libc::ETH_P_ARP as u32 },
            sock_filter { code: 6, jt: 0, jf: 0, k: 0xffff_ffff },
            sock_filter { code: 6, jt: 0, jf: 0, k: 0u32 },
        ];
    """,
    "Rust, macros": """
        const RETURN: u16 = BPF_RET | BPF_K;
        let filter = vec![bpf_stmt!(BPF_LD | BPF_H | BPF_ABS, 12), bpf_jump!(BPF_JMP | BPF_JEQ | BPF_K, 0x806, 0, 1),
            bpf_stmt!(RETURN, 0xffffffffu32), bpf_stmt!(RETURN, 0)];
    """,
    "Python, tuples": "program = [\n (0x28, 0, 0, 12),  # EtherType\n"
    " (0x15, 0, 1, 0x806),\n (6, 0, 0, 0xffffffff),\n (6, 0, 0, 0),\n]",
    "Python, names": "LD = 0x28\nRET = 0x06\n"
    "p = [[LD, 0, 0, 12], [0x15, 0, 1, 0x806], [RET, 0, 0, 0xffffffff], [RET, 0, 0, 0]]",
    "Python, struct": """b"".join([struct.pack("HBBI", 0x28, 0, 0, 12), struct.pack("HBBI", 0x15, 0, 1, 0x806),
        struct.pack("HBBI", 6, 0, 0, 0xffffffff), struct.pack("=HBBI", 6, 0, 0, 0)])""",
    "Python, repr": repr(ARP),
    "Python, positions before keywords": """
        from cbpf import JumpIf, JumpTest, LoadAbsolute, RetConstant

        FILTER = [
            LoadAbsolute(12, size=2),
            JumpIf(JumpTest.NOT_EQUAL, 0x806, skip_true=1),
            RetConstant(0xFFFFFFFF),
            RetConstant(0),
        ]
    """,
    "Python, an opcode before keywords": "[RawInstruction(0x28, k=12), RawInstruction(0x15, 0, 1, 0x806),"
    " RawInstruction(6, k=0xffffffff), RawInstruction(op=6)]",
    "JSON, keys of Go": '[{"Op": 40, "K": 12}, {"Op": 21, "Jf": 1, "K": 2054}, {"Op": 6, "K": 4294967295}, {"Op": 6}]',
    "JSON, wrapped": '{"name": "arp", "code": [[40,0,0,12], [21,0,1,2054],'
    ' {"opcode":"0x06","k":"0xffffffff"}, [6,0,0,0]]}',
    "strace": _STRACE,
    "ss": "p_raw 0 0 *:* *\n\tbpf filter (4):  0x28 0 0 12, 0x15 0 1 2054, 0x06 0 0 4294967295, 0x06 0 0 0,\n"
    "p_dgr 0 0 [0]:* *\n",
    "iptables": f'iptables -A INPUT -m bpf --bytecode "{_COMMA}" -j ACCEPT',
    "iptables -S": f'-A INPUT -m bpf --bytecode "{_COMMA}," -j DROP\n',
    "tc": f"filter parent 1: protocol all pref 49152 bpf handle 0x1 flowid 1:1 bytecode '{_COMMA}' not_in_hw",
    "bpf_dbg": f"load bpf {_COMMA}\n",
    "bpfc -f tcpdump": "40 0 0 12\n21 0 1 2054\n6 0 0 4294967295\n6 0 0 0\n",
    "seccomp-tools": """ line  CODE  JT   JF      K
=================================
 0000: 0x28 0x00 0x00 0x0000000c  \x1b[33mA\x1b[0m = args[0]
 0001: 0x15 0x00 0x01 0x00000806  if (A != 0x806) goto 0003
 0002: 0x06 0x00 0x00 0xffffffff  return 0xffffffff
 0003: 0x06 0x00 0x00 0x00000000  return \x1b[31mKILL\x1b[0m
""",
    "scmp_bpf_disasm": """ line  OP   JT   JF   K
=================================
 0000: 0x28 0x00 0x00 0x0000000c   ldh $data[12]
 0001: 0x15 0x00 0x01 0x00000806   jeq 2054 true:0002 false:0003
 0002: 0x06 0x00 0x00 0xffffffff   ret 0xffffffff
 0003: 0x06 0x00 0x00 0x00000000   ret KILL
""",
    "bytes": "28 00 00 00 0c 00 00 00 15 00 00 01 06 08 00 00 06 00 00 00 ff ff ff ff 06 00 00 00 00 00 00 00",
    "escapes": r"""\x28\x00\x00\x00\x0c\x00\x00\x00\x15\x00\x00\x01\x06\x08\x00\x00"""
    r"""\x06\x00\x00\x00\xff\xff\xff\xff\x06\x00\x00\x00\x00\x00\x00\x00""",
    "strings of C": r'''"(\0\0\0\f\0\0\0\025\0\0\001\006\b\0\0" "\006\0\0\0\377\377\377\377\006\0\0\0\0\0\0\0"''',
    "bytes of Python": repr(bytes(ARP)),
    "assembly, comments": "ldh [12] # EtherType\n  # ARP\njne #0x806, drop # not ARP\nret #-1\ndrop: ret #0",
}


@pytest.mark.parametrize("text", NOTATIONS.values(), ids=NOTATIONS.keys())
def test_notations_are_recognised_and_read(text: str) -> None:
    assert cbpf.parse(text) == ARP
    for line_end in ("\r\n", "\r"):
        if "\\\n" not in text:
            assert cbpf.parse(text.replace("\n", line_end)) == ARP
    assert cbpf.parse(b"\xef\xbb\xbf" + text.encode()) == cbpf.parse(text.encode("utf-16")) == ARP


@pytest.mark.parametrize(
    "command", ["xxd", "xxd -p", "xxd -i", "hexdump", "hexdump -C", "od -t x1", "od -x", "od -An -t x1"]
)
def test_hex_dumps_of_the_installed_tools_are_read(command: str) -> None:
    if shutil.which(command.split()[0]) is None:
        pytest.skip(f"{command.split()[0]} is not installed")
    dump = subprocess.run(command.split(), input=bytes(ARP), capture_output=True, check=True).stdout
    assert cbpf.parse(dump) == ARP


CONSTANTS = {
    "-1": 0xFFFFFFFF,
    "~0U": 0xFFFFFFFF,
    "~0xff & 0xffff": 0xFF00,
    "1 << 31": 0x80000000,
    "(__u32)(0x1234567890ULL >> 8)": 0x12345678,
    "(uint16_t)-1": 0xFFFF,
    "0x12 | 0x4 << 8": 0x412,
    "010 + 0b11 + 0o7": 18,
    "'A' + '\\n'": 75,
    "SKF_AD_OFF + SKF_AD_PROTOCOL": 0xFFFFF000,
    "SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA)": 0x50001,
    "AUDIT_ARCH_X86_64": 0xC000003E,
    "__NR_execve": 59,
    "libc::SYS_openat as u32": 257,
    "unix.SYS_OPENAT": 257,
    "offsetof(struct seccomp_data, arch)": 4,
    "offsetof(struct seccomp_data, args[1]) + 4": 28,
    "offsetof(struct iphdr, protocol) + sizeof(struct ethhdr)": 23,
    "htons(0x0608)": 0x0806,
    "uint32(1) << 3": 8,
    "math.MaxUint32 - math.MaxUint16": 0xFFFF0000,
}


@pytest.mark.parametrize(("text", "value"), CONSTANTS.items())
def test_constant_expressions(text: str, value: int) -> None:
    """The judge of C's expressions is `test_gcc_agrees_on_constants`."""
    assert cbpf.parse(f"struct sock_filter f[] = {{ {{ 0x06, 0, 0, {text} }} }};")[0].k == value


@pytest.mark.skipif(sys.platform != "linux", reason="needs the error numbers of Linux")
def test_error_numbers_are_those_of_linux_on_every_system() -> None:
    numbers = {name: value for name, value in vars(errno).items() if name.startswith("E")}
    assert len(numbers) > 130
    for name, value in numbers.items():
        assert cbpf.parse(f"struct sock_filter f[] = {{ {{ 0x06, 0, 0, {name} }} }};")[0].k == value


def test_gcc_agrees_on_constants() -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    texts = [
        text for text in CONSTANTS if not any(word in text for word in ("libc::", "unix.", "0o7", "uint32(", "math."))
    ]
    headers = "stdio.h stddef.h stdint.h errno.h arpa/inet.h linux/filter.h linux/seccomp.h linux/audit.h asm/unistd.h"
    headers += " linux/if_ether.h linux/ip.h"
    lines = [*(f"#include <{header}>" for header in headers.split()), "int main(void) {"]
    lines += [f'printf("%u\\n", (unsigned)({text}));' for text in texts]
    compiler = ["gcc", "-w", "-x", "c", "-o", "/dev/stdout", "-"]
    if subprocess.run(["gcc", "-E", "-"], input="\n".join(lines[:-1]).encode(), capture_output=True).returncode:
        pytest.skip("the headers of Linux are not installed")
    del compiler
    assert _run_c("\n".join([*lines, "}"])) == [CONSTANTS[text] for text in texts]


def _run_c(code: str) -> list[int]:
    """Compile and run a program that prints numbers."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        command = ["gcc", "-w", "-x", "c", "-o", f"{folder}/program", "-"]
        subprocess.run(command, input=code.encode(), capture_output=True, check=True)
        output = subprocess.run([f"{folder}/program"], capture_output=True, check=True).stdout
    return [int(line) for line in output.split()]


REFUSED = {
    "order of operators": ("{6,0,0,1<<2+3},{6,0,0,0}", "the order of + and << differs between C and Go"),
    "sign": ("{6,0,0,(~0)>>1},{6,0,0,0}", "'>>' has a negative operand"),
    "unknown name": ("{6,0,0,0},\n{6,0,0,PORT}", "line 2, column 8: 'PORT' is not defined in this file"),
    "33 bits": ("{6,0,0,0x100000000}", "4294967296 is not an unsigned 32-bit number"),
    "two arrays": ("f a[]={{6,0,0,0},{6,0,0,1}}; f b[]={{6,0,0,0},{6,0,0,2}};", "more than one list of instructions"),
    "an instruction outside": ("p = [(6,0,0,0),(6,0,0,1)]\np[0] = (6,0,0,2)", "an instruction outside of the list"),
    "a changed field": ("f a[]={{6,0,0,0},{6,0,0,1}}; void g(){a[0].k = 5;}", "the field of an instruction is changed"),
    "a repeated list": ("p = [(6,0,0,0)] * 3", "the list is an operand"),
    "joined lists": ("p = x + [(6,0,0,0)]", "the list is an operand"),
    "a condition": ("{6,0,0,0},\n#ifdef A\n{6,0,0,1},\n#endif\n{6,0,0,2}", "whether this condition holds is not known"),
    "definitions of branches": (
        "#ifdef B\n#define A 1\n#else\n#define A 2\n#endif\n{6,0,0,A},{6,0,0,0}",
        "'A' has different definitions in branches of #if",
    ),
    "values": ("A = 1\nA = 2\np = [(6,0,0,A),(6,0,0,0)]", "'A' has more than one value"),
    "an own macro": (
        "macro_rules! bpf_jump { ($code:expr, $jt:expr, $jf:expr, $k:expr) => {} }\n[bpf_jump!(0x15, 1, 2, 3)]",
        "'bpf_jump' is defined with other parameters",
    ),
    "an own function": ("def BPF_JUMP(code, jt, jf, k): pass\nx = [BPF_JUMP(0x15, 1, 2, 3)]", "with other parameters"),
    "another architecture": (
        "{0x15,0,0,AUDIT_ARCH_AARCH64},{0x15,0,0,__NR_execve}",
        "the number of '__NR_execve' depends on the architecture",
    ),
    "endless macros": ("#define A B\n#define B A\n{6,0,0,A}", "expands without end"),
    "a huge expansion": (
        "".join(f"#define A{n + 1} A{n},A{n}\n" for n in range(40)) + "#define A0 {6,0,0,0}\nf f[]={A40};",
        "expands without end, or to a huge text",
    ),
    "a truncated list": (
        _STRACE.replace(", BPF_STMT(BPF_RET|BPF_K, 0)]", ", ...]"),
        "not '...' (read as strace's output)",
    ),
    "a wrong count": (_STRACE.replace("len=4", "len=5"), "declares 5 instructions, found 4"),
    "a duplicate key": ("{.code=6, .code=7}", "duplicate key 'op'"),
    "a position after a keyword": ("[LoadAbsolute(off=12, 2), RetConstant(0)]", "column 23: expected a key"),
    "a position and a keyword for one field": ("[LoadAbsolute(12, off=2), RetConstant(0)]", "duplicate key 'off'"),
    "too many positions": ("[LoadAbsolute(12, 2, 3, off=2), RetConstant(0)]", "column 22: expected a key"),
    "a position and a key in Go": ("bpf.LoadAbsolute{12, Size: 2}, bpf.RetA{}", "column 18: expected a key"),
    "five fields": ("{6,0,0,0},{6,0,0,0,0}", "has 5 numbers; an instruction has four"),
    "positions out of order": ("f f[] = { [1] = {6,0,0,0}, [0] = {6,0,0,1} };", "expected position 0"),
    "fields or bytes": (
        "unsigned char f[] = {40,0,0,12,21,0,1,6,40,0,0,12,21,0,1,6};",
        "not clear whether these numbers are fields or bytes",
    ),
    "two tables": (" 0000: 0x06 0x00 0x00 0x00000000\n" * 2, "expected the index 0001, not 0000"),
    "two sockets": ("bpf filter (1):  0x06 0 0 0,\nbpf filter (1):  0x06 0 0 1,", "a second program; keep one"),
    "an incomplete dump": ("00000000: 0600 0000 0000 0000 0600 0000 0000 0000  ..\n00000020: 0600", "is not complete"),
    "a number with a comment": ("neg #5\nret a", "unknown instruction '#'"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_certain_is_refused(text: str, message: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse(text)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


FOREIGN = {
    "ELF": (b"\x7fELF\x02\x01\x01" + bytes(20), "an ELF file"),
    "pcap": (b"\xd4\xc3\xb2\xa1\x02\0\x04\0" + bytes(16), "a pcap capture"),
    "pcapng": (b"\n\r\r\n\x1c\0\0\0M<+\x1a", "a pcapng capture"),
    "gzip": (b"\x1f\x8b\x08\0", "compressed with gzip"),
    "HTML": (b"<!DOCTYPE html>\n<html>", "an HTML or XML document"),
    "seccomp-tools asm": (
        b"# rules\n\nA = arch\nA == ARCH_X86_64 ? next : dead\ndead:\nreturn KILL\n",
        "the language of seccomp-tools asm",
    ),
    "UTF-16 without a mark": ("ldh [12]\nret a".encode("utf-16-le"), "UTF-16 text without a byte order mark"),
}


@pytest.mark.parametrize(("data", "name"), FOREIGN.values(), ids=FOREIGN.keys())
def test_other_files_are_named(data: bytes, name: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError, match=f"^byte 0: not a program: this is {name}"):
        cbpf.parse(data)


def test_text_that_is_not_a_program_has_one_problem() -> None:
    with pytest.raises(cbpf.ProgramFormatError, match="not a program in a known notation") as caught:
        cbpf.parse("Dear reader,\nthis is a letter\n(with parentheses),\nand more than one line.\n")
    assert len(caught.value.problems) == 1


def test_programs_in_the_other_byte_order_are_named_and_read() -> None:
    data = cbpf.render_bytes(ARP, "raw-swapped")
    assert data != bytes(ARP)
    assert cbpf.parse(data, format="raw-swapped") == ARP
    with pytest.raises(cbpf.ProgramFormatError, match="in the other byte order; read them as format raw-swapped"):
        cbpf.parse(data)
    with pytest.raises(cbpf.ProgramFormatError, match="in the other byte order"):
        cbpf.parse(data.hex())
