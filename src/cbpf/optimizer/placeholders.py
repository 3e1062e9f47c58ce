"""Placeholders: the numbers in a program that represent lists of addresses and ports, and these lists."""

from typing import NamedTuple, TypeAlias

from ..isa.word_ranges import Ranges

IPv6Words: TypeAlias = tuple[int, int, int, int]


class AddressRanges(NamedTuple):
    """Sorted, disjoint, inclusive ranges of IPv4 addresses, IPv6 addresses (128 bits) and ports."""

    hosts: Ranges = ()
    hosts6: Ranges = ()
    ports: Ranges = ()


class Placeholders(NamedTuple):
    """What stands for each list in the program."""

    host: int
    host6: IPv6Words
    port: int
