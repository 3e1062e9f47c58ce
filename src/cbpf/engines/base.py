"""The interface of an engine: the functions that run one program on one packet or on many."""

from .._stdlib import suppress
from .._typing import TYPE_CHECKING, Any, Callable, Final, Iterable, Protocol

if TYPE_CHECKING:
    from array import array

    from ..packet.arrow_ranges import RangeReader
    from ..packet.batch import Packets
    from ..packet.skb import SocketBuffer

_MIN_NATIVE_RANGES: Final = 5_000
"""The number of packets of an Arrow column from which machine code, including its load, is faster than Python."""


class RunFunction(Protocol):
    """A function that runs a program on one packet and returns the verdict, 0 to 2**32 - 1.

    Args:
        packet: Any contiguous buffer of bytes.
        wire_length: The packet's length in bytes before it was truncated; None: the number of bytes given.
        buffer: The packet with its metadata; None: the default metadata.

    Raises:
        PacketError: *packet* is not a buffer of bytes.
    """

    def __call__(self, packet: Any, wire_length: int | None = None, buffer: "SocketBuffer | None" = None, /) -> int: ...


class Engine(Protocol):
    """One program that is ready to run."""

    @property
    def run(self) -> Callable[[Any], int]:
        """A function that returns the verdict on one packet, without a wrapper; usable after the engine is deleted."""
        ...

    @property
    def evaluate(self) -> RunFunction:
        """A function that returns the verdict on a packet with its metadata and its wire length."""
        ...

    @property
    def match(self) -> Callable[[bytes, int], int]:
        """A function `match(data, wire_length)` that returns the verdict on a packet of a capture, without checks."""
        ...

    @property
    def native(self) -> Any:
        """The machine code of `llvm.entry_points.match` as a ctypes function; None if the engine has none."""
        ...

    def native_for_sockets(self, link_type: str) -> Any:
        """Return machine code like `native` that runs on the view of a packet of a live socket (`socket_view`).

        *link_type* is the name of the packets' link type. None: the engine has no such code, or the program computes an
        extension in Python.
        """
        ...

    def native_columns(self, link_type: str | None = None) -> Any:
        """Return the machine code of `llvm.entry_points.match_columns` as a ctypes function, or None.

        With the name of a link type, the code runs on the view of a live socket, as that of `native_for_sockets`.
        """
        ...

    def verdicts(self, packets: "Packets | Iterable[Any]") -> "array[int]":
        """Return the verdicts on many packets, as unsigned 32-bit numbers."""
        ...


class PerPacketEngine:
    """An engine that consists of a single function, which a batch calls for each packet."""

    def __init__(self, run: RunFunction) -> None:
        self.run = self.evaluate = self.match = run
        self.native = None

    def native_for_sockets(self, link_type: str) -> None:
        """Return None: the engine has no machine code."""

    def native_columns(self, link_type: str | None = None) -> None:
        """Return None: the engine has no machine code."""

    def verdicts(self, packets: "Packets | Iterable[Any]") -> "array[int]":
        """Return the verdicts on many packets, as unsigned 32-bit numbers."""
        from array import array

        from ..packet.batch import Packets

        if isinstance(packets, Packets):
            return array("I", map(self.evaluate, packets, packets.wire_lengths))
        return array("I", map(self.run, packets))


def require_ctypes(user: str, remedy: str) -> None:
    """Raise `MissingLibrary` if this Python lacks ctypes, through which machine code is compiled and called."""
    from ..errors import MissingLibrary

    try:
        import ctypes as ctypes
    except ImportError as error:
        raise MissingLibrary(f"{user} needs CPython's ctypes ({error}): {remedy}") from None


def llvm_is_installed() -> bool:
    """Return whether the engine "llvm" can be used: whether llvmlite is installed, and Python has ctypes."""
    try:
        from .llvm.compiler import is_installed
    except ImportError:
        return False
    return is_installed()


def choose_range_reader(count: int) -> "RangeReader":
    """Return the reader of the ranges of an Arrow column of *count* packets: machine code for many, if available."""
    from ..errors import MissingLibrary
    from ..packet.arrow_ranges import PythonRangeReader

    if count >= _MIN_NATIVE_RANGES and llvm_is_installed():
        from .llvm.arrow_ranges import NativeRangeReader

        with suppress(MissingLibrary):
            return NativeRangeReader(count)
    return PythonRangeReader()
