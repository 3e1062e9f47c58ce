"""Findings, clauses, changes of packets and other targets of the explorer page in a browser."""

import json
from typing import Any

import pytest

import cbpf
from cbpf.explorer.answers import Answers
from cbpf.explorer.links import fragment
from support.browser import Opener, OpenPage, missing_browser, served
from support.command_line import TRAFFIC
from support.project import MISSING_LIBRARIES

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
needs_solver = pytest.mark.skipif("bitwuzla" in MISSING_LIBRARIES, reason="bitwuzla is not installed")
needs_llvm = pytest.mark.skipif("llvmlite" in MISSING_LIBRARIES, reason="llvmlite is not installed")
MINUS = "\N{MINUS SIGN}"
ARP = "ffffffffffff020000000001080600010800060400010000000000000000000000000000000000000000"


def _underlined(page: OpenPage, severity: str) -> str:
    return "".join(page.texts(f"#editor .cm-lintRange-{severity}"))


@pytest.mark.parametrize("notation", ["asm", "c", "decimal", "json"])
def test_findings_about_a_program_are_underlined_at_their_instruction(opened: Opener, notation: str) -> None:
    text = cbpf.render(cbpf.parse("ldh [12]\nret #1\nld [300]\nret a"), notation)
    page = opened({"s": text})
    start, end = (cbpf.instruction_spans(text)[index] for index in (2, 3))
    assert _underlined(page, "warning").replace("\n", "") == text[start.start : end.end].replace("\n", "")
    assert "no instruction leads to instructions 2 to 3" in page.text("#problems")
    page.page.click("#problems button:has-text('Show')")
    assert page.page.evaluate("document.activeElement.id") == "editor"


def test_every_error_of_a_program_is_underlined_while_typing(opened: Opener) -> None:
    page = opened()
    page.write("3\n6 0 0\n6 0 0 0\n6 0 0 x\n")
    assert page.texts("#editor .cm-lintRange-error") == ["6", "6"]
    assert page.page.locator("#problems li.error").count() == 2
    page.page.select_option("#dialect", "linux")
    page.write("ldh [12]\nld M[3]\nst M[77]\nret a\n")
    assert page.texts("#editor .cm-lintRange-error") == ["ld M[3]", "st M[77]"]
    page.page.select_option("#dialect", "pcap")
    page.write("ldh [12]\nld M[3]\nret a\n")
    assert page.texts("#editor .cm-lintRange-warning") == ["ld M[3]"]


def test_many_findings_are_listed_in_part(opened: Opener) -> None:
    page = opened()
    page.paste("ret a\nldq [0]\n" * 1_000)
    assert page.page.locator("#problems li").count() == 51
    assert page.texts("#problems li")[-1] == "and 950 more"


def test_findings_of_the_verifier_about_an_expression_are_at_their_clause(opened: Opener) -> None:
    page = opened({"s": "tcp port 80 or arp", "d": "seccomp"})
    assert set(page.texts("#editor .cm-lintRange-error")) == {"tcp port 80", "arp"}


def test_blocks_of_the_graph_and_clauses_are_linked_both_ways(opened: Opener) -> None:
    page = opened({"s": "arp or ip", "O": 0, "t": "graph"})
    page.page.hover("#pane-graph svg [data-block='1'] text >> nth=0")
    assert page.texts("#editor .cm-linked") == ["ip"]
    assert page.page.locator("#pane-graph svg g.linked").get_attribute("data-block") == "1"
    page.page.hover("h1")
    assert page.texts("#editor .cm-linked") == []
    page.page.click("#pane-graph summary")
    page.page.focus("#pane-graph li[data-block='0']")
    assert page.texts("#editor .cm-linked") == ["arp"]
    page.page.keyboard.press("ArrowDown")
    assert page.texts("#editor .cm-linked") == ["ip"]
    page.page.locator("#editor .cm-content").click()
    page.page.keyboard.press("Control+Home")
    assert page.page.locator("#pane-graph svg g.linked").get_attribute("data-block") == "0"
    assert page.page.locator("#pane-graph li.linked").get_attribute("data-block") == "0"


def test_clauses_of_optimised_code_are_those_of_the_plain_code(opened: Opener) -> None:
    page = opened({"s": "tcp port 443 or arp"})
    page.page.focus("#pane-program .listings > div:nth-child(2) tr[data-index='20']")
    assert page.texts("#editor .cm-linked") == ["arp"]
    assert page.page.locator("#main-listing tr.linked").count() == 0


def test_the_smallest_change_is_applied_by_a_click(opened: Opener) -> None:
    page = opened({"s": "arp", "p": ARP})
    assert "accepts the packet" in page.text("#trace .verdict")
    page.page.click("#find-change")
    page.settle()
    answer = json.loads(
        Answers().answer("change", json.dumps({"source": {"text": "arp"}, "packet": {"hex": ARP}})),
    )
    (change,) = answer["change"]["changes"]
    expected = f"byte {change['offset']}: {change['old']:02x} → {change['new']:02x}, then 'arp' is false"
    assert page.texts("#trace li").count(expected) == 1
    page.page.click("text=Apply to the packet")
    page.settle()
    assert page.page.input_value("#packet-hex").replace(" ", "") == answer["change"]["packet"]
    assert "rejects the packet" in page.text("#trace .verdict")


@needs_solver
def test_a_change_of_several_bytes_is_found_by_the_solver(opened: Opener) -> None:
    page = opened({"s": "ip host 192.0.2.1", "p": ARP})
    page.page.click("#find-change")
    page.page.click("text=Apply to the packet")
    page.settle()
    assert "accepts the packet" in page.text("#trace .verdict")


def test_a_static_page_says_what_a_change_of_several_bytes_needs(opened: Opener) -> None:
    with served({"proofs": False, "llvm": False}) as server:
        page = opened(f"{server.url}#{fragment({'s': 'ip host 192.0.2.1', 'p': ARP})}")
        page.page.click("#find-change")
        page.page.wait_for_selector("#trace >> text=cbpf explore")
        assert "cbpf[smt]" in page.text("#trace")
        page.write("ret #1")
        assert page.page.locator("#find-change").count() == 0


def test_each_pass_shows_the_lines_that_it_adds_and_removes(opened: Opener) -> None:
    page = opened({"s": "tcp port 443 or arp", "t": "passes"})
    stages: list[dict[str, Any]] = json.loads(
        Answers().answer("passes", json.dumps({"source": {"text": "tcp port 443 or arp"}}))
    )["stages"]
    assert page.page.locator("#pane-passes details").count() == len(stages)
    assert len(stages) > 1
    for number, stage in enumerate(stages):
        details = page.page.locator(f"#pane-passes details >> nth={number}")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
            details.locator("tr >> nth=0").wait_for()
        signs = details.locator("tr td:nth-child(2)").all_text_contents()
        assert signs == [{"+": "+", "-": MINUS, "": ""}[sign] for sign, _ in stage["changes"]]
    assert MINUS in page.page.locator("#pane-passes table >> nth=-1").inner_text()


@needs_solver
def test_a_packet_on_which_two_programs_differ_is_opened_by_a_click(opened: Opener) -> None:
    page = opened({"s": "tcp port 80", "o": "tcp dst port 80", "t": "compare"})
    page.page.click("text=Find a packet on which they differ")
    page.page.click("#pane-compare >> text=Show the packet")
    page.settle()
    assert "accepts the packet" in page.text("#trace .verdict")
    page.write("tcp dst port 80")
    page.page.click("text=Find a packet on which they differ")
    page.page.wait_for_selector("#pane-compare >> text=They accept the same packets: proved.")


def test_packets_of_the_capture_on_which_two_programs_differ_are_shown(opened: Opener) -> None:
    with served(
        {"state": {"s": "arp or ip6", "o": "arp", "t": "compare"}, "capture": "traffic.pcap"}, TRAFFIC
    ) as server:
        page = opened(server.url)
        page.page.wait_for_selector("#capture-list li >> nth=0")
        page.settle()
        page.tab("compare")
        answers = Answers()
        with open(TRAFFIC, "rb") as file:
            answers.open_capture(file.read(), "traffic.pcap")
        request = {"source": {"text": "arp or ip6"}, "other": {"text": "arp"}}
        numbers = [each["number"] for each in json.loads(answers.answer("compare", json.dumps(request)))["packets"]]
        assert f"They differ on {len(numbers)} packets of the capture." in page.text("#pane-compare")
        page.page.click(f"#pane-compare button[aria-label='Packet {numbers[0]}']")
        page.settle()
        assert "accepts the packet" in page.text("#trace .verdict")


@needs_llvm
def test_ebpf_is_shown_where_the_page_is_served_with_a_compiler(opened: Opener) -> None:
    page = opened({"s": "arp", "t": "code"})
    for target in ("ebpf-xdp", "ebpf-tc", "ebpf-socket"):
        page.page.select_option("#notation-choice", target)
        text = cbpf.emit(cbpf.compile("arp"), target=target, assembly=True)
        page.page.wait_for_function("(text) => document.querySelector('#pane-code pre').textContent === text", arg=text)
    page.write("ip6")
    text = cbpf.emit(cbpf.compile("ip6"), target="ebpf-socket", assembly=True)
    page.page.wait_for_function("(text) => document.querySelector('#pane-code pre').textContent === text", arg=text)


def test_a_static_page_says_what_ebpf_needs_and_writes_the_text_of_llvm(opened: Opener) -> None:
    with served({"proofs": False, "llvm": False}) as server:
        page = opened(f"{server.url}#{fragment({'s': 'arp', 't': 'code'})}")
        page.page.select_option("#notation-choice", "ebpf-xdp")
        page.page.wait_for_selector("#pane-code >> text=cbpf[llvm]")
        page.page.select_option("#notation-choice", "llvm")
        page.settle()
        assert page.text("#pane-code pre") == cbpf.emit(cbpf.compile("arp"), target="llvm")
