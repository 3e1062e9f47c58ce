"""Servers on the loopback interface, with their link in a browser, until Ctrl-C."""

from __future__ import annotations

import os
import sys

from .._typing import TYPE_CHECKING
from .streams import echo

if TYPE_CHECKING:
    from ..explorer.server import ExplorerServer


def serve(server: ExplorerServer, url: str, *, opens: bool) -> None:
    """Print a link, open it in a browser if one can open a window, and serve until Ctrl-C."""
    echo(url)
    echo("cbpf: Ctrl-C ends the server", err=True)
    if opens and _has_display():
        import webbrowser

        webbrowser.open(url)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        echo(err=True)


def _has_display() -> bool:
    """Return whether a browser can open a window: one in the terminal would hide the link."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
