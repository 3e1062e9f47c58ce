"""The sizes and repetitions of a benchmark, and the reasons to omit one."""

import shutil
from pathlib import Path
from typing import NamedTuple


class Omitted(Exception):
    """A topic, or the rest of one, cannot be measured here; the message is the reason."""


class Setting(NamedTuple):
    """Scale factor of all sizes and repetitions, and the number of rounds (0: each topic's own)."""

    scale: float = 1.0
    fixed_rounds: int = 0

    def scaled(self, count: int) -> int:
        return max(1, round(count * self.scale))

    def rounds(self, default: int) -> int:
        return self.fixed_rounds or default


def require_room(directory: Path, size: int) -> None:
    """Raise `Omitted` unless the directory has room for *size* bytes and a reserve."""
    free = shutil.disk_usage(directory).free
    if free < size * 1.1 + 1e9:
        raise Omitted(
            f"it needs {size / 1e9:.1f} GB and a reserve of 1 GB in {directory}, where {free / 1e9:.1f} GB are free"
            " (CBPF_BENCH_DIR names another directory)"
        )


def require_memory(size: int) -> None:
    """Raise `Omitted` unless *size* bytes fit into the page cache."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(fields["MemAvailable"].split()[0]) * 1024
    if available < size * 1.1 + 1e9:
        raise Omitted(
            f"its captures of {size / 1e9:.1f} GB do not fit into the {available / 1e9:.1f} GB of free memory"
        )


def size_text(size: float) -> str:
    """Return a number of bytes in GB or MB."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.3g} MB"
