"""Synthetic captures of any size, equal on every machine: TCP, UDP, ARP, IPv6 and VLAN, about 620 bytes per record.

50,000 distinct packets repeat with increasing times. Half of their payload is text, half is random.
"""

import struct
from itertools import count as count_from
from pathlib import Path
from random import Random
from typing import Final

BLOCK: Final = 50_000
FILE_HEADER: Final = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, 1)
_RECORD: Final = struct.Struct("<IIII")
_TIME: Final = struct.Struct("<II")
START: Final = 1_700_000_000_000_000  # microseconds
GAP: Final = 7  # microseconds between packets

_PORTS: Final = (443, 80, 53, 22, 8080, 12_345, 50_000)
_PAYLOADS: Final = (0, 0, 20, 60, 100, 300, 600, 1000, 1400, 1460, 1460)
_FLAGS: Final = (0x10, 0x10, 0x18, 0x02, 0x12, 0x11)
_TCP, _UDP = 6, 17
_POOL_SIZE: Final = 8 << 20
_WORDS: Final = (
    b"GET HTTP/1.1 Host: Accept: text/html content-length: 200 OK the packet of a filter and what it keeps".split()
)


def packets(count: int = BLOCK) -> list[bytes]:
    """Return the first packets of the block."""
    random = Random(1)
    pool = _pool(random)
    return [_packet(random, pool) for _ in range(count)]


def write(path: Path, packet_count: int) -> None:
    """Write a pcap of *packet_count* packets: Ethernet, little-endian, microseconds."""
    block = packets(min(packet_count, BLOCK))
    buffer = bytearray().join(_RECORD.pack(0, 0, len(packet), len(packet)) + packet for packet in block)
    positions = [0]
    for packet in block:
        positions.append(positions[-1] + _RECORD.size + len(packet))
    times = count_from(START, GAP)
    with path.open("wb") as file:
        file.write(FILE_HEADER)
        for first in range(0, packet_count, len(block)):
            block_count = min(len(block), packet_count - first)
            for position, time in zip(positions[:block_count], times, strict=False):
                _TIME.pack_into(buffer, position, *divmod(time, 1_000_000))
            file.write(memoryview(buffer)[: positions[block_count]])


def _pool(random: Random) -> bytes:
    """Return the bytes from which payloads are taken: alternating 2 KiB of random bytes and of text."""
    pool = bytearray()
    while len(pool) < _POOL_SIZE:
        text = b" ".join(_WORDS[random.randrange(len(_WORDS))] for _ in range(400))
        pool += text[:2048] + random.randbytes(2048)
    return bytes(pool)


def _packet(random: Random, pool: bytes) -> bytes:
    kind = random.random()
    if kind < 0.05:
        return _ethernet(random, 0x0806, random.randbytes(28))
    protocol = _TCP if random.random() < 0.7 else _UDP
    size = _PAYLOADS[random.randrange(len(_PAYLOADS))]
    start = random.randrange(len(pool) - size)
    segment = _segment(random, protocol, pool[start : start + size])
    if kind < 0.2:
        header = struct.pack(">IHBB", 0x6000_0000, len(segment), protocol, 64)
        return _ethernet(random, 0x86DD, header + random.randbytes(32) + segment)
    version_4 = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(segment), random.getrandbits(16), 0, 64, protocol, 0)
    packet = version_4 + random.randbytes(8) + segment
    if kind < 0.25:
        return _ethernet(random, 0x8100, struct.pack(">HH", 5, 0x0800) + packet)
    return _ethernet(random, 0x0800, packet)


def _ethernet(random: Random, kind: int, payload: bytes) -> bytes:
    return random.randbytes(12) + struct.pack(">H", kind) + payload


def _segment(random: Random, protocol: int, payload: bytes) -> bytes:
    ports = [_PORTS[random.randrange(len(_PORTS))], random.randrange(1024, 65_535)]
    if random.random() < 0.5:
        ports.reverse()
    if protocol == _UDP:
        return struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload
    sequence, acknowledgement = random.getrandbits(32), random.getrandbits(32)
    flags = _FLAGS[random.randrange(len(_FLAGS))]
    return struct.pack(">HHIIBBHHH", *ports, sequence, acknowledgement, 0x50, flags, 65_000, 0, 0) + payload
