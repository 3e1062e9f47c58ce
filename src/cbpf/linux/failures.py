"""The kernel's error numbers in words: one line with the place, the fact and the rule."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from .._typing import Final
from ..errors import SocketError
from .sockets import Target

ATTACHING: Final = {
    errno.EPERM: "the filter is locked; SO_LOCK_FILTER cannot be undone, so open a new socket",
    errno.ENOMEM: "the kernel has no memory for the program; shorten it, or increase the sysctl net.core.optmem_max",
    errno.EINVAL: "the kernel rejects the program, which satisfies all rules of Linux 6.18; this kernel may be older",
}
"""The errors of SO_ATTACH_FILTER, for a program that the verifier accepts."""

DETACHING: Final = {
    errno.EPERM: ATTACHING[errno.EPERM],
    errno.ENOENT: "no filter is attached; only an attached filter can be detached",
}
READING: Final = {
    errno.EACCES: "the attached program is an eBPF program; only classic programs can be read or put back",
}
OPENING: Final = {
    errno.EPERM: "packet sockets need the capability CAP_NET_RAW; run as root, or grant it with setcap",
    errno.EAFNOSUPPORT: "this kernel has no packet sockets; they need CONFIG_PACKET",
    errno.ENODEV: "no such interface; `ip link` lists the interfaces",
}


_UNPRIVILEGED: Final = (
    "this process must not attach a filter to the socket; for TCP, recent kernels require the capability CAP_NET_ADMIN"
)


@contextmanager
def explained(place: object, rules: Mapping[int, str]) -> Iterator[None]:
    """Turn an OSError of the block into a `SocketError` with the place and, if it is known, the rule.

    EPERM on a socket has two reasons: its filter is locked, or the process lacks a capability.
    """
    try:
        yield
    except SocketError:
        raise
    except OSError as error:
        number = error.errno or 0
        reason = rules.get(number, error.strerror)
        if number == errno.EPERM and isinstance(place, Target) and not place.is_locked():
            reason = _UNPRIVILEGED
        raise SocketError(number, f"{place}: {reason}") from None
