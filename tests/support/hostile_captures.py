"""Captures with misleading record boundaries, and damaged captures.

Captures with misleading boundaries are valid. Their packets contain bytes that look like records: complete captures,
chains of record headers in or out of step with the actual records, chains that end at the start of an actual record,
and chains that never do. This module is independent of cbpf.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias

from support.captures import KUZNETZOV, NANOSECONDS, TRAFFIC, Pcapng, Record, Variant, as_pcapng, decoded, encoded

SECONDS: Final = 1_700_000_000  # the time of the first packet

Build: TypeAlias = Callable[[Random, str], bytes]
"""Returns a capture, given a source of randomness and a byte order."""

TRAFFIC_RECORDS: Final = decoded(TRAFFIC.read_bytes())


def traffic(random: Random, count: int) -> list[Record]:
    """Return *count* packets of realistic traffic; 5 % of them are truncated, some to no byte at all."""
    records = []
    for index, record in enumerate(random.choices(TRAFFIC_RECORDS, k=count)):
        record = record._replace(seconds=SECONDS + index // 9)
        if random.random() < 0.05:
            record = record._replace(data=record.data[: random.choice((0, 1, 14, 60))])
        records.append(record)
    return records


# pcap


def header(byte_order: str, captured: int, wire: int | None = None, seconds: int = SECONDS) -> bytes:
    """Return a record header of a pcap."""
    return struct.pack(f"{byte_order}IIII", seconds, 7, captured, captured if wire is None else wire)


def chain(byte_order: str, size: int, step: int) -> bytes:
    """Return records of *step* bytes each, whose packets are zeros, truncated to *size* bytes in total."""
    return ((header(byte_order, step - 16) + bytes(step - 16)) * (size // step + 1))[:size]


def pcap(byte_order: str, payloads: Sequence[bytes], seconds: int = SECONDS) -> bytes:
    """Return a pcap of these packets."""
    records = [Record(seconds and seconds + index // 50, 0, len(data), data) for index, data in enumerate(payloads)]
    return encoded(records, Variant(byte_order))


def complete_captures_inside(random: Random, byte_order: str) -> bytes:
    inner = [encoded(traffic(random, random.randint(1, 90)), Variant(byte_order)) for _ in range(40)]
    return pcap(byte_order, [bytes(random.randrange(70)) + data for data in inner])


def long_chains_inside(random: Random, byte_order: str) -> bytes:
    payloads = [chain(byte_order, random.randint(2_000, 60_000), random.choice((17, 20, 61, 99))) for _ in range(12)]
    return pcap(byte_order, payloads)


def chains_that_merge(random: Random, byte_order: str) -> bytes:
    """Return packets whose chain ends with a record that skips actual ones and ends where one of these ends."""
    leaps, step = random.randint(0, 3), 80
    size = step * random.randint(2, 40)
    beyond = leaps * (16 + size)
    last = header(byte_order, step - 16 + beyond)
    payload = chain(byte_order, size - step, step) + last + bytes(step - 16)
    return pcap(byte_order, [payload] * random.randint(10, 90))


def chains_that_never_merge(random: Random, byte_order: str) -> bytes:
    """Return packets with a header whose record ends at the header in the next packet: two parallel chains."""
    size = random.randint(100, 3_000)
    offset = random.randrange(size - 15)
    payload = bytes(offset) + header(byte_order, size) + bytes(size - offset - 16)
    return pcap(byte_order, [payload] * random.randint(5, 300_000 // size))


def many_chains_side_by_side(random: Random, byte_order: str) -> bytes:
    """Return packets full of headers, each in a chain of its own; only one chain is the actual one."""
    size = 16 * random.randint(3, 60)
    return pcap(byte_order, [header(byte_order, size) * (size // 16)] * random.randint(20, 200_000 // size))


def equal_words(random: Random, byte_order: str) -> bytes:
    """Return packets of equal words and times in 1970, which may be lengths: headers at three of four positions."""
    word = random.choice((b"\0\1\0\0", b"\0\0\1\0", b"\0\1\1\0", b"\0\0\0\1"))
    payloads = [word * random.randint(1, 3_000) for _ in range(60)]
    records = [Record(256, 256, len(data), data) for data in payloads]
    return encoded(records, Variant(byte_order))


def zeros_from_1970(random: Random, byte_order: str) -> bytes:
    return pcap(byte_order, [bytes(random.choice((0, 1, 16, 17, 60, 5_000))) for _ in range(200)], seconds=0)


def nothing_but_headers(random: Random, byte_order: str) -> bytes:
    """Return empty packets, whose records are headers, and packets of one header, whose record is as long as theirs."""
    return pcap(byte_order, [random.choice((b"", header(byte_order, 16))) for _ in range(random.randint(1, 3_000))])


def equal_lengths(random: Random, byte_order: str) -> bytes:
    size = random.choice((1, 16, 60, 1_500))
    return pcap(byte_order, [random.randbytes(size) for _ in range(random.randint(1, 150_000 // (size + 16)))])


def chains_over_everything(random: Random, byte_order: str) -> bytes:
    """Return a capture with a packet that is most of it: a chain that ends where the packet ends, or a byte before."""
    payload = chain(byte_order, 60 * random.randint(1_000, 4_000), 60) + bytes(random.randrange(2))
    records = traffic(random, random.randrange(100))
    records.insert(random.randint(0, len(records)), Record(SECONDS, 0, len(payload), payload))
    return encoded(records, Variant(byte_order))


def leaps_over_everything(random: Random, byte_order: str) -> bytes:
    """Return packets with headers whose records extend over several packets, each to another such header or the end."""
    size = 4_000
    count = random.randint(8, 50)
    distance = random.randint(2, 7) * (size + 16)
    payload = (header(byte_order, distance - 16) + bytes(84)) * (size // 100)
    return pcap(byte_order, [payload] * count)


# pcapng


def pcapng(byte_order: str, payloads: Sequence[bytes]) -> bytes:
    """Return a pcapng of these packets, with one interface."""
    build = Pcapng(byte_order)
    return build.section() + build.interface() + b"".join(build.enhanced(data, time=SECONDS << 20) for data in payloads)


def complete_pcapngs_inside(random: Random, byte_order: str) -> bytes:
    inner = [as_pcapng(traffic(random, random.randint(1, 60)), byte_order) for _ in range(40)]
    return pcapng(byte_order, [bytes(4 * random.randrange(9)) + data for data in inner])


def blocks_inside(random: Random, byte_order: str) -> bytes:
    """Return packets that consist of blocks, including sections, interfaces and packets without a trailer."""
    build = Pcapng(byte_order)
    other = Pcapng("<>"[byte_order == "<"])
    pieces = [build.enhanced(bytes(random.randrange(90))) for _ in range(50)]
    pieces += [build.section(), build.interface(101), build.simple(bytes(9)), other.section(), other.enhanced(bytes(8))]
    pieces += [build.enhanced(bytes(40))[:-4] + b"none", build.enhanced(bytes(8), interface=1), build.block(9, b"")]
    return pcapng(byte_order, [b"".join(random.choices(pieces, k=random.randint(1, 120))) for _ in range(40)])


def fake_block(byte_order: str, length: int) -> bytes:
    """Return the start of an enhanced packet block of *length* bytes, without options."""
    return struct.pack(f"{byte_order}IIIIIII", 6, length, 0, SECONDS >> 12, 0, length - 32, length - 32)


def blocks_side_by_side(random: Random, byte_order: str) -> bytes:
    """Return packets with a block that ends within the next packet, where its trailer and another such block are."""
    size = 4 * random.randint(20, 600)
    length = size + 32
    offset = 4 * random.randrange(1, size // 4 - 7)
    trailer = struct.pack(f"{byte_order}I", length)
    payload = (bytes(offset - 4) + trailer + fake_block(byte_order, length)).ljust(size, b"\0")
    return pcapng(byte_order, [payload] * random.randint(5, 300_000 // size))


def blocks_that_merge(random: Random, byte_order: str) -> bytes:
    """Return packets whose chain ends with a block that ends where an actual one ends, but has no trailer."""
    chained = Pcapng(byte_order).enhanced(bytes(4 * random.randrange(20))) * random.randint(4, 30)
    rest = 4 * random.randint(8, 50)
    leaps = random.randint(0, 3)
    length = rest + 4 + leaps * (32 + len(chained) + rest)
    return pcapng(byte_order, [chained + fake_block(byte_order, length).ljust(rest, b"\0")] * random.randint(10, 90))


def blocks_of_all_kinds(random: Random, byte_order: str) -> bytes:
    """Return sections of both byte orders, late interfaces, all kinds of packets, and blocks without a packet."""
    parts: list[bytes] = []
    for order in random.choices("<>", k=random.randint(1, 4)):
        parts += _section_of_all_kinds(random, Pcapng(order))
    return b"".join([Pcapng(byte_order).section(), *parts])


def _section_of_all_kinds(random: Random, build: Pcapng) -> list[bytes]:
    parts, interfaces = [build.section()], 0
    for record in traffic(random, random.randint(1, 400)):
        if not interfaces or random.random() < 0.01:
            parts.append(build.interface(random.choice((1, 101, 113)), random.choice((0, 2_000, 65_535))))
            interfaces += 1
        data = record.data[:2_000]
        interface = random.randrange(interfaces)
        match random.randrange(8):
            case 0:
                parts.append(build.simple(data))
            case 1:
                parts.append(build.obsolete(data, interface=interface, wire_length=record.wire_length))
            case 2:
                parts.append(build.block(random.choice((4, 5, 0x0BAD, 0xFFFF_FFFF)), data))
            case _:
                options = random.choice((b"", build.options((1, b"a comment"))))
                parts.append(build.enhanced(data, interface=interface, options=options))
    return parts


MISLEADING_CAPTURES: Final[dict[str, Build]] = {
    "complete captures inside": complete_captures_inside,
    "long chains inside": long_chains_inside,
    "chains that merge": chains_that_merge,
    "chains that never merge": chains_that_never_merge,
    "many chains side by side": many_chains_side_by_side,
    "equal words": equal_words,
    "zeros from 1970": zeros_from_1970,
    "nothing but headers": nothing_but_headers,
    "equal lengths": equal_lengths,
    "chains over everything": chains_over_everything,
    "leaps over everything": leaps_over_everything,
    "complete pcapngs inside": complete_pcapngs_inside,
    "blocks inside": blocks_inside,
    "blocks side by side": blocks_side_by_side,
    "blocks that merge": blocks_that_merge,
    "blocks of all kinds": blocks_of_all_kinds,
}


# Damage


def valid_capture(random: Random) -> bytes:
    """Return a valid capture of realistic traffic, or one with misleading boundaries."""
    order = random.choice("<>")
    match random.randrange(10):
        case 0:
            return random.choice(list(MISLEADING_CAPTURES.values()))(random, order)
        case 1 | 2:
            return blocks_of_all_kinds(random, order)
        case 3:
            return as_pcapng(traffic(random, random.randint(1, 600)), order)
        case _:
            magic = random.choice((0xA1B2C3D4, NANOSECONDS, KUZNETZOV))
            version = random.choice(((2, 4), (2, 4), (2, 2), (2, 3), (543, 0)))
            snaplen = random.choice((262_144, 262_144, 0, 700, 0x7FFF_FFFF))
            variant = Variant(order, magic, version, snaplen)
            return encoded(traffic(random, random.randint(1, 600)), variant)


def bits_flipped(random: Random, capture: bytes) -> bytes:
    data = bytearray(capture)
    for _ in range(random.choice((1, 1, 3, 30))):
        data[random.randrange(24, len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def truncated(random: Random, capture: bytes) -> bytes:
    return capture[: random.randrange(24, len(capture))]


def changed_word(random: Random, capture: bytes) -> bytes:
    """Overwrite a word with one that may be a length or a block type."""
    words = (0, 1, 11, 12, 31, 59, 700, 701, 262_144, 262_145, 1 << 24, (1 << 24) + 4, 0x7FFF_FFFF, 0xFFFF_FFFF, 6, 3)
    offset = random.randrange(24, max(25, len(capture) - 4))
    word = struct.pack(random.choice("<>") + "I", random.choice(words))
    return capture[:offset] + word + capture[offset + 4 :]


def changed_lengths(random: Random, capture: bytes) -> bytes:
    """Replace the lengths of a record of a pcap; change a word of a pcapng."""
    order = ">" if capture[0] == 0xA1 else "<"
    if capture[0] == 0x0A:
        return changed_word(random, capture)
    position, starts = 24, []
    while position + 16 <= len(capture):
        starts.append(position)
        first, second = struct.unpack_from(f"{order}II", capture, position + 8)
        position += 16 + min(first, second)
    offset = random.choice(starts or [24]) + 8
    lengths = [random.choice((0, 1, 60, 699, 701, 65_536, 262_144, 262_145, 1 << 31, 0xFFFF_FFFF)) for _ in range(2)]
    return capture[:offset] + struct.pack(f"{order}II", *lengths) + capture[offset + 8 :]


def garbage_between(random: Random, capture: bytes) -> bytes:
    offset = random.randrange(24, len(capture) + 1)
    garbage = random.choice((random.randbytes, bytes))(random.choice((1, 4, 16, 90, 5_000)))
    return capture[:offset] + garbage + capture[offset:]


def bytes_missing(random: Random, capture: bytes) -> bytes:
    offset = random.randrange(24, len(capture))
    return capture[:offset] + capture[offset + random.choice((1, 4, 16, 90, 5_000)) :]


DAMAGES: Final = (bits_flipped, truncated, changed_word, changed_lengths, garbage_between, bytes_missing)


def damaged(random: Random) -> bytes:
    """Return a capture that is valid up to its damage, if any."""
    capture = valid_capture(random)
    for _ in range(random.choice((0, 1, 1, 1, 2))):
        if len(capture) > 24:
            capture = random.choice(DAMAGES)(random, capture)
    return capture
