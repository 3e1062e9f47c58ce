"""Lists of addresses and ports as one test each: those of `Expression`, and long lists in the text."""

from ...isa.word_ranges import Ranges, split_by_first_word, union
from ..address_lists import HostRanges
from .addresses import directed, ipv4_address_in
from .conditions import Condition, Effect, Membership, all_of, any_of, equals, exceeds, negation, reaches
from .context import Context
from .payload_types import IPV6, payload_is
from .ports import port_protocols, ports
from .steps import Steps


def address_set(context: Context, protocol: str | None, direction: str | None, addresses: HostRanges) -> Condition:
    """Return the condition that an address is in a list."""

    def ipv6_side(side: str) -> Condition:
        start = 8 if side == "src" else 24
        slots = tuple(context.reserve() for _ in range(4))
        words = tuple(context.network(start + 4 * word, 4) for word in range(4))
        for slot in slots:
            context.release(slot)
        return Membership(words, slots, addresses.ipv6)

    tests: list[Condition] = []
    if addresses.ipv4:
        ranges = addresses.ipv4
        tests.append(ipv4_address_in(context, protocol, direction, lambda load: Membership((load,), (), ranges)))
    if addresses.ipv6:
        tests.append(all_of((payload_is(context, IPV6), directed(context, direction, ipv6_side))))
    return any_of(tests)


def port_set(context: Context, protocol: str | None, direction: str | None, numbers: Ranges) -> Condition:
    """Return the condition that a port is in a list."""
    protocols = port_protocols(context, protocol)
    return ports(context, protocols, direction, lambda load: Membership((load,), (), numbers))


def expanded(words: tuple[Steps, ...], ranges: Ranges) -> Condition:
    """Return a membership as comparisons, for programs whose jumps compare with one number each."""
    if len(words) == 1:
        return _in_ranges(words[0], ranges)
    first, *others = words
    complete, partial = split_by_first_word(ranges, 32 * len(others))
    tests = [all_of((_in_ranges(first, complete), *map(Effect, others)))] if complete else []
    tests += (all_of((equals(first, word), expanded(words[1:], union(inner)))) for word, inner in partial.items())
    return any_of(tests)


def _in_ranges(steps: Steps, ranges: Ranges) -> Condition:
    """Return the condition that the word that the steps load is in one of the ranges."""
    tests: list[Condition] = []
    for low, high in ranges:
        before = () if tests else steps  # a comparison leaves the word in A
        if low == high:
            tests.append(equals(before, low))
        else:
            tests.append(all_of((reaches(before, low), negation(exceeds((), high)))))
    return any_of(tests)
