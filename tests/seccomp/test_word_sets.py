"""Sets of numbers: their descriptions are exact, and the shortest of several forms."""

import pytest

from cbpf.seccomp.diagrams.decision_diagram import FALSE, TRUE, DecisionDiagram, Node
from cbpf.seccomp.diagrams.record_bits import ARGUMENTS, NUMBER, Field
from cbpf.seccomp.diagrams.set_properties import common_bits, path_count, range_count
from cbpf.seccomp.diagrams.word_sets import NumberTests, describe_set, set_of, smallest_member
from cbpf.seccomp.rules import MaskedRanges
from support.project import Rounds
from support.random_choices import below, chance, pick

ARGUMENT = ARGUMENTS[2]
ALL = 2**64 - 1
LOW = 2**32 - 1


def described(diagram: DecisionDiagram, tests: NumberTests, field: Field) -> Node:
    """Return the set that a description describes."""
    result = TRUE
    for alternatives in tests:
        result = diagram.both(result, set_of(diagram, field, alternatives))
    return result


def masked(mask: int, *ranges: tuple[int, int]) -> MaskedRanges:
    return MaskedRanges(mask, ranges)


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        ([masked(ALL, (5, 5))], [masked(ALL, (5, 5))]),
        ([masked(ALL, (0, 37), (39, 39), (41, ALL))], [masked(ALL, (0, 37), (39, 39), (41, ALL))]),
        ([masked(LOW, (0, 37), (39, LOW))], [masked(LOW, (0, 37), (39, LOW))]),  # the low half alone
        ([masked(ALL & ~LOW, (0, 0))], [masked(ALL, (0, LOW))]),  # the high half is 0: small numbers
        ([masked(ALL & ~LOW, (1 << 32, 1 << 32))], [masked(ALL, (1 << 32, (2 << 32) - 1))]),
        ([masked(0x10000000, (0, 0))], [masked(0x10000000, (0, 0))]),  # a flag
        ([masked(0x7E020000, (0, 0))], [masked(0x7E020000, (0, 0))]),  # several flags
        ([masked(0x7E020000, (1, 0x7E020000))], [masked(0x7E020000, (0x20000, 0x7E020000))]),
        ([masked(3, (1, 1))], [masked(3, (1, 1))]),
        ([masked(ALL & ~0x20008, (0, 0))], [masked(ALL, (0, 0), (8, 8), (0x20000, 0x20000), (0x20008, 0x20008))]),
        ([masked(1 << 63, (0, 0))], [masked(ALL, (0, 2**63 - 1))]),
    ],
)  # fmt: skip
def test_descriptions_are_short(tests: list[MaskedRanges], expected: list[MaskedRanges]) -> None:
    diagram = DecisionDiagram()
    numbers = set_of(diagram, ARGUMENT, tests)
    description = describe_set(diagram, numbers, ARGUMENT)
    assert description is not None
    assert list(*description) == expected
    assert described(diagram, description, ARGUMENT) == numbers


def test_common_bits_are_tested_apart_from_ranges() -> None:
    diagram = DecisionDiagram()
    odd = set_of(diagram, ARGUMENT, [masked(1, (1, 1))])
    small = set_of(diagram, ARGUMENT, [masked(ALL, (0, 99))])
    description = describe_set(diagram, diagram.both(odd, small), ARGUMENT)
    assert description == ((masked(1, (1, 1)),), (masked(ALL, (0, 99)),))


def test_alternatives_are_paths_where_nothing_else_is_short() -> None:
    diagram = DecisionDiagram()
    either = [masked(0xFF, (0x41, 0x41)), masked(0xFF00_0000_0000, (0x4100_0000_0000, 0x4100_0000_0000))]
    numbers = set_of(diagram, ARGUMENT, either)
    description = describe_set(diagram, numbers, ARGUMENT)
    assert description is not None
    assert described(diagram, description, ARGUMENT) == numbers
    assert len(description[0]) <= 10


def test_numbers_of_calls_are_ranges_unless_there_are_too_many() -> None:
    diagram = DecisionDiagram()
    without_x32 = set_of(diagram, NUMBER, [masked(0x40000000, (0, 0))])
    ranges = ((0, 0x3FFF_FFFF), (0x8000_0000, 0xBFFF_FFFF))
    assert describe_set(diagram, without_x32, NUMBER) == ((MaskedRanges(LOW, ranges),),)
    odd = set_of(diagram, NUMBER, [masked(1, (1, 1))])
    assert describe_set(diagram, odd, NUMBER) == ((masked(1, (1, 1)),),)
    assert describe_set(diagram, TRUE, NUMBER) == ()


def test_a_parity_has_no_short_description() -> None:
    diagram = DecisionDiagram()
    parity = FALSE
    for variable in range(ARGUMENT.first, ARGUMENT.end):
        bit = diagram.variable(variable)
        parity = diagram.choose(bit, diagram.negate(parity), parity)
    assert describe_set(diagram, parity, ARGUMENT) is None
    assert smallest_member(diagram, parity, ARGUMENT) == 1


def test_descriptions_are_exact(rounds: Rounds) -> None:
    for random in rounds(64, min_checked=0.5):
        diagram = DecisionDiagram()
        numbers = FALSE
        for _ in range(1 + below(random, 4)):
            mask = pick(random, (ALL, ALL, LOW, ALL & ~LOW, 0xFF, 1 << below(random, 64), below(random, 2**64)))
            bounds = sorted(
                below(random, 2**64) & mask if chance(random, 0.5) else below(random, 300) for _ in range(2)
            )
            test = set_of(diagram, ARGUMENT, [masked(mask, (bounds[0], bounds[1]))])
            other = pick(random, (FALSE, TRUE))
            numbers = diagram.choose(test, diagram.negate(numbers) if chance(random, 0.3) else TRUE, numbers)
            numbers = diagram.choose(test, numbers, other) if chance(random, 0.1) else numbers
        if numbers == FALSE:
            continue
        description = describe_set(diagram, numbers, ARGUMENT)
        member = smallest_member(diagram, numbers, ARGUMENT)
        if description is not None:
            assert described(diagram, description, ARGUMENT) == numbers
            assert all(any(test.contains(member) for test in alternatives) for alternatives in description)
            rounds.checked()


def test_properties_are_those_of_the_members(rounds: Rounds) -> None:
    """Of sets of numbers of six bits, in any order of the bits."""
    bits = 6
    for random in rounds(64):
        members = {below(random, 1 << bits) for _ in range(1 + below(random, 60))}
        if chance(random, 0.5):
            members = {number | 1 << below(random, bits) for number in members}
        diagram = DecisionDiagram()
        numbers = FALSE
        for number in members:
            path = TRUE
            for variable in reversed(range(bits)):
                bit = diagram.variable(variable)
                is_set = number >> bits - 1 - variable & 1
                path = diagram.choose(bit, path, FALSE) if is_set else diagram.choose(bit, FALSE, path)
            numbers = diagram.either(numbers, path)
        rank = {variable: bits - 1 - variable for variable in range(bits)}
        assert range_count(diagram, numbers, rank) == sum(number - 1 not in members for number in members)
        values = {variable: {bool(number >> rank[variable] & 1) for number in members} for variable in range(bits)}
        assert common_bits(diagram, numbers) == {key: value.pop() for key, value in values.items() if len(value) == 1}
        assert path_count(diagram, numbers) == paths(diagram, numbers)


def paths(diagram: DecisionDiagram, node: Node) -> int:
    """Return the number of paths to TRUE, followed one by one."""
    if diagram.is_leaf(node):
        return int(node == TRUE)
    return paths(diagram, diagram.low[node]) + paths(diagram, diagram.high[node])
