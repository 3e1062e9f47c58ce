"""The documentation site in a browser: its links to the explorer page, and no request but to its server."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from documentation.site import add_page

import cbpf
from cbpf.explorer.links import fragment
from cbpf.explorer.page import Page, served_facts
from cbpf.explorer.server import ExplorerServer
from cbpf.explorer.site import SAMPLES, Site
from support.browser import CHROMIUM, FOLDER, build_page, missing_browser, running
from support.built_site import built_site

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
Tab: TypeAlias = Any
_READY: Final = "body[data-status=ready] #version:not(:empty)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_site(tmp_path_factory)


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """The link that `cbpf docs` prints."""
    if reason := build_page():
        pytest.skip(f"the page cannot be built: {reason}")
    page = Page(str(FOLDER), {**served_facts({}, None), "samples": SAMPLES})
    server = ExplorerServer(Site(str(site), page))
    with running(server):
        yield server.url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Any, url: str) -> Iterator[Tab]:
    """A tab; at the end of the test, its console is empty, and all its requests went to this machine."""
    tab = browser.new_page()
    tab.set_default_timeout(60_000)
    messages, requests = list[str](), list[str]()
    tab.on("console", lambda message: messages.append(message.text))
    tab.on("pageerror", lambda error: messages.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.requests = requests
    yield tab
    tab.close()
    assert messages == []
    foreign = [request for request in requests if not re.match(r"http://127\.0\.0\.1:|data:|blob:", request)]
    assert foreign == []


def _program(tab: Tab) -> list[str]:
    """Return the listing that the explorer page shows, when everything has its answer."""
    for _ in range(3):
        tab.wait_for_selector(_READY)
        tab.wait_for_timeout(200)
    return [
        " ".join(text.split()[1:]) for text in tab.locator("#pane-program tbody").first.locator("tr").all_inner_texts()
    ]


def _listing(program: cbpf.Program) -> list[str]:
    return [" ".join(line.split()[1:]) for line in cbpf.listing(program).splitlines()]


def test_a_link_opens_the_page_with_the_program_and_the_capture_of_its_example(tab: Tab, url: str) -> None:
    tab.goto(f"{url}tutorial.html")
    link = tab.locator(".try-it a").first
    text = link.inner_text().removeprefix("Try it: ")
    link.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/explorer/index.html#1.*")
    program = cbpf.compile(text)
    assert _program(tab) == _listing(program)
    tab.wait_for_selector("#capture-list li[aria-current=true]")
    with cbpf.read_capture(str(Path(FOLDER).parents[2] / "examples" / "traffic.pcap")) as capture:
        accepted = sum(cbpf.VM(program).run(packet.data) > 0 for packet in capture)
    assert tab.locator("#capture-facts").inner_text() == f"{accepted} of 905 packets accepted"


def test_a_link_selects_the_packet_of_its_example(tab: Tab, url: str) -> None:
    tab.goto(f"{url}how-to/describe-captures.html")
    block = tab.locator("div.highlight", has_text="cbpf trace -e 'ip[0] & 0xf > 5' traffic.pcap -n 8")
    block.locator("xpath=following-sibling::p[@class='try-it'][1]").locator("a").last.click()
    _program(tab)
    tab.wait_for_selector("#capture-list li[aria-current=true]")
    assert _selected(tab) == "8"
    _program(tab)
    tab.reload()
    tab.wait_for_selector("#capture-list li[aria-current=true]")
    assert _selected(tab) == "8"


@pytest.mark.parametrize("name", ["../served.json", "http://127.0.0.1:9/x", "__proto__", "", 7, None])
def test_a_link_opens_no_capture_but_a_sample(name: Any, tab: Tab, url: str) -> None:
    tab.goto(f"{url}explorer/index.html#{fragment({'s': 'tcp', 'c': name, 'n': 1})}")
    assert _program(tab) == _listing(cbpf.compile("tcp"))
    assert tab.locator("#capture-list li").count() == 0
    assert sum("served.json" in request for request in tab.requests) == 1
    assert [request for request in tab.requests if "/explorer/" not in request] == []


@pytest.mark.parametrize(("number", "selected"), [(99_999, "905"), (-3, "1"), ("2", "1"), (1.5, "1")])
def test_packets_that_a_sample_lacks_are_not_selected(number: Any, selected: str, tab: Tab, url: str) -> None:
    tab.goto(f"{url}explorer/index.html#{fragment({'s': 'arp', 'c': 'traffic.pcap', 'n': number})}")
    tab.wait_for_selector("#capture-list li[aria-current=true]")
    assert _selected(tab) == selected


def _selected(tab: Tab) -> str:
    """Return the number of the selected packet, which the list shows."""
    item = tab.locator("#capture-list li[aria-current=true]")
    tab.wait_for_function(_IS_SHOWN)
    return str(item.get_attribute("data-number"))


_IS_SHOWN: Final = """() => {
  const list = document.getElementById("capture-list").getBoundingClientRect();
  const item = document.querySelector("#capture-list li[aria-current=true]").getBoundingClientRect();
  return list.top <= item.top && item.bottom <= list.bottom;
}"""


def test_the_link_of_a_wrong_expression_shows_its_error(tab: Tab, url: str) -> None:
    tab.goto(f"{url}reference/expression-errors.html")
    tab.locator(".try-it a").first.click()
    _program(tab)
    assert "'prot' is not a keyword" in tab.locator("#problems").inner_text()


def test_a_website_below_any_path_has_the_page(site: Path, tab: Tab, tmp_path: Path) -> None:
    """Served by a server that knows only files."""
    root = tmp_path / "projects" / "cbpf"
    shutil.copytree(site, root)
    assert add_page(root, FOLDER)

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    with running(server):
        tab.goto(f"http://127.0.0.1:{server.server_address[1]}/projects/cbpf/reference/lint.html")
        tab.locator(".try-it a").first.click()
        assert _program(tab) == _listing(cbpf.compile("geneve or ip"))
        tab.goto(f"http://127.0.0.1:{server.server_address[1]}/projects/cbpf/index.html")
        tab.locator(".try-it a").first.click()
        tab.wait_for_selector("#capture-list li[aria-current=true]")


def test_every_page_is_complete_without_a_network(site: Path, tab: Tab, url: str) -> None:
    """The fixture checks the console and the hosts of all requests; here all answers are those of existing files."""
    failed = []
    tab.on("response", lambda response: failed.append(response.url) if response.status != 200 else None)
    for path in sorted(site.rglob("*.html")):
        if path.name != "404.html":
            tab.goto(f"{url}{path.relative_to(site)}", wait_until="load")
    assert failed == []
    assert [request for request in tab.requests if request.endswith("/search.js")] == []  # not in the distribution
    assert len({request for request in tab.requests if request.endswith(".html")}) > 140


def test_the_page_within_a_page_is_loaded_when_it_is_unfolded(tab: Tab, url: str) -> None:
    tab.goto(f"{url}how-to/explore-in-a-browser.html")
    tab.locator(".explorer-frame").scroll_into_view_if_needed()
    tab.wait_for_timeout(500)
    assert [request for request in tab.requests if "/explorer/" in request] == []
    tab.locator(".explorer-frame summary").focus()
    tab.keyboard.press("Enter")
    frame = tab.frame_locator(".explorer-frame iframe")
    frame.locator(_READY).wait_for(state="attached")  # the footer is hidden in a frame
    frame.locator("#capture-list li[aria-current=true]").wait_for()
    assert "instructions" in frame.locator("#notation").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_links_have_the_contrast_of_aa(tab: Tab, url: str, scheme: str) -> None:
    tab.emulate_media(color_scheme=scheme)
    tab.goto(f"{url}tutorial.html")
    assert tab.evaluate(_CONTRAST) >= 4.5


_CONTRAST: Final = """() => {
  const link = document.querySelector(".try-it a");
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const luminance = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    const parts = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255);
    const [r, g, b] = parts.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const backs = (node) => {
    const found = [];
    for (let each = node; each; each = each.parentElement) found.unshift(getComputedStyle(each).backgroundColor);
    return ["white", ...found];
  };
  const ratios = [link, link.querySelector("code")].map((node) => {
    const back = backs(node);
    const [low, high] = [luminance(back), luminance([...back, getComputedStyle(node).color])].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  });
  return Math.min(...ratios);
}"""


def test_printed_pages_have_no_links_to_the_page(tab: Tab, url: str) -> None:
    tab.goto(f"{url}tutorial.html")
    assert tab.locator(".try-it").first.is_visible()
    tab.emulate_media(media="print")
    assert not tab.locator(".try-it").first.is_visible()
