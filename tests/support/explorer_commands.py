"""The commands `cbpf explore` and `cbpf docs` with files that need no build."""

from __future__ import annotations

import atexit
import http.client
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import cbpf
from support.project import ROOT


def start(command: str, *arguments: str, folder: Path, version: str = cbpf.__version__) -> subprocess.Popen[str]:
    """Start a command without a browser; it ends at the latest with the tests.

    SIGINT has its default action also if the tests run in the background of a shell, which ignores it there.

    Args:
        command: "explore" or "docs".
        arguments: Its arguments.
        folder: A folder with the files of the page; those of the site are in the folder "site" beside it.
        version: The version of the distribution.
    """
    library = folder.parent / "cbpf_explorer"
    library.mkdir(exist_ok=True)
    (library / "__init__.py").write_text(
        f"from pathlib import Path\n__version__ = {version!r}\n"
        f"def folder(): return Path({str(folder)!r})\ndef site(): return Path({str(folder.parent / 'site')!r})\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder.parent), str(ROOT / "src")])}
    line = [sys.executable, "-m", "cbpf", command, "--no-browser", *arguments]
    process = subprocess.Popen(
        line,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    atexit.register(process.kill)
    return process


def link(process: subprocess.Popen[str]) -> str:
    """Return the link that a command has printed."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def get(url: str) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return the status, the headers and the data of a URL on this machine."""
    _, _, address, path = url.split("/", 3)
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", f"/{path}")
    response = connection.getresponse()
    result = response.status, response.headers, response.read()
    connection.close()
    return result
