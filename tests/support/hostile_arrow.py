"""Arrow producers whose structures violate the C data interface; run as a module, random ones.

Usage: `python -m support.hostile_arrow SEED ROUNDS`. A violation that crashes ends the process. Nothing that a consumer
cannot check is tried: a function that is not one, or a buffer that is mapped but shorter than its array requires.
"""

import struct
import sys
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any, Final

import cbpf
from cbpf.engines.base import llvm_is_installed
from cbpf.engines.llvm.arrow_ranges import NativeRangeReader
from cbpf.packet.batch import as_batch
from support import arrow_producer
from support.arrow_producer import ARRAY, ARRAY_FIELDS, SCHEMA, SCHEMA_FIELDS, STREAM, STREAM_FIELDS, Producer

UNMAPPED: Final = (0, 1, 8, 4095, 4096, 1 << 46, (1 << 47) - 1, 1 << 47, 1 << 63, (1 << 64) - 8, (1 << 64) - 1)
NUMBERS: Final = (-(1 << 63), -(1 << 31), -2, -1, 0, 1, 2, 3, 4, 7, 1 << 31, 1 << 40, 1 << 60, (1 << 63) - 1)
_TEXTS: Final = (b"", b"u", b"i", b"+s", b"z\xff", b"\xff\xfe", b"w:", b"w:\xb2", b"w:-1", b"w:0", b"w:2147483648")
_LONG_TEXTS: Final = (b"w:" + b"9" * 5000, b"z" * 100_000)


def patch(data: bytes, form: str, names: tuple[str, ...], changes: dict[str, int]) -> bytes:
    """Return a structure with some fields changed."""
    fields = dict(zip(names, struct.unpack(form, data), strict=True))
    assert changes.keys() <= fields.keys()
    return struct.pack(form, *(fields | changes).values())


class Hostile:
    """The array or the stream of a producer, with fields of its structures changed; *text* replaces the format."""

    def __init__(
        self,
        producer: Producer,
        *,
        schema: dict[str, int] | None = None,
        array: dict[str, int] | None = None,
        stream: dict[str, int] | None = None,
        text: bytes | None = None,
    ) -> None:
        self.producer = producer
        self._stream = stream
        original_schema, original_array = producer.schema, producer.array
        changes = dict(schema or {})
        if text is not None:
            changes["format"] = producer._keep(text)
        producer.schema = lambda: patch(original_schema(), SCHEMA, SCHEMA_FIELDS, changes)  # type: ignore[method-assign]
        producer.array = lambda: patch(original_array(), ARRAY, ARRAY_FIELDS, array or {})  # type: ignore[method-assign]
        if stream is None:
            self.__arrow_c_array__ = producer.__arrow_c_array__  # type: ignore[attr-defined]
        else:
            capsule = producer.capsule
            producer.capsule = lambda name, data: capsule(name, patch(data, STREAM, STREAM_FIELDS, stream))  # type: ignore[method-assign]
            self.__arrow_c_stream__ = arrow_producer.StreamProducer(producer).__arrow_c_stream__


def _values(random: Random) -> list[bytes]:
    return [random.randbytes(random.choice((0, 1, 12, 13, 40))) for _ in range(random.randrange(1, 6))]


MAKERS: Final[tuple[Callable[[Random], Producer], ...]] = (
    lambda random: arrow_producer.binary(_values(random)),
    lambda random: arrow_producer.binary(_values(random), kind="Z"),
    lambda random: arrow_producer.views(_values(random)),
    lambda random: arrow_producer.ArrayProducer("w:3", 2, [None, b"abcdef"]),
    lambda random: arrow_producer.ArrayProducer("w:0", 2, [None, None]),
)


def random_producer(random: Random) -> Any:
    """Return a producer with one or two violations, most of which a consumer must report."""
    producer = random.choice(MAKERS)(random)
    arguments: dict[str, Any] = {}
    for _ in range(random.randrange(1, 3)):
        match random.randrange(6):
            case 0:
                arguments["text"] = random.choice((*_TEXTS, *_LONG_TEXTS))
            case 1:
                name = random.choice(("format", "dictionary", "release"))
                arguments["schema"] = {name: 0 if name == "release" else random.choice(UNMAPPED)}
            case 2:
                name = random.choice(("length", "null_count", "offset", "n_buffers", "n_children"))
                arguments["array"] = {name: random.choice(NUMBERS)}
            case 3:
                name = random.choice(("buffers", "children", "dictionary", "release"))
                arguments["array"] = {name: 0 if name == "release" else random.choice(UNMAPPED)}
            case 4:
                arguments["stream"] = {random.choice(STREAM_FIELDS[:4]): 0} if random.random() < 0.7 else {}
            case 5:
                index = random.randrange(len(producer._buffers))
                producer._buffers[index] = random.choice((None, _extreme(random, producer._buffers[index])))
    return Hostile(producer, **arguments)


def _extreme(random: Random, data: bytes | int | None) -> bytes:
    """Return a buffer with an extreme number in place of one of its numbers."""
    content = bytearray(data if isinstance(data, bytes) and data else bytes(64))
    width = random.choice((4, 8))
    if len(content) >= width:
        low = 1 << (8 * width - 1)
        number = random.choice((-low, -1, low - 1, low - 16, low >> 1))
        start = random.randrange(0, len(content) - width + 1, 4)
        content[start : start + width] = number.to_bytes(width, "little", signed=True)
    return bytes(content)


def is_rejected(source: Any) -> bool:
    """Return whether `Packets` rejects a source with the error for packets; otherwise run a filter on the packets.

    Machine code, if available, reads the source first. It may see other bytes after the end of a buffer.
    """
    if llvm_is_installed():
        with suppress(cbpf.PacketError):
            _use(native_packets(source))
    try:
        packets = cbpf.Packets.of(source)
    except cbpf.PacketError as error:
        if len(str(error)) > 500 or "\n" in str(error):
            raise AssertionError(f"not one short line: {error}") from error
        return True
    _use(packets)
    return False


def _use(packets: Any) -> None:
    assert list(cbpf.VM(cbpf.parse("ld #len\nret a")).verdicts(packets)) == list(packets.lengths)
    assert sum(map(len, map(bytes, packets))) == sum(packets.lengths)


def native_packets(source: Any) -> Any:
    """Return the packets of an Arrow column, whose ranges machine code reads, however few they are."""
    return as_batch(source, NativeRangeReader)


def main() -> None:
    """Import random producers, and print the number of those that were rejected."""
    random, rounds = Random(sys.argv[1]), int(sys.argv[2])
    print(sum(is_rejected(random_producer(random)) for _ in range(rounds)))


if __name__ == "__main__":
    main()
