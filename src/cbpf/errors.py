"""The exceptions of cbpf; each message is one line with place, fact and rule.

    CbpfError
    ├── FieldError           a value is not valid for its field (slot 16, a float, 33 bits)
    ├── ProgramFormatError   text or bytes do not encode a program, or a format cannot represent one
    ├── PolicyError          a policy or a table of system calls, or a profile of a container, is invalid
    ├── VerificationError    the dialect rejects a program; holds all findings
    ├── ExpressionError      a filter expression cannot be compiled
    │   └── LinkTypeError    a filter expression does not fit a link type, but fits another one
    ├── PacketError          a packet is not a buffer of bytes
    ├── CaptureError         a capture cannot be read or written, or is not supported
    │   └── DamagedCapture   a capture is truncated or corrupt; the packets before that point are valid
    ├── ArchiveError         a store, an object or a manifest is not usable, or a job cannot run
    ├── SocketError          the kernel rejects a filter, or opens no socket; also an OSError
    ├── SeccompError         the kernel rejects a filter of system calls, or does not show those of a process
    ├── MissingLibrary       a library is not installed or not usable
    ├── Undecided            the solver found neither a proof nor a packet that a run confirms
    └── ProofFailed          the optimised program is not equivalent to the input; holds the counterexample

Three are warnings, not errors. `ExpressionWarning`: a filter expression rejects every packet, or does not fit those of
an interface. `ProgramWarning`: a program hardly fits the place where it is attached. `SelectionWarning`: no packet of a
capture can be selected.
"""

import sys

from ._record import JsonRecord
from ._typing import TYPE_CHECKING, Final, Iterable, Sequence

if TYPE_CHECKING:
    from types import FrameType

    from .filtering.summary import Summary


class CbpfError(Exception):
    """The base class of all errors that cbpf raises because of its arguments, its inputs or the installation."""


class FieldError(CbpfError, ValueError):
    """A value is not valid for its field; the message contains the name of the field and its valid values."""


class ExpressionError(CbpfError, ValueError):
    """A filter expression cannot be compiled; the message contains the place if it is known, the fact and a hint.

    >>> from cbpf import compile
    >>> try:
    ...     compile("tcp prot 80")
    ... except ExpressionError as error:
    ...     print(error.column, error.suggestion)
    5 tcp port 80
    """

    source: str = ""
    """The name of the file with the expression, if it is known."""
    hint: str = ""
    """The last part of the message: the remedy, or the text that was expected; empty if there is none."""
    suggestion: str = ""
    """An expression to write instead, which can be compiled; empty if there is none."""

    def __init__(self, reason: str, *, expression: str = "", problems: "Iterable[Problem]" = ()) -> None:
        super().__init__(reason)
        self.expression: str = expression
        """The text of the expression, if it is known."""
        self.problems: tuple[Problem, ...] = tuple(problems)
        """Every error in the text, in order of position; empty if the error concerns the expression as a whole."""

    @property
    def problem(self) -> "Problem | None":
        """The first error, with its place and an excerpt; None if the error concerns the expression as a whole."""
        return self.problems[0] if self.problems else None

    @property
    def line(self) -> int | None:
        """The line of the error, from 1; None without a place."""
        return self.problem.line if self.problem else None

    @property
    def column(self) -> int | None:
        """The column of the error in characters, from 1; None without a place."""
        return self.problem.column if self.problem else None

    @property
    def place(self) -> str:
        """The place as text: "column 5", with the line if the text has several; empty if it is not known."""
        return "" if self.problem is None else self.place_of(self.problem)

    def place_of(self, problem: "Problem") -> str:
        """Return the place of one of the errors as text.

        Args:
            problem: One of `problems`.

        Returns:
            "column 5", with the line if the text has several.
        """
        line = f"line {problem.line}, " if self.source or "\n" in self.expression else ""
        return f"{line}column {problem.column}"

    def __str__(self) -> str:
        subject = self.source or (quoted(self.expression) if self.expression else "")
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return ": ".join(filter(None, [subject, self.place, str(self.args[0])])) + more


def quoted(expression: str) -> str:
    """Return the subject of a message about an expression: its text, shortened to 80 characters."""
    return f"expression {expression!r}" if len(expression) <= 80 else f"expression {expression[:80]!r}..."


class LinkTypeError(ExpressionError):
    """A filter expression does not fit a link type, but fits another one."""


class PolicyError(CbpfError, ValueError):
    """A policy, a profile or a table of system calls is invalid; the message has place, fact and rule."""


class PacketError(CbpfError, TypeError):
    """A packet is not a contiguous buffer of bytes."""


class CaptureError(CbpfError, ValueError):
    """A capture cannot be read or written; the message begins with its name."""


class DamagedCapture(CaptureError):
    """A capture is truncated or corrupt; all packets before that point were delivered."""

    summary: "Summary | None" = None
    """The result of `filter_capture` up to that point; None if another function raised the error."""
    summaries: "tuple[Summary, ...]" = ()
    """The results of `split_capture` up to that point, one per route."""


class ArchiveError(CbpfError, ValueError):
    """A store, an object or a manifest of an archive is not usable, or a job cannot run; the message begins with it."""


class SocketError(CbpfError, OSError):
    """The kernel rejects a filter, or another operation on a socket; the message has the socket, the fact and the rule.

    `errno` is the number of the kernel's error, as in every OSError.

    >>> import errno
    >>> SocketError(errno.EPERM, "socket 3: the filter is locked").errno == errno.EPERM
    True
    """

    def __str__(self) -> str:
        return str(self.strerror)


class SeccompError(CbpfError, OSError):
    """The kernel rejects a filter of system calls, or does not show the filters of a process.

    The message has the process or the operation, the fact and the rule. `errno` is the number of the kernel's error, as
    in every OSError.

    >>> import errno
    >>> SeccompError(errno.ESRCH, "process 7: it does not exist").errno == errno.ESRCH
    True
    """

    def __str__(self) -> str:
        return str(self.strerror)


class EbpfError(CbpfError, OSError):
    """The kernel rejects an eBPF program, or this process must not load it.

    Args:
        number: The error number of the kernel.
        message: The fact and the rule, as one line.
        log: The log of the kernel's verifier; empty if it was not run.
    """

    def __init__(self, number: int, message: str, log: str = "") -> None:
        super().__init__(number, message)
        self.log: str = log
        """The log of the kernel's verifier; empty if it was not run."""

    def __str__(self) -> str:
        return str(self.strerror)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.errno, self.strerror, self.log)


class MissingLibrary(CbpfError, ImportError):
    """A library is not installed or not usable; the message states the remedy, usually the command that installs it."""


class Undecided(CbpfError):
    """A query about all packets has neither a proof nor a packet that a run confirms; the message gives the reason."""

    def __init__(self, reason: str, parameter: str | None = None) -> None:
        self.reason: str = reason
        """The reason for the missing answer."""
        self.parameter: str | None = parameter
        """The parameter of the function whose increase may give an answer, or None."""
        super().__init__(reason, parameter)

    def __str__(self) -> str:
        return self.reason if self.parameter is None else f"{self.reason}; increase {self.parameter}"


class ProofFailed(CbpfError):
    """The optimised program is not equivalent to its input: a bug in the optimiser, found by the proof."""

    def __init__(self, reason: str, difference: object = None) -> None:
        self.difference: object = difference
        """The `Difference` with a counterexample packet, or None."""
        super().__init__(reason, difference)

    def __str__(self) -> str:
        return str(self.args[0])


class ExpressionWarning(UserWarning):
    """A filter is valid, but rejects every packet of a link type, or does not fit that link type.

    It is raised because this is hardly the intention.
    """


class ProgramWarning(UserWarning):
    """A program is valid, but hardly fits the place where it is attached: its offsets are those of another header."""


class SelectionWarning(UserWarning):
    """The times to select are valid, but none of a capture is between them: one is relative to its first packet."""


class TableWarning(UserWarning):
    """A value of a capture does not fit in its column of a table, which is null there."""


_SKIPPED_PACKAGES: Final = (__name__.partition(".")[0], "contextlib", "functools")


def warn(message: str, category: type[Warning] = ExpressionWarning) -> None:
    """Emit a warning for the line that called the package.

    A fixed `stacklevel` would need the number of calls from there, which differs by function.
    """
    import warnings

    frame = sys._getframe(1)
    while frame.f_back is not None and _module_of(frame).partition(".")[0] in _SKIPPED_PACKAGES:
        frame = frame.f_back
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    place = (frame.f_code.co_filename, frame.f_lineno, _module_of(frame), registry)
    warnings.warn_explicit(message, category, *place)


def _module_of(frame: "FrameType") -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""


class Finding(JsonRecord):
    """One reason why a dialect rejects a program.

    Args:
        identifier: The name of the rule in kebab case, stable across releases.
        index: The index of the instruction, or None if the finding concerns the program.
        fact: The violation.
        rule: The requirement of the dialect.
    """

    identifier: str
    index: int | None
    fact: str
    rule: str

    def __str__(self) -> str:
        position = "program" if self.index is None else f"instruction {self.index}"
        return f"{position}: {self.fact}; {self.rule} [{self.identifier}]"


class Problem(JsonRecord):
    """One error in the text of a program.

    Args:
        line: The line number, from 1.
        column: The column number in characters, from 1.
        message: The error.
        excerpt: The line, or its part around the column; below it, a caret marks the column.
    """

    line: int
    column: int
    message: str
    excerpt: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class ProgramFormatError(CbpfError, ValueError):
    """Text or bytes do not encode a program, or a format cannot represent one.

    The message contains line and column, the byte offset, or the index of the instruction.

    >>> from cbpf import parse
    >>> try:
    ...     parse("ldq [0]", format="asm")
    ... except ProgramFormatError as error:
    ...     print(error.problems[0].column, error.problems[0].message)
    1 unknown instruction 'ldq'
    """

    source: str = ""
    """The name of the file, if it is known."""

    def __init__(self, reason: str | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = () if isinstance(reason, str) else tuple(reason)
        """Every error in the text, in order of position; empty for bytes, and if the error concerns all of the text."""
        super().__init__(reason if isinstance(reason, str) else self.problems)

    def __str__(self) -> str:
        text = _first_and_count(self.problems) if self.problems else str(self.args[0])
        return f"{self.source}: {text}" if self.source else text


class VerificationError(CbpfError, ValueError):
    """The dialect rejects a program.

    >>> from cbpf import LINUX, VM, LoadScratch, Register
    >>> try:
    ...     VM([LoadScratch(Register.A, 0)], dialect=LINUX)
    ... except VerificationError as error:
    ...     print([finding.identifier for finding in error.findings])
    ['no-return', 'scratch-unwritten']
    """

    source: str = ""
    """The name of the file of the program, if it is known."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        """Every reason, in order of position."""
        super().__init__(self.findings)

    def __str__(self) -> str:
        text = _first_and_count(self.findings)
        return f"{self.source}: {text}" if self.source else text


def _first_and_count(reasons: Sequence[object]) -> str:
    remaining = len(reasons) - 1
    return str(reasons[0]) + (f" (and {remaining} more)" if remaining else "")
