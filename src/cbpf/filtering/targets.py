"""The targets of a filter run: opened together, different from each other, and none of them a source in use."""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from .._output import display_name
from ..capture.input import Source
from ..capture.output import Output, Target, open_outputs
from ..errors import CaptureError

_Identity: TypeAlias = tuple[int, int]
"""The device and the inode number of a file."""


@contextmanager
def open_targets(targets: Sequence[Any], sources: Iterable[Source]) -> Iterator[list[Output]]:
    """Open the targets; one that is also a source remains unchanged if a source is damaged."""
    inputs = {_identity_of(_status(sys.stdin if source == "-" else source)) for source in sources} - {None}
    is_source = [_is_path(target) and _identity_of(_status(target)) in inputs for target in targets]
    with open_outputs(list(zip(targets, is_source, strict=True))) as outputs:
        _require_no_input(outputs, inputs)
        yield outputs


def _require_no_input(outputs: Iterable[Output], inputs: set[_Identity | None]) -> None:
    """Raise `CaptureError` if a source is written to while it is read, which might never end.

    A path is not: its file is replaced at the end. Standard output and file objects may be.
    """
    for output in outputs:
        if output.descriptor is not None and _identity_of(_status(output.descriptor)) in inputs:
            raise CaptureError(f"{output.name}: is also an input; give its path as the target to replace it at the end")


def require_different(targets: Iterable[Target]) -> None:
    """Raise `CaptureError` if two targets are one file or one stream."""
    identities: set[object] = set()
    for target in targets:
        identity = None if target is None else _target_identity(target)
        if identity is None:
            continue
        if identity in identities:
            name = _name_of(target)
            raise CaptureError(f"{name}: is the target of two routes; each route requires a target of its own")
        identities.add(identity)


def _name_of(target: Target) -> str:
    """Return the name of a target for messages."""
    if not isinstance(target, str | os.PathLike):
        return str(getattr(target, "name", "target"))
    return "standard output" if target == "-" else display_name(os.fsdecode(target))


def _target_identity(target: Target) -> object:
    """Return a value that is equal for two names of one file or stream; None for the null device."""
    status = _status(sys.stdout if target == "-" else target)
    if status is None:
        return _future_path(target) if isinstance(target, str | os.PathLike) else target
    is_null = stat.S_ISCHR(status.st_mode) and status.st_rdev == os.stat(os.devnull).st_rdev
    return None if is_null else (status.st_dev, status.st_ino)


def _future_path(path: str | os.PathLike[str]) -> str:
    """Return the path of a file that does not exist, with symbolic links resolved."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):  # the working directory has been removed; a null character
        return os.fspath(path)


def _is_path(target: Target) -> bool:
    return isinstance(target, str | os.PathLike) and target != "-"


def _status(file: Any) -> os.stat_result | None:
    """Return the status of a path, descriptor or file object; None if it is not a file."""
    try:
        return os.stat(file if isinstance(file, str | os.PathLike | int) else file.fileno())
    except (OSError, ValueError, AttributeError):
        return None


def _identity_of(status: os.stat_result | None) -> _Identity | None:
    """Return the identity of a regular file, None for anything else."""
    return (status.st_dev, status.st_ino) if status is not None and stat.S_ISREG(status.st_mode) else None
