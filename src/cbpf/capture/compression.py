"""Compressed captures: gzip, zstd and lz4 streams, read as what they hold."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

from ..errors import DamagedCapture, MissingLibrary

MAGIC_SIZE: Final = 4

_INPUT_SIZE: Final = 1 << 14  # what is lost in front of wrong data: as much as came of so many bytes
_OUTPUT_SIZE: Final = 1 << 20  # at a time, however much a stream would give


class _Decompressor(Protocol):
    """One member or frame, as `bz2.BZ2Decompressor` has it."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes | None: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Compression(NamedTuple):
    """A kind of compression: how its streams begin, and what reads one."""

    name: str
    magic: bytes
    decompressor: Callable[[], Callable[[], _Decompressor]]
    """Imports the library; raises `ImportError`."""
    padding: bytes = b""
    """What may stand between two members."""


def _gzip() -> Callable[[], _Decompressor]:
    try:
        igzip: Any = import_module("isal.igzip_lib")
    except ImportError:
        return _PlainGzip
    return lambda: igzip.IgzipDecompressor(flag=igzip.DECOMP_GZIP)


def _zstd() -> Callable[[], _Decompressor]:
    try:
        zstd: Any = import_module("compression.zstd")  # of Python 3.14
    except ImportError:
        zstd = import_module("backports.zstd")
    return lambda: zstd.ZstdDecompressor()


def _lz4() -> Callable[[], _Decompressor]:
    frame: Any = import_module("lz4.frame")
    return lambda: frame.LZ4FrameDecompressor()


class _PlainGzip:
    """The standard library's."""

    def __init__(self) -> None:
        import zlib

        self._inner: Any = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return bytes(self._inner.decompress(self._inner.unconsumed_tail + data, max_length))


COMPRESSIONS: Final = (
    Compression("gzip", b"\x1f\x8b", _gzip, padding=b"\0"),
    Compression("zstd", b"\x28\xb5\x2f\xfd", _zstd),
    Compression("lz4", b"\x04\x22\x4d\x18", _lz4),
)


def compression_of(begin: bytes) -> Compression | None:
    """What compressed a stream that begins with these 4 bytes."""
    return next((one for one in COMPRESSIONS if begin.startswith(one.magic)), None)


class Decompressed:
    """What a compressed stream holds, all its members or frames; *begin* was read of it already.

    It gives at most a mebibyte at a time, so that a small file cannot fill the memory. Raises `MissingLibrary`; and
    `DamagedCapture` behind all that could be read, for a stream that is cut short or wrong.
    """

    def __init__(self, compression: Compression, begin: bytes, read: Callable[[int], bytes], name: str) -> None:
        self._compression, self._input, self._read, self._name = compression, begin, read, name
        try:
            self._make = compression.decompressor()
        except ImportError:
            command = "pip install 'cbpf[compressed]'"
            raise MissingLibrary(f"{name}: a {compression.name} stream needs a library: {command}") from None
        self._member = self._make()
        self._was_full = False  # what was asked for last, so that more may come without input
        self._damage: DamagedCapture | None = None

    def read1(self, size: int) -> bytes:
        """Up to *size* bytes, as soon as there are some; none at the end."""
        while self._damage is None:
            if self._member.eof and not self._begin_next():
                return b""
            output = self._step(min(size, _OUTPUT_SIZE))
            if output:
                return output
        raise self._damage

    def _step(self, size: int) -> bytes:
        data, is_over = b"", False
        if self._member.needs_input and not self._was_full:
            data, self._input = self._input or self._read(_INPUT_SIZE), b""
            is_over = not data
        try:
            output = self._member.decompress(data, size)
        except Exception as error:  # each library has errors of its own, and RuntimeError is among them
            self._damage = self._damaged(f"is damaged: {error}")
            return b""
        self._was_full = len(output) == size
        if is_over and not output and not self._member.eof:
            self._damage = self._damaged("is cut short")
        return output

    def _begin_next(self) -> bool:
        """Begins with what follows the member that has ended; False if nothing does."""
        rest = (self._member.unused_data or b"") + self._input
        while len(rest := rest.lstrip(self._compression.padding)) < MAGIC_SIZE and (more := self._read(_INPUT_SIZE)):
            rest += more
        if rest and not (rest.startswith(self._compression.magic) or _is_skippable(rest)):
            self._damage = self._damaged(f"is followed by {rest[:MAGIC_SIZE].hex(' ')}, which begins no other")
            raise self._damage
        if rest:
            self._member, self._input = self._make(), rest
        return bool(rest)

    def _damaged(self, fact: str) -> DamagedCapture:
        return DamagedCapture(f"{self._name}: the {self._compression.name} stream {fact}")


def _is_skippable(begin: bytes) -> bool:
    """A frame of zstd and lz4 without content, as some tools put behind the others for an index."""
    return begin[1:4] == b"\x2a\x4d\x18" and begin[0] & 0xF0 == 0x50
