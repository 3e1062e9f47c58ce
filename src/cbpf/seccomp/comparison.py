"""The differences between two filters, as classes of calls, and the calls that one of them alone runs."""

from collections.abc import Hashable

from .._record import Record
from ..isa.dialects import SECCOMP, Dialect
from ..isa.verdicts import SeccompAction
from ..isa.word_ranges import Ranges
from .calls import SystemCall
from .classes import action_of
from .diagrams.decision_diagram import DecisionDiagram
from .diagrams.filter_functions import Filter, as_filter, function_of, limit_reported
from .diagrams.opaque_words import OpaqueWords
from .diagrams.outcomes import IRRELEVANT, outcomes_of
from .diagrams.verdict_relations import RelationName, is_violated
from .names.actions import possible_action_text
from .rules import Condition
from .texts.call_texts import example_text


class ClassDifference(Record):
    """Calls for which two filters have different verdicts, because of one combination of their tests.

    Args:
        architectures: The architectures, as ranges of AUDIT_ARCH numbers.
        numbers: The numbers of the calls, as ranges.
        conditions: The conditions on the operands, all of which hold.
        old: The action of the first filter with its data; None if it is computed and may be one of many.
        new: The action of the second filter.
        witness: A call for which the filters have these actions.
        is_computed: Whether the filters may have other actions for other calls that fulfil the conditions: those of the
            class are selected by arithmetic that has no short description.
    """

    architectures: Ranges
    numbers: Ranges
    conditions: tuple[Condition, ...]
    old: SeccompAction | None
    new: SeccompAction | None
    witness: SystemCall
    is_computed: bool

    def example(self) -> str:
        """Return the witness with both actions, as text for people.

        Returns:
            One line, such as "socket(38, 0, 0) on x86_64: errno(EPERM) -> allow".
        """
        return f"{example_text(self.witness)}: {change_text(self)}"


def change_text(difference: ClassDifference) -> str:
    """Return the two actions of a difference, such as "errno(EPERM) -> allow"."""
    return f"{possible_action_text(difference.old)} -> {possible_action_text(difference.new)}"


def difference(
    old: Filter, new: Filter, *, dialect: Dialect = SECCOMP, timeout: float | None = 10
) -> tuple[ClassDifference, ...]:
    r"""Return the classes of calls for which two filters have different verdicts.

    Args:
        old: A program, a `Stack` of programs, or a `Policy`.
        new: Another one.
        dialect: The dialect of programs: `SECCOMP`, or the `dialect` of an architecture.
        timeout: The time for the solver, in seconds; None: no limit. It is needed only as in `call_classes`.

    Returns:
        The classes, which are disjoint: all calls with different verdicts. () is a proof that the filters are
        equivalent.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: The filters test too many combinations of bits, or the solver has no answer within *timeout*.
        VerificationError: The dialect rejects a program.

    >>> from cbpf import parse
    >>> old = parse("ld [0]\njge #40, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> new = parse("ld [0]\njge #42, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> for each in difference(old, new):
    ...     print(each.numbers, each.old.name, each.new.name)
    ((40, 41),) ERRNO ALLOW
    """
    return _violations("equal", old, new, dialect, timeout)


def implies(
    left: Filter, right: Filter, *, exact: bool = False, dialect: Dialect = SECCOMP, timeout: float | None = 10
) -> tuple[ClassDifference, ...]:
    r"""Return the classes of calls that one filter runs and another one does not run.

    Args:
        left: A program, a `Stack` of programs, or a `Policy`.
        right: The filter that should run all calls that *left* runs.
        exact: Whether verdicts count as well: *right* may differ from *left* only in that it runs more calls.
        dialect: The dialect of programs: `SECCOMP`, or the `dialect` of an architecture.
        timeout: The time for the solver, in seconds; None: no limit. It is needed only as in `call_classes`.

    Returns:
        The classes, which are disjoint. () is a proof that *left* implies *right*.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: The filters test too many combinations of bits, or the solver has no answer within *timeout*.
        VerificationError: The dialect rejects a program.

    >>> from cbpf import parse
    >>> strict = parse("ld [0]\njge #40, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> implies(strict, parse("ret #0x7fff0000"))
    ()
    """
    return _violations("implies exactly" if exact else "implies", left, right, dialect, timeout)


def _violations(
    relation: RelationName, old: Filter, new: Filter, dialect: Dialect, timeout: float | None
) -> tuple[ClassDifference, ...]:
    filters = as_filter(old, dialect), as_filter(new, dialect)
    diagram = DecisionDiagram()
    opaque = OpaqueWords(diagram)

    def merge(left: Hashable, right: Hashable) -> Hashable:
        if isinstance(left, int) and isinstance(right, int) and not is_violated(relation, left, right):
            return IRRELEVANT
        return left, right

    with limit_reported():
        functions = [function_of(diagram, opaque, filter_) for filter_ in filters]
        pairs = diagram.combine(functions[0], functions[1], merge, lambda _: diagram.leaf(IRRELEVANT))
        outcomes = outcomes_of(diagram, pairs, filters, functions, relation=relation, timeout=timeout)
    differences = []
    for calls, verdicts, witness, is_computed in outcomes:
        old_action, new_action = map(action_of, verdicts)
        differences.append(ClassDifference(*calls, old_action, new_action, witness, is_computed))
    return tuple(differences)
