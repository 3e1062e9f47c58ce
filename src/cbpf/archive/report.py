"""The reports of operations on archives."""

from __future__ import annotations

from .._named_tuple import NamedTuple
from .._record import Record
from .._text import Readable, aligned, counted
from .._typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from ..filtering.counting import PacketCounts

ProblemStatus: TypeAlias = Literal["damaged", "foreign", "unreadable", "replaced", "failed", "unsorted"]

_MAX_LINES: Final = 20
"""The number of problems that the text of a report shows."""


class ObjectProblem(NamedTuple):
    """An object that an operation could not use, or not completely.

    Args:
        path: The path or URL of the object.
        status: "damaged": truncated or corrupt; its complete packets are used. "foreign": no capture. "unreadable": the
            store does not return it. "replaced": it was replaced repeatedly while it was read. "failed": the workers
            that read it were killed. "unsorted": its packets are not in the order of time.
        message: The error in one line, without the path.
    """

    path: str
    status: ProblemStatus
    message: str

    def as_dict(self) -> dict[str, Any]:
        """Return the problem as a dictionary that can be converted to JSON.

        Returns:
            The fields by name.
        """
        return self._asdict()

    def __str__(self) -> str:
        return f"{self.path}: {self.message} ({self.status})"


class Report(Record, Readable):
    """The result of an operation on an archive; its text is a few lines, followed by those of its problems.

    Args:
        operation: The name of the operation, such as "index".
        source: The source, as it was stated.
        objects: The number of objects that the source names.
        pruned: The number of objects that were not read, because the manifest shows that no packet is in the period.
        unchanged: The number of objects that an earlier run had finished, or whose packets the manifest has counted.
        processed: The number of objects that this run read; for a dry run, of those that it would read.
        bytes_read: The bytes of the objects that were read, as they are stored.
        packets: The number of packets in the objects that were read; None for `count`.
        selected: The number of packets that the filters accept; None for an operation without filters.
        outputs: The number of objects that were written.
        problems: The objects that could not be used, or not completely.
        counts: The result of `count`, or None.
        dry_run: Whether nothing was read or written.
        routes: The folder of each filter of `split`, and the number of packets that the filter accepts.
        removed: The number of rows of a manifest that were removed, because the source does not name their objects any
            more.
    """

    operation: str
    source: str
    objects: int = 0
    pruned: int = 0
    unchanged: int = 0
    processed: int = 0
    bytes_read: int = 0
    packets: int | None = 0
    selected: int | None = None
    outputs: int = 0
    problems: tuple[ObjectProblem, ...] = ()
    counts: PacketCounts | None = None
    dry_run: bool = False
    routes: tuple[tuple[str, int], ...] = ()
    removed: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether all objects were used completely."""
        return not self.problems

    def as_dict(self) -> dict[str, Any]:
        """Return the report as a dictionary of JSON types.

        Returns:
            The fields by name; the problems and the counts as dictionaries.
        """
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__match_args__}
        fields["problems"] = [problem.as_dict() for problem in self.problems]
        fields["routes"] = dict(self.routes)
        fields["counts"] = None if self.counts is None else self.counts.as_dict()
        return fields

    def __str__(self) -> str:
        lines = aligned(self._rows())
        shown = self.problems[:_MAX_LINES]
        lines += [str(problem) for problem in shown]
        if len(self.problems) > len(shown):
            lines.append(f"and {counted(len(self.problems) - len(shown), 'more problem')}")
        return "\n".join([str(self.counts), "", *lines] if self.counts is not None else lines)

    def _rows(self) -> list[tuple[str, str]]:
        read = "to read" if self.dry_run else "read"
        rows = [
            ("objects", f"{self.objects:,}"),
            ("outside the period", f"{self.pruned:,}" if self.pruned else ""),
            ("from earlier runs", f"{self.unchanged:,}" if self.unchanged else ""),
            (read, f"{counted(self.processed, 'object')}, {counted(self.bytes_read, 'byte')}"),
            ("packets", "" if self.dry_run or self.packets is None else f"{self.packets:,}"),
            ("accepted", "" if self.dry_run or self.selected is None else f"{self.selected:,}"),
            *((f"  {folder}", "" if self.dry_run else f"{accepted:,}") for folder, accepted in self.routes),
            ("written", counted(self.outputs, "object") if self.outputs else ""),
            ("removed", counted(self.removed, "row") if self.removed else ""),
            ("with problems", f"{len(self.problems):,}" if self.problems else ""),
        ]
        return [(name, value) for name, value in rows if value]
