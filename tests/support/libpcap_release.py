"""The libpcap of the front end "libpcap" and its release: that of cypcap or, without it, that of the system."""

import re
from functools import cache

import pytest

import cbpf
from cbpf._libpcap import system_libpcap
from cbpf.expression.libpcap import compiler


@cache
def _release() -> tuple[int, ...]:
    """Return the numbers of the release, such as (1, 10, 6)."""
    try:
        import cypcap
    except ImportError:
        library = system_libpcap()
        text = library.pcap_lib_version().decode()
    else:
        text = cypcap.lib_version()
    match = re.match(r"libpcap version ([\d.]+)", text)
    assert match, text
    return tuple(map(int, match[1].split(".")))


def libpcap_is_installed() -> bool:
    """Return whether the front end "libpcap" can be used."""
    try:
        compiler()
    except cbpf.MissingLibrary:
        return False
    return True


def needs_libpcap(*release: int) -> None:
    """Skip the test that calls this unless there is a libpcap whose release is at least this one."""
    try:
        installed = _release()
    except cbpf.MissingLibrary as error:
        pytest.skip(str(error))
    if installed < release:
        pytest.skip(f"needs libpcap {'.'.join(map(str, release))} (cypcap contains it)")
