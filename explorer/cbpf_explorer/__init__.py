"""The files of the explorer page, which `cbpf explore` serves."""

from pathlib import Path

__version__ = "0.1.0"


def folder() -> Path:
    """Return the folder of the page; `./dev explorer` builds it."""
    return Path(__file__).parent / "page"
