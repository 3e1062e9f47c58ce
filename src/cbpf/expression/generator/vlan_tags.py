"""VLAN tags (IEEE 802.1Q): in the bytes of a packet, or in the metadata that Linux has of a live packet.

Linux removes the outer tag of a received frame before a packet socket sees the frame (packet(7)). A frame that is sent
may have it in its bytes, so the program of a live socket looks for it in both places.
"""

from ..._typing import Final
from ...isa.enumerations import Extension
from ..lexer import Token
from .conditions import Condition, Effect, all_of, any_of, equals, negation
from .context import Context
from .link_layers import COOKED, ETHERNET, PPI, WIRELESS, Offset
from .payload_types import TAG_TYPES, payload_is
from .steps import Steps, constant, extension, store_a

_TAG_LENGTH: Final = 4
_MAX_IDENTIFIER: Final = 0x0FFF
_IDENTIFIER: Final = 0x0FFF
"""The bits of the identifier in a tag; the others are the priority and the drop eligibility."""
_OF_ANY: Final = "it is that of the interface 'any'; capture on one interface, such as eth0, to test VLAN tags"

_IS_REMOVED: Final = equals((extension(Extension.VLAN_TAG_PRESENT),), 1)
_REMOVED_TAG: Final[Steps] = (extension(Extension.VLAN_TAG),)


def vlan(context: Context, tag: Token | None) -> Condition:
    """Return the condition of a VLAN tag; later primitives refer to the headers after the tag."""
    headers = context.headers
    if headers.labels:
        context.reject(
            "nesting", "'vlan' cannot follow 'mpls'", "VLAN tags are before the MPLS labels, so write 'vlan' first"
        )
    if headers.link_type not in ETHERNET | WIRELESS - {PPI}:
        context.reject(
            "link-type",
            f"link type {context.link_type_name} has no VLAN tags",
            _OF_ANY if headers.link_type in COOKED else "only Ethernet and IEEE 802.11 have them",
        )
    context.check_range(tag, "VLAN", _MAX_IDENTIFIER)
    if context.may_lack_tag:
        return _outer_tag_of_live_packet(context, tag)
    is_tag = any_of([payload_is(context, number) for number in TAG_TYPES])
    condition = all_of((is_tag, _is_identifier(context.network(0, 2), tag)))
    context.headers = headers._replace(
        type_field=headers.type_field.plus(_TAG_LENGTH), payload=headers.payload.plus(_TAG_LENGTH)
    )
    return condition


def _is_identifier(steps: Steps, tag: Token | None) -> Condition:
    return True if tag is None else equals(steps, tag.value, _IDENTIFIER)


def _outer_tag_of_live_packet(context: Context, tag: Token | None) -> Condition:
    """Return the condition of the outer tag of a live packet.

    If the tag is not in the metadata, later primitives look 4 bytes further, as in a capture; as in libpcap, only where
    this condition has been tested.
    """
    headers = context.headers
    is_tag = any_of([equals(context.load(headers.type_field, 0, 2), number) for number in TAG_TYPES])
    move = Effect((constant(_TAG_LENGTH), store_a(context.slot_of("tag"))))
    in_bytes = all_of((move, is_tag, _is_identifier(context.network(0, 2), tag)))
    context.headers = headers._replace(
        type_field=Offset(headers.type_field.constant, "tag"), payload=Offset(headers.payload.constant, "tag")
    )
    if tag is None:
        return any_of((_IS_REMOVED, in_bytes))
    removed = all_of((_IS_REMOVED, _is_identifier(_REMOVED_TAG, tag)))
    return any_of((removed, all_of((negation(_IS_REMOVED), in_bytes))))
