"""Everything that cbpf refuses, as one tree; each error's text is one line with place, fact and rule.

    CbpfError
    ├── FieldError           a value that its field cannot hold (slot 16, a float, 33 bits)
    ├── ProgramFormatError   text or bytes that are not a program
    ├── VerificationError    a program that its dialect refuses; carries all findings
    ├── ExpressionError      a filter expression that cannot be compiled
    ├── PacketError          a packet that is not a buffer of bytes
    ├── CaptureError         a capture that cannot be read or written, or not yet
    │   └── DamagedCapture   a capture that ends or errs in its middle; the packets before it are good
    ├── MissingLibrary       an engine or a library that is not installed
    ├── Undecided            a proof that was not found in the time given, nor a packet that refutes it
    └── ProofFailed          a program that the optimiser made another; carries the difference

A warning, not an error: `ExpressionWarning`, for an expression that compiles to a constant.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ._record import Record

if TYPE_CHECKING:
    from .filtering.summary import Summary


class CbpfError(Exception):
    """Base of every error that cbpf raises on purpose."""


class FieldError(CbpfError, ValueError):
    """A value that its field cannot hold, with the field's name and what it takes."""


class ExpressionError(CbpfError, ValueError):
    """A filter expression that cannot be compiled, in the words of who refused it."""


class PacketError(CbpfError, TypeError):
    """A packet that is not a contiguous buffer of bytes."""


class CaptureError(CbpfError, ValueError):
    """A capture that cannot be read or written; the text begins with its name."""


class DamagedCapture(CaptureError):
    """A capture that is cut short or wrong from some packet on; all packets before were delivered.

    `summary` is what `filter_capture` did with them, or None; `summaries` what `split_capture` did, for each route.
    """

    summary: "Summary | None" = None
    summaries: "tuple[Summary, ...]" = ()


class MissingLibrary(CbpfError, ImportError):
    """A library that is not installed, with the command that installs it."""


class Undecided(CbpfError):
    """A question about all packets that the solver did not answer; it is never taken for an answer."""


class ProofFailed(CbpfError):
    """An error of the optimiser, found before anybody was misled; `difference` has a packet that shows it."""

    def __init__(self, reason: str, difference: object = None) -> None:
        self.difference = difference
        super().__init__(reason, difference)

    def __str__(self) -> str:
        return str(self.args[0])


class ExpressionWarning(UserWarning):
    """A filter expression that is valid but surely not what was meant: it rejects every packet."""


class Finding(Record):
    """One reason why a dialect refuses a program.

    `identifier` is stable across releases; `index` is the instruction's position, or None for the whole
    program; `fact` says what stands there, `rule` what the dialect asks for.
    """

    identifier: str
    index: int | None
    fact: str
    rule: str

    def __str__(self) -> str:
        place = "program" if self.index is None else f"instruction {self.index}"
        return f"{place}: {self.fact}; {self.rule} [{self.identifier}]"


class Problem(Record):
    """One place where text is no program: *line* and *column* from 1, and what is wrong.

    `excerpt` is the line, or its part around the place, and below it a caret at the place.
    """

    line: int
    column: int
    message: str
    excerpt: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class ProgramFormatError(CbpfError, ValueError):
    """Text or bytes that do not describe a program.

    It names line and column, or the byte offset. For text, `problems` holds every `Problem`; else it is empty.
    `source` is the name of the file, where that is known.
    """

    source = ""

    def __init__(self, reason: str | Iterable[Problem]) -> None:
        self.problems = () if isinstance(reason, str) else tuple(reason)
        super().__init__(reason if isinstance(reason, str) else self.problems)

    def __str__(self) -> str:
        text = _first_and_count(self.problems) if self.problems else str(self.args[0])
        return f"{self.source}: {text}" if self.source else text


class VerificationError(CbpfError, ValueError):
    """A program that its dialect refuses; `findings` holds every reason, in order of position."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(self.findings)

    def __str__(self) -> str:
        return _first_and_count(self.findings)


def _first_and_count(reasons: Sequence[object]) -> str:
    more = len(reasons) - 1
    return str(reasons[0]) + (f" (and {more} more)" if more else "")
