"""The differences between two filters as tables for people, and as data: looser, stricter, another errno or number."""

from collections.abc import Iterator

from ..._record import Record
from ..._text import Readable
from ..._typing import Any, Final
from ...isa.dialects import SECCOMP, Dialect
from ...isa.verdicts import SeccompAction
from ..comparison import ClassDifference, change_text, difference, implies
from ..diagrams.filter_functions import Filter, as_filter
from ..names.actions import ACTION_WORDS
from ..names.architectures import Architecture, ArchitectureName
from ..texts.call_tables import LabelledCalls, Section, sections
from ..texts.call_texts import names_for
from ..texts.section_text import markdown, table
from .policy_overview import section_dict

_ERRNO: Final = ACTION_WORDS["errno"].value

GROUPS: Final = ("looser", "stricter", "other errno", "other number", "computed")
"""The kinds of differences: the new action is less or more restrictive for the kernel, or has other data."""


_TITLES: Final = {
    "other errno": "both deny these calls, with different error numbers",
    "other number": "both have the same action for these calls, with different numbers",
    "computed": "an action is computed, and may be one of many",
}


class DifferenceOverview(Record, Readable):
    """The differences between two filters, for people and as data. `str` returns tables.

    Args:
        differences: The differences.
        architecture: The architecture whose names the calls of several architectures have, if it is one of them.
        names: The names of the filters in titles.
    """

    differences: tuple[ClassDifference, ...]
    architecture: Architecture
    names: tuple[str, str] = ("OLD", "NEW")

    def groups(self) -> dict[str, tuple[ClassDifference, ...]]:
        """Return the differences of each kind that occurs.

        Returns:
            The differences by "looser", "stricter", "other errno", "other number" (the data of another action), and
            "computed" (an action that may be one of many).
        """
        found: dict[str, list[ClassDifference]] = {name: [] for name in GROUPS}
        for each in self.differences:
            found[_group(each.old, each.new)].append(each)
        return {name: tuple(members) for name, members in found.items() if members}

    def __str__(self) -> str:
        parts = []
        for name, members, found in self._sections():
            lines = [f"  {line}".rstrip() for line in table(found, is_complete=False)]
            parts.append("\n".join([_title(name, members, *self.names), *lines]))
        return "\n\n".join(parts)

    def markdown(self) -> str:
        """Return the tables in Markdown, for a document or a pull request.

        Returns:
            The tables, each with a heading, without a final newline.
        """
        parts = []
        for name, members, found in self._sections():
            title = f"## {_title(name, members, *self.names)}"
            parts.append("\n".join([title, "", *markdown(found, is_complete=False)]))
        return "\n\n".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Return the differences as values of JSON.

        Returns:
            A dictionary from each kind of difference to a list of sections, as `Overview.as_dict` returns them. The
            action of a case is "OLD -> NEW".
        """
        return {name: [section_dict(section) for section in found] for name, _, found in self._sections()}

    def _sections(self) -> Iterator[tuple[str, tuple[ClassDifference, ...], list[Section]]]:
        for name, members in self.groups().items():
            yield name, members, sections(map(_labelled, members), self.architecture)


def _title(name: str, members: tuple[ClassDifference, ...], old: str, new: str) -> str:
    """Return the title of a kind of differences: its name, and the effect of each filter."""
    if name in _TITLES:
        return f"{name}: {_TITLES[name]}"
    more, less = (new, old) if name == "looser" else (old, new)
    is_one_allowing = [
        each.old is not None and each.new is not None and each.old.runs != each.new.runs for each in members
    ]
    effects = []
    if any(is_one_allowing):
        effects.append(f"{more} allows calls that {less} does not")
    if not all(is_one_allowing):
        effects.append(f"{less} has stricter actions")
    return f"{name}: {', or '.join(effects)}"


def _group(old: SeccompAction | None, new: SeccompAction | None) -> str:
    if old is None or new is None:
        return "computed"
    if old.value == new.value:
        return "other errno" if new.value == _ERRNO else "other number"
    return "looser" if new.precedence > old.precedence else "stricter"


def _labelled(each: ClassDifference) -> LabelledCalls:
    label = change_text(each)
    return LabelledCalls(each.architectures, each.numbers, each.conditions, label, each.is_computed, each.witness)


def difference_overview(
    old: Filter,
    new: Filter,
    *,
    dialect: Dialect = SECCOMP,
    architecture: ArchitectureName | None = None,
    timeout: float | None = 10,
) -> DifferenceOverview:
    r"""Return the differences between two filters as tables for people, and as data.

    Args:
        old: A program, a `Stack` of programs, or a `Policy`.
        new: Another one.
        dialect: The dialect of programs: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture whose names the calls of several architectures have; None: that of this machine,
            if *new* has its byte order.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        The differences; without any, the filters are equivalent.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: As for `difference`.
        VerificationError: The dialect rejects a program.

    >>> from cbpf import parse
    >>> old = parse("ld [0]\njge #40, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> new = parse("ld [0]\njge #42, 0, 1\nret #0x50001\nret #0x7fff0000")
    >>> print(difference_overview(old, new, architecture="x86_64"))
    looser: NEW allows calls that OLD does not
      all architectures, with the names of x86_64
        errno(EPERM) -> allow  sendfile, socket
    """
    return _overview(difference(old, new, dialect=dialect, timeout=timeout), new, dialect, architecture)


def implication_overview(
    left: Filter,
    right: Filter,
    *,
    exact: bool = False,
    dialect: Dialect = SECCOMP,
    architecture: ArchitectureName | None = None,
    timeout: float | None = 10,
) -> DifferenceOverview:
    """Return the calls that one filter allows and another one does not, as tables for people, and as data.

    Args:
        left: A program, a `Stack` of programs, or a `Policy`.
        right: The filter that should allow all calls that *left* allows.
        exact: Whether all other differences count, too, except that *right* may allow more calls.
        dialect: The dialect of programs: `SECCOMP`, or the `dialect` of an architecture.
        architecture: The architecture whose names the calls of several architectures have; None: that of this machine,
            if *right* has its byte order.
        timeout: The time for the solver, in seconds; None: no limit.

    Returns:
        The differences; without any, *left* implies *right*.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: The solver is needed, and is not installed.
        Undecided: As for `implies`.
        VerificationError: The dialect rejects a program.

    >>> from cbpf import parse
    >>> print(implication_overview(parse("ret #0x7fff0000"), parse("ret #0x50001")))
    stricter: LEFT allows calls that RIGHT does not
      all architectures
        allow -> errno(EPERM)  all calls
    """
    found = implies(left, right, exact=exact, dialect=dialect, timeout=timeout)
    return _overview(found, right, dialect, architecture).replace(names=("LEFT", "RIGHT"))


def _overview(
    found: tuple[ClassDifference, ...], filter_: Filter, dialect: Dialect, architecture: ArchitectureName | None
) -> DifferenceOverview:
    return DifferenceOverview(found, names_for(as_filter(filter_, dialect).dialect.byte_order, architecture))
