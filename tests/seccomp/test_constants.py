"""Constants in conditions; with ziglang installed, CBPF_UPDATE=1 ./dev test -k headers writes `constants.txt` again."""

import fcntl
import mmap
import os
import re
import resource
import signal
import socket
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from cbpf.seccomp import ARCHITECTURES, arguments_of
from cbpf.seccomp.names import constants
from cbpf.seccomp.names.constants import constant, constant_names, constants_of
from support.generated import check_file
from support.judges import constant_headers
from support.judges.constant_families import FAMILIES as FAMILIES_OF_HEADERS

DATA: Final = Path(constants.__file__).with_name("constants.txt")
FAMILIES: Final = {"mips": 6, "ppc": 3, "s390": 2}
"""The number of architectures of each word in the file that names several."""
_LARGEST_DECIMAL: Final = 9


def sections() -> dict[str, tuple[str, list[str]]]:
    """Return the header and the lines of each section by its name, without the + of flags."""
    _, *texts = DATA.read_text().split("\n\n")
    parts = [text.strip("\n").split("\n") for text in texts]
    return {re.split(r"[\[\]+]", header)[1]: (header, lines) for header, *lines in parts}


def line(name: str, numbers: Mapping[str, int | None], is_flag: bool) -> str:
    """Return the line of a constant: its number on x86_64, and the architectures with another one."""
    others: dict[int | None, list[str]] = {}
    for architecture in ARCHITECTURES:
        if numbers.get(architecture) != numbers.get("x86_64"):
            others.setdefault(numbers.get(architecture), []).append(architecture)
    words = [f"{','.join(shortened(names))}={digits(number, is_flag)}" for number, names in others.items()]
    return " ".join([name, digits(numbers.get("x86_64"), is_flag), *words])


def shortened(names: list[str]) -> list[str]:
    """Return names of architectures, with the name of a family in place of those of all its members."""
    for family, size in FAMILIES.items():
        members = [name for name in names if name.startswith(family)]
        if len(members) == size:
            names = [name for name in names if name not in members] + [family]
    return names


def digits(number: int | None, is_flag: bool) -> str:
    if number is None:
        return "-"
    return str(number) if number <= _LARGEST_DECIMAL or (not is_flag and number < 4096) else f"{number:#x}"


def test_constants_are_those_of_the_headers() -> None:
    """The headers of an older kernel lack some of them; those of ziglang are for all architectures."""
    installed = constant_headers.headers()
    if not installed:
        pytest.skip("gcc or the headers of Linux are not installed.")
    found = {architecture: constant_headers.constants(architecture) for architecture in installed}
    if len(installed) == len(ARCHITECTURES) and os.environ.get("CBPF_UPDATE"):
        texts = [DATA.read_text().partition("\n\n")[0]]
        for section, (header, lines) in sections().items():
            if section in FAMILIES_OF_HEADERS:
                names = dict.fromkeys(name for each in found.values() for name in each[section])
                lines = [
                    line(name, {key: each[section].get(name) for key, each in found.items()}, "+]" in header)
                    for name in names
                ]
            texts.append("\n".join([header, *lines]))
        check_file(DATA, "\n\n".join(texts) + "\n")
    wrong = {
        (architecture, name, number)
        for architecture, families in found.items()
        for numbers in families.values()
        for name, number in numbers.items()
        if (known := constant(name)) is not None and known.number_on(ARCHITECTURES[architecture]) != number
    }
    assert wrong == set()
    compared = {name for families in found.values() for numbers in families.values() for name in numbers}
    assert len(compared & set(constant_names())) > 700


def test_sections_are_about_known_arguments() -> None:
    for header, lines in sections().values():
        assert lines, header
        for each in header.split()[1:]:
            call, _, name = each.partition(".")
            known = {argument.name for row in ("x86_64", "i386") for argument in arguments_of(call, row)}
            assert name in known, each


def test_names_are_unique() -> None:
    names = list(constant_names())
    assert len(names) == len(set(names)) > 900


def test_numbers_of_python_are_equal() -> None:
    """Python has those of the C library of this machine, in which some are 0 that a 64-bit kernel ignores."""
    row = ARCHITECTURES.get(os.uname().machine)
    modules = (socket, os, mmap, signal, fcntl, termios, resource, time)
    known = {name: each.number_on(row) for name in constant_names() if (each := constant(name))}
    found = {name: int(getattr(module, name)) for module in modules for name in known if hasattr(module, name)}
    wrong = {name for name, number in found.items() if known[name] != number % 2**32}
    assert wrong <= {"O_LARGEFILE", "F_GETLK64", "F_SETLK64", "F_SETLKW64"}
    assert len(found) > 200


def test_names_of_an_argument_are_read_again() -> None:
    for name, row in ARCHITECTURES.items():
        for call, argument in (("openat", 2), ("mmap", 3), ("socket", 1), ("ptrace", 0), ("fcntl", 1), ("ioctl", 1)):
            for number, each in constants_of(call, argument, row).items():
                assert each.number_on(row) == number, (name, each.name)
                found = constant(each.name)
                assert found is not None
                assert found.number_on(row) == number


def test_unknown_calls_and_arguments_have_no_constants() -> None:
    assert constants_of("nothing", 0, None) == {}
    assert constants_of("getpid", 0, None) == {}
    assert constants_of("mmap", 3, ARCHITECTURES["i386"]) == {}  # its argument is a pointer
    assert constant("AF_NOTHING") is None
    assert constant("AF") is None
