"""The page in a browser, for the tests of the explorer."""

from collections.abc import Iterator
from typing import Any

import pytest

from cbpf.explorer.links import fragment
from support.browser import CHROMIUM, Opener, OpenPage, build_page, served


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    if reason := build_page():
        pytest.skip(f"the page cannot be built: {reason}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(browser: Any) -> Iterator[str]:
    """The link of a page without a capture."""
    with served({}) as server:
        yield server.url


@pytest.fixture
def opened(browser: Any, url: str) -> Iterator[Opener]:
    """Open a page; at the end of the test, its console is empty, and all its requests went to its server."""
    pages: list[OpenPage] = []

    def open_page(state: dict[str, Any] | str | None = None, **options: Any) -> OpenPage:
        given = state if isinstance(state, str) else "" if state is None else f"#{fragment(state)}"
        link = given if given.startswith("http") else url + given
        page = OpenPage(browser.new_page(**options), link)
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.messages == []
        assert all(request.startswith(("http://127.0.0.1:", "blob:")) for request in page.requests)
        page.page.close()
