"""A session with the page in Firefox and in WebKit: an expression, its graph, a packet, and the link again."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

import cbpf
from support.browser import build_page, served
from support.command_line import TRAFFIC
from support.webdriver import Browser, firefox, missing_firefox, missing_webkit, webkit

BROWSERS = [
    pytest.param(firefox, marks=pytest.mark.skipif(bool(missing_firefox()), reason=missing_firefox()), id="firefox"),
    pytest.param(webkit, marks=pytest.mark.skipif(bool(missing_webkit()), reason=missing_webkit()), id="webkit"),
]
READY = "document.body.dataset.status === 'ready' && document.querySelector('#version').textContent !== ''"
TYPE = """(() => {
  const text = document.querySelector("#editor").shadowRoot.querySelector(".cm-content");
  text.focus();
  return document.execCommand("insertText", false, "arp");
})()"""


def _shown(selector: str, text: str) -> str:
    return f"(document.querySelector({selector!r})?.textContent ?? '').includes({text!r})"


@pytest.mark.slow
@pytest.mark.parametrize("start", BROWSERS)
def test_a_session_in_another_browser(start: Callable[[Path], AbstractContextManager[Browser]], tmp_path: Path) -> None:
    if reason := build_page():
        pytest.skip(f"the page cannot be built: {reason}")
    frame = next(packet.data for packet in cbpf.read_capture(TRAFFIC) if packet.data[12:14] == b"\x08\x06")
    rows = len(cbpf.compile("arp"))
    with served({}) as server, start(tmp_path) as browser:
        browser.open(server.url)
        browser.wait(READY)
        assert browser.run(TYPE)
        browser.wait(f"document.querySelectorAll('#main-listing tr[data-index]').length === {rows}")
        browser.run("document.querySelector('#tab-graph').click()")
        browser.wait("document.querySelectorAll('#pane-graph svg [data-block]').length === 3")
        browser.wait("location.hash.length > 1")
        link = browser.run("location.href")
        browser.run("document.querySelector('#edit-packet').click()")
        browser.run(f"(document.querySelector('#packet-hex').value = '{frame.hex()}')")
        browser.run("document.querySelector('#packet-hex').dispatchEvent(new Event('input', {bubbles: true}))")
        browser.wait(_shown("#trace .verdict", "accepts the packet"))
        browser.wait(f"location.href !== {link!r}")
        assert browser.run("document.documentElement.scrollWidth <= innerWidth")
        link = browser.run("location.href")
        browser.open("about:blank")
        browser.open(link)
        browser.wait(READY)
        browser.wait(_shown("#trace .verdict", "accepts the packet"))
        browser.wait("document.querySelectorAll('#pane-graph svg .current').length === 1")
        text = "document.querySelector('#editor').shadowRoot.querySelector('.cm-content').textContent"
        assert browser.run(text) == "arp"
