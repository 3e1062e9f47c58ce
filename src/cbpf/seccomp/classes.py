"""The classes of calls that a filter treats alike: disjoint, complete, and none of them empty."""

from .._record import Record
from .._typing import Final
from ..errors import Undecided
from ..isa.dialects import SECCOMP, Dialect
from ..isa.verdicts import SeccompAction
from ..isa.word_ranges import Ranges
from .calls import SystemCall
from .diagrams.decision_diagram import DecisionDiagram
from .diagrams.filter_functions import Filter, as_filter, function_of, limit_reported
from .diagrams.opaque_words import OpaqueWords
from .diagrams.outcomes import outcomes_of
from .policies import Policy
from .rules import Condition, Rule

_KILL_PROCESS: Final = 0x8000_0000


class CallClass(Record):
    """The calls that a filter treats alike because of one combination of its tests.

    The classes of a filter are disjoint, and each call is in one of them.

    Args:
        architectures: The architectures, as ranges of AUDIT_ARCH numbers.
        numbers: The numbers of the calls, as ranges.
        conditions: The conditions on the operands, all of which hold.
        action: The action with its data; None if it is computed and may be one of many (`ret a`).
        witness: A call of the class.
        is_computed: Whether calls that fulfil the conditions may also be in other classes: the filter selects those of
            this class by arithmetic that has no short description.
    """

    architectures: Ranges
    numbers: Ranges
    conditions: tuple[Condition, ...]
    action: SeccompAction | None
    witness: SystemCall
    is_computed: bool


def call_classes(filter: Filter, *, dialect: Dialect = SECCOMP, timeout: float | None = 10) -> tuple[CallClass, ...]:
    r"""Return the classes of calls that a filter treats alike.

    A solver (extra `smt`) is needed only for filters that compare or multiply words of a call, or return a computed
    verdict.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        The classes, in ascending order of their smallest architecture, number and arguments. They are disjoint, each
        call is in one of them, and each of them has a call.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: The filter tests too many combinations of bits, or the solver has no answer within *timeout*.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> for each in call_classes(parse("ld [0]\njeq #41, 0, 1\nret #0x50001\nret #0x7fff0000")):
    ...     print(each.numbers, each.action.name)
    ((0, 40), (42, 4294967295)) ALLOW
    ((41, 41),) ERRNO
    """
    source = as_filter(filter, dialect)
    diagram = DecisionDiagram()
    with limit_reported():
        function = function_of(diagram, OpaqueWords(diagram), source)
        outcomes = outcomes_of(diagram, function, [source], [function], timeout=timeout)
    return tuple(
        CallClass(*outcome.calls, action_of(outcome.verdicts[0]), outcome.witness, outcome.is_computed)
        for outcome in outcomes
    )


def action_of(verdict: int | None) -> SeccompAction | None:
    """Return the action of a verdict; None for one that is computed."""
    return None if verdict is None else SeccompAction(verdict)


def policy(filter: Filter, *, dialect: Dialect = SECCOMP, timeout: float | None = 10) -> Policy:
    r"""Return the policy of a filter: one rule for each of its `call_classes`.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        An equivalent policy. Each call matches one of its rules, so their order does not matter, and its default is
        never used; it is KILL_PROCESS.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: As for `call_classes`, or the filter has classes that arithmetic selects, which are not rules.
        VerificationError: The dialect rejects the program.

    >>> from cbpf import parse
    >>> allow = parse("ld [16]\njset #2, 0, 1\nret #0x7fff0000\nret #0x50001")
    >>> policy(allow).action(0xC000003E, 0, (2,)).name
    'ALLOW'
    """
    source = as_filter(filter, dialect)
    rules = []
    for each in call_classes(source, timeout=timeout):
        if each.is_computed or each.action is None:
            raise Undecided(f"the verdict for {each.witness} is computed by arithmetic that rules cannot describe")
        rules.append(Rule(each.architectures, each.numbers, each.conditions, each.action.verdict))
    byte_order = source.byte_order if isinstance(source, Policy) else source.dialect.byte_order
    return Policy(tuple(rules), _KILL_PROCESS, byte_order)
