"""Reduced ordered binary decision diagrams with any values at their leaves.

A node tests one Boolean variable, in ascending order on every path, and no two nodes are equal, so equal functions are
one node: Bryant, "Graph-Based Algorithms for Boolean Function Manipulation" (1986). Leaves may hold any values, not
only False and True: Fujita, McGeer and Yang, "Multi-Terminal Binary Decision Diagrams" (1997).

>>> diagram = DecisionDiagram()
>>> x, y = diagram.variable(0), diagram.variable(1)
>>> both = diagram.choose(x, y, FALSE)
>>> diagram.choose(y, x, FALSE) == both
True
>>> decision = diagram.choose(both, diagram.leaf("allow"), diagram.leaf("deny"))
>>> diagram.value(decision, {0, 1}), diagram.value(decision, {1})
('allow', 'deny')
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Set
from contextlib import contextmanager

from ..._typing import Final, TypeAlias

Node: TypeAlias = int
"""The number of a node in its diagram. FALSE and TRUE are the leaves of Boolean functions."""

FALSE: Final[Node] = 0
TRUE: Final[Node] = 1
Choice: TypeAlias = tuple[Node, Node, Node]
"""A condition, the function where it holds, and the function where it does not."""

_PendingChoice: TypeAlias = tuple[Choice, int, Node | None, Node | None, Choice]
"""A choice, its first variable, the results where it is false and true, and the choice where it is true."""

_VISITS_PER_STEP: Final = 2

LEAF: Final = 1 << 30
"""The variable of a leaf: it is after all others."""


class TooManySteps(Exception):
    """Operations on functions need more steps than their limit."""


class DecisionDiagram:
    """The nodes of functions, which share their equal parts.

    Operations use a stack of their own instead of recursion, as a path may be longer than Python's limit of recursion.

    Args:
        max_steps: The number of steps after which operations raise `TooManySteps`. A step computes one node, in two to
            four microseconds.

    Attributes:
        remaining_steps: The number of steps that remain.
        variables: The variable that each node tests; LEAF for a leaf.
        low: The successor of each node if its variable is false; a leaf is its own successor.
        high: The successor if it is true.
    """

    def __init__(self, max_steps: int = 600_000) -> None:
        self.variables: list[int] = []
        self.low: list[Node] = []
        self.high: list[Node] = []
        self.remaining_steps = max_steps
        self._nodes: dict[tuple[int, Node, Node], Node] = {}
        self._leaves: dict[Hashable, Node] = {}
        self._values: dict[Node, Hashable] = {}
        self._chosen: dict[tuple[Node, Node, Node], Node] = {}
        self.leaf((bool, False))
        self.leaf((bool, True))

    # Construction

    def leaf(self, value: Hashable) -> Node:
        """Return the function with the same value everywhere."""
        node = self._leaves.get(value)
        if node is None:
            node = self._leaves[value] = len(self.variables)
            self._values[node] = value
            self._append(LEAF, node, node)
        return node

    def variable(self, variable: int) -> Node:
        """Return the Boolean function that is the value of a variable."""
        return self._node(variable, FALSE, TRUE)

    def negate(self, function: Node) -> Node:
        """Return the negation of a Boolean function."""
        return self.choose(function, FALSE, TRUE)

    def both(self, left: Node, right: Node) -> Node:
        """Return the conjunction of two Boolean functions."""
        return self.choose(left, right, FALSE)

    def either(self, left: Node, right: Node) -> Node:
        """Return the disjunction of two Boolean functions."""
        return self.choose(left, TRUE, right)

    def choose(self, condition: Node, then: Node, otherwise: Node) -> Node:
        """Return the function that is *then* where the Boolean function *condition* holds, and else *otherwise*.

        This is Bryant's if-then-else: every operation on Boolean functions is a case of it.
        """
        decided = _decided(condition, then, otherwise)
        if decided is not None:
            return decided
        variables, low, high = self.variables, self.low, self.high
        variable = variables[condition]
        if (
            low[condition] == FALSE
            and high[condition] == TRUE
            and variable < min(variables[then], variables[otherwise])
        ):
            return self._node(variable, otherwise, then)
        choice = condition, then, otherwise
        known = self._chosen.get(choice)
        return self._compute(choice) if known is None else known

    def _compute(self, choice: Choice) -> Node:
        """Return the result of a choice that is neither decided nor known."""
        variables, low, high, chosen = self.variables, self.low, self.high, self._chosen
        pending: list[_PendingChoice] = []
        while True:
            f, g, h = choice
            variable = variables[f]
            if variables[g] < variable:
                variable = variables[g]
            if variables[h] < variable:
                variable = variables[h]
            f_low, f_high = (low[f], high[f]) if variables[f] == variable else (f, f)
            g_low, g_high = (low[g], high[g]) if variables[g] == variable else (g, g)
            h_low, h_high = (low[h], high[h]) if variables[h] == variable else (h, h)
            when_low = _decided(f_low, g_low, h_low)
            if when_low is None:
                when_low = chosen.get((f_low, g_low, h_low))
            when_high = _decided(f_high, g_high, h_high)
            if when_high is None:
                when_high = chosen.get((f_high, g_high, h_high))
            if when_low is None:
                pending.append((choice, variable, None, when_high, (f_high, g_high, h_high)))
                choice = f_low, g_low, h_low
                continue
            if when_high is None:
                pending.append((choice, variable, when_low, None, choice))
                choice = f_high, g_high, h_high
                continue
            result = chosen[choice] = self._step(variable, when_low, when_high)
            while pending:
                choice, variable, when_low, when_high, high_choice = pending.pop()
                if when_low is not None:
                    when_high = result
                elif when_high is None and (when_high := chosen.get(high_choice)) is None:
                    pending.append((choice, variable, result, None, choice))
                    choice = high_choice
                    break
                else:
                    when_low = result
                result = chosen[choice] = self._step(variable, when_low, when_high)
            else:
                return result

    def combine(
        self, left: Node, right: Node, merge: Callable[[Hashable, Hashable], Hashable], same: Callable[[Node], Node]
    ) -> Node:
        """Return the function whose values are *merge* of the values of two functions (Bryant's apply).

        *same* returns the result for a function and itself, so that equal parts are not visited.
        """
        variables, low, high = self.variables, self.low, self.high
        results: dict[tuple[Node, Node], Node] = {}
        stack = [(left, right)]
        while stack:
            key = f, g = stack[-1]
            variable = min(variables[f], variables[g])
            if f == g:
                results[key] = same(f)
            elif variable == LEAF:
                results[key] = self.leaf(merge(self._values[f], self._values[g]))
            else:
                f_low, f_high = (low[f], high[f]) if variables[f] == variable else (f, f)
                g_low, g_high = (low[g], high[g]) if variables[g] == variable else (g, g)
                missing = [pair for pair in ((f_low, g_low), (f_high, g_high)) if pair not in results]
                if missing:
                    stack += missing
                    continue
                results[key] = self._node(variable, results[f_low, g_low], results[f_high, g_high])
                self.count_step()
            stack.pop()
        return results[left, right]

    def restrict(self, function: Node, fixed: Mapping[int, bool]) -> Node:
        """Return a function with the values of some variables fixed."""
        results: dict[Node, Node] = {}
        for node in reversed(self.reachable(function)):
            variable = self.variables[node]
            if variable == LEAF:
                results[node] = node
            elif variable in fixed:
                results[node] = results[self.high[node] if fixed[variable] else self.low[node]]
            else:
                results[node] = self._node(variable, results[self.low[node]], results[self.high[node]])
        return results[function]

    def where(self, function: Node, part: Node, end: int = LEAF) -> Node:
        """Return the condition, on the variables before *end*, under which *part* remains of a function."""
        results: dict[Node, Node] = {}
        for node in reversed(self.reachable(function, end)):
            if self.variables[node] >= end:
                results[node] = TRUE if node == part else FALSE
            else:
                self.count_step()
                results[node] = self._node(self.variables[node], results[self.low[node]], results[self.high[node]])
        return results[function]

    def replace(self, function: Node, replacement: Callable[[Node], Node | None]) -> Node:
        """Return a function with parts replaced: *replacement* returns the new part, or None to keep the node.

        It must return a part for leaves, and no part that tests earlier variables.
        """
        results: dict[Node, Node] = {}
        for node in reversed(self.reachable(function)):
            part = replacement(node)
            if part is None:
                part = self._node(self.variables[node], results[self.low[node]], results[self.high[node]])
            results[node] = part
        return results[function]

    def split(self, function: Node, end: int) -> dict[Node, Node]:
        """Return the functions that remain of a function when all variables before *end* are known.

        Each is returned with the condition under which it remains.
        """
        parts = [node for node in self.reachable(function, end) if self.variables[node] >= end]
        return {part: self.where(function, part, end) for part in parts}

    def _node(self, variable: int, low: Node, high: Node) -> Node:
        if low == high:
            return low
        key = variable, low, high
        node = self._nodes.get(key)
        if node is None:
            node = self._nodes[key] = len(self.variables)
            self._append(variable, low, high)
        return node

    def _append(self, variable: int, low: Node, high: Node) -> None:
        self.variables.append(variable)
        self.low.append(low)
        self.high.append(high)

    def _step(self, variable: int, low: Node, high: Node) -> Node:
        """Return a node, and count a step."""
        self.count_step()
        return self._node(variable, low, high)

    # Limits

    def count_step(self) -> None:
        """Count a step; raise `TooManySteps` if none remains."""
        self.remaining_steps -= 1
        if self.remaining_steps < 0:
            raise TooManySteps

    def count_visits(self, nodes: int) -> None:
        """Count visits of nodes that exist, two of which take about the time of a step."""
        self.remaining_steps -= nodes // _VISITS_PER_STEP
        self.count_step()

    @contextmanager
    def limited(self, fraction: float) -> Iterator[None]:
        """Allow the operations in this context only a fraction of the remaining steps."""
        reserved = self.remaining_steps - int(self.remaining_steps * fraction)
        self.remaining_steps -= reserved
        try:
            yield
        finally:
            self.remaining_steps = max(0, self.remaining_steps) + reserved

    # Inspection

    def is_leaf(self, node: Node) -> bool:
        """Return whether a function has the same value everywhere."""
        return self.variables[node] == LEAF

    def leaf_value(self, node: Node) -> Hashable:
        """Return the value of a leaf."""
        return self._values[node]

    def value(self, node: Node, true_variables: Set[int]) -> Hashable:
        """Return the value of a function where these variables are true, and all others are false."""
        while self.variables[node] != LEAF:
            node = (self.high if self.variables[node] in true_variables else self.low)[node]
        return self._values[node]

    def path(self, node: Node, leaf: Node) -> frozenset[int]:
        """Return the true variables of a path from a function to one of its leaves, with the first variables false."""
        order = self.reachable(node)
        leads = {leaf}
        for other in reversed(order):
            if self.low[other] in leads or self.high[other] in leads:
                leads.add(other)
        true_variables = []
        while self.variables[node] != LEAF:
            is_true = self.low[node] not in leads
            if is_true:
                true_variables.append(self.variables[node])
            node = self.high[node] if is_true else self.low[node]
        return frozenset(true_variables)

    def reachable(self, node: Node, end: int = LEAF) -> list[Node]:
        """Return the nodes that a function consists of, in the order of their variables.

        Nodes of the variable *end* or later ones are included, but not their successors.
        """
        reached, pending = {node}, [node]
        while pending:
            current = pending.pop()
            if self.variables[current] < end:
                for successor in (self.low[current], self.high[current]):
                    if successor not in reached:
                        reached.add(successor)
                        pending.append(successor)
        return sorted(reached, key=self.variables.__getitem__)


def _decided(condition: Node, then: Node, otherwise: Node) -> Node | None:
    """Return the result of a choice that needs no step, else None."""
    if condition == TRUE or then == otherwise:
        return then
    if condition == FALSE:
        return otherwise
    return condition if then == TRUE and otherwise == FALSE else None
