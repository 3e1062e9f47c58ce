r"""The audit of a filter: its weaknesses, each with a call that was evaluated and shows it."""

from collections.abc import Callable, Collection, Iterator, Mapping

from ..._suggestions import suggestion
from ..._typing import Final
from ...errors import FieldError, MissingLibrary
from ...isa.dialects import SECCOMP, Dialect
from ..diagrams.filter_functions import Filter, as_filter, limit_reported
from ..names.architectures import ArchitectureName
from ..names.system_calls import NAMES_REMEDY, names_available
from ..texts.call_texts import names_for
from . import abis, equivalents, escapes, numbers, structure, verdicts, widths
from .findings import SEVERITIES, AuditFinding
from .subject import Subject

_RULES: Final[Mapping[Callable[[Subject], Iterator[AuditFinding]], tuple[str, ...]]] = {
    verdicts.never_allows: ("never-allows",),
    verdicts.denies_nothing: ("denies-nothing",),
    abis.untested_architecture: ("architecture-untested",),
    abis.open_abis: ("abi-open",),
    widths.high_bits: ("high-bits",),
    equivalents.open_multiplexers: ("multiplexer-open",),
    equivalents.open_equivalents: ("equivalent-open",),
    equivalents.open_io_uring: ("io-uring-open",),
    escapes.open_escapes: ("escape",),
    numbers.default_allow: ("default-allow",),
    widths.low_halves: ("low-half",),
    verdicts.undefined_actions: ("undefined-action",),
    verdicts.unavailable_actions: ("unavailable-action",),
    verdicts.lost_data: ("errno-too-large", "data-ignored"),
    verdicts.errno_zero: ("errno-zero",),
    numbers.errno_of_new_calls: ("errno-of-new-calls",),
    abis.other_architectures: ("other-architectures-open",),
    structure.filters_without_effect: ("filter-without-effect",),
    structure.unreachable_rules: ("impossible-rule", "unreachable-rule"),
    structure.unreachable_instructions: ("unreachable", "constant-test"),
    verdicts.computed_verdicts: ("computed-verdict",),
}
"""The rules, with the first words of the identifiers of their findings."""

_RULES_OF_KERNEL: Final = frozenset(_RULES[verdicts.unavailable_actions])

AUDIT_RULES: Final = tuple([name for names in _RULES.values() for name in names])
"""The rules of the audit, by which its findings are identified."""


def audit(
    filter: Filter,
    *,
    dialect: Dialect = SECCOMP,
    architecture: ArchitectureName | None = None,
    ignore: Collection[str] = (),
    on_kernel: bool = False,
) -> tuple[AuditFinding, ...]:
    r"""Return the weaknesses of a filter, and its parts without effect.

    The rules examine the exact function of the filter, so a finding is never a guess: its calls are all calls that are
    concerned, and its witness was evaluated. Whether a call that runs is needed is for the reader to decide. A call is
    denied deliberately if it is denied otherwise than numbers without a name.

    Args:
        filter: A program, a `Stack` of programs, or a `Policy`.
        dialect: The dialect of a program: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture of the machine, where the filter does not test any; None: that of this machine,
            if it has the byte order of the filter.
        ignore: The identifiers of findings that are not reported, or their rules, such as "escape".
        on_kernel: Whether to report actions that the running kernel does not know.

    Returns:
        The findings, the most severe first.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The library system-calls is not installed.
        Undecided: The filter tests too many combinations of bits.
        VerificationError: The dialect rejects a program.

    >>> from cbpf import parse
    >>> deny_execve = parse("ld [0]\njeq #59, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> for each in audit(deny_execve, architecture="x86_64"):
    ...     if each.rule in ("abi-open", "equivalent-open"):
    ...         print(each.severity, each.identifier, each.witness)
    high abi-open:i386 SystemCall('execve', (0, 0, 0, 0, 0, 0), architecture='i386')
    high abi-open:x32 SystemCall('execve', (0, 0, 0, 0, 0, 0), architecture='x32')
    high equivalent-open:execve SystemCall('execveat', (0, 0, 0, 0, 0, 0), architecture='x86_64')
    """
    source = as_filter(filter, dialect)
    row = names_for(source.dialect.byte_order, architecture)
    if not names_available():
        raise MissingLibrary(NAMES_REMEDY)
    ignored = _ignored(ignore, on_kernel)
    with limit_reported():
        subject = Subject(source, row)
        findings = [
            finding
            for rule, names in _RULES.items()
            if not ignored.issuperset(names)
            for finding in rule(subject)
            if not ignored & {finding.rule, finding.identifier}
        ]
    return tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))


def _ignored(ignore: Collection[str], on_kernel: bool) -> frozenset[str]:
    """Return the rules and identifiers that are ignored."""
    for text in ignore:
        rule = text.partition(":")[0]
        if rule not in AUDIT_RULES:
            raise FieldError(f"audit.ignore: {rule!r} is not a rule{suggestion(rule, AUDIT_RULES)}")
    return frozenset(ignore) | (frozenset() if on_kernel else _RULES_OF_KERNEL)
