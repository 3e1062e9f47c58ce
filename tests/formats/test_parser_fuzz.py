"""Parsers on random and corrupt input: only our errors, locations inside the input, and round trips."""

import json
import re
import struct
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, strategies

import cbpf
from support import random_programs
from support.instructions import raws
from support.project import TESTS, Rounds
from support.random_choices import below, pick

GOLDEN = json.loads((TESTS / "golden" / "bpf_asm.json").read_text())
TEXTS: list[bytes] = [
    row["text"].encode() for section in ("accepted", "rejected") for row in GOLDEN[section] if len(row["text"]) < 400
]

_TEXT_TOKENS = r"""
    ld ldh ldx ldxb ldi st stx ja jeq jset jle add neg tax txa ret len proto rand vlanp a x M jt jf l0 l1: to: to
    # % [ ] ( ) { } , ; : + - * & = / " \ /* */ // #len 4*([ ]&0xf) M[3] [x+ (000) (001) struct code[] 0600000000000000
    0 1 2 7 08 010 255 256 0x 0xf 0b1 4294967295 4294967296 99999999999999999999999 -1 -0 1e9 0.5 1_0
    "op" "k": "\n": "\ud800": null true NaN
"""
_BYTE_TOKENS = (
    *(b" ", b"\n", b"\r\n", b"\t", b"\0", b"\x0b", b"\x0c", b"\x1c", b"\xff", b"\xa1\xb2\xc3\xcbcBPF"),
    *(b"\0\0\0\0", b"\0\x05\0\x02hi", b"\0\x04\0\x04\0\0\0\0"),
    *(word.encode() for word in ("\u00e9", "\u2028", "\u0663", "\u0085", "\ufeff")),
)
TOKENS = (*_TEXT_TOKENS.encode().split(), *_BYTE_TOKENS)


# -- Inputs


def _valid(random: Random) -> bytes:
    """Return a program in a random format, or a text that was written for bpf_asm."""
    if random.random() < 0.25:
        return pick(random, TEXTS)
    make = pick(random, (random_programs.plausible, random_programs.wild))
    program = cbpf.Program(cbpf.RawInstruction(*raw) for raw in make(random, longest=8))
    name = pick(random, cbpf.FORMAT_NAMES)
    try:
        return _savefile(random, program) if name == "savefile" else cbpf.render_bytes(program, name)
    except cbpf.CbpfError:
        return cbpf.render_bytes(program, "asm")


def _savefile(random: Random, program: cbpf.Program) -> bytes:
    texts = (None, "", "ip", "caf\u00e9")
    return cbpf.Savefile(
        program,
        snaplen=below(random, 2**32),
        link_type_name=pick(random, texts),
        expression=pick(random, texts),
        optimized=pick(random, (None, False, True)),
        netmask=pick(random, (None, 0, 2**32 - 1)),
        comment=pick(random, texts),
        time=pick(random, (None, 0, 2**64 - 1)),
        unknown_fields=pick(random, ((), ((7, b""),), ((9, b"x"), (0xFFFF, b"yz")))),
        has_end_marker=random.random() < 0.8,
    ).to_bytes()


def _corrupted(random: Random, data: bytes) -> bytes:
    """Return *data* with one change: a piece deleted, repeated, swapped or truncated; a token or bytes inserted."""
    start, middle, end = sorted(below(random, len(data) + 1) for _ in range(3))
    if random.random() < 0.5:  # a piece of tokens rather than of bytes
        ends = [0, *(match.end() for match in re.finditer(rb"\w+|\W", data))]
        start, middle, end = sorted(pick(random, ends) for _ in range(3))
    before, first, second, after = data[:start], data[start:middle], data[middle:end], data[end:]
    match below(random, 7):
        case 0:
            return before + second + after
        case 1:
            return before + first + first + second + after
        case 2:
            return before + second + first + after
        case 3:
            return before
        case 4:
            return before + pick(random, TOKENS) + first + second + after
        case 5:
            return before + pick(random, TOKENS) + second + after
        case _:
            return before + bytes(below(random, 256) for _ in range(1 + below(random, 3))) + first + second + after


def _random_tokens(random: Random) -> bytes:
    if random.random() < 0.5:
        return bytes(below(random, 256) for _ in range(below(random, 60)))
    return pick(random, (b"", b" ", b"\n")).join(pick(random, TOKENS) for _ in range(below(random, 30)))


# -- Requirements for every parser


@pytest.mark.fuzz
def test_parsers_on_corrupt_programs(rounds: Rounds) -> None:
    for random in rounds(150):
        data = _valid(random)
        for _ in range(below(random, 4)):
            data = _corrupted(random, data)
        _check_all(data)


@pytest.mark.fuzz
def test_parsers_on_random_tokens(rounds: Rounds) -> None:
    for random in rounds(300):
        _check_all(_random_tokens(random))


def _check_all(data: bytes) -> None:
    """Every parser accepts *data* and reads it back, or raises one of our errors, as bytes and as text."""
    text = data.decode(errors="replace")
    for name in ("auto", *cbpf.FORMAT_NAMES):
        _check(data, name)
        _check(text, name)
    _check(data.decode("latin-1"), "auto")
    try:
        savefile = cbpf.Savefile.from_bytes(data)
    except cbpf.ProgramFormatError as error:
        _check_error(error, data)
    else:
        assert cbpf.Savefile.from_bytes(savefile.to_bytes()) == savefile


def _check(source: str | bytes, name: str) -> None:
    try:
        program = cbpf.parse(source, format=name)
    except cbpf.ProgramFormatError as error:
        _check_error(error, source)
    else:
        _check_round_trips(program)


def _check_round_trips(program: cbpf.Program) -> None:
    for name in cbpf.FORMAT_NAMES:
        if name in ("iptables", "savefile", "tc") and not program:
            continue
        try:
            data = cbpf.render_bytes(program, name)
        except cbpf.ProgramFormatError:
            assert name in ("dbg", "tcpdump") or len(program) > {"iptables": 64, "tc": 2039}[name]
        else:
            assert cbpf.parse(data, format=name) == program


def _check_error(error: cbpf.ProgramFormatError, source: str | bytes) -> None:
    """The message is one printable line with a location inside the input, and so is that of each problem."""
    message = str(error)
    assert message.isprintable()
    assert len(message) < 300
    text = source if isinstance(source, str) else source.decode(errors="replace")
    size = len(source.encode(errors="surrogatepass") if isinstance(source, str) else source)
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    place = re.match(r"(?:line (\d+), column (\d+)|byte (\d+)|instruction \d+): ", message)
    assert place, message
    if place[1]:
        assert _is_inside(lines, int(place[1]), int(place[2])), message
    if place[3]:
        assert int(place[3]) <= size, message
    for problem in error.problems:
        assert _is_inside(lines, problem.line, problem.column), problem
        shown, caret = problem.excerpt.split("\n")
        assert len(shown) <= 100
        assert caret.strip(" ") == "^"
        assert len(caret) <= len(shown) + 2
    assert list(error.problems) == sorted(error.problems, key=lambda problem: (problem.line, problem.column))


def _is_inside(lines: Sequence[str], line: int, column: int) -> bool:
    return 1 <= line <= len(lines) and 1 <= column <= len(lines[line - 1]) + 1


# -- Messages for input with line breaks, control characters and extreme lengths


UNUSUAL = {
    "line feed in a key": '[{"op": 6, "\\n": 1}]',
    "escape in a key": '[{"op": 6, "\\u001b[31m": 1}]',
    "surrogate in a key": '[{"op": 6, "\\ud800": 1}]',
    "long string": '[[6, 0, 0, "' + "x" * 1000 + '"]]',
    "long array": "[[6, 0, 0, [" + "1, " * 1000 + "1]]]",
    "deep array": "[[6, 0, 0, " + "[" * 900 + "]" * 900 + "]]",
    "4000 digits": "[[6, 0, 0, " + "9" * 4000 + "]]",
    "5000 digits": "[[6, 0, 0, " + "9" * 5000 + "]]",
    "long count": "1" + "0" * 19 + ",6 0 0 0",
    "form feeds between lines": "2\n\x0c6 0 0 0\x0c6 0 0 x",
    "carriage return between lines": "1\r6 0 0 x",
    "line separator between lines": "1\u20286 0 0 x",
    "long target": "ja " + "9" * 300,
    "long label": "ja " + "y" * 300,
    "long label after the end": "ret a " + "y" * 300 + ":",
    "long duplicate label": "yy" * 300 + ": ret a " + "yy" * 300 + ": ret a",
    "reserved word as a label, three times": "tax:" * 3,
    "label, two thousand times": "L:" * 2000 + "ret a L: ret a",
    "line separator between rows": "{ 6, 0, 0, 0 }, \u2028 x",
    "row of five on four lines": "{ 6, 0, 0, 0,\n\n\n 5 }",
    "500 digits": "{ 6, 0, 0,\n" + "0" * 500 + " }",
}


def _parameters(table: Mapping[str, Any]) -> list[Any]:
    return [pytest.param(value, id=name) for name, value in table.items()]


@pytest.mark.parametrize("text", _parameters(UNUSUAL))
def test_errors_of_unusual_texts(text: str) -> None:
    for name in ("auto", *cbpf.FORMAT_NAMES):
        _check(text, name)


def test_deep_arrays_raise_our_error() -> None:
    for depth in range(50, 1000, 50):
        with pytest.raises(cbpf.ProgramFormatError):
            cbpf.parse("[[6, 0, 0, " + "[" * depth + "]" * depth + "]]", format="json")


ONE_MISTAKE = {
    "statement after a jump": "ja to\nld 5\nto: ret a",
    "statement after a label": "ja to\nto: ret 5\nret a",
    "last statement, with a label": "tax\nto: ret 5",
    "statement before a label": "jeq #1,to\nbad to: ret a",
    "statement of a listing": "(000) bad\n(001) tax\n(002) ret",
}


@pytest.mark.parametrize("text", _parameters(ONE_MISTAKE))
def test_one_mistake_is_one_problem(text: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError) as caught:
        cbpf.parse(text, format="asm")
    assert len(caught.value.problems) == 1


# -- Savefiles

# The bounds of each length of UTF-8; for all of Unicode, hypothesis computes tables for seconds.
CHARACTERS = ' a"\n\0\x7f\x80\xe9\u07ff\u0800\u2028\ud7ff\ue000\uffff\U00010000\U0010ffff'
texts = strategies.none() | strategies.text(CHARACTERS, max_size=20)
unknown_fields = strategies.lists(
    strategies.tuples(strategies.integers(7, 0xFFFF), strategies.binary(max_size=20)),
    max_size=4,
    unique_by=lambda field: field[0],
)
savefiles = strategies.builds(
    cbpf.Savefile,
    program=strategies.lists(raws, min_size=1, max_size=5),
    snaplen=strategies.integers(0, 0xFFFF_FFFF),
    link_type=strategies.integers(0, 0xFFFF),
    flags=strategies.integers(0, 0xFFFF),
    link_type_name=texts,
    expression=texts,
    optimized=strategies.none() | strategies.booleans(),
    netmask=strategies.none() | strategies.integers(0, 0xFFFF_FFFF),
    comment=texts,
    time=strategies.none() | strategies.integers(0, 2**64 - 1),
    minor=strategies.integers(0, 255),
    unknown_fields=unknown_fields.map(tuple),
    has_end_marker=strategies.booleans(),
)


@given(savefiles)
def test_savefiles_round_trip(savefile: cbpf.Savefile) -> None:
    data = savefile.to_bytes()
    assert cbpf.Savefile.from_bytes(data) == savefile
    assert cbpf.Savefile.from_bytes(data).to_bytes() == data
    assert cbpf.parse(data) == savefile.program


@given(savefiles)
def test_truncated_savefiles_are_rejected(savefile: cbpf.Savefile) -> None:
    """Except for a truncation between two fields, which leaves a file without an end marker."""
    data = savefile.to_bytes()
    field_ends = set(_field_ends(data))
    for size in range(len(data)):
        if size in field_ends:
            assert cbpf.Savefile.from_bytes(data[:size]).has_end_marker is False
        else:
            with pytest.raises(cbpf.ProgramFormatError, match=r"^byte \d+: "):
                cbpf.Savefile.from_bytes(data[:size])


def _field_ends(data: bytes) -> list[int]:
    """Return the offsets after the instructions and after each optional field, by the format's description."""
    ends = [20 + 8 * int.from_bytes(data[18:20], "big")]
    while ends[-1] < len(data):
        ends.append(ends[-1] + 4 + int.from_bytes(data[ends[-1] + 2 : ends[-1] + 4], "big"))
    return ends


HEAD = bytes.fromhex("a1b2c3cb 63425046 01 01 0003 00040000 0001 0001 0006000000000001")
END = bytes(4)


def _field(kind: int, value: bytes) -> bytes:
    return struct.pack(">HH", kind, len(value)) + value


def test_a_savefile_encoded_by_hand() -> None:
    fields = [_field(1, b"EN10MB"), _field(2, b"ip"), _field(3, b"\1"), _field(4, b"\xff\xff\xff\0"), _field(5, b"hi")]
    data = HEAD + b"".join(fields) + _field(6, bytes(7) + b"\x09") + _field(77, b"?") + END
    assert cbpf.Savefile.from_bytes(data) == cbpf.Savefile(
        cbpf.Program([cbpf.RetConstant(1)]),
        snaplen=0x40000,
        link_type=1,
        flags=3,
        link_type_name="EN10MB",
        expression="ip",
        optimized=True,
        netmask=0xFFFFFF00,
        comment="hi",
        time=9,
        unknown_fields=((77, b"?"),),
    )


MALFORMED: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 0),
    **{f"magic {index}": (HEAD[:index] + b"!" + HEAD[index + 1 :], 0) for index in range(8)},
    "swapped magic": (HEAD[:8][::-1] + HEAD[8:], 0),
    "major version 0": (HEAD[:8] + b"\0" + HEAD[9:], 8),
    "major version 2": (HEAD[:8] + b"\2" + HEAD[9:], 8),
    "no instructions": (HEAD[:18] + b"\0\0" + HEAD[20:], 18),
    "one instruction missing": (HEAD[:18] + b"\0\2" + HEAD[20:], 18),
    "65535 instructions": (HEAD[:18] + b"\xff\xff" + HEAD[20:], 18),
    "field after the end marker": (HEAD + END + _field(5, b"hi"), 32),
    "two end markers": (HEAD + END + END, 32),
    "byte after the end marker": (HEAD + END + b"\0", 32),
    "end marker with content": (HEAD + _field(0, b"x"), 28),
    "truncated field header": (HEAD + b"\0\5\0", 28),
    "field longer than the file": (HEAD + b"\0\5\0\3hi", 28),
    "unknown field longer than the file": (HEAD + _field(5, b"hi") + b"\x99\x99\xff\xff", 34),
    **{
        f"duplicate field {kind}": (HEAD + 2 * _field(kind, bytes(size)), 32 + size)
        for kind, size in ((1, 1), (2, 0), (3, 1))
    },
    **{
        f"duplicate field {kind}": (HEAD + 2 * _field(kind, bytes(size)), 32 + size)
        for kind, size in ((4, 4), (5, 3), (6, 8))
    },
    "duplicate unknown field": (HEAD + _field(9, b"") + END.replace(b"\0\0", b"\0\7", 1) + _field(9, b"x"), 36),
    **{f"field 3 of {size} bytes": (HEAD + _field(3, bytes(size)), 28) for size in (0, 2)},
    **{f"field 4 of {size} bytes": (HEAD + _field(4, bytes(size)), 28) for size in (0, 3, 5)},
    **{f"field 6 of {size} bytes": (HEAD + _field(6, bytes(size)), 28) for size in (0, 4, 7, 9)},
    "optimized 2": (HEAD + _field(3, b"\2"), 32),
    **{f"invalid UTF-8 in field {kind}": (HEAD + _field(kind, b"ab\xff"), 34) for kind in (1, 2, 5)},
}


@pytest.mark.parametrize(("data", "offset"), MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_savefiles_are_rejected(data: bytes, offset: int) -> None:
    for read in (cbpf.Savefile.from_bytes, lambda data: cbpf.parse(data, format="savefile")):
        with pytest.raises(cbpf.ProgramFormatError, match=rf"^byte {offset}: "):
            read(data)


INVALID_FIELDS: dict[str, dict[str, Any]] = {
    "no instructions": {"program": cbpf.Program()},
    "65536 instructions": {"program": 65536 * [cbpf.RetConstant(1)]},
    "comment with a surrogate": {"comment": "\ud800"},
    "comment of bytes": {"comment": b"bytes"},
    "long expression": {"expression": "x" * 65536},
    "wide snaplen": {"snaplen": 2**32},
    "wide link type": {"link_type": 2**16},
    "optimized as a number": {"optimized": 1},
    "negative time": {"time": -1},
    "wide time": {"time": 2**64},
    "netmask as text": {"netmask": "255.0.0.0"},
    "wide minor version": {"minor": 256},
    "known type in unknown fields": {"unknown_fields": ((5, b"known"),)},
    "end marker in unknown fields": {"unknown_fields": ((0, b""),)},
    "duplicate unknown field": {"unknown_fields": ((7, b"a"), (7, b"b"))},
    "long unknown field": {"unknown_fields": ((7, bytes(65536)),)},
    "unknown field with a number as content": {"unknown_fields": ((7, 5),)},
    "type above 16 bits in unknown fields": {"unknown_fields": ((65536, b""),)},
}


@pytest.mark.parametrize("fields", _parameters(INVALID_FIELDS))
def test_invalid_fields_are_rejected(fields: dict[str, Any]) -> None:
    """The constructor or, at the latest, `to_bytes` raises."""
    with pytest.raises(cbpf.FieldError):
        cbpf.Savefile(**{"program": [cbpf.RetConstant(1)]} | fields).to_bytes()


@pytest.mark.parametrize("kind", _parameters({"bytes": bytes, "bytearray": bytearray}))
def test_savefiles_are_decoded_from_any_buffer(kind: Any) -> None:
    savefile = cbpf.Savefile(cbpf.Program([cbpf.RetConstant(1)]), comment="caf\u00e9")
    assert cbpf.parse(kind(savefile.to_bytes())) == savefile.program
    assert cbpf.Savefile.from_bytes(kind(savefile.to_bytes())) == savefile
