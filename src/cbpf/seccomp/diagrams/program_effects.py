"""The parts of a program without effect: instructions that no record reaches, and tests that have one outcome.

Nearly all tests of a filter are about the architecture, or about other words. So the condition of a path is a product
of two functions, where it can be: this halves the steps of the diagram.
"""

from functools import reduce

from ..._named_tuple import NamedTuple
from .decision_diagram import FALSE, LEAF, TRUE, DecisionDiagram, Node
from .program_diagram import Point, ProgramMeaning, Step
from .record_bits import ARCHITECTURE


class _Condition(NamedTuple):
    """The conjunction of two conditions. If the first one is not TRUE, the second one does not test the architecture.

    Args:
        architecture: A condition on the architecture.
        rest: A condition.
    """

    architecture: Node
    rest: Node


class _Edge(NamedTuple):
    """The last step of a path: its condition, and the outcome of its test."""

    condition: _Condition
    test: Node
    outcome: bool


class ProgramEffects:
    r"""The effects of the instructions of a program. May raise `TooManySteps`.

    Args:
        diagram: The diagram of the meaning.
        meaning: The meaning of the program.

    Attributes:
        reached: The instructions that some record reaches.

    >>> from cbpf import SECCOMP, parse
    >>> from cbpf.seccomp.diagrams.opaque_words import OpaqueWords
    >>> diagram = DecisionDiagram()
    >>> filter_ = parse("ld [0]\njge #9, 0, 2\njeq #3, 0, 1\nret #0\nret #0x7fff0000")
    >>> effects = ProgramEffects(diagram, ProgramMeaning(diagram, filter_, SECCOMP, OpaqueWords(diagram)))
    >>> sorted(effects.reached), effects.constant_tests
    ([0, 1, 2, 4], [2])
    """

    def __init__(self, diagram: DecisionDiagram, meaning: ProgramMeaning) -> None:
        self._diagram = diagram
        self._meaning = meaning
        self._edges: dict[Point, list[_Edge]] = {next(iter(meaning.steps)): [_Edge(_Condition(TRUE, TRUE), TRUE, True)]}
        self._is_about_architecture: dict[Node, bool] = {}
        self.reached: set[int] = set()
        self._outcomes: dict[int, set[bool]] = {}
        for point, step in meaning.steps.items():
            if point in self._edges:
                self.reached.add(point.instruction)
                if step.successors:
                    self._follow(point, step)

    @property
    def constant_tests(self) -> list[int]:
        """The conditional jumps that are reached, and whose test always has the same outcome."""
        return [instruction for instruction, outcomes in self._outcomes.items() if len(outcomes) == 1]

    def _follow(self, point: Point, step: Step) -> None:
        """Record the edges from an instruction, in a state in which it is reached."""
        condition = reduce(self._either, map(self._edge_condition, self._edges.pop(point)))
        if step.ends_at_zero != FALSE:
            condition = self._both(condition, self._diagram.negate(step.ends_at_zero))
            if FALSE in condition:
                return
        targets = [self._meaning.merged_points.get(successor, successor) for successor in step.successors]
        if len(targets) == 1:
            self._edges.setdefault(targets[0], []).append(_Edge(condition, TRUE, True))
            return
        for target, outcome in zip(targets, (True, False), strict=True):
            edge = _Edge(condition, step.test, outcome)
            if self._is_possible(edge):
                self._edges.setdefault(target, []).append(edge)
                if targets[0].instruction != targets[1].instruction:
                    self._outcomes.setdefault(point.instruction, set()).add(outcome)

    # Conditions

    def _edge_condition(self, edge: _Edge) -> _Condition:
        if edge.outcome:
            return self._both(edge.condition, edge.test)
        architecture, rest = self._factors(edge.condition, edge.test)
        if self._is_first_factor(edge.test, rest):
            return _Condition(self._diagram.choose(edge.test, FALSE, architecture), rest)
        return _Condition(architecture, self._diagram.choose(edge.test, FALSE, rest))

    def _both(self, condition: _Condition, test: Node) -> _Condition:
        architecture, rest = self._factors(condition, test)
        if self._is_first_factor(test, rest):
            return _Condition(self._diagram.both(architecture, test), rest)
        return _Condition(architecture, self._diagram.both(rest, test))

    def _either(self, left: _Condition, right: _Condition) -> _Condition:
        if left.architecture == right.architecture:
            return _Condition(left.architecture, self._diagram.either(left.rest, right.rest))
        return _Condition(TRUE, self._diagram.either(self._product(left), self._product(right)))

    def _is_possible(self, edge: _Edge) -> bool:
        """Return whether a test has an outcome on some record that fulfils the condition, which is not empty."""
        architecture, rest = self._factors(edge.condition, edge.test)
        factor = architecture if self._is_first_factor(edge.test, rest) else rest
        return _overlaps(self._diagram, factor, edge.test, edge.outcome)

    def _factors(self, condition: _Condition, test: Node) -> _Condition:
        """Return a condition as a product of which only one factor has the words that a test is about."""
        if condition.architecture == TRUE or self._tests_no_architecture(test) or self._tests_architecture_only(test):
            return condition
        return _Condition(TRUE, self._product(condition))

    def _is_first_factor(self, test: Node, rest: Node) -> bool:
        return self._tests_architecture_only(test) and self._tests_no_architecture(rest)

    def _product(self, condition: _Condition) -> Node:
        return self._diagram.both(condition.architecture, condition.rest)

    def _tests_no_architecture(self, function: Node) -> bool:
        return self._diagram.variables[function] >= ARCHITECTURE.end

    def _tests_architecture_only(self, function: Node) -> bool:
        if function not in self._is_about_architecture:
            variables = {self._diagram.variables[node] for node in self._diagram.reachable(function)} - {LEAF}
            self._is_about_architecture[function] = bool(variables) and max(variables) < ARCHITECTURE.end
        return self._is_about_architecture[function]


def _overlaps(diagram: DecisionDiagram, condition: Node, test: Node, outcome: bool) -> bool:
    """Return whether a test has an outcome where a condition holds, without new nodes."""
    variables, low, high = diagram.variables, diagram.low, diagram.high
    wanted, other = (TRUE, FALSE) if outcome else (FALSE, TRUE)
    visited = set()
    pending = [(condition, test)]
    while pending:
        pair = condition, test = pending.pop()
        if condition == FALSE or test == other or pair in visited:
            continue
        if condition == TRUE or test == wanted:  # a test that is not a leaf has both outcomes
            return True
        visited.add(pair)
        diagram.count_step()
        variable = min(variables[condition], variables[test])
        conditions = (low[condition], high[condition]) if variables[condition] == variable else (condition,) * 2
        tests = (low[test], high[test]) if variables[test] == variable else (test,) * 2
        pending += zip(conditions, tests, strict=True)
    return False
