"""Rules for comparisons: checks that libpcap's language drops, headers of one IP version, precedence."""

from collections.abc import Iterator

from ..._typing import Final
from ..syntax_tree import And, Arithmetic, Binary, Condition, Load, Negate, Number, Or, Primitive, Relation
from .findings import Draft
from .tree_view import TreeView, condition, fold, inner_values, loads, values, with_operands

_TRANSPORTS: Final = {"tcp": 6, "udp": 17, "sctp": 132}
_IPV4_PROTOCOLS: Final = _TRANSPORTS | {"icmp": 1, "igmp": 2, "igrp": 9, "pim": 103, "vrrp": 112, "carp": 112}
"""The protocols whose fields are those after an IPv4 header, with their numbers."""

_UNCHECKED: Final = frozenset({"link", "radio"})
_COMMUTATIVE: Final = frozenset("+*&|")
_IPV6_HEADER: Final = 40  # bytes


# Fields of IPv4 only


def ipv4_fields(view: TreeView) -> Iterator[Draft]:
    """Find fields of TCP, UDP and SCTP, which no IPv6 packet has."""
    relations = [relation for relation in view.every(Relation) if _is_of_transport(relation)]
    if not relations:
        return
    first, *others = relations
    protocol = next(loads(first)).protocol
    yield Draft(
        first.span,
        f"{view.quote(first)} is false for every IPv6 packet",
        f"the fields of {protocol} are those after an IPv4 header; test IPv6 separately",
        tuple(other.span for other in others),
        view.text_with({id(relation): _with_ipv6(relation) for relation in relations}),
    )


def _is_of_transport(relation: Relation) -> bool:
    """Return whether a relation tests one transport protocol, and loads from no other header."""
    protocols = {load.protocol for load in loads(relation)} - _UNCHECKED
    checked = {load.protocol for side in (relation.left, relation.right) for load in _checked_loads(side)}
    return len(protocols) == 1 and protocols <= checked & set(_TRANSPORTS)


def _with_ipv6(relation: Relation) -> Condition:
    """Return a relation, or its equivalent with the fields after an IPv6 header."""
    protocol = next(load.protocol for load in loads(relation) if load.protocol not in _UNCHECKED)
    ipv6 = relation.replace(left=_after_ipv6(relation.left), right=_after_ipv6(relation.right))
    has_protocol = condition(f"ip6[6] = {_TRANSPORTS[protocol]}")
    return Or((relation, And((has_protocol, ipv6), relation.span)), relation.span)


def _after_ipv6(value: "Arithmetic") -> "Arithmetic":
    """Return a value with the fields of a transport protocol after an IPv6 header."""

    def combine(node: "Arithmetic", inner: "list[Arithmetic]") -> "Arithmetic":
        match node:
            case Load(protocol) if protocol in _TRANSPORTS:
                return node.replace(protocol="ip6", offset=_sum(_IPV6_HEADER, inner[0]))
            case Load():
                return node.replace(offset=inner[0])
            case Binary():
                return node.replace(left=inner[0], right=inner[1])
            case Negate():
                return node.replace(operand=inner[0])
        return node

    return fold(value, inner_values, combine)


def _sum(number: int, value: "Arithmetic") -> "Arithmetic":
    if isinstance(value, Number):
        return Number(number + value.value, value.span)
    return Binary("+", Number(number, value.span), value, value.span)


# Dropped checks


def dropped_checks(view: TreeView) -> Iterator[Draft]:
    """Find fields that are loaded without a test that the packet has their header."""
    for relation in view.every(Relation):
        for side in (relation.left, relation.right):
            yield from _dropped_on_side(view, relation, side)


def _dropped_on_side(view: TreeView, relation: Relation, side: "Arithmetic") -> Iterator[Draft]:
    checked = {load.protocol for load in _checked_loads(side)}
    dropped = [load for load in loads(side) if load.protocol not in checked | _UNCHECKED]
    if dropped:
        load = dropped[0]
        yield Draft(
            load.span,
            f"{view.quote(load)} is loaded from packets that are not {load.protocol} as well",
            "an operation tests the protocol of its left operand only, which is an error in libpcap",
            (relation.span,),
            _with_checks(view, relation, side, dropped),
        )


def _checked_loads(value: "Arithmetic") -> Iterator[Load]:
    """Yield the loads whose header is tested: those of the operand on the left, with those of their offsets."""
    while True:
        match value:
            case Binary(_, left):
                value = left
            case Negate(operand):
                value = operand
            case Load(_, offset):
                yield value
                value = offset
            case _:
                return


def _with_checks(view: TreeView, relation: Relation, side: "Arithmetic", dropped: list[Load]) -> str:
    """Return the text with exchanged operands, or with tests of the protocols before the relation."""
    if isinstance(side, Binary) and side.operator in _COMMUTATIVE and not any(loads(side.left)):
        exchanged = side.replace(left=side.right, right=side.left)
        if {load.protocol for load in _checked_loads(exchanged)} >= {load.protocol for load in dropped}:
            return view.edited((side.span, view.text_of(exchanged)))
    checks = " and ".join(_check(protocol) for protocol in dict.fromkeys(load.protocol for load in dropped))
    return view.text_with({id(relation): with_operands(And((), relation.span), [condition(checks), relation])})


def _check(protocol: str) -> str:
    """Return the condition that a packet has the header of a protocol as a comparison tests it."""
    if protocol in _IPV4_PROTOCOLS:
        return f"ip[9] = {_IPV4_PROTOCOLS[protocol]} and ip[6:2] & 0x1fff = 0"
    return "ip6[6] = 58" if protocol == "icmp6" else protocol


# Precedence

_USUAL_PRECEDENCE: Final = {"*": 6, "/": 6, "%": 6, "+": 5, "-": 5, "<<": 4, ">>": 4, "&": 3, "^": 2, "|": 1}
"""The precedence of operators in C, Python and most other languages, as far as these agree."""


def modulo_precedence(view: TreeView) -> Iterator[Draft]:
    """Find operations with `%` or `^` that have another structure in most languages."""
    for relation in view.every(Relation):
        inner: set[int] = set()
        for value in values(relation):
            if isinstance(value, Binary) and id(value) not in inner:
                usual = view.text_of(_by_usual_precedence(_sequence(value, inner)))
                if usual != view.text_of(value):
                    yield Draft(
                        value.span,
                        f"this is {view.quote(value)}, and not '{usual}'",
                        "'%' and '^' take everything after them as their operand; write parentheses",
                        suggestion=view.edited((value.span, usual)),
                    )


def _sequence(value: Binary, inner: set[int]) -> "list[str | Arithmetic]":
    """Return the operands and operators of an operation without parentheses; add its operations to *inner*."""
    parts: list[str | Arithmetic] = []
    pending: list[str | Arithmetic] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, Binary) and (part is value or id(part) in inner):
            for operand, is_open in (
                (part.left, part.left.span.start == part.span.start),
                (part.right, part.right.span.end == part.span.end),
            ):
                if isinstance(operand, Binary) and is_open:
                    inner.add(id(operand))
            pending += [part.right, part.operator, part.left]
        else:
            parts.append(part)
    return parts


def _by_usual_precedence(parts: "list[str | Arithmetic]") -> "Arithmetic":
    """Return the operation with these operands and operators; equal precedence is read from left to right."""
    operands: list[Arithmetic] = []
    operators: list[str] = []

    def reduce(precedence: int) -> None:
        while operators and _USUAL_PRECEDENCE[operators[-1]] >= precedence:
            right, left = operands.pop(), operands.pop()
            operands.append(Binary(operators.pop(), left, right, left.span))

    for part in parts:
        if isinstance(part, str):
            reduce(_USUAL_PRECEDENCE[part])
            operators.append(part)
        else:
            operands.append(part)
    reduce(0)
    return operands[0]


# Versions of libpcap


def libpcap_differences(view: TreeView) -> Iterator[Draft]:
    """Find primitives that libpcap 1.10 compiles to another meaning."""
    for node in view.every(Primitive):
        words = [token.word for token in node.arguments]
        if words[:1] == ["!="]:
            replacement, fact = f"not {node.name} {words[1]}", "'!=' acts as '=' in libpcap 1.10"
        elif node.name == "byte" and words[1] in ("&", "|"):
            replacement = f"link[{words[0]}] {words[1]} {words[2]} != 0"
            fact = f"'byte ... {words[1]}' loads no byte in libpcap 1.10"
        else:
            continue
        rule = "the filter has another meaning there; both agree on the suggestion"
        yield Draft(node.span, fact, rule, suggestion=view.edited((node.span, replacement)), is_equal=True)
