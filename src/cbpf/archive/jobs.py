"""Jobs: the results for each object, the digests of jobs, and the receipts of the objects that are done.

A job is named by a digest of everything that its outputs depend on. Each batch has a receipt, a small JSON text that is
written after its outputs. So a run that was killed continues where it ended: the objects in receipts are done, unless
they were replaced since, and a receipt that is incomplete counts as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from .._named_tuple import NamedTuple
from .._stdlib import suppress
from .._typing import TYPE_CHECKING, Any, Final
from .digests import digest
from .listing import Object
from .locations import join
from .stores import Store

if TYPE_CHECKING:
    from .report import ProblemStatus

RECEIPTS: Final = ".cbpf"
"""The folder of all receipts in a target; listings leave out names that begin with a period."""

_VERSION: Final = 1


class Outcome(NamedTuple):
    """The result of a job for one object.

    Args:
        object: The object that was read, which may be a later version than the listed one.
        outputs: The number of objects that were written.
        packets: The number of packets in the object.
        selected: The number of packets that each filter accepts.
        status: None, or the kind of the problem.
        message: The problem, without the name of the object.
    """

    object: Object
    outputs: int = 0
    packets: int = 0
    selected: tuple[int, ...] = ()
    status: ProblemStatus | None = None
    message: str = ""


def job_digest(parts: Any) -> str:
    """Return the name of a job, given everything that its outputs depend on as values of JSON."""
    text = json.dumps([_VERSION, parts], sort_keys=True, default=str)
    return digest(text).hex()


class Receipts:
    """The receipts of a job in the folder of its target."""

    def __init__(self, store: Store, target: str, digest: str) -> None:
        self._store = store
        self._folder = join(join(target, RECEIPTS), digest)

    def write(self, outcomes: Iterable[Outcome]) -> None:
        """Write the receipt of a batch, whose outputs are complete.

        Objects with a problem that another run may not have are left out: those that were not read.
        """
        rows = [[*outcome.object, *outcome[1:]] for outcome in outcomes if outcome.status not in _NOT_DONE]
        if rows:
            text = json.dumps({"version": _VERSION, "objects": rows})
            self._store.write(f"{self._folder}/{digest(text).hex()}.json", text.encode())

    def read(self) -> Iterator[Outcome]:
        """Yield the outcomes of all receipts."""
        for path in self._store.names(self._folder):
            if path.endswith(".json"):
                yield from _outcomes(self._store.read(path))


_NOT_DONE: Final = ("unreadable", "replaced", "failed")


def _outcomes(data: bytes) -> list[Outcome]:
    """Return the outcomes in a receipt; none if it is incomplete, or of another version."""
    with suppress(ValueError, KeyError, TypeError):
        content = json.loads(data)
        if content["version"] == _VERSION:
            return [_outcome(row) for row in content["objects"]]
    return []


def _outcome(row: list[Any]) -> Outcome:
    path, size, etag, outputs, packets, selected, status, message = row
    return Outcome(Object(path, size, etag), outputs, packets, tuple(selected), status, message)


class DoneObjects:
    """The objects that an earlier run has done; each takes about 100 bytes of memory."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        self.problems: list[Outcome] = []
        self._keys: set[bytes] = set()
        for outcome in outcomes:
            self._keys.add(_key(outcome.object))
            if outcome.status is not None:
                self.problems.append(outcome)

    def __contains__(self, item: Object) -> bool:
        return bool(self._keys) and _key(item) in self._keys


def _key(item: Object) -> bytes:
    return digest(f"{item.path}\n{item.etag}")
