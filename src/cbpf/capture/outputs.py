"""Outputs that are opened and ended together; files are replaced only on success."""

from .._named_tuple import NamedTuple
from .._output import OutputFiles
from .._stdlib import contextmanager
from .._typing import TYPE_CHECKING, Iterator, Sequence
from ..errors import DamagedCapture
from .compression_kinds import has_suffix_of_compression
from .output import Output, Target, capture_errors, file_names, open_target

if TYPE_CHECKING:
    from .compressors import Compressor


class OutputPlan(NamedTuple):
    """A target to open, whether it is also a source, and its compression; None: it is not compressed."""

    target: Target
    is_source: bool = False
    compressor: "Compressor | None" = None


def choose_compressor(target: Target, compress: str | None) -> "Compressor | None":
    """Return the compressor that *compress* names, or else the one that the name of the target's file requires.

    Raises `CaptureError` for a name that requires a compression that cannot be written, `FieldError`, or
    `MissingLibrary`.
    """
    names = [] if compress is not None else list(filter(has_suffix_of_compression, file_names(target)))
    if compress is None and not names:
        return None
    from .compressors import compressor_for_file, compressor_named

    return compressor_for_file(names[0]) if compress is None else compressor_named(compress)


@contextmanager
def open_outputs(plans: Sequence[OutputPlan]) -> Iterator[list[Output]]:
    """Open targets for writing.

    Regular files are replaced together when the block ends without an exception; those that are not sources also when
    it ends with `DamagedCapture`. After any other exception all are unchanged. A source may be the only copy of its
    packets, so its replacement is synchronised with the disk. Raises `CaptureError` if one cannot be written.
    """
    with OutputFiles() as files:
        opened = [open_target(target, files, synchronised=is_source) for target, is_source, _ in plans]
        with _compressed([output for output, _ in opened], [plan.compressor for plan in plans]) as outputs:
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


@contextmanager
def _compressed(outputs: list[Output], compressors: "Sequence[Compressor | None]") -> Iterator[list[Output]]:
    if not any(compressors):
        yield outputs
        return
    from .compressed_output import compressed_outputs

    with compressed_outputs(outputs, compressors) as compressed:
        yield compressed


def _finish(outputs: list[Output]) -> None:
    for output in outputs:
        output.finish()
    for output in outputs:
        output.flush()


@contextmanager
def open_output(target: Target, compressor: "Compressor | None" = None) -> Iterator[Output]:
    """Open one target for writing, as `open_outputs` does; it is also replaced after `DamagedCapture`."""
    with open_outputs([OutputPlan(target, compressor=compressor)]) as (output,):
        yield output
