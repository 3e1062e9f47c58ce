"""No recursion follows the length of the input: four times as long a program takes no deeper a stack."""

import copy
import json
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Final

import pytest

import cbpf
from support.deep_programs import SHAPES, deep_program

_LENGTH: Final = 24
_ADDED_FRAMES: Final = 16
"""A tree of decisions may become two levels deeper."""


def _undecided_allowed(query: Callable[[cbpf.Program], object]) -> Callable[[cbpf.Program], None]:
    def run(program: cbpf.Program) -> None:
        with suppress(cbpf.Undecided):
            query(program)

    return run


def _other(program: cbpf.Program) -> cbpf.Program:
    return cbpf.Program([*program[:-1], (6, 0, 0, 7)])


PACKET: Final = b"\x01" * 1500
OPERATIONS: Final[dict[str, Callable[[cbpf.Program], object]]] = {
    "optimize": cbpf.optimize,
    "optimize for speed": lambda program: cbpf.optimize(program, goal="speed"),
    "findings": cbpf.findings,
    "flow": lambda program: cbpf.Flow(program).longest,
    "graph": lambda program: [getattr(cbpf.graph(program), name)() for name in ("svg", "dot", "mermaid")],
    "execution counts": lambda program: cbpf.execution_counts(program, [PACKET]),
    "trace": lambda program: list(cbpf.VM(program).trace(PACKET)),
    "interpreter": lambda program: cbpf.VM(program, engine="interpreter").run(PACKET),
    "python": lambda program: cbpf.VM(program, engine="python").run(PACKET),
    "llvm": lambda program: cbpf.VM(program, engine="llvm").run(PACKET),
    "text": lambda program: [
        cbpf.parse(cbpf.render(program, name), format=name) for name in ("asm", "tcpdump", "c", "json")
    ],
    "objects": lambda program: (hash(program), repr(program), copy.deepcopy(program), pickle.dumps(program)),
}
PROOFS: Final[dict[str, Callable[[cbpf.Program], object]]] = {
    "difference": _undecided_allowed(lambda program: cbpf.difference(program, _other(program), timeout=0.5)),
    "dead": _undecided_allowed(lambda program: cbpf.dead(program, timeout=0.5)),
    "cases": _undecided_allowed(lambda program: cbpf.cases(program, timeout=0.5)),
}


def _stack_depth(operation: Callable[[], object]) -> int:
    """Return the largest number of frames above this one during a call."""
    depth = deepest = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal depth, deepest
        if event == "call":
            depth += 1
            deepest = max(deepest, depth)
        elif event == "return":
            depth -= 1

    sys.setprofile(count)
    try:
        operation()
    finally:
        sys.setprofile(None)
    return deepest


@pytest.mark.parametrize("shape", SHAPES)
def test_stack_depth_does_not_follow_the_length(shape: str) -> None:
    for operation in OPERATIONS.values():
        _assert_equal_depth(operation, shape)


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_stack_depth_of_proofs_does_not_follow_the_length(shape: str) -> None:
    for operation in PROOFS.values():
        _assert_equal_depth(operation, shape)


def _assert_equal_depth(operation: Callable[[cbpf.Program], object], shape: str) -> None:
    short, long = (deep_program(shape, length) for length in (_LENGTH, 4 * _LENGTH))
    operation(deep_program(shape, 10))  # the first call imports modules
    depth = _stack_depth(lambda: operation(short))
    assert depth > 1
    assert _stack_depth(lambda: operation(long)) <= depth + _ADDED_FRAMES


def test_the_measurement_sees_recursion() -> None:
    def nested(levels: int) -> int:
        return 0 if levels == 0 else 1 + nested(levels - 1)

    assert _stack_depth(lambda: nested(50)) - _stack_depth(lambda: nested(10)) == 40


@pytest.mark.parametrize("text", ["[" * 20_000, '{"a":' * 20_000, "[[[[" * 30 + "]]]]" * 30])
def test_nested_brackets_are_an_error(text: str) -> None:
    for name in ("json", "c", "asm", None):
        with pytest.raises(cbpf.ProgramFormatError):
            cbpf.parse(text, format=name) if name else cbpf.parse(text)


@pytest.mark.parametrize("count", [120, 400])
def test_long_sums_compile(count: int) -> None:
    text = " + ".join(f"link[{n}]" for n in range(count)) + " > 5"
    program = cbpf.compile(text)
    assert len(program) <= len(cbpf.compile(text, optimizer=None))
    assert cbpf.VM(program).run(b"\x01" * 1500)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 1000 + "tcp" + ")" * 1000,
        "not " * 1000 + "tcp",
        " or ".join(["tcp"] * 300),
        "(" * 300 + "len" + " + 1)" * 300 + " > 5",
    ],
    ids=["parentheses", "negations", "alternatives", "nested sum"],
)
def test_nested_expressions_compile(text: str) -> None:
    assert len(cbpf.compile(text)) <= 12


@pytest.mark.parametrize("depth", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
def test_deeply_nested_expressions_end_with_a_result_or_an_error(depth: int) -> None:
    with suppress(cbpf.ExpressionError):
        assert len(cbpf.compile("(" * depth + "tcp" + ")" * depth)) <= 12


def test_json_output_is_flat() -> None:
    assert len(json.loads(cbpf.render(deep_program("tests", 3000), "json"))) > 2000
