"""Mutation testing of the generator: each mutation breaks one part, and the comparison with libpcap must notice it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, Final

import pytest

from cbpf.expression.generator import (
    addresses,
    assembler,
    conditions,
    context,
    generate,
    hardware_addresses,
    link_layers,
    network_protocols,
    payload_types,
    ports,
    primitives,
    prologue,
    relations,
    vlan_tags,
)
from cbpf.expression.generator.conditions import Condition
from cbpf.expression.syntax_tree import Or
from support.libpcap_comparison import Mismatch, compare_with_libpcap
from support.libpcap_release import needs_libpcap
from support.random_filters import Case, random_filter

Mutation = Callable[[pytest.MonkeyPatch], None]

CASES: Final = (
    *(("EN10MB", text) for text in ("host 192.0.2.1", "ether host 0:1:2:3:4:5", "vlan 4096")),
    ("EN10MB", "vlan 5 and vlan 6 or ip"),
    ("EN10MB", "mpls 5 and mpls 6 and ip"),
    ("PPI", "len > 5"),
    ("IEEE802_11_RADIO", "len > 5 or ip"),
    ("EN10MB", "tcp portrange 80-90"),
    ("EN10MB", "pppoes 5 and ip"),
    ("IEEE802_11", "atalk"),
    ("EN10MB", " or ".join(f"(host 192.0.2.{number} and tcp port {number})" for number in range(9))),
)
"""Expressions that reveal mutations at once; random ones follow."""

MAX_RANDOM_CASES: Final = 200


def _always(value: object) -> Callable[..., Any]:
    return lambda *_, **__: value


def _replaced(module: object, name: str, value: object) -> Mutation:
    return lambda patch: patch.setattr(module, name, value)


def _reversed(join: Callable[[Iterable[Condition]], Condition]) -> Callable[[Iterable[Condition]], Condition]:
    """Return a function that joins conditions in reverse order."""
    return lambda operands: join(list(operands)[::-1])


def _checks_of_both_operands(patch: pytest.MonkeyPatch) -> None:
    original = relations._operation

    def mutated(state: Any, node: Any, left: Any, right: Any) -> Any:
        return original(state, node, left, right)._replace(checks=conditions.all_of((left.checks, right.checks)))

    patch.setattr(relations, "_operation", mutated)


def _headers_restored(patch: pytest.MonkeyPatch) -> None:
    """Forget the headers of `vlan` and the like after `or`, as one might expect."""
    original = generate._Generator._joint

    def mutated(self: Any, node: Any, operands: Any) -> Condition:
        condition = original(self, node, operands)
        if isinstance(node, Or):
            self._context.headers = link_layers.initial_headers(self._context.target.dlt)
        return condition

    patch.setattr(generate._Generator, "_joint", mutated)


def _without_effect(name: str) -> Mutation:
    """Let a primitive test the packet, and leave the positions of the headers as they were."""
    original = primitives._TABLE[name]

    def mutated(state: Any, node: Any) -> Condition:
        headers = state.headers
        condition = original(state, node)
        state.headers = headers
        return condition

    return lambda patch: patch.setitem(primitives._TABLE, name, mutated)


MUTATIONS: Final[dict[str, Mutation]] = {
    "no type before addresses": _replaced(addresses, "payload_is", _always(True)),
    "masks of networks ignored": lambda patch: patch.setattr(
        addresses, "_masked", lambda steps, word, mask: conditions.equals(steps, word)
    ),
    "destinations before sources": _replaced(addresses, "any_of", _reversed(conditions.any_of)),
    "later fragments have ports": _replaced(ports, "is_first_fragment", _always(True)),
    "end of portrange excluded": lambda patch: patch.setattr(ports, "exceeds", conditions.reaches),
    "routing header in place of a fragment header": _replaced(network_protocols, "_FRAGMENT", 43),
    "Ethernet addresses compared from the start": _replaced(hardware_addresses, "all_of", _reversed(conditions.all_of)),
    "access points compared after SNAP": _replaced(payload_types, "all_of", _reversed(conditions.all_of)),
    "VLAN tags of two bytes": _replaced(vlan_tags, "_TAG_LENGTH", 2),
    "headers after a VLAN tag do not move": _without_effect("vlan"),
    "headers after MPLS do not move": _without_effect("mpls"),
    "headers after a PPPoE session do not move": _without_effect("pppoes"),
    "headers restored after or": _headers_restored,
    "checks of both operands": _checks_of_both_operands,
    "no padding after radiotap": _replaced(prologue, "_is_padded", _always(False)),
    "PPI packets of any type": _replaced(prologue, "_PPI_OF_80211", 0),
    "measurements at the end": lambda patch: patch.setattr(generate, "all_of", _reversed(conditions.all_of)),
    "conditional jumps of any length": _replaced(assembler, "_LONGEST_SKIP", 1000),
    "ranges of numbers not checked": _replaced(context.Context, "check_range", _always(None)),
}


def _cases() -> Iterator[Case]:
    yield from (Case.for_device(text, link_type) for link_type, text in CASES)
    yield from (random_filter(Random(f"mutation-{index}")) for index in range(MAX_RANDOM_CASES))


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations_are_detected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_libpcap(1, 10, 6)
    MUTATIONS[name](monkeypatch)
    for case in _cases():
        try:
            compare_with_libpcap(case)
        except Mismatch:
            return
    pytest.fail(f"{name}: no difference was found")


def test_without_a_mutation_there_is_no_difference() -> None:
    needs_libpcap(1, 10, 6)
    for link_type, text in CASES:
        assert compare_with_libpcap(Case.for_device(text, link_type)) in ("equal", "rejected")
