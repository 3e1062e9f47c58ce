"""The page for people who use the keyboard, a screen reader, a phone or dark mode; axe-core judges it by its rules."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from cbpf.explorer.links import fragment
from support.browser import AXE, Opener, OpenPage, missing_browser, served
from support.command_line import TRAFFIC

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
TABS: Final = ("program", "graph", "passes", "code", "compare", "proofs")
EXPRESSION: Final = "tcp port 443 or (arp and not host 192.0.2.1)"


@pytest.fixture(scope="module")
def capture_url(browser: Any) -> Iterator[str]:
    """The link of a page with a capture, an expression with findings, and a second source with an error."""
    state = {"s": EXPRESSION, "o": "tcp dst prot 443"}
    with served({"state": state, "capture": "traffic.pcap"}, TRAFFIC) as server:
        yield server.url


def _with_capture(opened: Opener, url: str, **options: Any) -> OpenPage:
    page = opened(url, **options)
    page.page.wait_for_selector("#capture-list [aria-selected=true]")
    page.settle()
    return page


def _violations(page: OpenPage) -> list[str]:
    """Return the rules of axe-core that the page violates, each with its first element."""
    violations = page.page.evaluate("() => axe.run().then(({ violations }) => violations)")
    return [f"{rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in violations]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_axe_is_violated_with_a_capture(opened: Opener, capture_url: str, scheme: str) -> None:
    page = _with_capture(opened, capture_url, color_scheme=scheme)
    page.page.evaluate(AXE.read_text())
    found = {}
    for width in (1280, 768, 360):
        page.page.set_viewport_size({"width": width, "height": 900})
        for tab in TABS:
            page.tab(tab)
            found[width, tab] = _violations(page)
    assert {place: rules for place, rules in found.items() if rules} == {}


@pytest.mark.parametrize("state", [{}, {"s": "tcp prot 80"}, {"s": "ldh [12]\nret #1", "t": "graph", "p": "00" * 60}])
def test_no_rule_of_axe_is_violated_without_a_capture(opened: Opener, state: dict[str, Any]) -> None:
    page = opened(state)
    page.page.evaluate(AXE.read_text())
    assert _violations(page) == []


def test_axe_finds_a_fault(opened: Opener) -> None:
    page = opened()
    page.page.evaluate(AXE.read_text())
    page.page.evaluate("document.getElementById('status').style.color = '#999'; document.documentElement.lang = ''")
    assert {rule.split(":")[0] for rule in _violations(page)} == {"color-contrast", "html-has-lang"}


_FOCUS: Final = """(selector) => {
  let element = document.activeElement;
  while (element.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  const places = [element, element.closest(".button"), element.getRootNode().host];
  const isVisible = places.some((place) => {
    if (!place) return false;
    const { outlineStyle, outlineWidth } = getComputedStyle(place);
    return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  });
  const { left, top, right, bottom } = element.getBoundingClientRect();
  const isInWindow = right > 0 && bottom > 0 && left < innerWidth && top < innerHeight;
  const isThere = document.activeElement.matches(selector);
  return { isThere, isVisible, isInWindow, html: element.outerHTML.slice(0, 120) };
}"""


class _Keys:
    """A person with a keyboard: every stop of the Tab key shows the focus."""

    def __init__(self, page: OpenPage) -> None:
        self.page = page

    def press(self, key: str) -> None:
        self.page.page.keyboard.press(key)
        self.page.settle()

    def tab_to(self, selector: str) -> None:
        """Press Tab until the focus is at an element, or in its shadow root."""
        for _ in range(120):
            self.page.page.keyboard.press("Tab")
            focus = self.page.page.evaluate(_FOCUS, selector)
            if "<body" in focus["html"]:  # the end of the page: the browser's own controls are next
                continue
            assert focus["isVisible"], focus
            assert focus["isInWindow"], focus
            if focus["isThere"]:
                return
        pytest.fail(f"Tab does not reach {selector}")


def test_a_session_needs_no_mouse(opened: Opener) -> None:
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    keys = _Keys(page)
    keys.tab_to("#editor")
    page.page.keyboard.insert_text(EXPRESSION)
    page.settle()
    keys.tab_to("#capture-file")
    with page.page.expect_file_chooser() as chooser:
        page.page.keyboard.press("Enter")
    chooser.value.set_files(TRAFFIC)
    page.page.wait_for_selector("#capture-list [aria-selected=true]")
    page.settle()
    keys.tab_to("#capture-list li")
    keys.press("ArrowDown")
    keys.press("End")
    keys.press("Enter")
    assert page.text("#capture-list [aria-selected=true] .number") == "905"
    keys.tab_to("#tab-program")
    for tab in (*TABS[1:], TABS[0]):
        keys.press("ArrowRight")
        assert page.page.evaluate("document.activeElement.id") == f"tab-{tab}"
        assert page.page.locator(f"#pane-{tab}").is_visible()
    keys.press("End")
    assert page.page.locator("#pane-proofs").is_visible()
    keys.press("Home")
    keys.tab_to("#main-listing tr")
    keys.press("ArrowDown")
    assert page.page.evaluate("document.activeElement.dataset.index") == "1"
    keys.tab_to("[aria-label='First step']")
    keys.press("Enter")
    assert "step 1 of" in page.text(".registers")
    keys.tab_to("[aria-label='Next step']")
    keys.press("Space")
    assert "step 2 of" in page.text(".registers")
    keys.press("Shift+Tab")
    keys.press("ArrowLeft")
    assert "step 1 of" in page.text(".registers")
    keys.tab_to("#copy-link")
    keys.press("Enter")
    assert page.page.evaluate("navigator.clipboard.readText()") == page.page.url
    assert page.text("#status") == "Copied"
    page.tab("code")
    keys.tab_to("#pane-code button")
    keys.press("Enter")
    assert page.page.evaluate("navigator.clipboard.readText()") == page.text("#pane-code pre")


def test_the_focus_is_not_caught_in_an_editor(opened: Opener) -> None:
    page = opened({"s": "arp", "o": "ip"})
    for editor in ("#editor", "#other-editor"):
        page.page.locator(f"{editor} .cm-content").focus()
        page.page.keyboard.press("Tab")
        assert page.page.evaluate("document.activeElement.id") != editor[1:]
        page.page.keyboard.press("Shift+Tab")
        page.page.keyboard.press("Shift+Tab")
        assert page.page.evaluate("document.activeElement.id") != editor[1:]
    assert page.text("#editor .cm-content") == "arp"


def _named(page: OpenPage) -> dict[str, list[str]]:
    """Return the names of the parts of the page by their roles, as Chromium passes them to a screen reader."""
    session = page.page.context.new_cdp_session(page.page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"] and "role" in node:
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    return named


def test_a_screen_reader_has_the_parts_and_the_messages(opened: Opener, capture_url: str) -> None:
    page = _with_capture(opened, capture_url)
    named = _named(page)
    assert {"Expression or program", "Second source", "Link type"} <= {*named["textbox"], *named["combobox"]}
    assert named["tab"] == ["Program", "Graph", "Passes", "Code", "Compare", "Proofs"]
    assert named["tabpanel"] == ["Program"]
    assert {"Expression or program", "Packet", "Views of the program", "Trace"} <= set(named["region"])
    assert {"Optimised: 25 instructions, 5\u201312 on a path", "Steps"} <= set(named["table"])
    assert named["listbox"] == ["Packets of the capture"]
    packets = [name.split()[:2] for name in named["option"] if name.startswith(("accepted", "rejected"))]
    assert (packets[0], packets[5]) == (["rejected", "1"], ["accepted", "6"])
    page.page.focus("#capture-list li[tabindex='0']")
    page.page.keyboard.press("End")  # the browser lays out an option when it comes into view
    page.settle()
    assert any(name.startswith("rejected 905 ") for name in _named(page)["option"])
    assert named["slider"] == ["Step"]
    assert {"Errors and findings", "Errors of the second source", "Clauses of the expression"} <= set(named["list"])
    assert {"Bytes of the packet"} <= set(named["group"])
    assert all(named["button"]), named["button"]
    statuses = page.texts("[role=status]")
    assert "Ready" in statuses
    assert "90 of 905 packets accepted" in statuses
    assert any(status.startswith("This program rejects the packet") for status in statuses)
    assert any(status.startswith("step 7 of 7") for status in statuses)


def test_a_screen_reader_has_the_graph_as_a_list(opened: Opener, capture_url: str) -> None:
    page = _with_capture(opened, capture_url)
    page.tab("graph")
    page.page.focus("#pane-graph summary")
    page.page.keyboard.press("Enter")
    named = _named(page)
    assert "Control-flow graph" in named["region"]
    assert any(name.startswith("25 instructions in ") for name in named["image"])
    items = page.texts("#pane-graph li")
    assert items[0].startswith("Instructions 0")
    assert "executed 905 times" in items[0]
    assert len(items) == len(
        set(page.page.locator("#pane-graph [data-block]").evaluate_all("(all) => all.map((one) => one.dataset.block)"))
    )


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_graph_moves_smoothly_only_for_those_who_permit_it(opened: Opener, motion: str) -> None:
    page = opened({"s": "arp", "t": "graph"}, reduced_motion=motion)
    behaviour = page.page.evaluate("getComputedStyle(document.querySelector('.drawing')).scrollBehavior")
    assert behaviour == ("auto" if motion == "reduce" else "smooth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_button_changes_between_light_and_dark(opened: Opener, scheme: str) -> None:
    page = opened({"s": "arp", "t": "graph"}, color_scheme=scheme)
    colors = []
    for _ in range(3):
        colors.append(page.page.evaluate("getComputedStyle(document.querySelector('.drawing rect')).fill"))
        page.page.click("#theme")
    assert colors[0] == colors[2] != colors[1]
    assert page.page.url.endswith(fragment({"s": "arp", "t": "graph"}))
