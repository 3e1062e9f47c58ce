"""The numbers and names of system calls, compared with the headers of Linux."""

import re
import sys

import pytest

import cbpf
from cbpf.seccomp import ARCHITECTURES, call_name, call_names, call_number, names_available
from cbpf.seccomp.names import system_calls
from cbpf.seccomp.names.removed_calls import removed_calls
from support.judges import kernel_headers
from support.judges.kernel_headers import SYSTEM_CALL_HEADERS

needs_names = pytest.mark.skipif(not names_available(), reason="system-calls is not installed")


@needs_names
@pytest.mark.parametrize("name", SYSTEM_CALL_HEADERS)
def test_numbers_are_those_of_the_kernel_headers(name: str) -> None:
    headers = SYSTEM_CALL_HEADERS[name]
    if reason := kernel_headers.missing(headers):
        pytest.skip(reason)
    expected = kernel_headers.system_calls(headers)
    assert len(expected) > 290
    numbers = call_names(name)
    assert {each: numbers.get(each) for each in expected} == expected


@needs_names
def test_names_and_numbers_are_inverse() -> None:
    for name in ARCHITECTURES:
        numbers = call_names(name)
        for call, number in numbers.items():
            assert call_number(name, call) == number
            assert numbers[call_name(name, number) or ""] == number


@needs_names
def test_removed_calls_replace_no_present_one() -> None:
    """A number that the library names keeps this name, and the supplement lacks the calls that the library has."""
    library = system_calls._library()
    for row in ARCHITECTURES.values():
        present = library.load_arch_table(row.table)
        removed = removed_calls(row.table)
        assert not present.keys() & removed.keys(), row.name
        assert {number: call_name(row, number) for number in present.values()} == {n: c for c, n in present.items()}


@needs_names
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("opennat", "system call: x86_64 has no system call 'opennat'; did you mean 'openat'?"),
        ("socketcall", "system call: x86_64 has no system call 'socketcall'"),
        ("", "system call: x86_64 has no system call ''"),
    ],
)
def test_unknown_names_are_rejected(name: str, message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=f"^{re.escape(message)}"):
        call_number("x86_64", name)


def test_numbers_serve_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "system_calls", None)
    caches = (system_calls._library, system_calls._tables)
    for cached in caches:
        cached.cache_clear()
    try:
        assert not names_available()
        assert (call_name("x86_64", 41), dict(call_names("x86_64"))) == (None, {})
        call = cbpf.seccomp.SystemCall(41, (38,))
        assert (call.name, call.number) == (None, 41)
        assert repr(call) == "SystemCall(0x29, (0x26, 0, 0, 0, 0, 0), architecture='x86_64')"
        with pytest.raises(cbpf.MissingLibrary, match=r"pip install 'cbpf\[seccomp\]'$"):
            cbpf.seccomp.SystemCall("socket")
    finally:
        for cached in caches:
            cached.cache_clear()
