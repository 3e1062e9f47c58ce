"""The measurements at the start of a program: the lengths of headers that vary from packet to packet.

They run before everything else if any primitive refers to a measured position, and reject packets that are too short.
"""

from ..._typing import Final
from ...isa.opcodes import Action
from .conditions import Condition, Effect, all_of, any_of, equals, has_bits, negation
from .context import Context
from .link_layers import AVS, PFLOG, PPI, PRISM, RADIOTAP
from .steps import (
    A_TO_X,
    X_TO_A,
    Steps,
    absolute,
    add,
    arithmetic,
    constant,
    constant_to_x,
    indirect,
    mask,
    scratch_to_a,
    store_a,
)

_PPI_OF_80211: Final = 0x69000000  # DLT_IEEE802_11 as a little-endian number, in a PPI header
_WLAN_HEADER: Final = 24  # bytes, with three addresses
_QOS: Final = 2
_PRISM_LENGTH: Final = 144

# Radiotap: the bits of it_present, whose bytes are loaded in big-endian order
_MORE_WORDS: Final = 0x00000080
_HAS_TSFT: Final = 0x01000000
_HAS_FLAGS: Final = 0x02000000
_PADDING: Final = 0x20  # IEEE80211_RADIOTAP_F_DATAPAD


def prologue(context: Context) -> Condition:
    """Return the condition that measures the positions of the generated primitives, and is false for other packets."""
    measures_payload, measures_link = "payload" in context.slots, "link header" in context.slots
    link_type = context.headers.link_type
    parts: list[Condition] = []
    if "tag" in context.slots:
        parts.append(Effect((constant(0), store_a(context.slots["tag"]))))
    if link_type == PPI:
        parts.append(equals((absolute(4, 4),), _PPI_OF_80211))
    if measures_link or (measures_payload and context.target.dlt in (PRISM, RADIOTAP, AVS, PPI)):
        parts.append(_measure_link(context))
    if measures_payload:
        if context.target.dlt == PFLOG:
            steps = (absolute(0, 1), add(3), mask(0xFFFFFFFC), store_a(context.slots["payload"]))
            parts.append(Effect(steps))
        else:
            parts.append(_measure_payload(context))
    return all_of(parts)


def _measure_link(context: Context) -> Condition:
    """Return the effect of storing the start of the link header after a radio header, also in X."""
    slot = context.slots.get("link header")
    store: Steps = (A_TO_X,) if slot is None else (store_a(slot), A_TO_X)
    link_type = context.target.dlt
    if link_type == AVS:
        return Effect((absolute(4, 4), *store))
    if link_type == PRISM:
        is_avs = equals((absolute(0, 4),), 0x80211000, 0xFFFFF000)
        return any_of((all_of((is_avs, Effect((absolute(4, 4), *store)))), Effect((constant(_PRISM_LENGTH), *store))))
    little_endian = (absolute(3, 1), arithmetic(Action.SHIFT_LEFT, 8), A_TO_X, absolute(2, 1), arithmetic(Action.OR))
    return Effect((*little_endian, *store))


def _measure_payload(context: Context) -> Condition:
    """Return the effect of storing the start of the payload of an IEEE 802.11 frame, whose start is in X."""
    slot = context.slots["payload"]
    start: Steps = (constant_to_x(0),) if context.target.dlt not in (PRISM, RADIOTAP, AVS, PPI) else ()
    frame_control: Steps = (*start, X_TO_A, add(_WLAN_HEADER), store_a(slot), indirect(0, 1))
    is_qos = has_bits((), 0x80)  # of the byte in A
    more = Effect((scratch_to_a(slot), add(_QOS), store_a(slot)))
    optional = [any_of((all_of((is_qos, more)), True))]
    if context.headers.link_type == RADIOTAP:
        padded = Effect((scratch_to_a(slot), add(3), mask(0xFFFFFFFC), store_a(slot)))
        optional.append(any_of((all_of((_is_padded(), padded)), True)))
    is_data = all_of((has_bits(frame_control, 8), negation(has_bits((), 4))))
    return any_of((all_of((is_data, *optional)), True))


def _is_padded() -> Condition:
    """Return the condition that a radiotap header states that the IEEE 802.11 header is padded to words."""
    present = (absolute(4, 4),)
    has_flags = all_of((has_bits(present, _HAS_FLAGS), negation(has_bits((), _MORE_WORDS))))
    has_tsft = has_bits(present, _HAS_TSFT)
    behind_tsft, first = (has_bits((absolute(offset, 1),), _PADDING) for offset in (16, 8))
    return all_of((has_flags, any_of((all_of((has_tsft, behind_tsft)), all_of((negation(has_tsft), first))))))
