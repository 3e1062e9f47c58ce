"""A server of JupyterLab, whose kernels have cbpf-explorer, and its notebooks in a browser."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from support.browser import missing_browser
from support.project import ROOT, is_installed

_LIBRARIES: Final = ("ipykernel", "jupyter_server_proxy", "jupyterlab", "nbconvert")
_TOKEN: Final = "abc"
_WAIT: Final = 120  # seconds, under load


def missing_jupyter() -> str:
    """Return the reason why notebooks cannot be tested here, or an empty text."""
    missing = [name for name in _LIBRARIES if not is_installed(name)]
    return missing_browser() or (f"{missing[0]} is not installed; ./dev test --all installs it" if missing else "")


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of Jupyter: its files in a folder, and kernels with cbpf-explorer."""
    paths = {f"JUPYTER_{name}_DIR": str(folder / name.lower()) for name in ("CONFIG", "DATA", "RUNTIME")}
    return {**os.environ, **paths, "PYTHONPATH": os.pathsep.join([str(ROOT / "explorer"), str(ROOT / "src")])}


@contextmanager
def jupyter_server(folder: Path) -> Iterator[str]:
    """Run a server of the notebooks in a folder, and yield its URL, with a path like that on a hub."""
    options = ["--allow-root", "--no-browser", "--ServerApp.port=0", "--ServerApp.base_url=/user/ann/"]
    options += [f"--IdentityProvider.token={_TOKEN}", "--LabApp.news_url=None"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    state = folder / ".jupyter"
    with open(folder / "jupyter.log", "wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment(state), stdout=log, stderr=log)
    try:
        yield _url(process, state / "runtime" / f"jpserver-{process.pid}.json")
    finally:
        process.terminate()
        process.wait(timeout=30)


def _url(process: subprocess.Popen[bytes], facts: Path) -> str:
    """Return the URL of a server, once it answers."""
    end = time.monotonic() + _WAIT
    while time.monotonic() < end and process.poll() is None:
        if facts.is_file() and facts.read_text().endswith("}"):
            url = str(json.loads(facts.read_text())["url"])
            if _answers(url):
                return url
        time.sleep(0.2)
    raise RuntimeError("JupyterLab did not start; jupyter.log has the reason")


def _answers(url: str) -> bool:
    try:
        return _request(url, "GET", "")[0] == 200
    except OSError:
        return False


def _request(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
    """Return the status and the body of the answer to a request."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    try:
        data = None if body is None else json.dumps(body)
        connection.request(method, f"{parts.path}api{path}", data, {"Authorization": f"token {_TOKEN}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def end_kernels(url: str) -> None:
    """End all kernels of a server."""
    for session in json.loads(_request(url, "GET", "/sessions")[1]):
        _request(url, "DELETE", f"/sessions/{session['id']}")


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of cells of code, without outputs."""
    empty: dict[str, Any] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(
        json.dumps(
            {
                "cells": [{**empty, "id": f"cell-{number}", "source": cell} for number, cell in enumerate(cells)],
                "metadata": {"kernelspec": kernel},
                "nbformat": 4,
                "nbformat_minor": 5,
            }
        )
    )


def open_notebook(page: Any, url: str, name: str) -> None:
    """Start the kernel of a notebook, and open it in JupyterLab."""
    page.set_default_timeout(_WAIT * 1000)
    session = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    status, text = _request(
        url, "POST", "/sessions", session
    )  # without one, a dialog of JupyterLab requests the choice of a kernel
    assert status == 201, text
    page.goto(f"{url}lab/tree/{name}?token={_TOKEN}&reset")
    page.wait_for_selector(".jp-Notebook")


def run_all_cells(page: Any) -> None:
    """Run the cells of the open notebook, when its kernel is ready."""
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")
