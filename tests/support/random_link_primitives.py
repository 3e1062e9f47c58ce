"""Seeded random primitives for the headers of some link types: IEEE 802.11, LLC, PFLOG, SunATM and MTP."""

from __future__ import annotations

from typing import Final

from cbpf.expression.vocabulary import words
from support.random_addresses import number, up_to, word
from support.random_choices import below, pick
from support.random_state import State, joined

SUBTYPES: Final = {
    ("mgt", "management", "0"): "assoc-req assocreq assoc-resp reassoc-req reassocresp probe-req proberesp beacon atim "
    "disassoc disassociation auth authentication deauth deauthentication",
    ("ctl", "control", "4"): "ps-poll rts cts ack cf-end cf-end-ack",
    ("data", "8", "0x08"): "data data-cf-ack data-cf-poll data-cf-ack-poll null cf-ack cf-poll cf-ack-poll qos-data "
    "qos-data-cf-ack qos-data-cf-poll qos-data-cf-ack-poll qos qos-cf-poll qos-cf-ack-poll",
}
REASONS: Final = words(
    "match bad-offset fragment short normalize memory bad-timestamp congestion ip-option proto-cksum"
) + words("state-mismatch state-insert state-limit src-limit synproxy")
ACTIONS: Final = words("pass accept drop block scrub noscrub nat nonat binat nobinat rdr nordr synproxy-drop")


def wlan(state: State) -> str:
    kind = pick(state.random, tuple(SUBTYPES))
    subtype = pick(state.random, SUBTYPES[kind].split())
    protocol = state.pick("", "", "link", "ip")
    match below(state.random, 6):
        case 0:
            return joined(protocol, "type", state.pick(*kind, "0x0c", "12"))
        case 1:
            return joined(protocol, "subtype", subtype)
        case 2:
            bits = number(state.random, 16 * below(state.random, 16) + state.errs())
            return joined(protocol, "type", state.pick(*kind), "subtype", bits)
        case 3:
            return joined(
                protocol,
                "dir",
                state.pick(
                    "nods", "tods", "fromds", "dstods", "0", "1", "3", "7", "upwards" if state.errs(0.1) else "nods"
                ),
            )
        case _:
            other = pick(state.random, pick(state.random, tuple(SUBTYPES.values())).split())
            return joined(protocol, "type", state.pick(*kind), "subtype", other if state.errs() else subtype)


def llc(state: State) -> str:
    kinds = words("i s u rr rnr rej ui ua disc dm sabme test xid frmr")
    return joined("llc", state.pick("", *kinds, *kinds, "xyz" if state.errs() else "ui"))


def pflog(state: State) -> str:
    random = state.random
    match below(random, 6):
        case 0:
            return (
                f"{state.pick('ifname', 'on')} {state.pick('em0', 'eth0', 'lo', 'a23456789012345')}{'6' * state.errs()}"
            )
        case 1:
            return f"rset {state.pick('authpf', 'a', 'a23456789012345')}{'6' * state.errs()}"
        case 2:
            return f"{state.pick('rnr', 'srnr')} {word(random)}"
        case 3 | 4:
            return f"reason {state.pick(*REASONS, *map(str, range(16)), 'no-reason' if state.errs(0.2) else 'match')}"
        case _:
            return f"action {state.pick(*ACTIONS, *ACTIONS, 'no-action' if state.errs(0.2) else 'nat')}"


def _field(state: State, names: tuple[str, ...], limits: dict[str, int]) -> str:
    name = state.pick(*names)
    value, other = (up_to(state.random, limits[name]) for _ in range(2))
    if state.chance(0.2):
        return f"{name} ({value} or {other})"
    return joined(name, state.pick("", "", "=", "!=", "<", "<=", ">", ">="), value)


def atm(state: State) -> str:
    if state.chance(0.4):
        return _field(state, ("vpi", "vci"), {"vpi": 255, "vci": 65535})
    return state.pick("metac", "bcc", "oamf4sc", "oamf4ec", "sc", "ilmic", "oam", "oamf4", "connectmsg", "metaconnect")


def mtp(state: State) -> str:
    if state.chance(0.3):
        return state.pick("fisu", "lssu", "lsu", "msu", "hfisu", "hlssu", "hmsu")
    limits = {"sio": 255, "opc": 16383, "dpc": 16383, "sls": 15}
    limits |= {f"h{name}": limit for name, limit in limits.items()}
    return _field(state, tuple(limits), limits)
