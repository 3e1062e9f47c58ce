"""Files that are not programs: the names of their formats, and programs in the other byte order."""

import re
import sys

from .._typing import Final
from ..isa.opcodes import OPCODE_BY_CODE
from ..isa.program import INSTRUCTION_SIZE, EncodingByteOrder, Program
from .lexer import looks_like_assembly

OTHER_BYTE_ORDER: Final[EncodingByteOrder] = "big" if sys.byteorder == "little" else "little"

# By the first bytes. No row begins with the code of an instruction, in either byte order.
_MAGIC_NUMBERS: Final = (
    (b"\x7fELF", "an ELF file; an eBPF object has no classic BPF program"),
    *((magic, "a pcap capture; captures are read with -r") for magic in (b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1")),
    *((magic, "a pcap capture; captures are read with -r") for magic in (b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1")),
    (b"\n\r\r\n", "a pcapng capture; captures are read with -r"),
    (b"snoop\0\0\0", "a snoop capture"),
    (b"\x1f\x8b", "compressed with gzip; decompress it first"),
    (b"\x1f\x9d", "compressed with compress; decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it first"),
    (b"\x04\x22\x4d\x18", "compressed with lz4; decompress it first"),
    (b"\xfd7zXZ\0", "compressed with xz; decompress it first"),
    (b"BZh", "compressed with bzip2; decompress it first"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"%PDF-", "a PDF document"),
    (b"\x89PNG\r\n", "a PNG image"),
    (b"\xca\xfe\xba\xbe", "a Mach-O or Java class file"),
    (b"MZ\x90\0", "a Windows executable"),
)
_MARKUP: Final = re.compile(r"\s*+<(?:!doctype|html|\?xml|svg|head|body|!--)", re.IGNORECASE)
_SECCOMP_RULES: Final = re.compile(
    r"""[ \t]*+ (?: \w++:[ \t]*+ )? (?:
      A[ ]?=[ ]?(?:arch|sys_number|args|data|mem|instruction_pointer|X)\b
    | A[ ]?(?:[=!<>]=?|&)[^\n?]{1,80}\?[ ]?\w+[ ]?:
    | if[ ]?\(!?[ (]*+A[ ] | return[ ](?:ALLOW|KILL|ERRNO|TRAP|TRACE|LOG)\w*+(?:\(|\s|\Z) )""",
    re.VERBOSE,
)
_SOURCE: Final = re.compile(
    r"""
      \b(?:bpf|lsf)_?(?:stmt|jump)\b | \bsock_?filter\b | \bbpf_insn\b | \braw_?instruction\b | \bbpf\.[A-Z]\w*\{
    | \bRet(?:Constant|A)[({] | \{\d{1,5}\ \d{1,3}\ \d{1,3}\ \d{1,10}\}
    | [{(\[]\s*+(?:(?:0x)?[0-9a-f]{1,3}\s*+,\s*+){15}
    | \b[@=<>!]?HBB[IL]\b | [{(\[,]\s*+["'.]?(?:code|op|opcode)["']?\s*+[:=]
    | [{(\[]\s*+[\w|+][\w|+ ]{0,200}+,[\w ]{1,100}+,[\w ]{1,100}+,[^,(){}\[\]"]{1,200}[)}\]]
    | ^(?:package|import|from|func|def|use|fn)\ [\w"(]
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_COMMENT: Final = re.compile(r"/\*.*?(?:\*/|\Z)|//[^\n]*|^[ \t]*+#[^\n]*", re.DOTALL | re.MULTILINE)


def foreign_format(data: bytes) -> str | None:
    """Return the name of the format of *data*, or None if it may be a program."""
    found = next((name for magic, name in _MAGIC_NUMBERS if data.startswith(magic)), None)
    if found is None and _MARKUP.match(data[:1024].decode("latin-1")):
        return "an HTML or XML document"
    if found is None and b"\0" not in data[:4096] and _SECCOMP_RULES.match(_first_statement(data[:4096])):
        return "the language of seccomp-tools asm; its option '-f raw' writes a format that is read"
    if found is None and _is_utf16(data[:1024]):
        return "UTF-16 text without a byte order mark; convert it to UTF-8 first"
    return found


def _first_statement(data: bytes) -> str:
    """Return the text from the first line on that is not blank or a comment with #."""
    return re.sub(r"\A(?:[ \t]*+(?:#[^\n]*+)?\n)++", "", data.decode("latin-1"))


def _is_utf16(data: bytes) -> bool:
    """Return whether every other byte is 0, and all others are printable: text, as no instruction is like that."""
    for zeros, characters in ((data[1::2], data[::2]), (data[::2], data[1::2])):
        if len(data) >= 8 and not any(zeros) and all(32 <= byte < 127 or byte in (9, 10, 13) for byte in characters):
            return True
    return False


def has_other_byte_order(data: bytes) -> bool:
    """Return whether the instructions have undefined opcodes, and defined ones in the other byte order."""
    codes = [data[start : start + 2] for start in range(0, len(data) - INSTRUCTION_SIZE + 1, INSTRUCTION_SIZE)]

    def are_defined(order: EncodingByteOrder) -> bool:
        byte_order = sys.byteorder if order == "native" else order
        return all(int.from_bytes(code, byte_order) in OPCODE_BY_CODE for code in codes)

    return bool(codes) and not are_defined("native") and are_defined(OTHER_BYTE_ORDER)


def undefined_opcodes(program: Program) -> int:
    """Return the number of instructions with an undefined opcode, in any dialect."""
    return sum(raw.op not in OPCODE_BY_CODE for raw in program)


def looks_like_source(text: str) -> bool:
    """Return whether a text looks like source code or JSON with instructions, and has no line of assembly."""
    stripped = _COMMENT.sub("", text).lstrip() if "/" in text or "#" in text else text.lstrip()
    starts_list = stripped[:1] in ("[", "{") or re.match(r"\(\s*+[\d(]", stripped) is not None
    return (starts_list or _SOURCE.search(text) is not None) and not looks_like_assembly(stripped)
