"""The explorer page in Chromium, and the measurements inside it."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from benchmarks.corpus import browser as support
from benchmarks.processes import WORKSPACE
from benchmarks.setting import Omitted

from cbpf.explorer.links import fragment

_SCRIPT: Final = Path(__file__).with_name("explorer_page.js")
_WINDOW: Final = {"width": 1400, "height": 900}
_BARE: Final = {
    "bare.html": '<!doctype html>\n<script type="module" src="bare.js"></script>\n',
    "bare.js": """const worker = new Worker("bare-worker.js", { type: "module" });
worker.onmessage = () => (document.documentElement.dataset.time = performance.now());
""",
    "bare-worker.js": """import { loadPyodide } from "./pyodide/pyodide.mjs";
await loadPyodide({ indexURL: new URL("pyodide/", import.meta.url).href });
postMessage(null);
""",
}
"""A page that only loads Pyodide in a worker."""
_LOAD: Final = 'import { loadPyodide } from "./pyodide/pyodide.mjs";\n'
_LOAD_MEASURED: Final = """import { loadPyodide as load } from "./pyodide/pyodide.mjs";
const loadPyodide = async (options) => (globalThis.python = await load(options));
"""


class Block(NamedTuple):
    """The longest task of the main thread, and the longest time between two turns of its event loop, in milliseconds.

    A browser reports tasks of at least 50 ms; *task* is 0 if there was none.
    """

    task: float
    gap: float


class MeasuredPage(support.OpenPage):
    """The page in a tab of its own, with the script of the benchmark."""

    is_traced = False
    """Whether `begin` starts a trace, which `longest_task` must end."""

    def begin(self) -> None:
        """Forget the longest task of the main thread, and the longest gap of its event loop."""
        if self.is_traced:
            self.page.context.browser.start_tracing(page=self.page, categories=["toplevel"])
        self.page.evaluate("benchmark.begin()")

    def longest_block(self) -> Block:
        """Return the longest task since `begin`, and the longest gap."""
        task, gap = self.page.evaluate("benchmark.longest()")
        return Block(float(task), float(gap))

    def longest_task(self) -> float:
        """Return the processor time of the longest task since `begin`, in milliseconds; the page must be traced."""
        trace = json.loads(self.page.context.browser.stop_tracing())
        return max(_task_times(trace["traceEvents"]), default=0)

    def first_listing(self) -> float:
        """Return the milliseconds from the start of the navigation until the first listing was painted."""
        return float(self.page.evaluate("benchmark.firstListing"))

    def key_to_picture(self, key: str, pane: str) -> float:
        """Press a key, and return the milliseconds until a pane with the answer is painted."""
        self.page.evaluate("(pane) => benchmark.awaitKey(pane)", pane)
        self.page.keyboard.press(key)
        milliseconds = float(self.page.evaluate("benchmark.picture"))
        self.settle()
        return milliseconds

    def focus_editor(self, *keys: str) -> None:
        """Click into the editor, and press keys."""
        self.page.locator("#editor .cm-content").click()
        self.press(*keys)

    def press(self, *keys: str) -> None:
        """Press keys, and wait for the answers."""
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def copy(self, text: str) -> None:
        """Keep a text for `paste_copied`."""
        self.page.evaluate("(text) => benchmark.copy(text)", text)
        self.page.wait_for_timeout(500)

    def paste_copied(self) -> None:
        """Paste a text at the cursor, and wait for the answers."""
        self.page.evaluate("benchmark.paste()")
        self.page.wait_for_timeout(200)
        self.settle()

    def open_capture(self, path: Path) -> None:
        """Open a capture, and wait for the answers."""
        self.page.set_input_files("#capture-file", path)
        self.page.wait_for_selector("#capture-facts:has-text('packets')")
        self.settle()

    def heap(self) -> int:
        """Return the size of the memory of Python in the web worker, in bytes."""
        return int(self.page.workers[0].evaluate("python._module.HEAPU8.length"))


def _task_times(events: list[dict[str, Any]]) -> list[float]:
    """Return the processor times of the tasks of the busiest renderer, in milliseconds."""
    times: dict[tuple[int, int], list[float]] = {
        (event["pid"], event["tid"]): []
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    for event in events:
        thread = event["pid"], event["tid"]
        if thread in times and event["name"].endswith("RunTask"):
            times[thread].append(event.get("tdur", 0) / 1e3)
    return max(times.values(), key=sum, default=[])


class Chromium:
    """A browser, and a server of the page.

    Args:
        browser: Playwright's browser.
        url: The link of the page, without a state.
    """

    def __init__(self, browser: Any, url: str) -> None:
        self._browser = browser
        self._url = url

    def bare_load(self) -> float:
        """Return the milliseconds until a page that only loads Pyodide has loaded it."""
        with self._tab() as page:
            page.goto(f"{self._url}bare.html")
            page.wait_for_selector("html[data-time]", state="attached")
            return float(page.get_attribute("html", "data-time"))

    @contextmanager
    def opened(self, **state: Any) -> Iterator[MeasuredPage]:
        """Open the page with a state, in a profile of its own: nothing is cached."""
        with self._tab() as page:
            page.add_init_script(_SCRIPT.read_text())
            yield MeasuredPage(page, f"{self._url}#{fragment(state)}")

    @contextmanager
    def _tab(self) -> Iterator[Any]:
        context = self._browser.new_context(viewport=_WINDOW)
        try:
            yield context.new_page()
        finally:
            context.close()


@contextmanager
def chromium() -> Iterator[Chromium]:
    """Start the browser and the server; raise `Omitted` where one of them is absent."""
    if reason := support.missing_browser() or support.build_page():
        raise Omitted(reason)
    from playwright.sync_api import sync_playwright

    with support.served({"proofs": False}, folder=_measured_folder()) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=support.CHROMIUM, args=["--no-sandbox"])
        try:
            yield Chromium(browser, server.url)
        finally:
            browser.close()


def _measured_folder() -> Path:
    """Return a copy of the page with the bare page, whose worker makes Python reachable for `MeasuredPage.heap`."""
    folder = WORKSPACE / "explorer"
    shutil.copytree(support.FOLDER, folder, dirs_exist_ok=True)
    for name, text in _BARE.items():
        (folder / name).write_text(text)
    worker = (folder / "worker.js").read_text()
    if _LOAD not in worker:
        raise Omitted("the worker of the page has changed, so that its memory cannot be measured")
    (folder / "worker.js").write_text(worker.replace(_LOAD, _LOAD_MEASURED))
    return folder
