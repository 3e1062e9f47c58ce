"""The files of the page: those of the distribution cbpf-explorer, and the core of the running package."""

from __future__ import annotations

import json
import os

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Any, Final, Mapping
from .core import core_archive
from .proofs import has_solver

MAX_CAPTURE: Final = 64_000_000  # bytes of a capture that the page reads
_COMMAND: Final = "pip install 'cbpf-explorer=={0}'"
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".zip": "application/zip",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class PageFile(NamedTuple):
    """A file of the page: its type for the browser, and its bytes."""

    content_type: str
    data: bytes


class Page:
    """The files that a server offers.

    Args:
        folder: The folder of the files that do not change.
        facts: The values of served.json, which the page reads at its start: whether there are proofs, the initial
            state, and the name of the capture.
        capture: The path of the capture to open, or its bytes, or None.
    """

    def __init__(self, folder: str, facts: Mapping[str, Any], capture: str | bytes | None = None) -> None:
        self._folder = folder
        self._names = frozenset(_files(folder))
        self._capture = capture
        self._facts = dict(facts)
        self._core: bytes | None = None

    def file(self, name: str) -> PageFile | None:
        """Return the file with a name such as "index.html", or None if the page has no such file."""
        if name == "cbpf.zip":
            self._core = self._core or core_archive()
            return PageFile(_TYPES[".zip"], self._core)
        if name == "served.json":
            return PageFile(_TYPES[".json"], json.dumps(self._facts).encode())
        if name == "capture" and self._capture is not None:
            return PageFile("application/octet-stream", capture_bytes(self._capture))
        if name not in self._names:
            return None
        with open(os.path.join(self._folder, *name.split("/")), "rb") as file:
            return PageFile(_TYPES.get(os.path.splitext(name)[1], "application/octet-stream"), file.read())


def capture_bytes(capture: str | bytes) -> bytes:
    """Return the bytes of a capture that the page reads; a path is that of its file."""
    if isinstance(capture, bytes):
        return capture
    with open(capture, "rb") as file:
        return file.read(MAX_CAPTURE)


def served_facts(state: Mapping[str, Any], capture: str | None) -> dict[str, Any]:
    """Return the values of served.json: an initial state, and the name of the capture to open."""
    return {"proofs": has_solver(), "state": dict(state), "capture": capture}


def _files(folder: str) -> list[str]:
    """Return the paths of all files in a folder, with slashes: only these are ever opened."""
    return [
        os.path.relpath(os.path.join(root, name), folder).replace(os.sep, "/")
        for root, _, names in os.walk(folder)
        for name in names
    ]


def page_folder() -> str:
    """Return the folder with the files of cbpf-explorer.

    Raises:
        cbpf.MissingLibrary: The distribution is not installed, or has another version than this package.
    """
    try:
        import cbpf_explorer
    except ImportError:
        command = _COMMAND.format(cbpf.__version__)
        raise cbpf.MissingLibrary(f"the page is a distribution of its own; install it: {command}") from None
    folder = str(cbpf_explorer.folder())
    if not os.path.isfile(os.path.join(folder, "index.html")):
        raise cbpf.MissingLibrary("the page has not been built; ./dev explorer builds it")
    version = str(cbpf_explorer.__version__)
    if version != cbpf.__version__:
        command = _COMMAND.format(cbpf.__version__)
        raise cbpf.MissingLibrary(f"the page is of version {version}, cbpf of {cbpf.__version__}; install: {command}")
    return folder
