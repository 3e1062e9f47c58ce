"""Outputs that are opened and ended together; files are replaced only on success."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .._named_tuple import NamedTuple
from .._output import OutputFiles
from ..errors import DamagedCapture
from .compressed_output import compressed_outputs
from .compressors import Compressor, compressor_for_file, compressor_named
from .output import Output, Target, capture_errors, file_names, open_target


class OutputPlan(NamedTuple):
    """A target to open, whether it is also a source, and its compression; None: it is not compressed."""

    target: Target
    is_source: bool = False
    compressor: Compressor | None = None


def choose_compressor(target: Target, compress: str | None) -> Compressor | None:
    """Return the compressor that *compress* names, or else the one that the name of the target's file requires.

    Raises `CaptureError` for a name that requires a compression that cannot be written, `FieldError`, or
    `MissingLibrary`.
    """
    if compress is not None:
        return compressor_named(compress)
    return next(filter(None, map(compressor_for_file, file_names(target))), None)


@contextmanager
def open_outputs(plans: Sequence[OutputPlan]) -> Iterator[list[Output]]:
    """Open targets for writing.

    Regular files are replaced together when the block ends without an exception; those that are not sources also when
    it ends with `DamagedCapture`. After any other exception all are unchanged. A source may be the only copy of its
    packets, so its replacement is synchronised with the disk. Raises `CaptureError` if one cannot be written.
    """
    with OutputFiles() as files:
        opened = [open_target(target, files, synchronised=is_source) for target, is_source, _ in plans]
        with compressed_outputs([output for output, _ in opened], [plan.compressor for plan in plans]) as outputs:
            try:
                yield outputs
            except DamagedCapture:
                kept = [file for (_, file), plan in zip(opened, plans, strict=True) if file and not plan.is_source]
                _finish(outputs)
                with capture_errors():
                    files.commit(kept)
                raise
            _finish(outputs)
            with capture_errors():
                files.commit()


def _finish(outputs: list[Output]) -> None:
    for output in outputs:
        output.finish()
    for output in outputs:
        output.flush()


@contextmanager
def open_output(target: Target, compressor: Compressor | None = None) -> Iterator[Output]:
    """Open one target for writing, as `open_outputs` does; it is also replaced after `DamagedCapture`."""
    with open_outputs([OutputPlan(target, compressor=compressor)]) as (output,):
        yield output
