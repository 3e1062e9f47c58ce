"""The server of `cbpf explore`, on the loopback interface only.

A request needs the token in its path. Pages of other sites are rejected as well: the header Host must name this server,
so that a foreign name that resolves to 127.0.0.1 is of no use, and a question needs the header Origin of this server.
"""

from __future__ import annotations

import json
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from .._typing import Any, Final
from .page import Page
from .proofs import PROOFS, prove

_MAX_REQUEST: Final = 16_000_000  # bytes
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy; index.html has all directives but the last, for other servers."""
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class ExplorerServer(ThreadingHTTPServer):
    """A server of one page, at a random port of 127.0.0.1.

    Args:
        page: The files of the page.
    """

    daemon_threads = True

    def __init__(self, page: Page) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.page = page
        self.token = secrets.token_urlsafe(16)
        self.proof_lock = Lock()
        """Held during a proof: with one at a time, the time limit of the solver is that of one proof."""

    @property
    def address(self) -> str:
        """The host and the port, as in the header Host."""
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def url(self) -> str:
        """The link to the page, with the token."""
        return f"http://{self.address}/{self.token}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a browser that has closed its connection."""


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds for a request

    def do_GET(self) -> None:
        name = self._name()
        if name is None:
            return
        try:
            file = self.server.page.file(name or "index.html")
        except OSError as error:
            self._fail(500, error.strerror or "the file cannot be read")
            return
        if file is None:
            self._fail(404, "the page has no such file")
        else:
            self._send(200, file.content_type, file.data)

    def do_POST(self) -> None:
        name = self._name()
        if name is None:
            return
        folder, _, question = name.partition("/")
        if folder != "proofs" or question not in PROOFS:
            self._fail(404, "unknown question")
        elif self.headers.get("Origin") != f"http://{self.server.address}":
            self._fail(403, "a question must come from the page itself")
        elif self.headers.get("Content-Type") != "application/json":
            self._fail(415, "a question is application/json")
        else:
            self._answer(question)

    def _answer(self, question: str) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or int(length) > _MAX_REQUEST:
            self._fail(413, f"a question has at most {_MAX_REQUEST:,} bytes, and states their number")
            return
        try:
            request = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):
            request = None
        if not isinstance(request, dict):
            self._fail(400, "a question is a JSON object")
            return
        with self.server.proof_lock:
            answer = prove(question, request)
        self._send(200, "application/json", json.dumps(answer).encode())

    def _name(self) -> str | None:
        """Return the path after the token; None if the request was rejected."""
        if self.headers.get("Host") != self.server.address:
            self._fail(403, "this server has another name")
            return None
        token, _, name = self.path.partition("?")[0].removeprefix("/").partition("/")
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._fail(404, "unknown page; use the link that cbpf explore has printed")
            return None
        return name

    def _fail(self, status: int, message: str) -> None:
        self.close_connection = True  # the body of the request was not read
        self._send(status, "text/plain; charset=utf-8", f"{message}\n".encode())

    def _send(self, status: int, content_type: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def version_string(self) -> str:
        return "cbpf"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Print nothing for each request."""
