"""libpcap as a reference for the filters of live Linux sockets: programs compiled for a device, and those it attaches.

The code that libpcap makes of `vlan` for an open device differs from that for a file. `compiled` opens the loopback
device of a network namespace of its own, in another process, whose sockets never receive a packet. It needs root, or
user namespaces. If `available` returns a reason, do not call `compiled`.

As a program (`python -m support.judges.live_libpcap`), this module is that process.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from .libpcap import LIBRARIES
from .packet_socket import _enter_namespace

Rows: TypeAlias = list[tuple[int, int, int, int]]
Device: TypeAlias = Literal["lo", "any"]

_INSTRUCTION: Final = "HBBI"
_DLT_EN10MB: Final = 1
_DLT_LINUX_SLL2: Final = 276
_NETMASK_UNKNOWN: Final = 0xFFFF_FFFF
_SO_GET_FILTER: Final = 26
_MAX_LENGTH: Final = 4096  # instructions of a socket's filter
_TIMEOUT: Final = 60  # seconds


class _Code(ctypes.Structure):
    """struct bpf_program."""

    _fields_ = (("length", ctypes.c_uint), ("instructions", ctypes.c_void_p))


@cache
def available() -> str | None:
    """Return None if libpcap can open a device here, else the reason in one sentence."""
    if sys.platform != "linux":
        return f"libpcap's code for live Linux sockets needs Linux, and this is {sys.platform}."
    try:
        (rows,) = compiled(["vlan"])
    except (OSError, subprocess.SubprocessError) as error:
        return f"libpcap cannot open a device: {error}."
    is_live = isinstance(rows, list) and any(k >= 0xFFFFF000 for _op, _jt, _jf, k in rows)
    return None if is_live else "This libpcap has no special code for the VLAN tags of live packets."


def compiled(expressions: Iterable[str], *, device: Device = "lo", is_attached: bool = False) -> list[Rows | str]:
    """Return libpcap's plain code of each expression, or its error.

    "lo" is an Ethernet device, "any" a cooked one. With *is_attached*, the program is the one that libpcap attaches to
    its socket, whose offsets are those of the kernel.
    """
    request = json.dumps([device, is_attached, list(expressions)])
    process = subprocess.run(
        [sys.executable, "-m", __name__],
        cwd=Path(__file__).parents[2],
        input=request,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
    )
    if process.returncode:
        raise OSError(process.stderr.strip().rpartition("\n")[2])
    results = json.loads(process.stdout)
    return [result if isinstance(result, str) else [tuple(row) for row in result] for result in results]


def _library() -> Any:
    """Return cypcap's libpcap, which the tests of expressions are compared with, or else the system's."""
    cypcap = find_spec("cypcap")
    bundled = [] if cypcap is None or cypcap.origin is None else _bundled(Path(cypcap.origin))
    for name in (*map(str, bundled), *LIBRARIES):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_create.restype = ctypes.c_void_p
        library.pcap_geterr.restype = ctypes.c_char_p
        return library
    raise OSError("libpcap is not installed")


def _bundled(module: Path) -> Sequence[Path]:
    folders = (module.parent.with_suffix(".libs"), module.parent.parent / "cypcap.libs")
    return [path for folder in folders for path in sorted(folder.glob("libpcap-*"))]


def _main() -> None:
    device, is_attached, expressions = json.load(sys.stdin)
    library = _library()
    _enter_namespace()
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    message = ctypes.create_string_buffer(256)
    handle = ctypes.c_void_p(library.pcap_create(device.encode(), message))
    if not handle or library.pcap_activate(handle) < 0:
        raise OSError(message.value.decode() or library.pcap_geterr(handle).decode())
    if library.pcap_set_datalink(handle, _DLT_EN10MB if device == "lo" else _DLT_LINUX_SLL2) != 0:
        raise OSError(library.pcap_geterr(handle).decode())
    json.dump([_result(library, handle, text, is_attached) for text in expressions], sys.stdout)


def _result(library: Any, handle: ctypes.c_void_p, text: str, is_attached: bool) -> list[tuple[Any, ...]] | str:
    code = _Code()
    if library.pcap_compile(handle, ctypes.byref(code), text.encode(), 0, ctypes.c_uint32(_NETMASK_UNKNOWN)) != 0:
        return str(library.pcap_geterr(handle).decode())
    data = ctypes.string_at(code.instructions or 0, code.length * struct.calcsize(_INSTRUCTION))
    if is_attached:
        if library.pcap_setfilter(handle, ctypes.byref(code)) != 0:
            return str(library.pcap_geterr(handle).decode())
        data = _attached(library.pcap_fileno(handle))
    library.pcap_freecode(ctypes.byref(code))
    return list(struct.iter_unpack(_INSTRUCTION, data))


def _attached(descriptor: int) -> bytes:
    """Return the filter of a socket."""
    size = struct.calcsize(_INSTRUCTION)
    buffer = ctypes.create_string_buffer(_MAX_LENGTH * size)
    length = ctypes.c_uint(_MAX_LENGTH)  # in instructions
    library = ctypes.CDLL(None, use_errno=True)
    if library.getsockopt(descriptor, socket.SOL_SOCKET, _SO_GET_FILTER, buffer, ctypes.byref(length)) != 0:
        raise OSError(ctypes.get_errno(), "SO_GET_FILTER failed")
    return buffer.raw[: length.value * size]


if __name__ == "__main__":
    _main()
