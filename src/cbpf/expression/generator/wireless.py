"""IEEE 802.11: `type`, `subtype` and `dir`; and `llc`, the types of LLC frames (IEEE 802.2)."""

from ..._typing import Final
from ..lexer import Token
from .conditions import Condition, all_of, equals, has_bits, negation
from .context import Context
from .link_layers import ATM_RFC1483, DSA_TAGS, EN10MB, FDDI, IEEE802, SUNATM, WIRELESS
from .payload_types import has_length_field, is_data_frame, is_llc_over_atm

_TYPE_BITS: Final = 0x0C
_SUBTYPE_BITS: Final = 0xF0

_TYPES: Final = {"mgt": 0, "management": 0, "ctl": 4, "control": 4, "data": 8}

_REQUESTS: Final = {
    "assoc-req": 0,
    "assoc-resp": 0x10,
    "reassoc-req": 0x20,
    "reassoc-resp": 0x30,
    "probe-req": 0x40,
    "probe-resp": 0x50,
}
_SUBTYPES: Final = {
    0: {
        **_REQUESTS,
        **{name.replace("-", ""): number for name, number in _REQUESTS.items()},
        "beacon": 0x80,
        "atim": 0x90,
        "disassoc": 0xA0,
        "disassociation": 0xA0,
        "auth": 0xB0,
        "authentication": 0xB0,
        "deauth": 0xC0,
        "deauthentication": 0xC0,
    },
    4: {
        "bar": 0x80,
        "ba": 0x90,
        "ps-poll": 0xA0,
        "rts": 0xB0,
        "cts": 0xC0,
        "ack": 0xD0,
        "cf-end": 0xE0,
        "cf-end-ack": 0xF0,
    },
    8: {
        "data": 0,
        "data-cf-ack": 0x10,
        "data-cf-poll": 0x20,
        "data-cf-ack-poll": 0x30,
        "null": 0x40,
        "cf-ack": 0x50,
        "cf-poll": 0x60,
        "cf-ack-poll": 0x70,
        "qos-data": 0x80,
        "qos-data-cf-ack": 0x90,
        "qos-data-cf-poll": 0xA0,
        "qos-data-cf-ack-poll": 0xB0,
        "qos": 0xC0,
        "qos-cf-poll": 0xE0,
        "qos-cf-ack-poll": 0xF0,
    },
}
"""The subtypes of frames by type (IEEE 802.11-2020, table 9-1), as they are in the frame control field."""

_DIRECTIONS: Final = {"nods": 0, "tods": 1, "fromds": 2, "dstods": 3}


def frame_type(context: Context, arguments: tuple[Token, ...]) -> Condition:
    """Return the condition of `type`, or of `type ... subtype ...`."""
    kind = _frame_type(context, arguments[0])
    _require_wireless(context, "type")
    if len(arguments) == 1:
        return equals(context.link(0, 1), kind, _TYPE_BITS)
    subtype = _subtype(context, kind, arguments[1])
    return equals(context.link(0, 1), kind | subtype, _TYPE_BITS | _SUBTYPE_BITS)


def _frame_type(context: Context, token: Token) -> int:
    if token.kind == "number":
        if token.value & ~_TYPE_BITS:
            context.reject("range", f"type {token.text} is out of range", "write 0, 4, 8 or 12", at=token)
        return token.value
    kind = _TYPES.get(token.word.lower())
    if kind is None:
        context.reject("name", f"unknown type '{token.word}'", "write 'mgt', 'ctl' or 'data'", at=token)
    return kind


def _subtype(context: Context, kind: int, token: Token) -> int:
    if token.kind == "number":
        if token.value & ~_SUBTYPE_BITS:
            rule = "a subtype is a multiple of 16, at most 0xf0"
            context.reject("range", f"subtype {token.text} is out of range", rule, at=token)
        return token.value
    names = _SUBTYPES.get(kind, {})
    subtype = names.get(token.word.lower())
    if subtype is None:
        rule = f"write one of {', '.join(names)}" if names else "this type has no subtypes with names"
        context.reject("name", f"unknown subtype '{token.word}'", rule, at=token)
    return subtype


def frame_subtype(context: Context, token: Token) -> Condition:
    """Return the condition of `subtype` alone, whose name implies the type."""
    name = token.word.lower()
    found = next(((kind, names[name]) for kind, names in _SUBTYPES.items() if name in names), None)
    if found is None:
        rule = f"write one of {', '.join(name for names in _SUBTYPES.values() for name in names)}"
        context.reject("name", f"unknown subtype '{token.word}'", rule, at=token)
    _require_wireless(context, "subtype")
    return equals(context.link(0, 1), found[0] | found[1], _TYPE_BITS | _SUBTYPE_BITS)


def frame_direction(context: Context, token: Token) -> Condition:
    """Return the condition of `dir`."""
    number = token.value if token.kind == "number" else _DIRECTIONS.get(token.word.lower())
    if number is None:
        rule = f"write one of {', '.join(_DIRECTIONS)}"
        context.reject("name", f"unknown direction '{token.word}'", rule, at=token)
    if number > 3:
        context.reject("range", f"direction {token.text} is out of range", "the greatest number is 3", at=token)
    _require_wireless(context, "dir")
    return equals(context.link(1, 1), number, 3)


def _require_wireless(context: Context, word: str) -> None:
    if context.headers.link_type not in WIRELESS:
        fact = f"link type {context.link_type_name} has no '{word}'"
        context.reject("link-type", fact, "only IEEE 802.11 frames have it")


# LLC

_SUPERVISORY: Final = {"rr": 1, "rnr": 5, "rej": 9}
_UNNUMBERED: Final = {
    "ui": 3,
    "ua": 0x63,
    "disc": 0x43,
    "dm": 0x0F,
    "sabme": 0x6F,
    "test": 0xE3,
    "xid": 0xAF,
    "frmr": 0x87,
}


def llc(context: Context, kind: Token | None) -> Condition:
    """Return the condition of an LLC frame, or of one of a kind such as `ui`."""
    is_llc = _is_llc(context)
    if kind is None:
        return is_llc
    control = context.payload(2, 1)
    name = kind.word.lower()
    if name == "i":
        return all_of((is_llc, negation(has_bits(control, 1))))
    if name in ("s", "u"):
        return all_of((is_llc, equals(control, 1 if name == "s" else 3, 3)))
    if name in _SUPERVISORY:
        return all_of((is_llc, equals(control, _SUPERVISORY[name], 0x0F)))
    if name in _UNNUMBERED:
        return all_of((is_llc, equals(control, _UNNUMBERED[name], 0xEF)))
    rule = f"one of i, s, u, {', '.join((*_SUPERVISORY, *_UNNUMBERED))}"
    context.reject("name", f"unknown LLC type '{kind.word}'", rule, at=kind)


def _is_llc(context: Context) -> Condition:
    link_type = context.headers.link_type
    if link_type in {EN10MB} | DSA_TAGS:
        return all_of((has_length_field(context), negation(equals(context.payload(0, 2), 0xFFFF))))
    if link_type in WIRELESS:
        return is_data_frame(context)
    if link_type == SUNATM:
        return is_llc_over_atm(context)
    if link_type in (IEEE802, FDDI, ATM_RFC1483):
        return True
    context.reject(
        "link-type",
        f"link type {context.link_type_name} has no LLC frames",
        "only Ethernet, FDDI, token ring, ATM and IEEE 802.11 have them",
    )
