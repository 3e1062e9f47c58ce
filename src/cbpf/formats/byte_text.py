r"""Bytes of struct sock_filter written as text: digits, `20 00 ...`, `0x20,0x00,...`, "\x20\x00...", and hex dumps.

The hex dumps are those of xxd, `hexdump` and `od -t x1`; the bytes are in this machine's byte order.
"""

import re
import sys

from .._span import Span
from .._typing import Final
from ..errors import ProgramFormatError
from ..isa.program import INSTRUCTION_SIZE, Program
from .text_input import place

_DIGITS: Final = re.compile(r"\s*+(?:[0-9a-fA-F]{16}|(?=[0-9]*+[a-fA-F])[0-9a-fA-F]{17,}+)(?:\s|\Z)")
_PAIRS: Final = re.compile(r"\s*+(?:(?:0[xX])?[0-9a-fA-F]{2}[\s,:;]\s*+){7}(?:0[xX])?[0-9a-fA-F]{2}(?:[\s,:;]|\Z)")
_STRING: Final = re.compile(r"""\s*+(?:[bB]?["']|\\x[0-9a-fA-F]{2})""")
_DUMP_LINE: Final = re.compile(
    r"[ \t]*([0-9a-fA-F]{6,16})(:?)[ \t]+"
    r"((?:[0-9a-fA-F]{4}|[0-9a-fA-F]{2})(?:[ \t]{1,2}(?:[0-9a-fA-F]{4}|[0-9a-fA-F]{2}))*)"
    r"(?:[ \t]+\|[^\n]*|[ \t]{2,}[^\n]*)?[ \t]*"
)
_DUMP_END: Final = re.compile(r"[ \t]*([0-9a-fA-F]{6,16})[ \t]*")
_ESCAPED: Final = re.compile(
    r"""\\x(?P<hex>[0-9a-fA-F]{1,2}) | \\(?P<octal>[0-7]{1,3}) | \\(?P<letter>[abtnvfre\\"'#?]) | (?P<plain>[ -~])""",
    re.VERBOSE,
)
_LETTERS: Final = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "e": 27}


def looks_like_bytes(text: str) -> bool:
    """Return whether a text is bytes in one of the notations of this module."""
    if _DIGITS.match(text) or _PAIRS.match(text) or _looks_like_dump(text):
        return True
    return _STRING.match(text) is not None and re.search(r"\\(?:x[0-9a-fA-F]|0)", text) is not None


def parse_bytes(text: str) -> Program:
    """Parse the bytes of struct sock_filter, in this machine's byte order."""
    if _looks_like_dump(text):
        return Program.from_bytes(_dumped(text))
    if _STRING.match(text):
        return Program.from_bytes(_escaped(text))
    prefixed = re.search("0[xX]", text)
    if prefixed:
        return Program.from_bytes(_prefixed(text))
    separators = r"\s,:;" if _PAIRS.match(text) else r"\s"
    invalid = re.search(rf"[^0-9a-fA-F{separators}]", text)
    if invalid is not None:
        raise ProgramFormatError(f"{place(text, invalid.start())}: {invalid[0]!a} is not a hexadecimal digit")
    digits = re.sub(rf"[{separators}]", "", text)
    if len(digits) % 2:
        raise ProgramFormatError(f"byte {len(digits) // 2}: has one digit; a byte has two")
    return Program.from_bytes(bytes.fromhex(digits))


def byte_spans(text: str) -> list[Span]:
    """Return the places of the instructions of digits and of bytes such as 0x28; none of strings and hex dumps."""
    if _looks_like_dump(text) or _STRING.match(text):
        return []
    is_prefixed = re.search("0[xX]", text) is not None
    pattern, count = (r"[^\s,;:]+", INSTRUCTION_SIZE) if is_prefixed else ("[0-9a-fA-F]", 2 * INSTRUCTION_SIZE)
    places = [match.span() for match in re.finditer(pattern, text)]
    groups = (places[start : start + count] for start in range(0, len(places), count))
    return [Span(group[0][0], group[-1][1]) for group in groups]


def render_hexadecimal(program: Program) -> str:
    """Return 16 digits per instruction, one instruction per line."""
    data = bytes(program)
    size = INSTRUCTION_SIZE
    return "".join(f"{data[start : start + size].hex()}\n" for start in range(0, len(data), size))


def _prefixed(text: str) -> bytes:
    data = bytearray()
    for match in re.finditer(r"[^\s,;:]+", text):
        if not re.fullmatch(r"0[xX][0-9a-fA-F]{1,2}", match[0]):
            raise ProgramFormatError(f"{place(text, match.start())}: {match[0][:40]!a} is not a byte such as 0x28")
        data.append(int(match[0], 16))
    return bytes(data)


def _escaped(text: str) -> bytes:
    r"""Return the bytes of a string with escapes in C, Python or Ruby, or of several adjacent strings."""
    stripped = text.strip()
    data, offset, quote = bytearray(), text.index(stripped[:1]), ""
    end = offset + len(stripped)
    while offset < end:
        character = text[offset]
        if quote and character == quote:
            quote, offset = "", offset + 1
        elif not quote and (opening := re.compile(r"""\s*(?:[bB]?(["'])|[;,])""").match(text, offset)):
            quote, offset = opening[1] or "", opening.end()
        elif (match := _ESCAPED.match(text, offset)) and (quote or character == "\\"):
            data.append(_escape_value(match) & 0xFF)
            offset = match.end()
        elif not quote and character.isspace():
            offset += 1
        else:
            raise ProgramFormatError(f"{place(text, offset)}: {character!a} is not an escape such as \\x28")
    if quote:
        raise ProgramFormatError(f"{place(text, end)}: the string is not closed")
    return bytes(data)


def _escape_value(match: re.Match[str]) -> int:
    if match["hex"]:
        return int(match["hex"], 16)
    if match["octal"]:
        return int(match["octal"], 8)
    return _LETTERS.get(match["letter"], ord(match["letter"])) if match["letter"] else ord(match["plain"])


# -- Hex dumps


def _looks_like_dump(text: str) -> bool:
    first = text.lstrip().partition("\n")[0]
    match = _DUMP_LINE.fullmatch(first)
    return match is not None and int(match[1], 16) == 0


def _dumped(text: str) -> bytes:
    """Return the bytes of a hex dump, whose offsets must be those of the bytes before them."""
    data, repeats, previous = bytearray(), False, b""
    has_colon = ":" in text.partition("\n")[0]
    for number, line in enumerate(text.split("\n"), 1):
        match = _DUMP_LINE.fullmatch(line) or _DUMP_END.fullmatch(line)
        if line.strip() == "*" and previous:
            repeats = True
        elif match is not None:
            offsets = _offsets(match[1], has_colon)
            if repeats:
                target = next((offset for offset in offsets if offset % len(previous) == 0), offsets[0])
                data += previous * ((min(target, 1 << 20) - len(data)) // len(previous))
                repeats = False
            if len(data) not in offsets:
                fact = f"offset {match[1]} after {len(data)} bytes; the dump is not complete"
                raise ProgramFormatError(f"line {number}, column 1: {fact}")
            if match.re is _DUMP_LINE:
                previous = _line_bytes(match)
                data += previous
        elif line.strip():
            raise ProgramFormatError(f"line {number}, column 1: expected an offset and bytes, as xxd prints them")
    return bytes(data)


def _offsets(digits: str, has_colon: bool) -> list[int]:
    """Return the values of an offset: hexadecimal or, without a colon, octal as od prints it."""
    octal = [int(digits, 8)] if not has_colon and re.fullmatch("[0-7]+", digits) else []
    return [int(digits, 16), *octal]


def _line_bytes(match: re.Match[str]) -> bytes:
    """Return the bytes of a line; without a colon, four digits are a word in this machine's byte order."""
    groups = match[3].split()
    if match[2] or any(len(group) == 2 for group in groups):
        return bytes.fromhex("".join(groups))
    return b"".join(int(group, 16).to_bytes(2, sys.byteorder) for group in groups)
