"""The words of the expression language for particular link types: see `support.expression_words`."""

from __future__ import annotations

from typing import Final

from support.expression_words import Group, Word

_WLAN: Final = "IEEE802_11"
_PFLOG: Final = "PFLOG"
_ATM: Final = "SUNATM"
_MTP: Final = "MTP2"


def _channel(word: str, cells: str) -> Word:
    return Word(word, f"{cells}, by their virtual path and channel.", word, _ATM)


def _high_speed(word: str, example: str) -> Word:
    plain = word.removeprefix("h")
    return Word(
        word, f"[{plain}](#{plain}) on links of high speed, whose fields are further from the start.", example, _MTP
    )


LINK_WORDS: Final = (
    Group(
        "Direction and interface",
        (
            Word(
                "inbound",
                "The packet was received. Some link types contain the direction; for others it is metadata of a live "
                "socket, and files are rejected.",
                "inbound",
                "LINUX_SLL",
            ),
            Word("outbound", "The packet was sent; see [inbound](#inbound).", "outbound", "LINUX_SLL"),
            Word(
                "ifindex",
                "The interface has this index; metadata of a live socket, except for the link type LINUX_SLL2.",
                "ifindex 2",
                "LINUX_SLL2",
            ),
        ),
    ),
    Group(
        "IEEE 802.11 and LLC",
        (
            Word("type", "The type of an IEEE 802.11 frame, by name or number.", "type mgt", _WLAN),
            Word(
                "subtype",
                "The subtype of an IEEE 802.11 frame: a name, or after `type` a name of that type or a number.",
                "type mgt subtype beacon",
                _WLAN,
            ),
            Word("dir", "The direction of an IEEE 802.11 frame, by name or number.", "dir tods", _WLAN),
            Word("llc", "The frame has an LLC header, of this kind if there is a name.", "llc xid"),
        ),
    ),
    Group(
        "PFLOG",
        (
            Word(
                "ifname",
                "The name of the interface in the log of OpenBSD's packet filter begins with this name.",
                "ifname em0",
                _PFLOG,
            ),
            Word("rset", "The name of the rule set begins with this name.", "ruleset authpf", _PFLOG),
            Word("rnr", "The number of the rule.", "rulenum 4", _PFLOG),
            Word("srnr", "The number of the rule in a rule set.", "subrulenum 4", _PFLOG),
            Word("reason", "The reason for the log entry, by name or number.", "reason fragment", _PFLOG),
            Word("action", "The action of the packet filter.", "action block", _PFLOG),
        ),
    ),
    Group(
        "ATM",
        (
            Word(
                "vpi",
                "The virtual path: a number, a comparison (`vpi > 3`) or a list (`vpi (1 or 2)`).",
                "vpi (1 or 2)",
                _ATM,
            ),
            Word("vci", "The virtual channel, in the forms of [vpi](#vpi).", "vci 100", _ATM),
            _channel("metac", "Cells of meta signalling"),
            _channel("bcc", "Cells of broadcast signalling"),
            _channel("oam", "Cells of operation and maintenance (flow F4)"),
            _channel("oamf4", "Cells of operation and maintenance (flow F4), like [oam](#oam)"),
            _channel("oamf4sc", "Cells of operation and maintenance of a segment (flow F4)"),
            _channel("oamf4ec", "Cells of operation and maintenance from end to end (flow F4)"),
            _channel("sc", "Cells of signalling"),
            _channel("ilmic", "Cells of the interim local management interface"),
            Word(
                "connectmsg", "Messages of Q.2931 about connections, on the channel of signalling.", "connectmsg", _ATM
            ),
            Word(
                "metaconnect",
                "Messages about connections, on the channel of meta signalling.",
                "metaconnect",
                _ATM,
            ),
        ),
    ),
    Group(
        "Signalling system 7",
        (
            Word("fisu", "Fill-in signal units of MTP2, by their length field.", "fisu", _MTP),
            Word("lssu", "Link status signal units of MTP2, by their length field.", "lssu", _MTP),
            Word("msu", "Message signal units of MTP2, by their length field.", "msu", _MTP),
            _high_speed("hfisu", "hfisu"),
            _high_speed("hlssu", "hlssu"),
            _high_speed("hmsu", "hmsu"),
            Word(
                "sio",
                "The service information octet of MTP3: a number, a comparison (`sio > 3`) or a list (`sio (1 or 2)`).",
                "sio 3",
                _MTP,
            ),
            Word(
                "opc",
                "The originating point code of MTP3, in the forms of [sio](#sio). `<` and `>` compare the bits in the "
                "order in which the packet has them.",
                "opc 5",
                _MTP,
            ),
            Word("dpc", "The destination point code of MTP3, like [opc](#opc).", "dpc 5", _MTP),
            Word("sls", "The signalling link selection of MTP3, in the forms of [sio](#sio).", "sls 3", _MTP),
            _high_speed("hsio", "hsio 3"),
            _high_speed("hopc", "hopc 5"),
            _high_speed("hdpc", "hdpc 5"),
            _high_speed("hsls", "hsls 3"),
        ),
    ),
)
