"""Relations between the verdicts of two filters on a call.

A relation is the set of its violations: whether the verdicts differ, and whether each of them runs the call.
"""

from collections.abc import Mapping

from ..._typing import Final, Literal, TypeAlias
from ...isa.verdicts import SeccompAction

RelationName: TypeAlias = Literal["equal", "implies", "implies exactly"]

_BOOLS: Final = (False, True)
VIOLATIONS: Final[Mapping[RelationName, frozenset[tuple[bool, bool, bool]]]] = {
    "equal": frozenset((True, left, right) for left in _BOOLS for right in _BOOLS),
    "implies": frozenset({(True, True, False)}),
    "implies exactly": frozenset({(True, True, False), (True, True, True), (True, False, False)}),
}
"""The violations of each relation. "implies": the second filter runs each call that the first one runs; "exactly": and
the verdicts are equal, except that the second filter may run more calls."""


def is_violated(relation: RelationName, left: int, right: int) -> bool:
    """Return whether two verdicts violate a relation."""
    return (left != right, SeccompAction(left).runs, SeccompAction(right).runs) in VIOLATIONS[relation]
