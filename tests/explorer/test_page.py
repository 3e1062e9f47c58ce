"""The explorer page in a browser: panes, keys, links, captures, hostile input, and no request but to its server."""

from pathlib import Path

import pytest

import cbpf
from cbpf.explorer.links import fragment
from support.browser import Opener, missing_browser, served
from support.command_line import TRAFFIC
from support.project import MISSING_LIBRARIES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
EXPRESSION = "tcp port 443 or (arp and not host 192.0.2.1)"


def test_a_link_shows_its_state(opened: Opener) -> None:
    packet = cbpf.read_capture(TRAFFIC).__next__().data
    page = opened({"s": EXPRESSION, "O": 0, "y": "EN10MB", "t": "graph", "p": packet.hex(), "w": 2000, "o": "arp"})
    assert page.text("#editor .cm-content") == EXPRESSION
    assert page.text("#other-editor .cm-content") == "arp"
    assert not page.page.locator("#optimize").is_checked()
    assert page.page.get_attribute("#tab-graph", "aria-selected") == "true"
    assert "2,000 on the wire" in page.text("#packet-bytes")


def test_the_link_of_a_changed_page_opens_the_same_page(opened: Opener) -> None:
    page = opened()
    page.write("udp port 53 and\nnot é")
    page.write("udp port 53")
    page.tab("code")
    other = opened(page.saved_link(s="udp port 53", t="code"))
    assert other.text("#editor .cm-content") == "udp port 53"
    assert other.text("#pane-code pre") == cbpf.emit(cbpf.compile("udp port 53"))


def test_errors_are_underlined_while_typing(opened: Opener) -> None:
    page = opened()
    page.write("tcp prot 80")
    assert page.texts("#editor .cm-lintRange-error") == ["prot"]
    assert "error: 'prot' is not a keyword" in page.text("#problems")
    page.page.click("#problems button:has-text('Write')")
    page.settle()
    assert page.text("#editor .cm-content") == "tcp port 80"
    assert page.texts("#editor .cm-lintRange-error") == []
    page.write("ldh [12]\njeqq #1\nret #0")
    assert page.texts("#editor .cm-lintRange-error") == ["jeqq"]


def test_findings_of_the_linter_are_underlined(opened: Opener) -> None:
    page = opened({"s": "not port 80 or 443"})
    assert "".join(page.texts("#editor .cm-lintRange-warning")) == "not port 80 or 443"
    assert "negated-list" in page.text("#problems")


def test_instructions_and_clauses_are_linked_both_ways(opened: Opener) -> None:
    page = opened({"s": "arp or ip", "O": 0})
    page.page.hover("#pane-program tr[data-index='3']")
    assert page.texts("#editor .cm-linked") == ["ip"]
    page.page.focus("#pane-program tr[data-index='0']")
    assert page.texts("#editor .cm-linked") == ["arp"]
    page.page.locator("#editor .cm-content").click()
    page.page.keyboard.press("Control+Home")
    assert page.page.locator("#pane-program tr.linked").count() == 2


@pytest.mark.parametrize("text", ["", EXPRESSION, "(000) ldh [12]\n(001) ret #1", "vlan 5 and ip6"])
def test_every_pane_shows_a_source(opened: Opener, text: str) -> None:
    page = opened({"s": text, "o": "tcp", "p": "00" * 64})
    program = cbpf.parse(text) if text.startswith("(") else cbpf.compile(text)
    if text.startswith("("):
        program = cbpf.optimize(program)
    assert page.page.locator("#main-listing tr[data-index]").count() == len(program)
    page.tab("graph")
    assert page.page.locator("#pane-graph svg g[data-block]").count() > 0
    page.tab("passes")
    assert "plain code" in page.text("#pane-passes")
    page.tab("code")
    page.page.select_option("#notation-choice", "c")
    page.settle()
    assert page.text("#pane-code pre") == cbpf.render(program, "c")
    page.tab("compare")
    assert page.page.locator("#pane-compare tbody tr").count() >= len(program)
    page.tab("proofs")
    assert page.page.locator("#pane-proofs button").count() == 4


def test_a_trace_steps_in_both_directions_in_all_panes(opened: Opener) -> None:
    frame = next(iter(cbpf.read_capture(TRAFFIC))).data
    page = opened({"s": "tcp port 443 or arp", "p": frame.hex(), "t": "graph"})
    steps = list(cbpf.VM(cbpf.compile("tcp port 443 or arp"), engine="interpreter").trace(frame))
    assert page.page.locator("#trace tbody tr").count() == len(steps)
    page.page.click("#trace button[aria-label='First step']")
    assert page.texts(".hexdump .now") == [frame[12:13].hex(), frame[13:14].hex()]
    assert page.page.locator("#pane-graph g.current").get_attribute("data-block") == "0"
    for step in steps[1:]:
        page.page.click("#trace button[aria-label='Next step']")
        assert f"A = {step.a} " in page.text(".registers")
    page.page.click("#trace button[aria-label='Back one step']")
    assert f"A = {steps[-2].a} " in page.text(".registers")
    page.page.focus("#trace input[type=range]")
    page.page.keyboard.press("Home")
    assert f"step 1 of {len(steps)}" in page.text(".registers")
    page.tab("program")
    assert page.page.locator("#main-listing tr.current").get_attribute("data-index") == "0"


def test_a_dropped_capture_is_listed_and_filtered_without_a_request(opened: Opener) -> None:
    page = opened({"s": "arp"})
    before = len(page.requests)
    page.drop(Path(TRAFFIC).read_bytes(), "traffic.pcap")
    asked = {url.removeprefix(page.page.url.split("#")[0]) for url in page.requests[before:]}
    assert asked <= {"icon.svg", "proofs/lint"}  # of which the body is the expression
    verdicts = [verdict for part in cbpf.capture_verdicts(TRAFFIC, "arp") for verdict in part]
    marks = page.page.locator("#capture-list .mark").all_text_contents()
    assert marks == ["✓" if verdict else "✗" for verdict in verdicts]
    assert page.text("#capture-facts") == f"{sum(map(bool, verdicts))} of {len(verdicts)} packets accepted"
    page.write("ip6")
    assert page.text("#capture-facts").startswith(f"{_accepted('ip6')} of")
    page.page.focus("#capture-list li >> nth=0")
    page.page.keyboard.press("ArrowDown")
    page.page.keyboard.press("Enter")
    page.settle()
    assert page.page.locator("#capture-list li[aria-current=true]").get_attribute("data-number") == "2"


def _accepted(expression: str) -> int:
    return sum(bool(verdict) for part in cbpf.capture_verdicts(TRAFFIC, expression) for verdict in part)


def test_tabs_and_panes_are_reached_by_the_keyboard(opened: Opener) -> None:
    page = opened({"s": "arp"})
    page.page.focus("#tab-program")
    for name in ("graph", "passes", "code"):
        page.page.keyboard.press("ArrowRight")
        page.settle()
        assert page.page.evaluate("document.activeElement.id") == f"tab-{name}"
        assert page.page.locator(f"#pane-{name}").is_visible()
    page.page.focus("#copy-link")
    reached = set()
    for _ in range(40):
        page.page.keyboard.press("Tab")
        reached.add(page.page.evaluate("document.activeElement.id || document.activeElement.tagName"))
    assert {"theme", "editor", "tab-code", "pane-code", "capture-file", "edit-packet"} <= reached


def test_every_control_has_a_name(opened: Opener) -> None:
    page = opened({"s": "tcp prot 80", "p": "00" * 60})
    unnamed = page.page.evaluate("""() =>
      [...document.querySelectorAll("button, input, select, textarea, [role], section")]
      .filter((item) => !item.closest("[hidden]"))
      .filter((item) => !(item.textContent.trim() || item.ariaLabel || item.title || item.labels?.length
        || item.getAttribute("aria-labelledby") || ["status", "alert"].includes(item.getAttribute("role"))))
      .map((item) => item.outerHTML)""")
    assert unnamed == []


@pytest.mark.parametrize("width", [360, 768, 1400])
def test_the_page_fits_its_window(opened: Opener, width: int) -> None:
    page = opened({"s": EXPRESSION, "p": "00" * 60}, viewport={"width": width, "height": 800})
    for name in ("program", "graph", "passes", "code", "compare", "proofs"):
        page.tab(name)
        assert page.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.skipif("bitwuzla" in MISSING_LIBRARIES, reason="bitwuzla is not installed")
def test_proofs_show_their_packet(opened: Opener) -> None:
    page = opened({"s": "tcp port 80", "o": "tcp dst port 80", "t": "proofs"})
    page.page.click("text=Do both sources accept the same packets?")
    page.page.click("text=Show the packet")
    page.settle()
    assert "accepts the packet" in page.text("#trace .verdict")


def test_a_static_page_says_what_proofs_need(opened: Opener) -> None:
    with served({"proofs": False}) as server:
        page = opened(f"{server.url}#{fragment({'s': 'tcp', 't': 'proofs'})}")
        assert "cbpf explore" in page.text("#pane-proofs")
        assert page.page.locator("#pane-proofs button:not([disabled])").count() == 0


def test_the_capture_of_the_command_is_opened(opened: Opener) -> None:
    facts = {"state": {"s": "arp", "y": "EN10MB", "d": "pcap"}, "capture": "traffic.pcap"}
    with served(facts, TRAFFIC) as server:
        page = opened(server.url)
        page.page.wait_for_selector("#capture-list li[aria-current=true]")
        page.settle()
        assert page.text("#capture-facts") == f"{_accepted('arp')} of 905 packets accepted"
