"""libpcap as a judge of classic BPF programs: its `bpf_validate` and `bpf_filter`, called through ctypes.

A program is a sequence of `(code, jt, jf, k)`. Nothing here knows cbpf. libpcap is no judge of constant
shifts of 32 and more, which are undefined in C, nor, in older releases, of scratch that is read before it
is written.
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
    """The system's libpcap with both functions declared, or None."""
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
    """None if a system libpcap was found, else the reason in one sentence."""
    return None if _library() else f"No usable libpcap: tried {', '.join(LIBRARIES)}."


def _loaded() -> ctypes.CDLL:
    """The library; RuntimeError where there is none."""
    library = _library()
    if library is None:
        raise RuntimeError(available())
    return library


def _packed(program: Program) -> bytes:
    """The program as an array of `struct bpf_insn`."""
    return b"".join(starmap(_INSTRUCTION.pack, program))


def accepts(program: Program) -> bool:
    """Whether `bpf_validate` accepts *program*: any one, whose fields fit (else `struct.error`)."""
    return bool(_loaded().bpf_validate(_packed(program), len(program)))


def verdict(program: Program, packet: bytes, wire_length: int | None = None) -> int:
    """What `bpf_filter` returns for *packet*, an unsigned 32-bit value.

    *wire_length*, by default the packet's length, is what `len` loads. Raises ValueError unless the program
    is accepted, has only the 49 opcodes, and jumps forward: libpcap aborts the process on others that it
    accepts, and may loop on a backward `ja`.
    """
    if not accepts(program) or not all(map(_is_harmless, program)):
        raise ValueError("libpcap cannot run this program safely")
    length = len(packet)
    wire = length if wire_length is None else wire_length
    value: int = _loaded().bpf_filter(_packed(program), packet, wire, length)
    return value


def _is_harmless(instruction: Instruction) -> bool:
    """Whether the opcode is one of the 49, and no backward jump."""
    code, _, _, k = instruction
    return code in OPCODES and (code != JA or k < 1 << 31)


def image(instruction: Instruction, index: int) -> str:
    """The line that libpcap's `bpf_image` prints for an instruction at *index* of a program."""
    function = _loaded().bpf_image
    function.restype = ctypes.c_char_p
    function.argtypes = (ctypes.c_char_p, ctypes.c_int)
    text: bytes = function(_packed([instruction]), index)
    return text.decode()
