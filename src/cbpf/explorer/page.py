"""The files of the page: those of the distribution cbpf-explorer, and the core of the running package."""

from __future__ import annotations

import json
import os

import cbpf

from .._typing import Any, Final, Mapping
from .core import core_archive
from .emission import has_llvm
from .files import ANY_TYPE, Folder, ServedFile, content_type
from .proofs import has_solver

MAX_CAPTURE: Final = 64_000_000  # bytes of a capture that the page reads
_COMMAND: Final = "pip install 'cbpf-explorer=={0}'"


class Page:
    """The files of the explorer page.

    Args:
        folder: The folder of the files that do not change.
        facts: The values of served.json, which the page reads at its start: whether there are proofs and a compiler
            of eBPF ("llvm"), the initial state, the name of the capture, and the samples that links may name.
        capture: The path of the capture to open, or its bytes, or None.
    """

    page_path = ""

    def __init__(self, folder: str, facts: Mapping[str, Any], capture: str | bytes | None = None) -> None:
        self._folder = Folder(folder)
        self._capture = capture
        self._facts = dict(facts)
        self._core: bytes | None = None

    def file(self, name: str) -> ServedFile | None:
        """Return the file with a name such as "index.html", or None if the page has no such file."""
        if name == "cbpf.zip":
            self._core = self._core or core_archive()
            return ServedFile(content_type(name), self._core)
        if name == "served.json":
            return ServedFile(content_type(name), json.dumps(self._facts).encode())
        if name == "capture" and self._capture is not None:
            return ServedFile(ANY_TYPE, capture_bytes(self._capture))
        return self._folder.file(name)


def capture_bytes(capture: str | bytes) -> bytes:
    """Return the bytes of a capture that the page reads; a path is that of its file."""
    if isinstance(capture, bytes):
        return capture
    with open(capture, "rb") as file:
        return file.read(MAX_CAPTURE)


def served_facts(state: Mapping[str, Any], capture: str | None) -> dict[str, Any]:
    """Return the values of served.json: an initial state, and the name of the capture to open."""
    return {"proofs": has_solver(), "llvm": has_llvm(), "state": dict(state), "capture": capture}


def page_folder() -> str:
    """Return the folder with the files of the page in cbpf-explorer.

    Raises:
        cbpf.MissingLibrary: The distribution is not installed, or has another version than this package.
    """
    return _complete("the page", str(_distribution("the page").folder()))


def site_folder() -> str:
    """Return the folder with the files of the documentation site in cbpf-explorer.

    Raises:
        cbpf.MissingLibrary: The distribution is not installed, or has another version than this package.
    """
    return _complete("the documentation", str(_distribution("the documentation").site()))


def _distribution(part: str) -> Any:
    """Return the module cbpf_explorer of the version of this package."""
    command = _COMMAND.format(cbpf.__version__)
    try:
        import cbpf_explorer
    except ImportError:
        raise cbpf.MissingLibrary(f"{part} is in a distribution of its own; install it: {command}") from None
    version = str(cbpf_explorer.__version__)
    if version != cbpf.__version__:
        raise cbpf.MissingLibrary(f"{part} is of version {version}, cbpf of {cbpf.__version__}; install: {command}")
    return cbpf_explorer


def _complete(part: str, folder: str) -> str:
    """Return a folder if it has been built."""
    if not os.path.isfile(os.path.join(folder, "index.html")):
        raise cbpf.MissingLibrary(f"{part} has not been built; ./dev explorer builds it")
    return folder
