"""libpcap as a reference for classic BPF programs: its `bpf_validate` and `bpf_filter`, called through ctypes.

A program is a sequence of `(code, jt, jf, k)`. This module uses nothing of cbpf. libpcap is not a reference for
constant shifts of 32 or more, which are undefined in C; nor, in older releases, for reads of unwritten scratch slots.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from functools import cache
from itertools import starmap
from typing import Final

Instruction = tuple[int, int, int, int]
Program = Sequence[Instruction]

LIBRARIES: Final = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
JA: Final = 0x05
OPCODES: Final = frozenset(
    bytes.fromhex(
        "00 20 28 30 40 48 50 60 80 01 61 81 b1 02 03 04 14 24 34 44 54 64 74 94 a4"
        "0c 1c 2c 3c 4c 5c 6c 7c 9c ac 84 05 15 25 35 45 1d 2d 3d 4d 06 16 07 87"
    )
)

_INSTRUCTION: Final = struct.Struct("HBBI")


@cache
def _library() -> ctypes.CDLL | None:
    """Return the system's libpcap with both functions declared, or None."""
    for name in LIBRARIES:
        try:
            library = ctypes.CDLL(name)
            library.bpf_filter.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint, ctypes.c_uint)
            library.bpf_filter.restype = ctypes.c_uint
            library.bpf_validate.argtypes = (ctypes.c_char_p, ctypes.c_int)
            library.bpf_validate.restype = ctypes.c_int
        except (OSError, AttributeError):
            continue
        return library
    return None


def available() -> str | None:
    """Return None if the system has libpcap, else the reason in one sentence."""
    return None if _library() else f"No usable libpcap: tried {', '.join(LIBRARIES)}."


def _loaded() -> ctypes.CDLL:
    """Return the library; raise RuntimeError if there is not one."""
    library = _library()
    if library is None:
        raise RuntimeError(available())
    return library


def _packed(program: Program) -> bytes:
    """Return the program as an array of `struct bpf_insn`."""
    return b"".join(starmap(_INSTRUCTION.pack, program))


def accepts(program: Program) -> bool:
    """Return whether `bpf_validate` accepts *program*; raise `struct.error` if a number does not fit its field."""
    return bool(_loaded().bpf_validate(_packed(program), len(program)))


def verdict(program: Program, packet: bytes, wire_length: int | None = None) -> int:
    """Return the unsigned 32-bit result of `bpf_filter` for *packet*.

    `len` loads *wire_length*, by default the packet's length. Raise ValueError unless libpcap accepts the program, and
    it has only the 49 opcodes and forward jumps: libpcap accepts other opcodes, but aborts the process on them, and a
    backward `ja` may loop forever.
    """
    if not accepts(program) or not all(map(_is_harmless, program)):
        raise ValueError("libpcap cannot run this program safely")
    length = len(packet)
    wire = length if wire_length is None else wire_length
    value: int = _loaded().bpf_filter(_packed(program), packet, wire, length)
    return value


def _is_harmless(instruction: Instruction) -> bool:
    """Return whether the opcode is one of the 49, and the instruction not a backward jump."""
    code, _, _, k = instruction
    return code in OPCODES and (code != JA or k < 1 << 31)


def image(instruction: Instruction, index: int) -> str:
    """Return the line that libpcap's `bpf_image` prints for an instruction at *index* of a program."""
    function = _loaded().bpf_image
    function.restype = ctypes.c_char_p
    function.argtypes = (ctypes.c_char_p, ctypes.c_int)
    text: bytes = function(_packed([instruction]), index)
    return text.decode()
