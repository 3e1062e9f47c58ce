"""A page of another site in a browser, which calls the server of the explorer page with its token."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cbpf.explorer import server_questions
from cbpf.explorer.server import ExplorerServer
from support.browser import missing_browser, running, served

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def other_site(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """A page at another port of this machine."""
    (tmp_path / "index.html").write_text("<!doctype html><title>other</title><p>other site")
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    with running(site):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{site.server_address[1]}/")
        yield page
        page.close()


@pytest.fixture
def server() -> Iterator[ExplorerServer]:
    with served({"proofs": True, "llvm": True}) as server:
        yield server


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that the server has executed."""
    names: list[str] = []

    def record(name: str, request: object) -> dict[str, Any]:
        names.append(name)
        return {}

    for folder, questions in server_questions.SERVER_QUESTIONS.items():
        recorded = {name: partial(record, f"{folder}/{name}") for name in questions}
        monkeypatch.setitem(server_questions.SERVER_QUESTIONS, folder, recorded)
    return names


_FETCH = """async ([url, options]) => {
  try {
    const response = await fetch(url, options);
    return { type: response.type, status: response.status, text: await response.text() };
  } catch (error) {
    return { type: error.name };
  }
}"""
_BODY = '{"source": {"text": "tcp"}}'


@pytest.mark.parametrize("question", ["proofs/dead", "proofs/why", "emit/ebpf-xdp"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/json"])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_questions_of_another_site_are_rejected_and_not_executed(
    other_site: Any, server: ExplorerServer, executed: list[str], question: str, content_type: str, mode: str
) -> None:
    """In the mode no-cors the browser sends the question, but its answer has neither a status nor a text."""
    options = {"method": "POST", "mode": mode, "body": _BODY, "headers": {"Content-Type": content_type}}
    answer = other_site.evaluate(_FETCH, [f"{server.url}{question}", options])
    assert answer in ({"type": "TypeError"}, {"type": "opaque", "status": 0, "text": ""})
    assert executed == []


def test_the_page_itself_may_ask(browser: Any, server: ExplorerServer, executed: list[str]) -> None:
    """Otherwise the other tests of this file would show nothing."""
    page = browser.new_page()
    page.goto(f"{server.url}icon.svg")
    options = {"method": "POST", "body": _BODY, "headers": {"Content-Type": "application/json"}}
    answer = page.evaluate(_FETCH, [f"{server.url}proofs/dead", options])
    page.close()
    assert (answer["status"], answer["text"], executed) == (200, "{}", ["proofs/dead"])


def test_a_form_of_another_site_is_rejected(other_site: Any, server: ExplorerServer, executed: list[str]) -> None:
    script = """(url) => {
      const form = document.createElement("form");
      Object.assign(form, { action: url, method: "POST", enctype: "text/plain" });
      const input = document.createElement("input");
      Object.assign(input, { name: '{"source": {"text": "', value: '"}}' });
      form.append(input);
      document.body.append(form);
      form.submit();
    }"""
    with other_site.expect_navigation() as navigation:
        other_site.evaluate(script, f"{server.url}proofs/dead")
    assert navigation.value.status == 403
    assert executed == []


@pytest.mark.parametrize("name", ["served.json", "app.js", "cbpf.zip", "index.html"])
@pytest.mark.parametrize("mode", ["cors", "no-cors"])
def test_files_cannot_be_read_by_another_site(other_site: Any, server: ExplorerServer, name: str, mode: str) -> None:
    assert other_site.evaluate(_FETCH, [f"{server.url}{name}", {"mode": mode}]) == {"type": "TypeError"}


def test_the_page_is_not_shown_in_a_frame_of_another_site(other_site: Any, server: ExplorerServer) -> None:
    script = """(url) => new Promise((resolve) => {
      const frame = document.createElement("iframe");
      frame.src = url;
      frame.onload = () => resolve();
      document.body.append(frame);
    })"""
    other_site.evaluate(script, server.url)
    (frame,) = other_site.main_frame.child_frames
    assert server.token not in frame.url
    assert "chrome-error" in frame.url
