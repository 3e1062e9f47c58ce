"""The files of the explorer page and of the documentation, which `cbpf explore` and `cbpf docs` serve."""

from pathlib import Path

__version__ = "0.1.0"


def folder() -> Path:
    """Return the folder of the page; `./dev explorer` builds it."""
    return Path(__file__).parent / "page"


def site() -> Path:
    """Return the folder of the documentation site, without the page; `./dev explorer` builds it."""
    return Path(__file__).parent / "site"
