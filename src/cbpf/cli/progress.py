"""A bar on stderr for work that takes long: bytes, rate and time left. None where stderr is no terminal."""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import click

progress_options: Final = (
    click.option("--no-progress", is_flag=True, help="No bar for long work on a terminal."),
    click.option("-q", "--quiet", is_flag=True, help="No bar, and no summary on stderr."),
)

_PATIENCE: Final = 0.5  # seconds; what is done by then shows no bar
_INTERVAL: Final = 0.1  # seconds between two drawings


def with_progress(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives a command the options."""
    for option in reversed(progress_options):
        command = option(command)
    return command


@contextmanager
def progress_bar(sources: Sequence[str], *, hidden: bool) -> Iterator[Callable[[int], None] | None]:
    """A function to be told how many bytes of the sources were read; None where nothing is to be shown."""
    if hidden or not sys.stderr.isatty():
        yield None
        return
    bar = _Bar(_total(sources))
    try:
        yield bar.tell
    finally:
        bar.clear()


class _Bar:
    """click's bar, begun late and drawn seldom."""

    def __init__(self, total: int | None) -> None:
        self._total = total
        self._started = self._drawn = time.monotonic()
        self._bar: Any = None

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self._drawn < (_INTERVAL if self._bar is not None else _PATIENCE):
            return
        self._drawn = now
        if self._bar is None:
            template = "[%(bar)s] %(info)s" if self._total else "%(info)s"
            self._bar = click.progressbar(
                length=self._total or 0,
                file=sys.stderr,
                bar_template=template,
                show_percent=False,
                show_eta=bool(self._total),
                item_show_func=lambda text: text,
            )
        rate = done / (now - self._started)
        of = f" of {_bytes(self._total)}" if self._total else ""
        self._bar.update(done - self._bar.pos, f"{_bytes(done)}{of}, {_bytes(rate)}/s")

    def clear(self) -> None:
        """Leaves an empty line."""
        if self._bar is not None:
            click.echo("\r\x1b[K\x1b[?25h", file=sys.stderr, nl=False)  # and the cursor is shown again


def _total(sources: Sequence[str]) -> int | None:
    """How many bytes there are, if all are regular files."""
    try:
        found = [os.fstat(0) if source == "-" else os.stat(source) for source in sources]
    except OSError:
        return None
    return sum(one.st_size for one in found) if all(stat.S_ISREG(one.st_mode) for one in found) else None


def _bytes(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
