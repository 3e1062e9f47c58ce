"""The primitives that are a keyword with arguments: one row of a table for each."""

from collections.abc import Callable

from ..._typing import Final
from ..lexer import Token
from ..syntax_tree import Primitive
from .conditions import Condition
from .context import Context
from .encapsulation import geneve, lan_emulation, mpls, pppoe_discovery, pppoe_session, vxlan
from .hardware_addresses import broadcast, multicast
from .link_fields import (
    atm_channel,
    atm_field,
    byte,
    interface_index,
    mtp_field,
    mtp_unit,
    packet_direction,
    packet_length,
    pflog_field,
    require_atm,
)
from .vlan_tags import vlan
from .wireless import frame_direction, frame_subtype, frame_type, llc

_Make = Callable[[Context, Primitive], Condition]


def _optional(make: Callable[[Context, Token | None], Condition]) -> _Make:
    """Return the row of a primitive with an optional argument."""
    return lambda context, node: make(context, node.arguments[0] if node.arguments else None)


def _named(make: Callable[[Context, str], Condition]) -> _Make:
    """Return the row of a primitive without arguments."""
    return lambda context, node: make(context, node.name)


def _with_argument(make: Callable[[Context, str, Token], Condition]) -> _Make:
    """Return the row of a primitive with one argument."""
    return lambda context, node: make(context, node.name, node.arguments[0])


def _field(make: Callable[[Context, str, tuple[Token, ...]], Condition]) -> _Make:
    """Return the row of a field with a comparison."""
    return lambda context, node: make(context, node.name, node.arguments)


def _lane(context: Context, node: Primitive) -> Condition:
    require_atm(context, node.name)
    return lan_emulation(context)


_TABLE: Final[dict[str, _Make]] = {
    "broadcast": lambda context, node: broadcast(context, node.protocol),
    "multicast": lambda context, node: multicast(context, node.protocol),
    "less": lambda context, node: packet_length(context, "less", node.arguments[0]),
    "greater": lambda context, node: packet_length(context, "greater", node.arguments[0]),
    "byte": lambda context, node: byte(context, node.arguments),
    "inbound": lambda context, node: packet_direction(context, is_outbound=False),
    "outbound": lambda context, node: packet_direction(context, is_outbound=True),
    "ifindex": lambda context, node: interface_index(context, node.arguments[0]),
    "vlan": _optional(vlan),
    "mpls": _optional(mpls),
    "pppoed": lambda context, node: pppoe_discovery(context),
    "pppoes": _optional(pppoe_session),
    "geneve": _optional(geneve),
    "vxlan": _optional(vxlan),
    "lane": _lane,
    "type": lambda context, node: frame_type(context, node.arguments),
    "subtype": lambda context, node: frame_subtype(context, node.arguments[0]),
    "dir": lambda context, node: frame_direction(context, node.arguments[0]),
    "llc": _optional(llc),
    **dict.fromkeys(("vpi", "vci"), _field(atm_field)),
    **dict.fromkeys(
        ("metac", "bcc", "oamf4sc", "oamf4ec", "sc", "ilmic", "oam", "oamf4", "connectmsg", "metaconnect"),
        _named(atm_channel),
    ),
    **dict.fromkeys(("fisu", "lssu", "msu", "hfisu", "hlssu", "hmsu"), _named(mtp_unit)),
    **dict.fromkeys(("sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls"), _field(mtp_field)),
    **dict.fromkeys(("ifname", "rset", "rnr", "srnr", "reason", "action"), _with_argument(pflog_field)),
}


def primitive(context: Context, node: Primitive) -> Condition:
    """Return the condition of a primitive."""
    return _TABLE[node.name](context, node)
