"""Seeded random programs and packets for differential tests; a seed gives the same program in every Python version.

A program is a list of `(code, jt, jf, k)`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from support.random_choices import below, chance, pick

Instruction = tuple[int, int, int, int]

LOAD_IMMEDIATE: Final = (0x00, 0x01)
LOAD_LENGTH: Final = (0x80, 0x81)
LOAD_ABSOLUTE: Final = (0x20, 0x28, 0x30)
LOAD_INDIRECT: Final = (0x40, 0x48, 0x50)
LOAD_HEADER_LENGTH: Final = 0xB1
LOAD_SCRATCH: Final = (0x60, 0x61)
STORES: Final = (0x02, 0x03)
DIVISIONS_K: Final = (0x34, 0x94)
DIVISIONS_X: Final = (0x3C, 0x9C)
SHIFTS_K: Final = (0x64, 0x74)
SHIFTS_X: Final = (0x6C, 0x7C)
PLAIN_K: Final = (0x04, 0x14, 0x24, 0x44, 0x54, 0xA4)
PLAIN_X: Final = (0x0C, 0x1C, 0x2C, 0x4C, 0x5C, 0xAC)
NEGATE: Final = 0x84
JUMP: Final = 0x05
CONDITIONAL: Final = (0x15, 0x25, 0x35, 0x45, 0x1D, 0x2D, 0x3D, 0x4D)
RETURN_K: Final = 0x06
RETURN_A: Final = 0x16
MOVES: Final = (0x07, 0x87)

OPCODES: Final = (
    *(*LOAD_IMMEDIATE, *LOAD_LENGTH, *LOAD_ABSOLUTE, *LOAD_INDIRECT, LOAD_HEADER_LENGTH, *LOAD_SCRATCH),
    *(*STORES, *DIVISIONS_K, *DIVISIONS_X, *SHIFTS_K, *SHIFTS_X, *PLAIN_K, *PLAIN_X, NEGATE),
    *(JUMP, *CONDITIONAL, RETURN_K, RETURN_A, *MOVES),
)
UNDEFINED_OPCODES: Final = (0x0E, 0x8C, 0x0D, 0xA1, 0x21, 0x08, 0x68, 0x88, 0x62, 0x0F, 0x97, 0xB0, 0x100, 0x8006)
NOT_FOR_SECCOMP: Final = (*LOAD_ABSOLUTE[1:], *LOAD_INDIRECT, LOAD_HEADER_LENGTH, 0x94, 0x9C)

EXTENSION_BASE: Final = 0xFFFFF000
NETWORK_BASE: Final = 0xFFF00000
LINK_BASE: Final = 0xFFE00000
EXTENSIONS: Final = tuple(range(0, 64, 4))
CPU: Final = 36
RAND: Final = 56
UNPREDICTABLE: Final = (CPU, RAND)
PREDICTABLE: Final = tuple(number for number in EXTENSIONS if number not in UNPREDICTABLE)

SMALL_EXTREMES: Final = (0, 1, 2, 3, 15, 16, 31, 32, 33, 63, 64, 65, 0xFF, 0x100)
LARGE_EXTREMES: Final = (0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF)
EXTREMES: Final = SMALL_EXTREMES + LARGE_EXTREMES
SHIFT_COUNTS: Final = (0, 1, 8, 16, 30, 31)
WIDE_SHIFT_COUNTS: Final = (*SHIFT_COUNTS, 32, 33, 63, 64, 0x80000001, 0xFFFFFFFF)
SLOTS: Final = 16
ALL_SLOTS: Final = 0xFFFF

SYSTEM_CALL: Final = 1000
ALLOW: Final = 0x7FFF0000
ERRNO: Final = 0x00050000
KNOWN_ACTIONS: Final = (0x80000000, 0x00000000, 0x00030000, ERRNO, 0x7FC00000, 0x7FF00000, 0x7FFC0000, ALLOW)
ACTIONS: Final = (*KNOWN_ACTIONS, 0x00040000, 0x12340000, 0xFFFF0000)
# The words of struct seccomp_data that a test can predict: all except the instruction pointer at 8 and 12.
SECCOMP_OFFSETS: Final = (0, 4, *range(16, 64, 4))


# -- random operands ------------------------------------------------------------------------------------------------


def _bytes(random: Random, count: int) -> bytes:
    """Return random bytes."""
    return bytes(below(random, 256) for _ in range(count))


def _word(random: Random) -> int:
    """Return a 32-bit value: an extreme, a small one, a single bit, or any."""
    match below(random, 4):
        case 0:
            return pick(random, EXTREMES)
        case 1:
            return below(random, 256)
        case 2:
            return 1 << below(random, 32)
        case _:
            return below(random, 1 << 32)


def _offset(random: Random) -> int:
    """Return the offset of a load: mostly near the packet's start, sometimes in a header window or out of range."""
    fraction = random.random()
    if fraction < 0.9:
        return below(random, 16 if fraction < 0.7 else 80)
    if fraction < 0.96:
        return NETWORK_BASE + below(random, 40)
    if fraction < 0.97:
        return LINK_BASE + below(random, 40)
    return _word(random)


# -- building a program -------------------------------------------------------------------------------------


@dataclass
class _Builder:
    """A program of *length* instructions under construction; `emit` records the slots that every path has written."""

    random: Random
    length: int
    extensions: Sequence[int] = PREDICTABLE
    fault: float = 0.0
    """The probability that an instruction gets an invalid field."""
    careful: bool = True
    """Whether scratch slots are read only where every path has written them, as the kernel requires."""
    forbidden: Sequence[int] = UNDEFINED_OPCODES
    tail: int = 1
    """The number of instructions that the generators must leave for the end."""
    program: list[Instruction] = field(default_factory=list)
    written: int = 0
    written_at: dict[int, int] = field(default_factory=dict)

    @property
    def following(self) -> int:
        """The number of instructions after the next one."""
        return self.length - len(self.program) - 1

    @property
    def room(self) -> int:
        """The number of instructions that still fit before the tail."""
        return self.length - self.tail - len(self.program)

    def emit(self, code: int, k: int = 0, jt: int = 0, jf: int = 0) -> None:
        """Append an instruction, made invalid with probability *fault*."""
        index = len(self.program)
        self.written &= self.written_at.get(index, ALL_SLOTS)
        if code in STORES:
            self.written |= 1 << k
        elif code == JUMP or code in CONDITIONAL:
            for target in (index + 1 + k,) if code == JUMP else (index + 1 + jt, index + 1 + jf):
                self.written_at[target] = self.written_at.get(target, ALL_SLOTS) & self.written
            self.written = ALL_SLOTS
        elif chance(self.random, 0.05):
            jt, jf = below(self.random, 256), below(self.random, 256)  # ignored in instructions that are not jumps
        row = (code, jt, jf, k)
        self.program.append(self._invalidated(row) if chance(self.random, self.fault) else row)

    def _invalidated(self, row: Instruction) -> Instruction:
        """Return the next instruction with one invalid field."""
        code, jt, jf, k = row
        past = self.following + 1 + below(self.random, 3)
        if chance(self.random, 0.3):
            return pick(self.random, self.forbidden), jt, jf, k
        if code in CONDITIONAL:
            return (code, past % 256, jf, k) if chance(self.random, 0.5) else (code, jt, past % 256, k)
        if code == JUMP:
            return code, jt, jf, pick(self.random, (past, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF))
        if code in LOAD_SCRATCH or code in STORES:
            return code, jt, jf, pick(self.random, (16, 17, 0x80000000, 0xFFFFFFFF))
        if code in DIVISIONS_K:
            return code, jt, jf, 0
        if code in SHIFTS_K:
            return code, jt, jf, pick(self.random, (32, 33, 64, 0x80000000, 0xFFFFFFFF))
        if code in LOAD_ABSOLUTE:
            return code, jt, jf, EXTENSION_BASE + pick(self.random, (1, 2, 3, 5, 61, 64, 0xFFC, 0xFFF))
        return pick(self.random, self.forbidden), jt, jf, k

    def readable_slots(self) -> list[int]:
        """Return the slots that the next instruction may read."""
        if not self.careful:
            return [0, 1, 2]
        written = self.written & self.written_at.get(len(self.program), ALL_SLOTS)
        return [slot for slot in range(SLOTS) if written >> slot & 1]

    def distance(self) -> int:
        """Return a jump distance within the program, mostly short."""
        reach = min(255, self.following - 1)
        return below(self.random, 1 + (reach if chance(self.random, 0.2) else min(reach, 4)))


def _load(builder: _Builder) -> None:
    random = builder.random
    if chance(random, 0.2):
        builder.emit(pick(random, LOAD_LENGTH), pick(random, (0, _word(random))))
    else:
        builder.emit(pick(random, LOAD_IMMEDIATE), _word(random))


def _load_absolute(builder: _Builder) -> None:
    random, offset = builder.random, _offset(builder.random)
    if offset >= EXTENSION_BASE:
        offset -= EXTENSION_BASE
    builder.emit(pick(random, LOAD_ABSOLUTE), offset)


def _load_extension(builder: _Builder) -> None:
    random = builder.random
    if not builder.extensions:
        return _load_absolute(builder)
    number = pick(random, builder.extensions)
    if chance(random, 0.01):
        number = pick(random, (1, 2, 3, 5, 61, 64, 68, 0xFFC, 0xFFF))
    builder.emit(pick(random, LOAD_ABSOLUTE), EXTENSION_BASE + number)


def _load_indirect(builder: _Builder) -> None:
    random, code, offset = builder.random, pick(builder.random, LOAD_INDIRECT), _offset(builder.random)
    match below(random, 8) if builder.room > 1 else 0:
        case 1 | 2 | 3 | 4:
            builder.emit(0x01, below(random, 12))
        case 5:
            builder.emit(LOAD_HEADER_LENGTH, below(random, 16))
        case 6:  # the sum wraps, or X is in a header window
            start = pick(random, (0xFFFFFFFF, 0xFFFFFFF0, NETWORK_BASE, 0x80000000))
            builder.emit(0x01, start + below(random, 1 << 32) % min(16, (1 << 32) - start))
            offset = below(random, 24)
        case 7:
            builder.emit(0x01, 4 + below(random, 12))
            offset = 0xFFFFFFFF - below(random, 8)
    builder.emit(code, offset)


def _load_header_length(builder: _Builder) -> None:
    builder.emit(LOAD_HEADER_LENGTH, _offset(builder.random))


def _load_scratch(builder: _Builder) -> None:
    slots = builder.readable_slots()
    if not slots:
        return _store(builder)
    builder.emit(pick(builder.random, LOAD_SCRATCH), pick(builder.random, slots))


def _store(builder: _Builder) -> None:
    slot = below(builder.random, 3 if chance(builder.random, 0.7) else SLOTS)
    builder.emit(pick(builder.random, STORES), slot)


def _compute(builder: _Builder) -> None:
    random = builder.random
    match below(random, 6):
        case 0:
            builder.emit(pick(random, SHIFTS_K), pick(random, (*SHIFT_COUNTS, below(random, 32))))
        case 1:
            builder.emit(pick(random, DIVISIONS_K), _word(random) or 1)
        case _:
            builder.emit(pick(random, PLAIN_K), _word(random))


def _compute_with_x(builder: _Builder) -> None:
    random = builder.random
    code = pick(random, (*PLAIN_X, *DIVISIONS_X, *SHIFTS_X, NEGATE))
    if builder.room > 1 and (code in DIVISIONS_X or code in SHIFTS_X) and chance(random, 0.8):
        count = pick(random, WIDE_SHIFT_COUNTS)
        builder.emit(0x01, count if code in SHIFTS_X else _word(random) or 1)
    builder.emit(code, pick(random, (0, 0, _word(random))))


def _jump(builder: _Builder) -> None:
    random = builder.random
    if chance(random, 0.15):
        builder.emit(JUMP, builder.distance())
    else:
        builder.emit(pick(random, CONDITIONAL), _word(random), builder.distance(), builder.distance())


def _move(builder: _Builder) -> None:
    builder.emit(pick(builder.random, MOVES))


def _return(builder: _Builder) -> None:
    random = builder.random
    if chance(random, 0.65):
        builder.emit(RETURN_A, pick(random, (0, 0, _word(random))))
    else:
        builder.emit(RETURN_K, _word(random))


def _load_seccomp(builder: _Builder) -> None:
    builder.emit(LOAD_ABSOLUTE[0], pick(builder.random, SECCOMP_OFFSETS))


def _compute_seccomp(builder: _Builder) -> None:
    pick(builder.random, (_compute, _compute_with_x))(builder)
    code, jt, jf, k = builder.program[-1]
    if code in (0x94, 0x9C):  # seccomp accepts div, but not mod
        builder.program[-1] = (code - 0x60, jt, jf, k)


def _return_seccomp(builder: _Builder) -> None:
    random = builder.random
    builder.emit(RETURN_K, pick(random, ACTIONS) | below(random, pick(random, (1, 100, 1 << 16))))


Generator = Callable[[_Builder], None]

# Each generator appears as often as its weight.
_GENERATORS: Final[tuple[Generator, ...]] = (
    *(_load,) * 6,
    *(_load_absolute,) * 5,
    *(_load_extension,) * 3,
    *(_load_indirect,) * 3,
    *(_load_header_length,) * 1,
    *(_load_scratch,) * 5,
    *(_store,) * 5,
    *(_compute,) * 9,
    *(_compute_with_x,) * 7,
    *(_jump,) * 8,
    *(_move,) * 5,
    *(_return,) * 2,
)
_SECCOMP_GENERATORS: Final[tuple[Generator, ...]] = (
    *(_load,) * 4,
    *(_load_seccomp,) * 8,
    *(_load_scratch,) * 5,
    *(_store,) * 5,
    *(_compute_seccomp,) * 14,
    *(_jump,) * 7,
    *(_move,) * 4,
    *(_return_seccomp,) * 2,
)


def _fill(builder: _Builder, generators: Sequence[Generator]) -> None:
    """Append instructions up to the tail."""
    while builder.room > 0:
        pick(builder.random, generators)(builder)


# -- programs and packets for tests -----------------------------------------------------------------------------------


def plausible(random: Random, *, longest: int = 24, extensions: Sequence[int] = PREDICTABLE) -> list[Instruction]:
    """Return a socket filter of 1 to *longest* instructions that Linux nearly always accepts.

    *extensions* are the offsets of ancillary loads, by default all except cpu and rand; without extensions, no
    ancillary load is generated.
    """
    builder = _Builder(random, 1 + below(random, longest), extensions)
    if builder.length > 4 and chance(random, 0.5):
        builder.emit(0x01, _word(random))
        builder.emit(0x00, _word(random))
    _fill(builder, _GENERATORS)
    _return(builder)
    return builder.program


def wild(random: Random, *, longest: int = 12, extensions: Sequence[int] = PREDICTABLE) -> list[Instruction]:
    """Return a socket filter of 0 to *longest* instructions that Linux probably rejects, for any of its reasons."""
    length = min(below(random, longest * 20), 1 + below(random, longest))
    builder = _Builder(random, length, extensions, fault=pick(random, (0.03, 0.1, 0.2)), careful=False)
    _fill(builder, _GENERATORS)
    if length:
        pick(random, (*(_return,) * 9, _move))(builder)
    return builder.program


def seccomp(random: Random, *, longest: int = 20) -> list[Instruction]:
    """Return a seccomp filter of 8 to *longest* instructions that tests system call 1000 and allows all others.

    The kernel rejects about one in six. None loads the instruction pointer.
    """
    length = 8 + below(random, longest - 7)
    builder = _Builder(random, length, tail=3, forbidden=UNDEFINED_OPCODES + NOT_FOR_SECCOMP)
    builder.emit(LOAD_ABSOLUTE[0], 0)
    builder.emit(CONDITIONAL[0], SYSTEM_CALL, 1, 0)
    builder.emit(RETURN_K, ALLOW)
    builder.fault = 0.15 if chance(random, 0.2) else 0.0
    builder.careful = chance(random, 0.95)
    _fill(builder, _SECCOMP_GENERATORS)
    builder.emit(0x54, 0xFFF)
    builder.emit(0x44, ERRNO if chance(random, 0.7) else pick(random, ACTIONS))
    builder.emit(RETURN_A)
    return builder.program


def is_predictable(program: Sequence[Instruction]) -> bool:
    """Return whether no instruction loads the extensions cpu or rand."""
    unpredictable = tuple(EXTENSION_BASE + number for number in UNPREDICTABLE)
    return not any(code in LOAD_ABSOLUTE and k in unpredictable for code, _, _, k in program)


def mutated(random: Random, program: Sequence[Instruction]) -> list[Instruction]:
    """Return *program* with at most one small change, which may make it invalid, but not less predictable."""
    while True:
        changed = _mutated(random, program)
        if is_predictable(changed) or not is_predictable(program):
            return changed


def any_kind(random: Random) -> list[Instruction]:
    """Return a plausible, a wild or a mutated program."""
    choice = random.random()
    if choice < 0.5:
        return plausible(random)
    if choice < 0.8:
        return wild(random)
    return mutated(random, plausible(random))


def _mutated(random: Random, program: Sequence[Instruction]) -> list[Instruction]:
    """Return *program* with one instruction changed, removed, duplicated or exchanged with another."""
    rows = list(program)
    if not rows:
        return [(RETURN_K, 0, 0, _word(random))]
    index, other = below(random, len(rows)), below(random, len(rows))
    match below(random, 8):
        case 0:
            del rows[index]
        case 1:
            rows.insert(other, rows[index])
        case 2:
            rows[index], rows[other] = rows[other], rows[index]
        case _:
            rows[index] = _altered(random, rows[index])
    return rows


def _altered(random: Random, row: Instruction) -> Instruction:
    """Return *row* with one field changed."""
    code, jt, jf, k = row
    match below(random, 8):
        case 0:
            return pick(random, OPCODES), jt, jf, k
        case 1:
            return code ^ 1 << below(random, 16), jt, jf, k
        case 2:
            return code, below(random, 8), jf, k
        case 3:
            return code, jt, below(random, 8), k
        case 4:
            return code, jt, jf, _word(random)
        case 5:
            return code, jt, jf, k ^ 1 << below(random, 32)
        case _:
            return code, jt, jf, (k + pick(random, (-4, -1, 1, 4))) % (1 << 32)


def packet(random: Random) -> bytes:
    """Return 0 to 80 bytes: noise, one repeated byte, or the start of an Ethernet frame with ARP, IPv4 or IPv6."""
    match below(random, 8):
        case 0:
            return _bytes(random, below(random, 81))
        case 1:
            return _bytes(random, 1) * below(random, 81)
        case 2:
            return _bytes(random, below(random, 6))
        case _:
            frame = _frame(random) + _bytes(random, 80)
            return frame[: pick(random, (80, 64, 60, 42, 34, 81 - below(random, 81)))]


def _frame(random: Random) -> bytes:
    """Return an Ethernet header, sometimes a VLAN tag, and a network header."""
    addresses = pick(random, (b"\xff" * 6 + b"\x02\0\0\0\0\1", _bytes(random, 12)))
    tag = b"\x81\x00" + _bytes(random, 2) if chance(random, 0.15) else b""
    kinds = ((b"\x08\x06", _arp), (b"\x08\x00", _ipv4), (b"\x08\x00", _ipv4), (b"\x86\xdd", _ipv6))
    kind, body = pick(random, kinds)
    return addresses + tag + kind + body(random)


def _arp(random: Random) -> bytes:
    """Return an ARP request or reply for IPv4 over Ethernet."""
    return b"\x00\x01\x08\x00\x06\x04\x00" + pick(random, (b"\1", b"\2")) + _bytes(random, 20)


def _ipv4(random: Random) -> bytes:
    """Return an IPv4 header of 20 to 60 bytes and the start of TCP, UDP or ICMP; sometimes a later fragment."""
    words = pick(random, (5, 5, 5, 6, 15))
    fragment = pick(random, (b"\0\0", b"\x40\0", b"\x20\0", b"\0\xb9"))
    start = bytes((0x40 | words, 0, 0, 60)) + _bytes(random, 2) + fragment
    protocol = bytes((64, pick(random, (1, 6, 17, 132))))
    addresses = b"\0\0" + pick(random, (b"\x7f\0\0\1" * 2, b"\x0a\0\0\1\x0a\0\0\2", _bytes(random, 8)))
    return start + protocol + addresses + _bytes(random, 4 * words - 20) + _transport(random)


def _ipv6(random: Random) -> bytes:
    """Return an IPv6 header and the start of TCP, UDP or ICMPv6."""
    start = b"\x60\0\0\0\0\x14" + bytes((pick(random, (6, 17, 58)), 64))
    return start + _bytes(random, 32) + _transport(random)


def _transport(random: Random) -> bytes:
    """Return two ports, often well-known ones, and some bytes."""
    ports = (22, 53, 67, 80, 443, below(random, 1 << 16))
    return b"".join(pick(random, ports).to_bytes(2, "big") for _ in range(2)) + _bytes(random, 16)
