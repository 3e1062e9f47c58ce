"""Decision diagrams, compared with tables of their values."""

from itertools import product
from random import Random

import pytest

from cbpf.seccomp.diagrams.decision_diagram import FALSE, TRUE, DecisionDiagram, Node, TooManySteps
from support.project import Rounds
from support.random_choices import below

VARIABLES = range(5)
Table = tuple[object, ...]


def truth_table(diagram: DecisionDiagram, function: Node) -> Table:
    """Return the values of a function of five variables."""
    assignments = product((False, True), repeat=len(VARIABLES))
    return tuple(
        diagram.value(function, {variable for variable in VARIABLES if values[variable]}) for values in assignments
    )


def random_functions(random: Random, diagram: DecisionDiagram, count: int) -> list[tuple[Node, Table]]:
    """Return Boolean functions with their values, which are computed beside the diagram."""
    functions = [(node, truth_table(diagram, node)) for node in (FALSE, TRUE, *map(diagram.variable, VARIABLES))]
    for _ in range(count):
        (f, f_table), (g, g_table), (h, h_table) = (functions[below(random, len(functions))] for _ in range(3))
        table = tuple(y if x == (bool, True) else z for x, y, z in zip(f_table, g_table, h_table, strict=True))
        functions.append((diagram.choose(f, g, h), table))
    return functions


def test_choices_have_the_values_of_their_truth_tables_and_equal_functions_are_one_node(rounds: Rounds) -> None:
    for random in rounds(64):
        diagram = DecisionDiagram()
        functions = random_functions(random, diagram, 30)
        assert all(truth_table(diagram, node) == table for node, table in functions)
        assert len({node for node, _ in functions}) == len({table for _, table in functions})


def test_combined_functions_have_the_merged_values(rounds: Rounds) -> None:
    def merge(left: object, right: object) -> int:
        assert isinstance(left, int)
        assert isinstance(right, int)
        return min(left, right)

    for random in rounds(80):
        diagram = DecisionDiagram()
        conditions = random_functions(random, diagram, 20)[-4:]
        first, second = diagram.leaf(7), diagram.leaf(3)
        for number, (condition, _) in enumerate(conditions):
            first = diagram.choose(condition, diagram.leaf(number), first)
            second = diagram.choose(condition, second, diagram.leaf(5 - number))
        combined = diagram.combine(first, second, merge, lambda node: node)
        tables = zip(truth_table(diagram, first), truth_table(diagram, second), strict=True)
        assert truth_table(diagram, combined) == tuple(merge(left, right) for left, right in tables)


def test_equal_parts_of_combined_functions_are_not_merged() -> None:
    diagram = DecisionDiagram()
    x, y = diagram.variable(0), diagram.variable(1)
    left = diagram.choose(x, diagram.choose(y, diagram.leaf(1), diagram.leaf(2)), diagram.leaf(3))
    right = diagram.choose(x, diagram.choose(y, diagram.leaf(1), diagram.leaf(2)), diagram.leaf(4))
    pairs = diagram.combine(left, right, lambda a, b: (a, b), lambda _: diagram.leaf("same"))
    assert pairs == diagram.choose(x, diagram.leaf("same"), diagram.leaf((3, 4)))


def test_the_parts_of_a_split_function_are_disjoint_and_compose_it(rounds: Rounds) -> None:
    for random in rounds(80):
        diagram = DecisionDiagram()
        function, _ = random_functions(random, diagram, 30)[-1]
        result, conditions = FALSE, FALSE
        for part, condition in diagram.split(function, 2).items():
            assert diagram.variables[part] >= 2
            assert condition != FALSE
            assert diagram.both(condition, conditions) == FALSE
            conditions = diagram.either(conditions, condition)
            result = diagram.choose(condition, part, result)
        assert (result, conditions) == (function, TRUE)


def test_restricted_functions_do_not_depend_on_the_variables(rounds: Rounds) -> None:
    for random in rounds(80):
        diagram = DecisionDiagram()
        function, _ = random_functions(random, diagram, 30)[-1]
        fixed = diagram.restrict(function, {1: True, 3: False})
        assert fixed == diagram.restrict(diagram.restrict(function, {3: False}), {1: True})
        condition = diagram.choose(diagram.variable(3), FALSE, diagram.variable(1))
        assert diagram.choose(condition, fixed, FALSE) == diagram.choose(condition, function, FALSE)
        assert not {1, 3} & {diagram.variables[node] for node in diagram.reachable(fixed)}


def test_paths_lead_to_their_leaf(rounds: Rounds) -> None:
    for random in rounds(80):
        diagram = DecisionDiagram()
        function, _ = random_functions(random, diagram, 30)[-1]
        for leaf in filter(diagram.is_leaf, diagram.reachable(function)):
            assert diagram.value(function, diagram.path(function, leaf)) == diagram.leaf_value(leaf)


def test_long_paths_need_no_recursion() -> None:
    diagram = DecisionDiagram()
    every, none = TRUE, TRUE
    for variable in range(5_000):
        every = diagram.both(diagram.variable(4_999 - variable), every)
        none = diagram.both(diagram.negate(diagram.variable(4_999 - variable)), none)
    assert diagram.both(every, none) == FALSE
    assert len(diagram.reachable(diagram.either(every, none))) == 2 * 5_000 + 1


def equality_of_distant_bits(diagram: DecisionDiagram, bits: int) -> Node:
    """Return the condition that two numbers are equal, of which one comes before the other: 2**bits nodes."""
    result = TRUE
    for bit in range(bits):
        left, right = diagram.variable(bit), diagram.variable(bits + bit)
        result = diagram.both(result, diagram.choose(left, right, diagram.negate(right)))
    return result


def test_the_number_of_steps_is_limited() -> None:
    with pytest.raises(TooManySteps):
        equality_of_distant_bits(DecisionDiagram(max_steps=2_000), 32)


def test_a_part_of_the_steps_may_fail_without_the_others() -> None:
    diagram = DecisionDiagram(max_steps=4_000)
    with pytest.raises(TooManySteps), diagram.limited(1 / 4):
        equality_of_distant_bits(diagram, 32)
    assert diagram.remaining_steps == 3_000
    with diagram.limited(1 / 4):
        equality_of_distant_bits(diagram, 4)
    assert 2_500 < diagram.remaining_steps < 3_000
