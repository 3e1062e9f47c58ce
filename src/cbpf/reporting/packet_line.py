"""A packet of a capture on one line, as JSON or as text; and times as text."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import cbpf

from .._typing import Any, Final
from .dissection import Dissection
from .dns_text import PORTS, dns_is_available, read_dns

TIMES: Final = ("clock", "date", "epoch", "relative", "delta")
"""The forms of the time of a packet."""

_SECOND: Final = 1_000_000_000  # in nanoseconds


def clock_text(time_ns: int, digits: int) -> str:
    """Return the time of day (UTC) with a number of digits after the second."""
    seconds = time_ns // _SECOND % 86_400
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{_fraction(time_ns, digits)}"


def date_text(time_ns: int, digits: int) -> str:
    """Return date and time (UTC) in the format of ISO 8601."""
    try:
        date = datetime.fromtimestamp(time_ns // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):  # after the year 9999
        return seconds_text(time_ns, digits)
    return f"{date}{_fraction(time_ns, digits)}Z"


def seconds_text(time_ns: int, digits: int) -> str:
    """Return a number of seconds, which may be negative."""
    sign, size = ("-", -time_ns) if time_ns < 0 else ("", time_ns)
    return f"{sign}{size // _SECOND}{_fraction(size, digits)}"


def _fraction(time_ns: int, digits: int) -> str:
    return f".{time_ns % _SECOND // 10 ** (9 - digits):0{digits}}"


class PacketPrinter:
    """Prints the packets of captures, each on a line: `text` or `json`."""

    def __init__(self, time: str = "clock") -> None:
        """*time* is one of `TIMES`: "relative" and "delta" are seconds since the first and the previous packet."""
        self._time_text: Callable[[int, int], str] = {"clock": clock_text, "date": date_text}.get(time, seconds_text)
        self._is_relative, self._is_delta = time == "relative", time == "delta"
        self._origin: int | None = None
        self._reads_dns = dns_is_available()

    def text(self, packet: cbpf.Packet, interface: cbpf.Interface) -> str:
        """Return the time, the addresses and the most important fields of a packet, nearly as `tcpdump -n` does."""
        headers, dns = self._dissect(packet, interface)
        fields = headers.fields
        tags = "".join(f"{name} {tag}, " for name in ("vlan", "mpls") for tag in fields.get(name, ()))
        ends = ""
        if "protocol" in fields and "source" in fields:
            source, destination = (_end(fields, name) for name in ("source", "destination"))
            ends = f"{fields['protocol']} {source} > {destination}: "
        cut = f"[|{headers.cut}]" if headers.cut else ""
        info = f"{headers.info}: {dns.text}" if dns else headers.info
        return f"{self._time(packet, interface)} {tags}{ends}{info}{cut}"

    def json(self, packet: cbpf.Packet, interface: cbpf.Interface) -> str:
        """Return the fields of a packet as a JSON object."""
        headers, dns = self._dissect(packet, interface)
        general = {
            "number": packet.number,
            "time": self._time(packet, interface),
            "link_type": interface.link_type.name,
            "interface": packet.interface,
            "captured": len(packet.data),
            "length": packet.wire_length,
        }
        payload = {"payload_length": headers.length} if headers.cut is None else {"cut": headers.cut}
        return json.dumps({**general, **headers.fields, **payload, **(dns.fields if dns else {})})

    def _dissect(self, packet: cbpf.Packet, interface: cbpf.Interface) -> tuple[Dissection, Any]:
        headers = Dissection(packet.data, packet.wire_length, interface.link_type.name)
        fields = headers.fields
        ports = {fields.get("source_port"), fields.get("destination_port")}
        is_dns = (
            self._reads_dns and fields.get("transport") == "UDP" and headers.payload and not ports.isdisjoint(PORTS)
        )
        return headers, read_dns(headers.payload) if is_dns else None

    def _time(self, packet: cbpf.Packet, interface: cbpf.Interface) -> str:
        time = packet.time_ns
        origin = self._origin if self._origin is not None else time
        if self._is_delta or self._origin is None:
            self._origin = time
        return self._time_text(time - origin if self._is_relative or self._is_delta else time, _digits(interface))


def _digits(interface: cbpf.Interface) -> int:
    return 9 if interface.needs_nanoseconds else 6


def _end(fields: dict[str, Any], name: str) -> str:
    port = fields.get(f"{name}_port")
    return str(fields[name]) if port is None else f"{fields[name]}.{port}"
