"""Runs of identifiers with the same qualifiers, such as `host (a or b or ...)`: long ones are one test of a set."""

from collections.abc import Callable, Iterator, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias, TypeVar
from ...isa.word_ranges import union
from ..address_lists import HostRanges
from ..problems import ExpressionProblem, ExpressionProblems
from ..syntax_tree import Condition as Node
from ..syntax_tree import Match, Not, Span
from .conditions import Condition, any_of
from .context import SHORTEST_RUN, Context
from .identifiers import match, network
from .ports import checked_port, port_bounds
from .sets import address_set, port_set

SHORTEST_IPV6_RUN: Final = 256
"""The number of IPv6 addresses in sequence, for sources or destinations, that become one test.

A set compares the source with all numbers before it looks at the destination; a sequence looks at the destination in
between. They differ on packets that end inside the destination: a set accepts some of them because of the source.
"""

_T = TypeVar("_T")

_ADDRESSES: Final = (None, "host", "net")
_PORTS: Final = ("port", "portrange")


class Run(NamedTuple):
    """Identifiers in sequence that differ in nothing but the identifier; negated ones, if `and` joins them."""

    matches: tuple[Match, ...]
    is_negated: bool

    @property
    def span(self) -> Span:
        """The part of the text from the first identifier to the last."""
        return Span(self.matches[0].span.start, self.matches[-1].span.end)


Part: TypeAlias = Node | Run


def parts(operands: Sequence[Node], *, is_conjunction: bool) -> Iterator[Part]:
    """Yield the operands of `or` or `and` in order, with long runs in place of their identifiers."""
    pending: list[Node] = []
    key: object = None
    for operand in operands:
        next_key = _key(operand, is_conjunction)
        if next_key != key:
            yield from _run_or_operands(pending, key, is_conjunction)
            pending, key = [], next_key
        pending.append(operand)
    yield from _run_or_operands(pending, key, is_conjunction)


def _run_or_operands(operands: Sequence[Node], key: object, is_negated: bool) -> Iterator[Part]:
    if key is None or len(operands) < _shortest(_match(operands[0])):
        yield from operands
    else:
        yield Run(tuple(_match(operand) for operand in operands), is_negated)


def _shortest(match: Match) -> int:
    is_ipv6_of_either_side = match.identifier.kind == "ipv6" and match.qualifiers.direction in (None, "src or dst")
    return SHORTEST_IPV6_RUN if is_ipv6_of_either_side else SHORTEST_RUN


def _match(node: Node) -> Match:
    match_node = node.operand if isinstance(node, Not) else node
    assert isinstance(match_node, Match)
    return match_node


def _key(node: Node, is_conjunction: bool) -> object:
    """Return the common properties of the identifiers of a run; None if the node cannot be part of a run."""
    if is_conjunction:
        if not isinstance(node, Not):
            return None
        node = node.operand
    if not isinstance(node, Match) or node.qualifiers.direction == "src and dst":
        return None
    protocol, direction, kind = node.qualifiers
    token = node.identifier
    if kind in _PORTS:
        is_range = token.kind == "name" and token.word.replace("-", "", 1).isdecimal()
        return ("ports", protocol, direction) if token.kind == "number" or is_range else None
    if kind in _ADDRESSES and protocol in (None, "ip", "arp", "rarp", "ip6"):
        version = {"number": 4, "ipv4": 4, "ipv6": 6}.get(token.kind)
        return None if version is None else (version, protocol, direction)
    return None


def run_condition(context: Context, run: Run) -> Condition:
    """Return the disjunction of a run: the first identifier as it is, then all of them as a set.

    The first one has loaded all bytes that the others load, so they cannot reject a packet, in any order.

    Raises `ExpressionProblems` if identifiers are invalid.
    """
    if run.matches[0].qualifiers.kind in _PORTS:
        return _ports_condition(context, run)
    return _addresses_condition(context, run)


def _ports_condition(context: Context, run: Run) -> Condition:
    ranges = _of_each(context, run, _port_bounds)
    protocol, direction, _ = run.matches[0].qualifiers
    first = match(context, run.matches[0])
    return any_of((first, port_set(context, protocol, direction, union(ranges))))


def _addresses_condition(context: Context, run: Run) -> Condition:
    ranges: list[tuple[int, int]] = []
    others: list[Condition] = []
    bits = 128 if run.matches[0].identifier.kind == "ipv6" else 32
    for node, (words, masks) in zip(run.matches, _of_each(context, run, network), strict=True):
        low, wildcard = _number(words), _number(masks) ^ (1 << bits) - 1
        if wildcard & wildcard + 1:  # the mask has gaps
            others.append(match(context, node))
        else:
            ranges.append((low, low | wildcard))
    protocol, direction, _ = run.matches[0].qualifiers
    first = match(context, run.matches[0])
    addresses = HostRanges((), union(ranges)) if bits == 128 else HostRanges(union(ranges), ())
    return any_of((first, address_set(context, protocol, direction, addresses), *others))


def _of_each(context: Context, run: Run, value: Callable[[Context, Match], _T]) -> list[_T]:
    """Return a value of each identifier. Raises `ExpressionProblems` with the problems of all of them."""
    values: list[_T] = []
    problems: list[ExpressionProblem] = []
    for node in run.matches:
        context.span = node.span
        try:
            values.append(value(context, node))
        except ExpressionProblem as problem:
            problems.append(problem)
    if problems:
        raise ExpressionProblems(tuple(problems))
    return values


def _port_bounds(context: Context, node: Match) -> tuple[int, int]:
    token = node.identifier
    if token.kind == "number":
        return (checked_port(context, token.value, token),) * 2
    return port_bounds(context, token)[:2]


def _number(words: Sequence[int]) -> int:
    number = 0
    for word in words:
        number = number << 32 | word
    return number
