"""The library libpcap, called through ctypes: the system's, or the one that cypcap bundles."""

import os
from collections.abc import Iterator
from functools import cache

from ._typing import Any, Final
from .errors import MissingLibrary

_SYSTEM_NAMES: Final = ("libpcap.so.1", "libpcap.so.0.8", "libpcap.so", "libpcap.A.dylib")

REMEDY: Final = "pip install 'cbpf[libpcap]', or install the system's library (Debian: libpcap0.8)"


@cache
def libpcap() -> Any:
    """Return the library that cypcap bundles, or else that of the system. Raises `MissingLibrary` if there is none."""
    library = _first_library(_bundled_paths())
    return system_libpcap() if library is None else library


@cache
def system_libpcap() -> Any:
    """Return the system's library. Raises `MissingLibrary` without it."""
    library = _first_library(_system_names())
    if library is None:
        raise MissingLibrary("libpcap is not installed on this system (Debian: libpcap0.8)")
    return library


def _bundled_paths() -> Iterator[str]:
    """Yield the paths of the libraries in cypcap's wheel, which is not imported."""
    import importlib.util

    spec = importlib.util.find_spec("cypcap")
    for package in [] if spec is None else spec.submodule_search_locations or []:
        folder = f"{package}.libs"
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if name.startswith("libpcap"):
                yield os.path.join(folder, name)


def _system_names() -> Iterator[str]:
    yield from _SYSTEM_NAMES
    from ctypes.util import find_library

    name = find_library("pcap")
    if name is not None:
        yield name


def _first_library(names: Iterator[str]) -> Any:
    """Return the first of these libraries that can be loaded, with the types of results that are not int, or None."""
    try:
        import ctypes
    except ImportError as error:
        raise MissingLibrary(f"libpcap cannot be loaded ({error})") from None
    for name in names:
        try:
            library = ctypes.CDLL(name, use_errno=True)
        except OSError:
            continue
        for function in ("pcap_create", "pcap_open_dead", "pcap_open_offline", "pcap_dump_fopen"):
            getattr(library, function).restype = ctypes.c_void_p
        for function in ("pcap_geterr", "pcap_lib_version"):
            getattr(library, function).restype = ctypes.c_char_p
        return library
    return None
