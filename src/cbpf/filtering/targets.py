"""The targets of a filter run: opened together, different from each other, and none of them a source in use."""

import os
import stat
import sys

from .._named_tuple import NamedTuple
from .._output import display_name
from .._stdlib import contextmanager
from .._typing import TYPE_CHECKING, Any, Iterable, Iterator, TypeAlias
from ..capture.output import Output, Target
from ..capture.outputs import OutputPlan, choose_compressor, open_outputs
from ..capture.source_stream import Source
from ..errors import CaptureError

if TYPE_CHECKING:
    from ..capture.compressors import Compressor

_Identity: TypeAlias = tuple[int, int]
"""The device and the inode number of a file."""

_Inputs: TypeAlias = dict[_Identity | None, str | None]
"""The compression of each source that is a regular file."""


class TargetChoice(NamedTuple):
    """A target, its compressor, and whether it keeps the compression of a source that it replaces."""

    target: Any
    compressor: "Compressor | None"
    keeps_compression: bool


def choose_targets(targets: Iterable[Any], compress: str | None) -> list[TargetChoice]:
    """Choose the compression of targets, before anything is read.

    Raises `CaptureError`, `FieldError` or `MissingLibrary` if a compression cannot be written.
    """
    return [TargetChoice(target, choose_compressor(target, compress), compress is None) for target in targets]


@contextmanager
def open_targets(
    choices: Iterable[TargetChoice], sources: Iterable[Source], compressions: Iterable[str | None]
) -> Iterator[list[Output]]:
    """Open the targets; one that is also a source remains unchanged if a source is damaged.

    *compressions* are those of the sources.
    """
    inputs = {_source_identity(source): compression for source, compression in zip(sources, compressions, strict=True)}
    inputs.pop(None, None)
    with open_outputs([_plan(choice, inputs) for choice in choices]) as outputs:
        _require_no_input(outputs, inputs)
        yield outputs


@contextmanager
def open_new_target(choice: TargetChoice, sources: Iterable[Source]) -> Iterator[list[Output]]:
    """Open a target that must not be a source: it is another kind of file, or in place before the sources end."""
    identity = _identity_of(_status(choice.target))
    if identity is not None and identity in [_source_identity(source) for source in sources]:
        raise CaptureError(f"{_name_of(choice.target)}: is also an input, which this output must not replace")
    with open_outputs([OutputPlan(choice.target, compressor=choice.compressor)]) as outputs:
        yield outputs


def _source_identity(source: Source) -> _Identity | None:
    return _identity_of(_status(sys.stdin if source == "-" else source))


def _plan(choice: TargetChoice, inputs: _Inputs) -> OutputPlan:
    target, compressor, keeps_compression = choice
    identity = _identity_of(_status(target)) if _is_path(target) else None
    if identity not in inputs:
        return OutputPlan(target, compressor=compressor)
    compression = inputs[identity]
    if compressor is None and keeps_compression and compression is not None:
        from ..capture.compressors import compressor_like

        compressor = compressor_like(compression, _name_of(target))
    return OutputPlan(target, True, compressor)


def _require_no_input(outputs: Iterable[Output], inputs: _Inputs) -> None:
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
        return _future_path(target) if isinstance(target, str | os.PathLike) else id(target)
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
