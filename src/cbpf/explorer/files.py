"""Files that a server offers: their types, and the folders that they are in."""

from __future__ import annotations

import os

from .._named_tuple import NamedTuple
from .._typing import Final, Protocol

PAGE_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""The Content-Security-Policy of the explorer page without frame-ancestors, which index.html cannot state."""
ANY_TYPE: Final = "application/octet-stream"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".zip": "application/zip",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
}


class ServedFile(NamedTuple):
    """A file that a server offers.

    Args:
        content_type: Its type for the browser.
        data: Its bytes.
        policy: Its Content-Security-Policy; empty for that of the explorer page, in the frames that its server permits.
    """

    content_type: str
    data: bytes
    policy: str = ""


class Served(Protocol):
    """The files of a server."""

    page_path: str
    """The path of the folder with the explorer page, whose questions are answered: "", or one that ends with /."""

    def file(self, name: str) -> ServedFile | None:
        """Return the file with a name such as "index.html", or None if there is none."""


class Folder:
    """The files in a folder and its subfolders; only these are ever opened.

    Args:
        path: The path of the folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._names = frozenset(
            os.path.relpath(os.path.join(root, name), path).replace(os.sep, "/")
            for root, _, names in os.walk(path)
            for name in names
        )

    def file(self, name: str) -> ServedFile | None:
        """Return the file with a path below the folder, with slashes, or None if there is none."""
        if name not in self._names:
            return None
        with open(os.path.join(self._path, *name.split("/")), "rb") as file:
            return ServedFile(content_type(name), file.read())


def content_type(name: str) -> str:
    """Return the type of a file by the end of its name."""
    return _TYPES.get(os.path.splitext(name)[1], ANY_TYPE)
