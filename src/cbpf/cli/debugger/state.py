"""The state of the machine before an instruction, as expressions of commands see it."""

from __future__ import annotations

from ..._named_tuple import NamedTuple
from ..._typing import Final, Literal
from .errors import DebuggerError

SCRATCH_SLOTS: Final = 16
"""The number of scratch slots."""


class Unavailable(Exception):
    """A value that does not exist: a byte past the end of the packet, or a division by zero."""


class PacketBytes(NamedTuple):
    """The bytes of a packet as the program sees them.

    Args:
        data: The captured bytes.
        wire_length: The length on the wire, in bytes.
        byte_order: The byte order of loads.
    """

    data: bytes
    wire_length: int
    byte_order: Literal["big", "little"]

    def number(self, offset: int, size: int) -> int:
        """Return the number of *size* bytes at an offset; raise `Unavailable` if one is past the end."""
        if offset + size > len(self.data):
            place = f"packet[{offset}]" if size == 1 else f"packet[{offset}:{size}]"
            raise Unavailable(f"{place} is past the end of the {len(self.data):,} captured bytes")
        return int.from_bytes(self.data[offset : offset + size], self.byte_order)


def check_slot(slot: int) -> int:
    """Return the number of a scratch slot; raise `DebuggerError` if it does not exist."""
    if slot >= SCRATCH_SLOTS:
        raise DebuggerError(f"M[{slot}] does not exist: slots are M[0] to M[{SCRATCH_SLOTS - 1}]")
    return slot


class State(NamedTuple):
    """The registers and the scratch slots before an instruction, and the packet."""

    a: int
    x: int
    scratch: tuple[int, ...]
    packet: PacketBytes


def state_with(a: int) -> State:
    """Return a state with a number in A, for expressions that read nothing else."""
    return State(a, 0, (0,) * SCRATCH_SLOTS, PacketBytes(b"", 0, "big"))
