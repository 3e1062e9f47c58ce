"""Long lists in the text of an expression: from 32 identifiers on, a list is one test of a set.

The program of such a list equals libpcap's plain code on every packet. Lists of IPv6 addresses without a direction are
an exception: from 256 addresses on they are a set, which differs on packets that end inside of the destination.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.expression.address_lists import Expression
from cbpf.expression.front_end import plain_code
from cbpf.expression.generator.context import SHORTEST_RUN
from cbpf.expression.generator.identifier_runs import SHORTEST_IPV6_RUN
from cbpf.expression.libpcap_front_end import libpcap_code
from cbpf.expression.names import Lookups, SystemResolver
from cbpf.expression.target import Target
from cbpf.packet.link_types import link_type_by_dlt
from support.equal_programs import compare
from support.project import Rounds
from support.random_choices import below, pick

DIRECTIONS: Final = ("", "src ", "dst ", "src or dst ")
ETHERNET: Final = Target(1, 262_144)
LONG: Final = SHORTEST_RUN + 3


def _hosts(random: Random, count: int) -> list[str]:
    return [str(IPv4Address(0x0A000000 + below(random, 1 << 12))) for _ in range(count)]


def _networks(random: Random, count: int) -> list[str]:
    lengths = [8 + below(random, 25) for _ in range(count)]
    return [f"{IPv4Address((10 << 24 | below(random, 1 << 24)) >> 32 - n << 32 - n)}/{n}" for n in lengths]


def _ports(random: Random, count: int) -> list[str]:
    return [str(below(random, 500)) for _ in range(count)]


def _port_ranges(random: Random, count: int) -> list[str]:
    return [f"{below(random, 500)}-{below(random, 500)}" for _ in range(count)]


KINDS: Final[dict[str, Callable[[Random, int], list[str]]]] = {
    "host": _hosts,
    "net": _networks,
    "port": _ports,
    "portrange": _port_ranges,
}


def _has_sets(text: str, target: Target = ETHERNET) -> bool:
    return bool(plain_code(Expression(text), target, Lookups(None), keep_sets=True).sets)


def _check_against_libpcap(text: str, target: Target = ETHERNET) -> None:
    """Compare the plain and the optimised program of a text with libpcap's plain code, on every packet."""
    expected = libpcap_code(text, target).instructions
    plain = plain_code(Expression(text), target, Lookups(None)).instructions
    assert compare(plain, expected).counterexample is None, text
    link_type = link_type_by_dlt(target.dlt)
    optimised = cbpf.compile(text, frontend="cbpf", link_type=link_type)
    assert compare(tuple(optimised), expected).counterexample is None, text


@pytest.mark.fuzz
def test_lists_equal_the_code_of_libpcap(rounds: Rounds) -> None:
    pytest.importorskip("cypcap")
    for random in rounds(14):
        kind = pick(random, tuple(KINDS))
        entries = KINDS[kind](random, LONG + below(random, 4))
        head = f"{pick(random, DIRECTIONS)}{kind}"
        link_type = pick(random, (1, 1, 12, 113, 6, 105, 9))
        match below(random, 3):
            case 0:
                text = f"{head} ({' or '.join(entries)})"
            case 1:
                text = " or ".join(f"{head} {entry}" for entry in entries)
            case _:
                text = " and ".join(f"not {head} {entry}" for entry in entries)
        assert _has_sets(text, Target(link_type, 262_144))
        if random.random() < 0.3:
            text = f"tcp and not ({text}) or udp"
        _check_against_libpcap(text, Target(link_type, 262_144))


def test_lists_of_several_kinds_equal_the_code_of_libpcap() -> None:
    pytest.importorskip("cypcap")
    hosts = " or ".join(f"host 10.0.{index}.1 or net 10.{index}.0.0/17" for index in range(20))
    ports = " or ".join(f"tcp dst port {index * 3} or {index * 5}" for index in range(20))
    assert len(plain_code(Expression(f"{hosts} or {ports}"), ETHERNET, Lookups(None), keep_sets=True).sets) > 1
    _check_against_libpcap(f"{hosts} or vlan 3 or {ports}")


@pytest.mark.parametrize(
    "text",
    [
        " or ".join(f"host 10.0.0.{index}" for index in range(SHORTEST_RUN - 1)),
        " or ".join(f"src and dst host 10.0.0.{index}" for index in range(LONG)),
        " and ".join(f"host 10.0.0.{index}" for index in range(LONG)),
        " or ".join(f"tcp port {index} or udp port {index}" for index in range(LONG)),
        " or ".join(f"not port {index}" for index in range(LONG)),
    ],
    ids=["short", "both directions", "conjunction", "alternating qualifiers", "disjunction of negations"],
)
def test_other_lists_stay_as_they_are(text: str) -> None:
    assert not _has_sets(text)


def test_masks_that_are_no_prefix_are_compared_one_by_one() -> None:
    pytest.importorskip("cypcap")
    masked = " or ".join(f"net 10.0.{index}.0 mask 255.0.255.0" for index in range(4))
    text = f"{masked} or {' or '.join(f'net 10.{index}.0.0/16' for index in range(LONG))}"
    assert _has_sets(text)
    _check_against_libpcap(text)


def _ipv6_texts(count: int) -> tuple[str, list[IPv6Address]]:
    addresses = [IPv6Address(0x20010DB8 << 96 | index << 40 | index * 7) for index in range(count)]
    return "host (" + " or ".join(map(str, addresses)) + ")", addresses


def test_ipv6_lists_accept_their_addresses() -> None:
    text, addresses = _ipv6_texts(SHORTEST_IPV6_RUN)
    assert _has_sets(text)
    plain = cbpf.compile(text, frontend="cbpf", optimizer=None)
    optimised = cbpf.compile(text, frontend="cbpf")
    other = IPv6Address("2001:db8::ffff:0:1")
    for program in map(cbpf.VM, (plain, optimised)):
        for source, destination in [(address, other) for address in addresses] + [(other, addresses[3])]:
            assert program.run(_ipv6_frame(source, destination))
        assert not program.run(_ipv6_frame(other, other))


@pytest.mark.parametrize("qualifiers", ["src ", "dst ", "ip6 src "])
def test_ipv6_lists_with_a_direction_equal_the_code_of_libpcap(qualifiers: str) -> None:
    pytest.importorskip("cypcap")
    networks = " or ".join(
        f"{qualifiers}net {network}" for network in ("2001:db9::/32", "fe80::/10", "2001:dba:8000::/33")
    )
    text = f"not ({qualifiers}{_ipv6_texts(LONG)[0]} or {networks})"
    assert _has_sets(text)
    _check_against_libpcap(text)


@pytest.mark.slow
def test_ipv6_lists_equal_the_code_of_libpcap_on_packets_with_both_addresses() -> None:
    pytest.importorskip("cypcap")
    text, _ = _ipv6_texts(SHORTEST_IPV6_RUN)
    expected = cbpf.Program(libpcap_code(text, ETHERNET).instructions)
    assert cbpf.difference(cbpf.compile(text, frontend="cbpf"), expected, shortest=54, timeout=120) is None


def test_packets_that_end_inside_of_a_destination_differ() -> None:
    """The source is the last address of the list, and the destination begins like the second one."""
    pytest.importorskip("cypcap")
    addresses = [IPv6Address(0x20010000 + index << 96) for index in range(SHORTEST_IPV6_RUN)]
    text = f"host ({' or '.join(map(str, addresses))})"
    frame = _ipv6_frame(addresses[-1], addresses[1])[:42]
    assert not cbpf.VM(cbpf.Program(libpcap_code(text, ETHERNET).instructions)).run(frame)
    assert cbpf.VM(cbpf.compile(text, frontend="cbpf")).run(frame)


def _ipv6_frame(source: IPv6Address, destination: IPv6Address) -> bytes:
    return bytes(12) + b"\x86\xdd" + bytes(8) + source.packed + destination.packed


def test_errors_inside_of_a_list_have_a_place() -> None:
    text = " or ".join([*(f"port {index}" for index in range(LONG)), "port 70000", "port 5"])
    with pytest.raises(cbpf.ExpressionError) as caught:
        cbpf.compile(text, frontend="cbpf")
    assert caught.value.column == text.index("70000") + 1


def test_names_end_a_list() -> None:
    names = _Names()
    text = " or ".join([*(f"host 10.0.0.{index}" for index in range(LONG)), "host example", "host 10.0.1.1"])
    vm = cbpf.VM(cbpf.compile(text, frontend="cbpf", names=names))
    for address in ("192.0.2.9", "10.0.0.3", "10.0.1.1"):
        assert vm.run(bytes(12) + b"\x08\x00" + bytes(12) + IPv4Address(address).packed + bytes(4))


class _Names(SystemResolver):
    def addresses(self, host: str) -> Any:
        return ("192.0.2.9",) if host == "example" else ()


@pytest.mark.slow
def test_a_hundred_thousand_addresses() -> None:
    random = Random("a hundred thousand")
    addresses = [str(IPv4Address(below(random, 1 << 32))) for _ in range(100_000)]
    program = cbpf.compile(" or ".join(f"src {address}" for address in addresses), frontend="cbpf")
    vm = cbpf.VM(program, engine="interpreter")
    for address in (addresses[0], addresses[50_000], addresses[-1]):
        assert vm.run(bytes(12) + b"\x08\x00" + bytes(12) + IPv4Address(address).packed + bytes(4))
    assert not vm.run(bytes(12) + b"\x08\x00" + bytes(12) + IPv4Address("0.0.0.1").packed + bytes(4))


def test_a_list_beside_complex_arithmetic_is_compiled() -> None:
    """A product of 2,048 loads is too complex for the optimiser; the plain code is returned."""
    total = "ip[0]"
    for _ in range(11):
        total = f"({total} * {total})"
    text = f"{total} = 1 and ({' or '.join(f'dst port {index}' for index in range(LONG))})"
    assert _has_sets(text)
    assert cbpf.compile(text) == cbpf.compile(text, optimizer=None)
