"""The server of `cbpf explore`, `cbpf docs` and the pages in notebooks, on the loopback interface only.

A request needs the token in its path. Pages of other sites are rejected as well: the header Host must name this server,
so that a foreign name that resolves to 127.0.0.1 is of no use, and a question needs the header Origin of this server.
"""

from __future__ import annotations

import json
import secrets
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from .._named_tuple import NamedTuple
from .._typing import Any, Final
from .files import PAGE_POLICY, Served
from .server_questions import SERVER_QUESTIONS, answer

_MAX_REQUEST: Final = 16_000_000  # bytes
_TEXT: Final = "text/plain; charset=utf-8"
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Access(NamedTuple):
    """From where a page is used, besides a tab of a browser on this machine.

    Args:
        proxy: The origin of a server that passes requests on, such as "https://hub.example.org"; empty: none does.
        ancestors: The sites that may show the page in a frame: the sources of the directive frame-ancestors.
    """

    proxy: str = ""
    ancestors: str = "'none'"


class ExplorerServer(ThreadingHTTPServer):
    """A server of pages, at a random port of 127.0.0.1.

    Args:
        page: The files of the first page or site, whose link is `url`; None: all pages are added later.
    """

    daemon_threads = True

    def __init__(self, page: Served | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._pages: dict[str, tuple[Served, Access]] = {}
        self.token = "" if page is None else self.add(page)
        self.locks = {folder: Lock() for folder in SERVER_QUESTIONS}
        """Held during an answer: with one at a time, the time limit of the solver is that of one proof."""

    def add(self, page: Served, access: Access = Access()) -> str:  # noqa: B008  # immutable
        """Serve another page, and return its token."""
        token = secrets.token_urlsafe(16)
        self._pages[token] = page, access
        return token

    def remove(self, token: str) -> None:
        """Stop serving a page; unknown tokens are ignored."""
        self._pages.pop(token, None)

    def find(self, token: str) -> tuple[Served, Access] | None:
        """Return the page with a token, compared in constant time."""
        pages = [*self._pages.items()]
        return next((page for known, page in pages if secrets.compare_digest(token.encode(), known.encode())), None)

    @property
    def address(self) -> str:
        """The host and the port, as in the header Host."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """The link to the page, with the token."""
        return f"http://{self.address}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print an exception with its traceback, except that of a browser that has closed its connection."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    protocol_version = "HTTP/1.1"
    default_request_version = "HTTP/1.0"  # of a request without a version: its answer has headers, too
    timeout = 60  # seconds for a request
    access = Access()

    def do_GET(self) -> None:
        found = self._page()
        if found is None:
            return
        page, name = found
        path = self.path.partition("?")[0]
        if not name and not path.endswith("/"):  # a relative link, which a proxy need not change
            self._send(301, _TEXT, b"", Location=f"{path.removeprefix('/')}/")
            return
        try:
            file = page.file(name or "index.html")
        except OSError as error:
            self._fail(500, error.strerror or "the file cannot be read")
            return
        if file is None:
            self._fail(404, "the page has no such file")
        else:
            self._send(200, file.content_type, file.data, file.policy)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        found = self._page()
        if found is None:
            return
        page, name = found
        folder, _, question = name.removeprefix(page.page_path).partition("/")
        if not name.startswith(page.page_path) or question not in SERVER_QUESTIONS.get(folder, {}):
            self._fail(404, "unknown question")
        elif self.headers.get("Origin") != self._origin():
            self._fail(403, "a question must come from the page itself")
        elif self.headers.get("Content-Type") != "application/json":
            self._fail(415, "a question is application/json")
        else:
            self._answer(folder, question)

    def _answer(self, folder: str, question: str) -> None:
        length = self.headers.get("Content-Length", "")
        is_number = length.isascii() and length.isdigit() and len(length) <= len(str(_MAX_REQUEST))
        if not is_number or int(length) > _MAX_REQUEST:
            self._fail(413, f"a question has at most {_MAX_REQUEST:,} bytes, and states their number")
            return
        try:
            request = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            self._fail(400, "a question is a JSON object")
            return
        try:
            with self.server.locks[folder]:
                if self._is_abandoned():
                    self.close_connection = True
                    return
                found = answer(folder, question, request)
        except Exception as error:  # a mistake in this package
            self.server.handle_error(self.request, self.client_address)
            self._fail(500, f"internal error: {type(error).__name__}; the terminal of the server has the details")
            return
        self._send(200, "application/json", json.dumps(found).encode())

    def _is_abandoned(self) -> bool:
        """Return whether the browser has closed the connection while the question waited for others."""
        self.connection.settimeout(0)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        finally:
            self.connection.settimeout(self.timeout)

    def _page(self) -> tuple[Served, str] | None:
        """Return the page, and the path after its token; None if the request was rejected."""
        token, _, name = self.path.partition("?")[0].removeprefix("/").partition("/")
        found = self.server.find(token)
        self.access = Access() if found is None else found[1]
        if not self._origin():
            self._fail(403, "this server has another name")
        elif found is None:
            self._fail(404, "unknown page; use its complete link, which has the token")
        else:
            return found[0], name
        return None

    def _origin(self) -> str:
        """Return the origin of the page under the name in the header Host; empty if that is not a name of it."""
        host = self.headers.get("Host")
        if host == self.server.address:
            return f"http://{host}"
        return self.access.proxy if host and host == self.access.proxy.partition("://")[2] else ""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a request that the base class rejects: a malformed one, or one of an unknown method."""
        self.access = Access()
        if code != HTTPStatus.NOT_IMPLEMENTED:
            self._fail(code, HTTPStatus(code).phrase)
        elif self._page() is not None:
            self._fail(code, "a request is GET, HEAD or POST")

    def _fail(self, status: int, message: str) -> None:
        self.close_connection = True  # the body of the request was not read
        self._send(status, _TEXT, f"{message}\n".encode())

    def _send(self, status: int, content_type: str, data: bytes, policy: str = "", **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        default = f"{PAGE_POLICY}; frame-ancestors {self.access.ancestors}"
        self.send_header("Content-Security-Policy", policy or default)
        for name, value in (_HEADERS | headers).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def version_string(self) -> str:
        return "cbpf"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing for each request."""
