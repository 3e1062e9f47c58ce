"""Random programs whose loads follow headers of computed length, each in two spellings of one meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import cbpf
from support.random_choices import below, chance, pick

_PADDINGS: Final = (1, 2, 4)


class _Spelling:
    """The text of a program, whose position in the packet is in M[0].

    Args:
        choose: Chooses one of several texts of equal meaning.
    """

    def __init__(self, choose: Callable[[tuple[str, ...]], str]) -> None:
        self.lines = ["ld #0", "st M[0]"]
        self._choose = choose
        self._labels = 0

    def add(self, *texts: str) -> None:
        """Append one of several texts of equal meaning, whose lines are separated by semicolons."""
        self._labels += 1
        text = self._choose(texts).replace("NEXT", f"next{self._labels}")
        self.lines += [part.replace("~", "\n") for part in text.replace(":", ":~").split(";")]

    def program(self, verdict: int) -> cbpf.Program:
        """Return the program; a failed test ends it with 0."""
        return cbpf.parse("\n".join([*self.lines, f"ret #{verdict}", "fail:", "ret #0"]), format="asm")


def pair(random: Random) -> tuple[cbpf.Program, cbpf.Program]:
    """Return two programs of equal meaning: one as libpcap's generator would write it, and another one."""
    steps = [step for _ in range(1 + below(random, 4)) for step in _step(random)]
    steps += [step for _ in range(1 + below(random, 3)) for step in _test(random)]
    plain, other = _Spelling(lambda texts: texts[0]), _Spelling(lambda texts: pick(random, texts))
    for texts in steps:
        plain.add(*texts)
        other.add(*texts)
    return plain.program(96), other.program(96)


def _step(random: Random) -> Iterator[tuple[str, ...]]:
    """Yield the texts that move the position past a header."""
    at = below(random, 6)
    match below(random, 5):
        case 0:  # a length in words, in half a byte
            load, constant = f"ldx M[0];ldb [x + {at}];", 4 * below(random, 4)
            yield (
                f"{load}and #15;lsh #2;add x;add #{constant};st M[0]",
                f"{load}and #15;mul #4;add #{constant};add x;st M[0]",
                f"{load}lsh #2;and #60;add #{constant};add x;st M[0]",
                f"{load}mod #16;mul #4;add x;add #{constant};st M[0]",
            )
        case 1:  # a length of two bytes, least significant first
            low, high = f"ldb [x + {at}]", f"ldb [x + {at + 1}]"
            yield (
                f"ldx M[0];{high};lsh #8;st M[1];{low};ldx M[1];or x;ldx M[0];add x;st M[0]",
                f"ldx M[0];{low};st M[1];{high};lsh #8;ldx M[1];or x;ldx M[0];add x;st M[0]",
                f"ldx M[0];{low};add x;st M[1];{high};mul #256;ldx M[1];add x;st M[0]",
            )
        case 2:  # a length of two bytes, most significant first
            yield f"ldx M[0];ldh [x + {at}];add x;st M[0]", f"ldx M[0];ldh [x + {at}];tax;ld M[0];add x;st M[0]"
        case 3:  # a field that is there if a bit is set
            bit, size = 1 << below(random, 8), pick(random, _PADDINGS)
            load = f"ldx M[0];ldb [x + {at}];"
            longer = f"ld M[0];add #{size};st M[0]"
            yield (
                f"{load}jset #{bit},NEXT.set,NEXT;NEXT.set:{longer};NEXT:ldx #0".replace(".set", "s"),
                f"{load}and #{bit};jeq #0,NEXT,NEXTs;NEXTs:{longer};NEXT:ldx #0",
                f"{load}jset #{bit},NEXTs,NEXTe;NEXTs:{longer};ja NEXT;NEXTe:ld M[0];st M[0];NEXT:ldx #0",
            )
        case _:  # alignment
            yield (
                "ld M[0];add #3;and #0xfffffffc;st M[0]",
                "ld M[0];add #1;add #2;and #0xfffffffc;st M[0]",
                "ldx M[0];ld #3;add x;and #0xfffffffc;st M[0]",
            )


def _test(random: Random) -> Iterator[tuple[str, ...]]:
    """Yield the texts of a test of a field."""
    size = pick(random, ("ldb", "ldh", "ld"))
    at, value = below(random, 8), below(random, 4)
    load = f"ldx M[0];{size} [x + {at}];"
    if chance(random, 0.5):
        yield f"{load}jeq #{value},NEXT,fail;NEXT:ldx #1", f"{load}sub #{value};jeq #0,NEXT,fail;NEXT:ldx #1"
    else:
        yield f"{load}jgt #{value},fail,NEXT;NEXT:ldx #1", f"{load}jge #{value + 1},fail,NEXT;NEXT:ldx #1"


def packet(random: Random) -> bytes:
    """Return a packet of small bytes, so that most positions are inside of it."""
    return bytes(0 if chance(random, 0.5) else below(random, 6) for _ in range(below(random, 96)))
