"""Arguments of the functions for captures: invalid ones are errors with place, fact and rule, in one line."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

import pytest

import cbpf
from support.captures import TRAFFIC

ARGUMENTS: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "filter_capture": lambda: {"source": TRAFFIC, "target": None, "filter": "arp"},
    "split_capture": lambda: {"source": TRAFFIC, "routes": {"arp": None}},
    "count_packets": lambda: {"source": TRAFFIC},
    "read_capture": lambda: {"source": TRAFFIC},
    "capture_info": lambda: {"source": TRAFFIC},
    "write_capture": lambda: {"target": BytesIO(), "packets": []},
    "CaptureWriter": lambda: {"target": BytesIO()},
    "compile_for_capture": lambda: {"expression": "arp", "capture": cbpf.read_capture(TRAFFIC)},
    "CapturePrograms": lambda: {"filter": "arp"},
}
"""Valid arguments of each function."""


def message(function: str, **options: Any) -> str:
    """Return the message of the error of a call."""
    with pytest.raises(cbpf.CbpfError) as raised:
        getattr(cbpf, function)(**ARGUMENTS[function]() | options)
    return str(raised.value)


@pytest.mark.parametrize(
    ("function", "options", "expected"),
    [
        ("read_capture", {"engine": "foo"}, "'foo' is not one of 'auto', 'interpreter', 'python', 'llvm'"),
        ("read_capture", {"dialect": "linux"}, "'linux' is not a Dialect; use cbpf.LINUX"),
        ("read_capture", {"as_socket": 5}, "5 is neither True nor False"),
        ("read_capture", {"filter": 5}, "5 is not an expression, a program, a savefile or a VM"),
        ("read_capture", {"filter": b"tcp"}, "b'tcp' is bytes; an expression is text (parse reads programs)"),
        ("filter_capture", {"invert": 5}, "5 is neither True nor False"),
        ("filter_capture", {"filter": None}, "None is not an expression, a program, a savefile or a VM"),
        ("filter_capture", {"count": "3"}, "'3' is not an integer"),
        ("filter_capture", {"engine": ["llvm"]}, "['llvm'] is not one of 'auto', 'interpreter', 'python', 'llvm'"),
        ("filter_capture", {"progress": 5}, "5 is not a function"),
        ("split_capture", {"routes": [(5, None)]}, "5 is not an expression, a program, a savefile or a VM"),
        ("count_packets", {"progress": "bar"}, "'bar' is not a function"),
        ("capture_info", {"progress": True}, "True is not a function"),
        ("write_capture", {"container": "cap"}, "'cap' is not one of ('pcap', 'pcapng')"),
        ("CaptureWriter", {"nanoseconds": 1}, "1 is neither True nor False"),
        ("compile_for_capture", {"capture": "in.pcap"}, "'in.pcap' is not a CaptureReader"),
        ("compile_for_capture", {"interface": "0"}, "'0' is not an integer"),
        ("CapturePrograms", {"optimizer": "none"}, "'none' is not one of 'cbpf', 'libpcap', None"),
    ],
)
def test_errors_name_the_argument(function: str, options: dict[str, Any], expected: str) -> None:
    (name,) = options
    assert message(function, **options) == f"{function}.{name}: {expected}"


OTHER_PLACES: Final = {
    "compress": "compress",
    "interfaces": "interfaces",
    "link_type": "link type",
    "names": "names",
    "rest": "target",
    "rotation": "rotation",
}
"""The beginning of the errors of arguments that functions of their own check."""


@pytest.mark.parametrize("function", ARGUMENTS)
def test_every_option_is_checked(function: str) -> None:
    """An object of no type that any option has is rejected, also where the option would not be used."""
    parameters = inspect.signature(getattr(cbpf, function)).parameters.values()
    options = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    assert options
    for name in options:
        text = message(function, **{name: object()})
        place = OTHER_PLACES.get(name, f"{function}.{name}")
        assert text.startswith((place, f"{function}.{name}")), text
        assert "\n" not in text


def test_two_targets_that_cannot_be_compared_are_rejected() -> None:
    assert message("split_capture", rest=[1]) == "target: [1] is neither a path nor a binary file object"
