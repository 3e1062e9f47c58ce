"""How large and how often, and what is left out."""

import shutil
from pathlib import Path
from typing import NamedTuple


class LeftOut(Exception):
    """A topic, or the rest of one, cannot be measured here; the message says why."""


class Setting(NamedTuple):
    """scale: what all sizes and repetitions are multiplied with. fixed_rounds: 0 takes those of each topic."""

    scale: float = 1.0
    fixed_rounds: int = 0

    def scaled(self, number: int) -> int:
        return max(1, round(number * self.scale))

    def rounds(self, usual: int) -> int:
        return self.fixed_rounds or usual


def require_room(directory: Path, size: int) -> None:
    """Raises `LeftOut` unless there is room for so many bytes, with some to spare."""
    free = shutil.disk_usage(directory).free
    if free < size * 1.1 + 1e9:
        raise LeftOut(
            f"it needs {size / 1e9:.1f} GB and 1 GB to spare in {directory}, where {free / 1e9:.1f} GB are free"
            " (CBPF_BENCH_DIR names another directory)"
        )


def require_memory(size: int) -> None:
    """Raises `LeftOut` unless so many bytes fit into the page cache."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    if available < size * 1.1 + 1e9:
        raise LeftOut(
            f"its captures of {size / 1e9:.1f} GB do not fit into the {available / 1e9:.1f} GB of free memory"
        )


def size_text(size: float) -> str:
    """A number of bytes as people say it."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
