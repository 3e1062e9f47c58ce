"""A progress bar on stderr for slow filters: bytes, rate and remaining time; only if stderr is a terminal."""

import os
import stat
import sys
import time

from .._stdlib import contextmanager
from .._typing import Any, Callable, Final, Iterator, Sequence
from .declarations import Function, option
from .streams import echo

_DELAY: Final = 0.5  # seconds until the bar appears; shorter work shows none
_INTERVAL: Final = 0.1  # seconds between two updates


def with_progress(command: Function) -> Function:
    """Add the options --no-progress and --quiet."""
    no_progress = option("--no-progress", is_flag=True, help="Do not show a progress bar.")
    quiet = option("-q", "--quiet", is_flag=True, help="Show neither a progress bar nor a summary on stderr.")
    return no_progress(quiet(command))


@contextmanager
def progress_bar(sources: Sequence[str], *, hidden: bool) -> Iterator[Callable[[int], None] | None]:
    """Yield a function to call with the number of bytes read so far; None if no bar is to be shown."""
    if hidden or not sys.stderr.isatty():
        yield None
        return
    bar = _ProgressBar(_total_size(sources))
    try:
        yield bar.update
    finally:
        bar.clear()


class _ProgressBar:
    """A progress bar of click that appears late and is redrawn at intervals."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._started = self._updated = time.monotonic()
        self._bar: Any = None

    def update(self, done: int) -> None:
        now = time.monotonic()
        if now - self._updated < (_INTERVAL if self._bar is not None else _DELAY):
            return
        self._updated = now
        if self._bar is None:
            self._bar = self._new_bar()
        rate = done / (now - self._started)
        total = f" of {_format_size(self._total)}" if self._total else ""
        self._bar.update(done - self._bar.pos, f"{_format_size(done)}{total}, {_format_size(rate)}/s")

    def _new_bar(self) -> Any:
        import click

        return click.progressbar(
            length=self._total or 0,
            file=sys.stderr,
            bar_template="[%(bar)s] %(info)s" if self._total else "%(info)s",
            show_percent=False,
            show_eta=bool(self._total),
            item_show_func=lambda text: text,
        )

    def clear(self) -> None:
        """Clear the line and show the cursor again."""
        if self._bar is not None:
            echo("\r\x1b[K\x1b[?25h", err=True, nl=False)


def _total_size(sources: Sequence[str]) -> int | None:
    """Return the number of bytes of all sources; None unless all are regular files."""
    try:
        stats = [os.fstat(0) if source == "-" else os.stat(source) for source in sources]
    except OSError:
        return None
    return sum(status.st_size for status in stats) if all(stat.S_ISREG(status.st_mode) for status in stats) else None


def _format_size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
