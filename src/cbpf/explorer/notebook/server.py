"""The server of all pages that the notebooks of one process show."""

from __future__ import annotations

import os
import re
from threading import RLock, Thread

import cbpf

from ..._forks import guard_forks
from ..._typing import Any, Final
from ..page import Page, page_folder, served_facts
from ..server import Access, ExplorerServer
from .packets import ShownPackets

_MAX_PAGES: Final = 50
_LOOPBACK: Final = "http://localhost:* http://127.0.0.1:* https://localhost:* https://127.0.0.1:*"
"""The notebooks on this machine, as sources of the directive frame-ancestors."""
_URL: Final = re.compile(r"(https?)://([\w.~:\[\]-]+)(/[\w./~%@+-]*)?", re.ASCII)

_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}  # which browsers omit in the headers Host and Origin

_lock: Final = RLock()
_servers: Final[list[ExplorerServer]] = []  # at most one
_tokens: Final[list[str]] = []  # of the pages, from the oldest on


def serve(state: dict[str, Any], packets: ShownPackets, proxy: str) -> str:
    """Serve a page, and return its token.

    Args:
        state: The initial state of the page.
        packets: The packets that it opens.
        proxy: The origin of a server of notebooks that passes requests on; empty: none does.

    Raises:
        cbpf.MissingLibrary: cbpf-explorer is not installed.
    """
    page = Page(page_folder(), served_facts(state, packets.name or None), packets.capture)
    with _lock:
        if not _servers:
            _servers.append(ExplorerServer())
            Thread(target=_servers[0].serve_forever, name="cbpf explorer", daemon=True).start()
        token = _servers[0].add(page, Access(proxy, proxy or _LOOPBACK))
        _tokens.append(token)
        while len(_tokens) > _MAX_PAGES:
            _servers[0].remove(_tokens.pop(0))
    return token


def is_served(token: str) -> bool:
    """Return whether a page is still served."""
    return token in _tokens


def remove(token: str) -> None:
    """Stop serving a page; unknown tokens are ignored."""
    with _lock:
        if token in _tokens:
            _tokens.remove(token)
            _servers[0].remove(token)


def link(token: str, origin: str, path: str) -> str:
    """Return the link to a page, through the server of a notebook if it has an origin."""
    port = _servers[0].server_address[1]
    return f"{origin}{path}proxy/{port}/{token}/" if origin else f"http://{_servers[0].address}/{token}/"


def notebook_address(url: str | None) -> tuple[str, str]:
    """Return the origin and the path of the server of a notebook, as the browser reaches it; empty: on this machine.

    Raises:
        cbpf.FieldError: The URL is not that of a server of notebooks.
    """
    name = "JUPYTERHUB_PUBLIC_URL" if url is None else "explore.notebook_url"
    given = os.environ.get(name, "") if url is None else url
    if url is None and not given:
        return "", ""
    parts = _URL.fullmatch(given) if isinstance(given, str) else None
    if parts is None:
        raise cbpf.FieldError(f"{name}: {given!r} is not a URL such as 'https://hub.example.org/user/ann/'")
    scheme, host, path = parts.groups(default="/")
    host = host.lower().removesuffix(_DEFAULT_PORTS[scheme])
    return f"{scheme}://{host}", path if path.endswith("/") else f"{path}/"


def _forget() -> None:
    """Close the socket in a forked process, which lacks the thread of the server."""
    for server in _servers:
        server.socket.close()
    _servers.clear()
    _tokens.clear()


guard_forks(lambda: _lock)
os.register_at_fork(after_in_child=_forget)
