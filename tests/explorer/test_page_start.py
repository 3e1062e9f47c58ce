"""The page where it cannot start: it reports the reason in one line."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from support.browser import FOLDER, missing_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
BLOCKED: Final = "this browser blocks its JavaScript modules"


def _is_shown(page: Any) -> bool:
    """Return whether the page reports that its modules are blocked, and nothing else."""
    page.wait_for_selector("#blocked", state="visible")
    return BLOCKED in page.inner_text("#blocked") and page.inner_text("#status") == ""


def test_a_page_without_its_modules_says_so(browser: Any, url: str) -> None:
    page = browser.new_page()
    page.route("**/app.js", lambda route: route.abort())
    page.goto(url)
    assert _is_shown(page)
    page.close()


def test_a_page_from_a_file_says_what_serves_it(browser: Any) -> None:
    page = browser.new_page()
    page.goto((FOLDER / "index.html").as_uri())
    assert _is_shown(page)
    assert "cbpf explore" in page.inner_text("#blocked")
    page.close()


def test_a_page_without_javascript_says_so(browser: Any, url: str) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(url)
    assert _is_shown(page)
    page.close()


def test_a_page_that_starts_does_not_mention_modules(browser: Any, url: str) -> None:
    page = browser.new_page()
    page.goto(url)
    page.wait_for_selector("body[data-status]")
    page.wait_for_timeout(3_500)
    assert page.locator("#blocked").is_hidden()
    page.close()


@pytest.fixture
def failed(browser: Any, url: str) -> Iterator[Callable[[str], str]]:
    """Return the status of a page without one of its files."""
    page = browser.new_page()

    def status(missing: str) -> str:
        page.route(f"**/{missing}", lambda route: route.fulfill(status=404))
        page.goto(url)
        page.wait_for_selector("body[data-status=failed]")
        return str(page.inner_text("#status"))

    yield status
    page.close()


@pytest.mark.parametrize("missing", ["cbpf.zip", "worker.js", "pyodide/pyodide.mjs", "pyodide/pyodide.asm.wasm"])
def test_a_file_that_is_missing_is_an_error_in_one_line(failed: Callable[[str], str], missing: str) -> None:
    status = failed(missing)
    assert status.startswith("Cannot start: ")
    assert len(status) < 200
    assert "\n" not in status


def test_a_browser_without_webassembly_is_told_so(browser: Any, url: str) -> None:
    page = browser.new_page()
    worker = f"delete globalThis.WebAssembly;\n{(FOLDER / 'worker.js').read_text()}"
    page.route("**/worker.js", lambda route: route.fulfill(body=worker, content_type="text/javascript"))
    page.goto(url)
    page.wait_for_selector("body[data-status=failed]")
    assert page.inner_text("#status") == "Cannot start: this browser has no WebAssembly, which Python needs"
    page.close()
