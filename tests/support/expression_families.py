"""Families of long expressions: for each name, an expression with any number of similar terms."""

from collections.abc import Callable
from typing import Final


def _host(n: int) -> str:
    return f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"


def _wlan(n: int) -> str:
    return f"02:00:00:00:{n >> 7 & 255:02x}:{2 * n & 255:02x}"


TERMS: Final[dict[str, Callable[[int], str]]] = {
    "src host and dst port": lambda n: f"(src host {_host(n)} and dst port {n + 1})",
    "src host and dst host": lambda n: f"(src host {_host(n)} and dst host {_host(n + 70_000)})",
    "few hosts and dst port": lambda n: f"(src host {_host(n % 50)} and dst port {n + 1})",
    "host and port": lambda n: f"(host {_host(n)} and port {n + 1})",
    "net and tcp port": lambda n: f"(net {_host(256 * n)}/24 and tcp port {n + 1})",
    "src host and not dst port": lambda n: f"(src host {_host(n)} and not dst port {n + 1})",
    "ip6 src host and dst port": lambda n: f"(src host 2001:db8::{n:x} and dst port {n + 1})",
    "wlan addr1 or addr2": lambda n: f"(wlan addr1 {_wlan(n)} or wlan addr2 {_wlan(n)})",
    "wlan addr1 and subtype": lambda n: f"(wlan addr1 {_wlan(n)} and type mgt subtype probe-req)",
}
"""The term number n of each family, for n from 0."""


def link_type(family: str) -> str:
    """Return the link type for which a family is compiled."""
    return "IEEE802_11" if family.startswith("wlan") else "EN10MB"


def expression_of(family: str, count: int) -> str:
    """Return the expression of *count* terms."""
    return " or ".join(TERMS[family](n) for n in range(count))
