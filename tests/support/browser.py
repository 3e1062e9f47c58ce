"""The explorer page in Debian's Chromium, through Playwright."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeAlias

from cbpf.explorer import links
from cbpf.explorer.page import Page
from cbpf.explorer.server import ExplorerServer
from support.project import ROOT, is_installed

CHROMIUM: Final = shutil.which("chromium") or ""
_EXPLORER: Final = ROOT / "explorer"
AXE: Final = _EXPLORER / "node_modules" / "axe-core" / "axe.min.js"
"""The script of axe-core, which finds violations of the Web Content Accessibility Guidelines in a page."""
FOLDER: Final = _EXPLORER / "cbpf_explorer" / "page"
_STAMP: Final = FOLDER / "sources.txt"
_WAIT: Final = 30_000  # ms, under load


def missing_browser() -> str:
    """Return the reason why the page cannot be tested here, or an empty text."""
    if not is_installed("playwright"):
        return "playwright is not installed; ./dev test --all installs it"
    if not CHROMIUM:
        return "chromium is not installed; Debian's package has this name"
    if shutil.which("npm") is None:
        return "npm is not installed, which builds the page"
    return ""


def build_page() -> str:
    """Build the page unless it is that of the current sources; return the reason if that is not possible.

    Several processes of one test run call this function: the first one builds, the others wait for it.
    """
    sources = hashlib.sha256()
    for path in sorted(path for folder in ("page", "editor") for path in (_EXPLORER / folder).rglob("*.*")):
        sources.update(path.read_bytes())
    sources.update((_EXPLORER / "package-lock.json").read_bytes() + (_EXPLORER / "build.py").read_bytes())
    with open(_EXPLORER / "package-lock.json", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _STAMP.is_file() or _STAMP.read_text() != sources.hexdigest():
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            command = [sys.executable, str(_EXPLORER / "build.py")]
            done = subprocess.run(command, env=environment, capture_output=True, text=True)
            if done.returncode:
                return done.stderr.strip().splitlines()[-1]
            _STAMP.write_text(sources.hexdigest())
    return ""


@contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    """Run a server in a thread."""
    with server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def served(facts: dict[str, Any], capture: str | None = None, folder: Path = FOLDER) -> Iterator[ExplorerServer]:
    """Serve the page as `cbpf explore` does."""
    installed = {name: is_installed(library) for name, library in (("proofs", "bitwuzla"), ("llvm", "llvmlite"))}
    given = {**installed, "state": None, "capture": None, **facts}
    server = ExplorerServer(Page(str(folder), given, capture))
    with running(server):
        yield server


class OpenPage:
    """The page in a tab of the browser.

    Args:
        page: Playwright's page.
        url: The link that it opens.
    """

    def __init__(self, page: Any, url: str) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(_WAIT)
        page.on("console", lambda message: self.messages.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.messages.append(f"exception: {error}"))
        page.on("request", lambda request: self.requests.append(request.url))
        page.add_init_script(_REPORT_VIOLATIONS)
        page.goto(url)
        self.settle()

    def settle(self) -> None:
        """Wait until every question has its answer."""
        for _ in range(3):  # an answer may cause another question
            self.page.wait_for_selector("body[data-status=ready] #version:not(:empty)")
            self.page.wait_for_timeout(100)

    def saved_link(self, **expected: object) -> str:
        """Wait until the address of the page has these values of its state, and return it."""
        deadline = time.monotonic() + _WAIT / 1000
        while True:
            fragment = self.page.url.partition("#")[2]
            saved = links.state(fragment) if fragment else {}
            if all(saved.get(key) == value for key, value in expected.items()):
                return str(self.page.url)
            assert time.monotonic() < deadline, f"the address has the state {saved}"
            self.page.wait_for_timeout(50)

    def write(self, text: str, editor: str = "#editor") -> None:
        """Replace the text of an editor by typing, and wait for the answers."""
        self.page.locator(f"{editor} .cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(text)
        self.page.wait_for_timeout(100)
        self.settle()

    def paste(self, text: str) -> None:
        """Replace the text of the editor by pasting, and wait for the answers."""
        self.page.locator("#editor .cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.evaluate(_PASTE, text)
        self.page.wait_for_timeout(100)
        self.settle()

    def drop(self, data: bytes, name: str) -> None:
        """Drop a file on the page, and wait for the answers."""
        self.page.evaluate(_DROP, [base64.b64encode(data).decode(), name])
        self.page.wait_for_timeout(200)
        self.settle()

    def texts(self, selector: str) -> list[str]:
        """Return the texts of the elements that a selector finds."""
        texts: list[str] = self.page.locator(selector).all_inner_texts()
        return texts

    def text(self, selector: str) -> str:
        """Return the text of one element."""
        return str(self.page.locator(selector).inner_text())

    def tab(self, name: str) -> None:
        """Show a pane of the program."""
        self.page.click(f"#tab-{name}")
        self.settle()

    def ask(self, questions: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Return the answers of a new worker to a list of questions.

        They are sent in batches, so that a failure, which is an exception in Python, names its question.
        """
        answers: list[Any] = []
        self.page.evaluate(_START_WORKER)
        for start in range(0, len(questions), _BATCH):
            answers += self.page.evaluate(_ASK, questions[start : start + _BATCH])
            last = answers[-1]
            if isinstance(last, str):
                raise AssertionError(f"{questions[len(answers) - 1]}: {last}")
        return answers


Opener: TypeAlias = Callable[..., OpenPage]
"""Opens a state, a fragment or a link; further arguments are options of Playwright's pages."""

_REPORT_VIOLATIONS: Final = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""
_DROP: Final = """([text, name]) => {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""
_PASTE: Final = """(text) => {
  const clipboardData = new DataTransfer();
  clipboardData.setData("text/plain", text);
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.getElementById("editor").shadowRoot.querySelector(".cm-content").dispatchEvent(event);
}"""
_BATCH: Final = 500  # questions
_START_WORKER: Final = """() => {
  globalThis.asked?.terminate();
  globalThis.asked = new Worker("worker.js", { type: "module" });
  return new Promise((resolve, reject) => {
    asked.onmessage = ({ data }) => (data.failure ? reject(new Error(data.failure)) : resolve());
    asked.onerror = (event) => reject(new Error(event.message));
  });
}"""
_ASK: Final = """async (questions) => {
  const answers = [];
  for (const [question, request] of questions) {
    const { answer, failure } = await new Promise((resolve, reject) => {
      asked.onmessage = ({ data }) => resolve(data);
      asked.onerror = (event) => reject(new Error(event.message));
      asked.postMessage({ id: answers.length + 1, question, request: JSON.stringify(request) });
    });
    answers.push(failure ?? JSON.parse(answer));
    if (failure) break;
  }
  return answers;
}"""
