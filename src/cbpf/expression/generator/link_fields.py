"""The fields of particular link types: SunATM, MTP, PFLOG; the direction of a packet, and its interface."""

from collections.abc import Callable

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...isa.enumerations import Extension
from ...isa.opcodes import EXTENSION_OFFSET, Action
from ..lexer import Token
from .conditions import Condition, all_of, any_of, compared, equals, exceeds, negation, reaches
from .context import Context
from .link_layers import (
    COOKED,
    ERF,
    IPNET,
    LINUX_SLL,
    LINUX_SLL2,
    MTP2,
    MTP2_WITH_PHDR,
    PFLOG,
    PPP_PPPD,
    SLIP,
    SUNATM,
)
from .steps import Steps, absolute, arithmetic, extension, mask


def field(
    context: Context, steps: Steps, arguments: tuple[Token, ...], greatest: int, code: Callable[[int], int]
) -> Condition:
    """Return the condition of a field with a number, a comparison, or a list of numbers.

    *code* returns the bits of the field for a number of the expression, at most *greatest*.
    """
    operator = arguments[0].word if arguments[0].kind == "operator" else "="
    numbers = [token for token in arguments if token.kind == "number"]
    for token in numbers:
        if token.value > greatest:
            context.reject("range", f"{token.text} is out of range", f"the greatest number is {greatest}", at=token)
    return any_of([compared(steps, operator, code(token.value)) for token in numbers])


# SunATM


class _AtmField(NamedTuple):
    offset: int
    size: int
    greatest: int


_ATM_FIELDS: Final = {"vpi": _AtmField(1, 1, 0xFF), "vci": _AtmField(2, 2, 0xFFFF)}
_MESSAGE_TYPE: Final = 9
_VIRTUAL_CHANNELS: Final = {
    "metac": 1,
    "bcc": 2,
    "oamf4sc": 3,
    "oamf4ec": 4,
    "sc": 5,
    "ilmic": 16,
}
"""The channels of virtual path 0."""
_MESSAGES: Final = {"connectmsg": (5, (5, 2, 7, 15, 0x4D, 0x5A)), "metaconnect": (1, (5, 2, 7, 0x4D, 0x5A))}
"""The channel and the message types (ITU-T Q.2931) of connections."""


def atm_field(context: Context, name: str, arguments: tuple[Token, ...]) -> Condition:
    """Return the condition of `vpi` or `vci`."""
    require_atm(context, name)
    offset, size, greatest = _ATM_FIELDS[name]
    return field(context, context.link(offset, size), arguments, greatest, lambda number: number)


def atm_channel(context: Context, name: str) -> Condition:
    """Return the condition of a word for ATM cells, such as `oamf4`."""
    require_atm(context, name)
    is_path_0 = equals(context.link(1, 1), 0)
    if name in ("oam", "oamf4"):
        return all_of((is_path_0, any_of((_channel(context, 3), _channel(context, 4)))))
    if name in _MESSAGES:
        channel, messages = _MESSAGES[name]
        kinds = any_of([equals(context.link(_MESSAGE_TYPE, 1), message) for message in messages])
        return all_of((is_path_0, _channel(context, channel), kinds))
    return all_of((is_path_0, _channel(context, _VIRTUAL_CHANNELS[name])))


def _channel(context: Context, number: int) -> Condition:
    return equals(context.link(2, 2), number)


def require_atm(context: Context, name: str) -> None:
    """Reject a word for ATM cells on packets of other link types."""
    if context.target.dlt != SUNATM:
        context.reject("link-type", f"'{name}' is for ATM cells", "only packets of link type SUNATM have them")


# MTP: signalling system 7


class _MtpOffsets(NamedTuple):
    """The offsets of fields in the packet, in bytes (ITU-T Q.703, Q.704)."""

    length: int
    high_speed_length: int
    service: int
    originating: int
    destination: int
    selection: int


_MTP: Final = {
    MTP2: _MtpOffsets(2, 4, 3, 4, 4, 7),
    MTP2_WITH_PHDR: _MtpOffsets(6, 8, 7, 8, 8, 11),
    ERF: _MtpOffsets(22, 24, 23, 24, 24, 27),
}
_HIGH_SPEED: Final = 3  # bytes that the fields of high-speed links are further from the start
_GREATEST_POINT_CODE: Final = 0x3FFF


def mtp_unit(context: Context, name: str) -> Condition:
    """Return the condition of a signal unit: `fisu`, `lssu`, `msu`, and those of high-speed links."""
    offsets = _mtp_offsets(context, name)
    if name.startswith("h"):
        length, two = (*_packet(offsets.high_speed_length, 2), mask(0xFF80)), 0x0100
    else:
        length, two = (*_packet(offsets.length, 1), mask(0x3F)), 2
    if name.endswith("fisu"):
        return equals(length, 0)
    if name.endswith("lssu"):
        return all_of((exceeds(length, 0), negation(exceeds(length, two))))
    return exceeds(length, two)


def mtp_field(context: Context, name: str, arguments: tuple[Token, ...]) -> Condition:
    """Return the condition of `sio`, `opc`, `dpc` or `sls`, and of those of high-speed links."""
    offsets = _mtp_offsets(context, name)
    plain = name.removeprefix("h")
    further = _HIGH_SPEED if name.startswith("h") else 0
    if plain == "sio":
        return field(context, _packet(offsets.service + further, 1), arguments, 0xFF, lambda number: number)
    if plain == "sls":
        steps = (*_packet(offsets.selection + further, 1), mask(0xF0))
        return field(context, steps, arguments, 0x0F, lambda number: number << 4)
    if plain == "opc":
        steps = (*_packet(offsets.originating + further, 4), mask(0x00C0FF0F))
        return field(context, steps, arguments, _GREATEST_POINT_CODE, _originating_bits)
    steps = (*_packet(offsets.destination + further, 4), mask(0xFF3F0000))
    return field(context, steps, arguments, _GREATEST_POINT_CODE, _destination_bits)


def _originating_bits(code: int) -> int:
    """Return the bits of an originating point code, which the label has in another order."""
    return ((code & 0x3C00) >> 10) + ((code & 0x3FC) << 6) + ((code & 3) << 22)


def _destination_bits(code: int) -> int:
    """Return the bits of a destination point code, which the label has in another order."""
    return ((code & 0xFF) << 24) + ((code & 0x3F00) << 8)


def _mtp_offsets(context: Context, name: str) -> _MtpOffsets:
    offsets = _MTP.get(context.target.dlt)
    if offsets is None:
        context.reject(
            "link-type", f"'{name}' is for MTP signalling", "only link types MTP2, MTP2_WITH_PHDR and ERF have it"
        )
    return offsets


def _packet(offset: int, size: int) -> Steps:
    return (absolute(offset, size),)


# PFLOG: logged packets of OpenBSD's packet filter

_REASONS: Final = (
    *("match", "bad-offset", "fragment", "short", "normalize", "memory", "bad-timestamp", "congestion"),
    *("ip-option", "proto-cksum", "state-mismatch", "state-insert", "state-limit", "src-limit", "synproxy"),
)
_ACTIONS: Final = {
    "pass": 0,
    "accept": 0,
    "drop": 1,
    "block": 1,
    "scrub": 2,
    "noscrub": 3,
    "nat": 4,
    "nonat": 5,
    "binat": 6,
    "nobinat": 7,
    "rdr": 8,
    "nordr": 9,
    "synproxy-drop": 10,
}
_NAME_OFFSETS: Final = {"ifname": 4, "rset": 20}
_LONGEST_NAME: Final = 15
_RULE_OFFSETS: Final = {"rnr": 36, "srnr": 40}


def pflog_field(context: Context, name: str, token: Token) -> Condition:
    """Return the condition of `ifname`, `ruleset`, `rulenum`, `subrulenum`, `reason` or `action`."""
    if context.headers.link_type != PFLOG:
        context.reject("link-type", f"'{name}' is for packets that OpenBSD's pf has logged", "their link type is PFLOG")
    if name in _NAME_OFFSETS:
        return _starts_with(context, _NAME_OFFSETS[name], token)
    if name in _RULE_OFFSETS:
        return equals(context.link(_RULE_OFFSETS[name], 4), token.value)
    if name == "action":
        return equals(context.link(2, 1), _named(context, "action", token, _ACTIONS))
    if token.kind == "number":
        return equals(context.link(3, 1), token.value)
    reasons = {reason: number for number, reason in enumerate(_REASONS)}
    return equals(context.link(3, 1), _named(context, "reason", token, reasons))


def _named(context: Context, kind: str, token: Token, numbers: dict[str, int]) -> int:
    number = numbers.get(token.word.lower())
    if number is None:
        context.reject("name", f"unknown {kind} '{token.word}'", f"write one of {', '.join(numbers)}", at=token)
    return number


def _starts_with(context: Context, offset: int, token: Token) -> Condition:
    """Return the condition that a field begins with a name; the rest of the field is not compared."""
    name = token.word.encode()
    if len(name) > _LONGEST_NAME:
        context.reject("range", f"a name of {len(name)} bytes is too long", f"at most {_LONGEST_NAME} bytes", at=token)
    tests: list[Condition] = []
    end = len(name)
    for size in (4, 2, 1):
        while end >= size:
            end -= size
            part = int.from_bytes(name[end : end + size], "big")
            tests.append(equals(context.link(offset + end, size), part))
    return all_of(tests)


# The direction of a packet, and its interface

_OUTGOING: Final = 4  # PACKET_OUTGOING (linux/if_packet.h), LINUX_SLL_OUTGOING


def packet_direction(context: Context, *, is_outbound: bool) -> Condition:
    """Return the condition of `inbound` or `outbound`."""
    link_type = context.headers.link_type
    if link_type in _DIRECTION_FIELDS:
        offset, size, inbound, outbound = _DIRECTION_FIELDS[link_type]
        return equals(context.link(offset, size), outbound if is_outbound else inbound)
    if context.headers.family == "juniper":
        return equals(context.link(3, 1), 0 if is_outbound else 1, 1)
    if link_type in COOKED and context.target.socket is None:
        steps = context.link(0, 2) if link_type == LINUX_SLL else context.link(10, 1)
    else:
        _require_device(context, "the direction of packets")
        steps = (absolute(EXTENSION_OFFSET + Extension.TYPE, 2),)  # the size that libpcap loads
    outgoing = equals(steps, _OUTGOING)
    return outgoing if is_outbound else negation(outgoing)


_DIRECTION_FIELDS: Final = {SLIP: (0, 1, 0, 1), IPNET: (2, 2, 2, 1), PFLOG: (60, 1, 1, 2), PPP_PPPD: (0, 1, 0, 1)}
"""By link type: offset and size of the field, and its values for packets that came in and that went out."""


def interface_index(context: Context, token: Token) -> Condition:
    """Return the condition of `ifindex`."""
    if context.headers.link_type == LINUX_SLL2 and context.target.socket is None:
        return equals(context.link(4, 4), token.value)
    _require_device(context, "the index of the interface")
    return equals((extension(Extension.INTERFACE_INDEX),), token.value)


def _require_device(context: Context, fact: str) -> None:
    if context.target.file_order is not None and context.target.socket is None:
        subject = f"a capture file of link type {context.link_type_name} does not contain {fact}"
        context.reject("live", subject, "only live packets have it, and captures of link type LINUX_SLL2")


# Any link type


def packet_length(context: Context, word: str, token: Token) -> Condition:
    """Return the condition of `less` or `greater`."""
    if word == "less":
        return negation(exceeds(context.wire_length(), token.value))
    return reaches(context.wire_length(), token.value)


def byte(context: Context, arguments: tuple[Token, ...]) -> Condition:
    """Return the condition of `byte`."""
    index, operator, value = arguments
    if value.value > 0xFF:
        context.reject("range", f"{value.text} is out of range", "a byte is at most 255", at=value)
    steps = context.link(index.value, 1)
    if operator.word in ("&", "|"):
        action = Action.AND if operator.word == "&" else Action.OR
        return negation(equals((*steps, arithmetic(action, value.value)), 0))
    return compared(steps, operator.word, value.value)
