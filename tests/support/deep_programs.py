"""Programs whose values, paths or jumps become deeper with their length."""

from collections.abc import Callable, Iterator
from typing import Final

import cbpf

_END: Final = ("jgt #5,0,1", "ret #1", "ret #0")


def _sum_of_loads(length: int) -> Iterator[str]:
    yield from ("ldb [0]", "tax")
    for n in range(length // 3):
        yield from (f"ldb [{n % 1400}]", "add x", "tax")
    yield from ("txa", *_END)


def _alternating_operations(length: int) -> Iterator[str]:
    yield "ldb [0]"
    for _ in range(length // 4):
        yield from ("add #3", "xor #0x55", "mul #3", "rsh #1")
    yield from _END


def _value_doubles(length: int) -> Iterator[str]:
    yield "ldb [0]"
    for n in range(length // 3):
        yield from ("tax", f"xor #{n + 1}", "add x")
    yield from _END


def _load_from_loaded_position(length: int) -> Iterator[str]:
    yield "ldx #0"
    for n in range(length // 2):
        yield from (f"ldb [x + {n % 7}]", "tax")
    yield "ret a"


def _quotients(length: int) -> Iterator[str]:
    yield "ldb [0]"
    for n in range(length // 3):
        yield from ("tax", f"ldb [{n}]", "div x")
    yield "ret a"


def _jumps(length: int) -> Iterator[str]:
    yield "ldb [0]"
    for _ in range(length):
        yield "ja 0"
    yield from _END


def _slots(length: int) -> Iterator[str]:
    yield "ldb [0]"
    for slot in range(16):
        yield f"st M[{slot}]"
    for n in range(length // 3):
        yield from (f"ld M[{n % 16}]", f"add #{n + 1}", f"st M[{(n + 1) % 16}]")
    yield from _END


def _diamonds(length: int) -> Iterator[str]:
    yield from ("ld #0", "st M[0]", "ldx #0")
    for n in range(length // 5):
        yield from (f"ldb [{n}]", "jset #1,0,2", f"ldx #{n}", "stx M[0]")
    yield from ("ld M[0]", "add x", "ret a")


def _tests(length: int) -> Iterator[str]:
    for n in range(length // 3):
        yield from (f"ldb [{n}]", f"jeq #{n % 256},0,1", "ret #1")
    yield "ret #0"


def _sums_tested(length: int) -> Iterator[str]:
    yield from ("ldb [0]", "tax")
    for n in range(length // 5):
        yield from (f"ldb [{n}]", "add x", "tax", f"jgt #{n % 4000},0,1", "ret #1")
    yield "ret #0"


SHAPES: Final[dict[str, Callable[[int], Iterator[str]]]] = {
    "sum of loads": _sum_of_loads,
    "alternating operations": _alternating_operations,
    "value that doubles": _value_doubles,
    "loads from loaded positions": _load_from_loaded_position,
    "quotients": _quotients,
    "jumps": _jumps,
    "slots": _slots,
    "diamonds": _diamonds,
    "tests": _tests,
    "sums that are tested": _sums_tested,
}


def deep_program(shape: str, length: int) -> cbpf.Program:
    """Return a program of a shape, of about *length* instructions."""
    return cbpf.parse("\n".join(SHAPES[shape](length)))
