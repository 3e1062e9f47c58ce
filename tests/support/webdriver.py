"""Browsers that Playwright does not drive here: Debian's Firefox by Marionette, and WebKitGTK by WebDriver."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.error import URLError
from urllib.request import Request, urlopen

Command: TypeAlias = Callable[[str, dict[str, Any]], Any]
"""Sends a command of a driver and returns its value."""
_START: Final = 60.0  # seconds, under load
_PAUSE: Final = 0.2  # seconds between two looks at something that is expected
_WAIT: Final = 120.0  # seconds, under load
_BROWSER: Final = "MiniBrowser"


class Browser:
    """A tab of a browser.

    Args:
        command: Sends a command of WebDriver: "navigate" or "execute", with its arguments.
    """

    def __init__(self, command: Command) -> None:
        self._command = command

    def open(self, url: str) -> None:
        """Open a link, and wait until the page is loaded."""
        self._command("navigate", {"url": url})

    def run(self, script: str) -> Any:
        """Return the value of a JavaScript expression."""
        return self._command("execute", {"script": f"return {script};", "args": []})

    def wait(self, condition: str) -> None:
        """Wait until a JavaScript expression is true."""
        end = time.monotonic() + _WAIT
        while not self.run(condition):
            assert time.monotonic() < end, f"{condition} is still false: {self.run('document.body.innerText')}"
            time.sleep(_PAUSE)


@contextmanager
def _process(command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program with everything that it starts, and end all of it."""
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def missing_firefox() -> str:
    """Return the reason why Firefox is not tested here, or an empty text."""
    return "" if shutil.which("firefox") else "firefox is not installed; Debian's package is firefox-esr"


@contextmanager
def firefox(folder: Path) -> Iterator[Browser]:
    """Start Firefox with a new profile in a folder.

    Marionette is the protocol that geckodriver speaks with Firefox: messages are JSON after their length in bytes.
    """
    preferences = {
        "marionette.port": 0,
        "browser.shell.checkDefaultBrowser": False,
        "datareporting.policy.dataSubmissionEnabled": False,
    }
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
    (folder / "user.js").write_text("\n".join(lines))
    command = ["firefox", "--headless", "--marionette", "--no-remote", "--profile", str(folder)]
    port = folder / "MarionetteActivePort"
    with _process(command, HOME=str(folder)):
        _wait_for(port.is_file, "firefox does not start")
        with (
            socket.create_connection(("127.0.0.1", int(port.read_text()))) as connection,
            connection.makefile("rb") as replies,
        ):
            _read_message(replies)
            yield Browser(_marionette(connection, replies))


def _marionette(connection: socket.socket, replies: Any) -> Command:
    numbers = count(1)

    def send(name: str, arguments: dict[str, Any]) -> Any:
        message = json.dumps([0, next(numbers), name, arguments]).encode()
        connection.sendall(b"%d:%s" % (len(message), message))
        _, _, error, result = _read_message(replies)
        assert error is None, error
        return result.get("value") if result else None

    send("WebDriver:NewSession", {})
    names = {"navigate": "WebDriver:Navigate", "execute": "WebDriver:ExecuteScript"}
    return lambda name, arguments: send(names[name], arguments)


def _read_message(replies: Any) -> Any:
    length = b""
    while not length.endswith(b":"):
        length += replies.read(1)
    return json.loads(replies.read(int(length[:-1])))


def _mini_browser() -> Path | None:
    """Return the browser of WebKitGTK, which is not in the path."""
    return next(iter(sorted(Path("/usr/lib").glob(f"*/webkit*gtk-*/{_BROWSER}"))), None)


def missing_webkit() -> str:
    """Return the reason why WebKit is not tested here, or an empty text."""
    if shutil.which("WebKitWebDriver") is None or _mini_browser() is None:
        return "WebKitWebDriver is not installed; Debian's package is webkit2gtk-driver"
    return "" if shutil.which("Xvfb") else "Xvfb is not installed, which WebKit needs; Debian's package is xvfb"


@contextmanager
def webkit(folder: Path) -> Iterator[Browser]:
    """Start WebKitGTK on a display of its own; its files are in a folder."""
    port, display = _free_port(), f":{90 + os.getpid() % 900}"
    home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "DISPLAY": display, "GDK_BACKEND": "x11"}
    home |= {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "LIBGL_ALWAYS_SOFTWARE": "1", "NO_AT_BRIDGE": "1"}
    screen = _process(["Xvfb", display, "-screen", "0", "1280x900x24", "-nolisten", "tcp"])
    with screen, _process(["WebKitWebDriver", f"--port={port}"], **home):
        _wait_for(Path(f"/tmp/.X11-unix/X{display[1:]}").exists, "Xvfb does not start")
        _wait_for(lambda: _is_listening(port), "WebKitWebDriver does not start")
        send = _webdriver(f"http://127.0.0.1:{port}/session")
        yield Browser(send)
        send("", {})


def _webdriver(url: str) -> Command:
    options = {"webkitgtk:browserOptions": {"binary": str(_mini_browser()), "args": ["--automation"]}}
    session = _post(url, {"capabilities": {"alwaysMatch": options}})["sessionId"]
    paths = {"navigate": "url", "execute": "execute/sync"}

    def send(name: str, arguments: dict[str, Any]) -> Any:
        if not name:  # the end of the session
            return _post(f"{url}/{session}", None)
        return _post(f"{url}/{session}/{paths[name]}", arguments)

    return send


def _post(url: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json"}, method="DELETE" if data is None else "POST")
    with urlopen(request, timeout=_WAIT) as response:
        return json.load(response)["value"]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _is_listening(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/status", timeout=_WAIT):
            return True
    except URLError:
        return False


def _wait_for(condition: Callable[[], bool], failure: str) -> None:
    end = time.monotonic() + _START
    while not condition():
        assert time.monotonic() < end, failure
        time.sleep(_PAUSE)
