"""The core of cbpf as a zip archive, which the page unpacks in the browser."""

from __future__ import annotations

import io
import os
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from .._typing import Final, Iterator

_LEFT_OUT: Final = frozenset(
    ("archive", "arrow.py", "cli", "linux", "live", "polars", "pytest_plugin.py", "seccomp", "tables")
)
"""The parts of the package that the page does not use."""
_TIME: Final = (1980, 1, 1, 0, 0, 0)  # equal sources give equal archives


def core_archive() -> bytes:
    """Return the modules of the running package that the page uses, below the folder cbpf, as a zip archive."""
    root = os.path.dirname(os.path.dirname(__file__))
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for path in sorted(_modules(root)):
            with open(os.path.join(root, path), "rb") as file:
                info = ZipInfo(f"cbpf/{path}", _TIME)
                info.compress_type = ZIP_DEFLATED
                archive.writestr(info, file.read())
    return target.getvalue()


def _modules(root: str) -> Iterator[str]:
    """Yield the paths of the files, relative to the package."""
    for folder, folders, files in os.walk(root):
        relative = os.path.relpath(folder, root)
        left_out = _LEFT_OUT if relative == "." else ()
        folders[:] = [name for name in folders if name not in left_out and name != "__pycache__"]
        for name in files:
            if name.endswith((".py", ".c")) and name not in left_out:
                yield os.path.normpath(os.path.join(relative, name)).replace(os.sep, "/")
