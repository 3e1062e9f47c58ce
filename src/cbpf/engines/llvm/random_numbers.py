"""The generator SplitMix64 as machine code; `packet.skb.splitmix64` defines its numbers."""

from .ir import I32, IRValue


def splitmix64(seed: IRValue, draw: IRValue) -> IRValue:
    """Return the upper 32 bits of output *draw*, counted from 1, of the generator with a seed; both have 64 bits."""
    state = seed + draw * 0x9E37_79B9_7F4A_7C15
    state = (state ^ state >> 30) * 0xBF58_476D_1CE4_E5B9
    state = (state ^ state >> 27) * 0x94D0_49BB_1331_11EB
    return ((state ^ state >> 31) >> 32).zext_or_trunc(I32)
