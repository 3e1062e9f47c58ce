"""Expressions of the debugger: Python evaluates the same texts, and errors are one line."""

from __future__ import annotations

import re
from contextlib import suppress
from random import Random
from typing import Any

import pytest

from cbpf.cli.debugger.errors import DebuggerError
from cbpf.cli.debugger.formulas import parse_formula
from cbpf.cli.debugger.lexer import number
from cbpf.cli.debugger.state import PacketBytes, State

DATA = bytes(range(0x70, 0xB0))
STATE = State(443, 0xFFFF_FFF0, tuple(range(100, 116)), PacketBytes(DATA, 90, "big"))


def _value(text: str) -> int:
    return parse_formula(text).value(STATE)


class Word(int):
    """A number whose operations wrap at 32 bits; Python parses its expressions."""

    def _wrapped(name: str) -> Any:  # type: ignore[misc]  # noqa: N805
        method = getattr(int, name)
        return lambda self, *others: Word(method(self, *others) & 0xFFFF_FFFF)

    __add__, __sub__, __mul__ = map(_wrapped, ("__add__", "__sub__", "__mul__"))
    __and__, __or__, __xor__ = map(_wrapped, ("__and__", "__or__", "__xor__"))
    __truediv__, __mod__ = _wrapped("__floordiv__"), _wrapped("__mod__")
    __neg__, __invert__ = _wrapped("__neg__"), _wrapped("__invert__")

    def __lshift__(self, other: int) -> Word:
        return Word(int(self) * 2 ** int(other) & 0xFFFF_FFFF if other < 32 else 0)

    def __rshift__(self, other: int) -> Word:
        return Word(int(self) // 2 ** int(other) if other < 32 else 0)


class _Packet:
    def __getitem__(self, key: slice) -> Word:
        return Word(int.from_bytes(DATA[int(key.start) : int(key.start) + int(key.stop)]))


_NAMES = {
    "A": Word(STATE.a),
    "X": Word(STATE.x),
    "M": [Word(value) for value in STATE.scratch],
    "len": Word(90),
    "caplen": Word(len(DATA)),
    "packet": _Packet(),
}
_LEAVES = ("A", "X", "M[7]", "M[15]", "len", "caplen", "packet[3:1]", "packet[12:2]", "packet[60:4]", "0x1f", "2")
_ARITHMETIC = ("+", "-", "*", "&", "|", "^", "<<", ">>", "/", "%")


def _number_text(random: Random, depth: int) -> str:
    if depth == 0 or random.random() < 0.2:
        return random.choice(("", "", "-", "~")) + random.choice(_LEAVES)
    parts = [_number_text(random, depth - 1)]
    for _ in range(random.randint(1, 3)):
        parts += [random.choice(_ARITHMETIC), _number_text(random, depth - 1)]
    text = " ".join(parts)
    return f"({text})" if random.random() < 0.4 else text


def _condition_text(random: Random, depth: int) -> str:
    if depth == 0:
        sign = random.choice(("==", "!=", "<", "<=", ">", ">="))
        return f"{_number_text(random, 1)} {sign} {_number_text(random, 1)}"
    parts = [_condition_text(random, depth - 1)]
    for _ in range(random.randint(1, 2)):
        parts += [random.choice(("and", "or", "and not", "or not")), _condition_text(random, depth - 1)]
    text = " ".join(parts)
    return f"not ({text})" if random.random() < 0.3 else text


def _in_python(text: str) -> int:
    """Return the value of a text as Python evaluates it, with words for numbers."""
    words = re.sub(r"(?<![\w\[:])(0x\w+|\d+)\b(?![\]:])", r"Word(\1)", text)
    return int(eval(words, {"__builtins__": {}, "Word": Word}, _NAMES))


def test_random_expressions_have_the_values_of_python() -> None:
    random = Random(7)
    compared = 0
    while compared < 400:
        text = _condition_text(random, 2) if compared % 2 else _number_text(random, 3)
        try:
            expected = _in_python(text)
        except ZeroDivisionError:
            assert not parse_formula(text).holds(STATE), text
            continue
        assert _value(text) == expected, text
        compared += 1


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("017", 15),
        ("0x1F", 31),
        ("0XfF", 255),
        ("0b101", 5),
        ("4294967295", 0xFFFF_FFFF),
        ("a == 443", 1),
        ("m[3]", 103),
        ("[12:2]", 0x7C7D),
        ("packet [ 12 : 2 ]", 0x7C7D),
        ("[A - 442]", 0x71),
        ("[8 + [0] - 0x70]", 0x78),
        ("!(A == 1) && X > 5 || len", 1),
        ("A & 0x1 == 1", 1),
        ("not not 7", 1),
        ("(" * 20 + "5" + ")" * 20, 5),
        (" and ".join(["A"] * 5000), 1),
        ("- " * 4001 + "1", 0xFFFF_FFFF),
    ],
)
def test_expressions_have_their_values(text: str, value: int) -> None:
    assert _value(text) == value


def test_loads_are_in_the_byte_order_of_the_dialect() -> None:
    state = STATE._replace(packet=STATE.packet._replace(byte_order="little"))
    assert parse_formula("[12:2]").value(state) == 0x7D7C


@pytest.mark.parametrize(
    "text", ["[64] == 0", "not [64] == 0", "[63:2] != 0", "A == 443 and 1 / (A - 443)", "[X] >= 0"]
)
def test_conditions_do_not_hold_without_their_values(text: str) -> None:
    assert not parse_formula(text).holds(STATE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a value is missing at the end"),
        ("A ==", "a value is missing at the end"),
        ("A = 5", "'=' is not an operator; use == to compare"),
        ("1 < A < 5", "comparisons cannot be chained; join them with 'and'"),
        ("A == 5 5", "unexpected '5'"),
        ("B == 5", "unknown name 'B'"),
        ("pakcet[3]", "unknown name 'pakcet'; did you mean 'packet'?"),
        ("and", "expected a value, found 'and'"),
        ("M[16]", "M[16] does not exist: slots are M[0] to M[15]"),
        ("M[A]", "expected the number of a slot, found 'A'"),
        ("M 3", "expected '[', found '3'"),
        ("[12:3]", "3 bytes are not a number; use 1, 2 or 4"),
        ("[12:", "expected a number of bytes"),
        ("(A", "expected ')', the text ends"),
        ("08", "invalid octal number '08' (a leading 0 means octal)"),
        ("0xg", "invalid hexadecimal number '0xg'"),
        ("12z", "invalid decimal number '12z'"),
        ("1_0", "invalid decimal number '1_0'"),
        ("4294967296", "4294967296 is too large: numbers have at most 32 bits"),
        ("A.__class__", "unexpected '.'"),
        ("__import__('os')", "unknown name '__import__'"),
        ("(" * 21 + "5" + ")" * 21, "nested more than 20 deep"),
        ("\0", r"expected a value, found '\x00'"),
    ],
)
def test_errors_are_one_line_with_the_fact(text: str, message: str) -> None:
    with pytest.raises(DebuggerError) as info:
        parse_formula(text)
    assert str(info.value) == message


def test_random_texts_raise_no_other_error() -> None:
    random = Random(3)
    pieces = [
        "\t",
        *["A", "X", "M[", "]", "[", "(", ")", ":", "2", "0x", "and", "or", "not", "==", "<<", "-", "len", "é", "'"],
    ]
    for _ in range(3000):
        text = " ".join(random.choices(pieces, k=random.randrange(9)))
        with suppress(DebuggerError):
            parse_formula(text).holds(STATE)


def test_numbers_have_at_most_the_digits_of_32_bits() -> None:
    assert number("0" * 5000) == 0
    with pytest.raises(DebuggerError, match="too long"):
        number("9" * 5000)
