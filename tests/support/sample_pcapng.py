"""Pcapng captures with blocks of every kind."""

from __future__ import annotations

from typing import Final

from support.captures import Pcapng

SECOND: Final = 1_000_000_000  # nanoseconds
COMMENT: Final = 1  # the code of an option

FRAME: Final = bytes.fromhex("ffffffffffff 020000000001 0806") + bytes(50)  # ARP
PACKET: Final = bytes.fromhex("45000014 00000000 40110000 7f000001 7f000001")  # IPv4 of RAW

# Resolution code, offset in seconds, units, and the resulting time in nanoseconds
TIMES: Final = [
    (6, 0, 1_700_000_000_123_456, 1_700_000_000_123_456_000),
    (9, 0, 2**64 - 1, 2**64 - 1),
    (9, 10, 1, 10 * SECOND + 1),
    (0, -5, 3, -2 * SECOND),
    (12, 0, 1_999, 1),
    (0x80, 0, 7, 7 * SECOND),
    (0x80 | 10, 0, 1025, SECOND + 976_562),
    (0x80 | 63, 0, 2**64 - 1, 2 * SECOND - 1),
    (127, 2**62, 2**64 - 1, 2**62 * SECOND),
]


def blocks_of_all_kinds(build: Pcapng) -> list[bytes]:
    """Return blocks of every kind; the packets are blocks 4 (ARP), 6, 8 (IPv4 of RAW) and 9."""
    return [
        build.section(options=build.options((COMMENT, b"a section"))),
        build.block(0x0A, b"TLSK" + bytes(12)),  # decryption secrets
        build.interface(options=build.options((2, b"eth0"), (COMMENT, b"near"))),
        build.interface(linktype=101, options=build.resolution(9)),
        build.enhanced(FRAME, options=build.options((COMMENT, b"who has?"))),
        build.block(4, bytes(4)),  # name resolution
        build.enhanced(bytes(60), time=77),
        build.block(0x0BAD, b"any custom block"),
        build.enhanced(PACKET, interface=1),
        build.simple(bytes(60)),
        build.block(5, bytes(12)),  # interface statistics
        build.block(0xFFFF_FFFF, b""),
    ]


def without_blocks(blocks: list[bytes], *indices: int) -> bytes:
    """Return a capture of these blocks without those at the indices."""
    return b"".join(block for index, block in enumerate(blocks) if index not in indices)
