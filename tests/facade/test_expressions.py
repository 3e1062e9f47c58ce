"""Public functions that take a program also take an expression, which they compile."""

import inspect
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import pytest

import cbpf
from support.captures import TRAFFIC

RAW_IPV4: Final = bytes.fromhex("4500001400000000 40060000 c0000263 0a000001")

# Each public name that takes programs, as a function of one program and of the keyword `link_type`.
CALLS: Final[dict[str, Callable[..., Any]]] = {
    "Flow": cbpf.Flow,
    "VM": lambda program, **options: cbpf.VM(program, **options).program,
    "cases": cbpf.cases,
    "dead": cbpf.dead,
    "difference": lambda program, **options: cbpf.difference(program, "udp", **options),
    "emit": lambda program, **options: cbpf.emit(program, target="llvm", **options),
    "equivalent": lambda program, **options: cbpf.equivalent(program, "tcp", **options),
    "execution_counts": lambda program, **options: cbpf.execution_counts(program, [RAW_IPV4], **options),
    "findings": cbpf.findings,
    "graph": lambda program, **options: cbpf.graph(program, **options).svg(),
    "implies": lambda program, **options: cbpf.implies("tcp dst port 80", program, **options),
    "listing": cbpf.listing,
    "optimization_stages": lambda program, **options: cbpf.optimization_stages(program, **options)[-1].program,
    "optimize": cbpf.optimize,
    "program_info": cbpf.program_info,
    "render": lambda program, **options: cbpf.render(program, "c", **options),
    "render_bytes": lambda program, **options: cbpf.render_bytes(program, "raw", **options),
    "verify": cbpf.verify,
    "witness": lambda program, **options: cbpf.witness(program, verdict="accept", **options),
}
PROVING: Final = ("cases", "dead", "difference", "equivalent", "implies", "witness")


def _facade_names() -> set[str]:
    modules: dict[str, str] = cbpf._MODULE_OF  # type: ignore[attr-defined]
    return {name for name, module in modules.items() if module.startswith("facade.")}


def test_each_function_of_the_facade_is_in_the_table() -> None:
    assert _facade_names() == set(CALLS)
    assert all("link_type" in inspect.signature(getattr(cbpf, name)).parameters for name in CALLS)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("link_type", ["EN10MB", "RAW"])
def test_an_expression_gives_the_result_of_its_program(name: str, link_type: str) -> None:
    if name in PROVING:
        pytest.importorskip("bitwuzla")
    expected = CALLS[name](cbpf.compile("tcp", link_type=link_type), link_type=link_type)
    assert CALLS[name]("tcp", link_type=link_type) == expected
    assert CALLS[name](cbpf.Expression("tcp"), link_type=link_type) == expected


NEVER: Final = "ip and arp"
CHAIN: Final = "ip6 protochain 6"  # warned of by the generator, also where the optimiser does not run
WARNING_CALLS: Final[dict[str, Callable[..., Any]]] = CALLS | {
    "CapturePrograms": lambda text: cbpf.CapturePrograms(text).prepare([cbpf.read_capture(TRAFFIC)]),
    "compile": lambda text: cbpf.compile(text, lint=True, optimizer=None),
    "count_packets": lambda text: cbpf.count_packets(TRAFFIC, text),
    "filter_capture": lambda text: cbpf.filter_capture(TRAFFIC, None, text),
    "Expression": lambda text: cbpf.compile(cbpf.Expression(text)),
    "optimization_stages": cbpf.optimization_stages,
    "read_capture": lambda text: list(cbpf.read_capture(TRAFFIC, filter=text)),
    "split_capture": lambda text: cbpf.split_capture(TRAFFIC, {text: None}),
}


@pytest.mark.parametrize("name", WARNING_CALLS)
def test_a_warning_names_the_line_of_the_caller(name: str) -> None:
    if name in PROVING:
        pytest.importorskip("bitwuzla")
    call = WARNING_CALLS[name]
    with pytest.warns(cbpf.ExpressionWarning) as caught, suppress(cbpf.CbpfError):
        call(NEVER if name in PROVING else CHAIN)
    names = {warning.filename for warning in caught if issubclass(warning.category, cbpf.ExpressionWarning)}
    assert names == {__file__}


def test_the_line_of_a_warning_is_that_of_the_outermost_call() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
        cbpf.VM(NEVER)
    assert [(warning.filename, warning.lineno) for warning in caught] == [(__file__, line)]


def test_the_link_type_matters() -> None:
    assert cbpf.VM("tcp", link_type="RAW").run(RAW_IPV4)
    assert not cbpf.VM("tcp").run(RAW_IPV4)


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ("tcp prot 80", cbpf.ExpressionError, r"write \"tcp port 80\""),
        ("ldh [12]\nret a", cbpf.ExpressionError, r"text of a program, which cbpf\.parse reads"),
        (__file__, cbpf.ExpressionError, r"the name of a file; cbpf\.parse .* cbpf\.read_capture"),
        (b"\xd4\xc3\xb2\xa1" + bytes(20), cbpf.FieldError, r"got bytes: a pcap capture; cbpf\.read_capture reads"),
        (memoryview(b"\x06\0\0\0\1\0\0\0"), cbpf.FieldError, r"got bytes; cbpf\.parse reads"),
        (5, cbpf.FieldError, "5 is neither a sequence of instructions nor an expression"),
        ([5], cbpf.FieldError, "5"),
    ],
)
def test_another_argument_is_named(argument: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        cbpf.VM(argument)
    with pytest.raises(error, match=message):
        cbpf.graph(argument)


def test_programs_need_no_compiler() -> None:
    code = "import cbpf, sys; cbpf.VM([(6, 0, 0, 1)]); print([m for m in sys.modules if 'cbpf.expression' in m])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


class _Subclass(cbpf.VM):
    def __init__(self, port: int) -> None:
        super().__init__(f"tcp port {port}")


class _SubclassOfFlow(cbpf.Flow):
    def __init__(self, port: int) -> None:
        super().__init__(f"tcp port {port}")


@pytest.mark.parametrize("value", [cbpf.VM("arp"), _Subclass(80), cbpf.Flow("arp"), _SubclassOfFlow(80)], ids=repr)
def test_classes_keep_their_meaning(value: Any) -> None:
    copy = pickle.loads(pickle.dumps(value))
    assert type(copy) is type(value)
    assert copy.program == value.program
    assert isinstance(value, cbpf.VM | cbpf.Flow)


def test_the_flow_of_a_graph_is_a_flow() -> None:
    assert isinstance(cbpf.graph("arp").flow, cbpf.Flow)
