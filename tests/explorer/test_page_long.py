"""The explorer page with long contents: shown in parts, complete, and marked where they are added later."""

import pytest

import cbpf
from support.browser import Opener, missing_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
CHAIN = "\n".join(["ld #1", *["add #1"] * 998, "ret a"])
"""A program of 1,000 instructions, all of which run."""


def test_listings_are_shown_in_parts_with_the_path_of_the_packet(opened: Opener) -> None:
    page = opened({"s": CHAIN, "O": 0, "p": "00" * 60})
    rows = page.page.locator("#main-listing tr[data-index]")
    page.page.wait_for_selector("#main-listing tr[data-index='499'].on-path")
    assert rows.count() == 500
    page.page.click("#main-listing button:text('500 more')")
    page.page.wait_for_selector("#main-listing tr[data-index='999'].current")
    assert rows.count() == 1_000
    assert page.page.locator("#main-listing button:visible").count() == 0


def test_the_steps_around_the_chosen_one_are_listed(opened: Opener) -> None:
    page = opened({"s": CHAIN, "O": 0, "p": "00" * 60})
    assert page.page.locator("#trace tr.current").get_attribute("data-step") == "999"
    page.page.focus("#trace input[type=range]")
    for key, step in (("Home", "0"), ("End", "999"), ("ArrowLeft", "998")):
        page.page.keyboard.press(key)
        assert page.page.locator("#trace tr.current").get_attribute("data-step") == step
        assert page.page.locator("#trace tbody tr").count() == 200


def test_large_graphs_are_drawn_completely_with_the_path_of_the_packet(opened: Opener) -> None:
    tests = [f"t{number}: jneq #{number}, t{number + 1}\nret #1" for number in range(400)]
    text = "\n".join(["ldb [0]", *tests, "t400: ret #0"])
    program = cbpf.parse(text)
    page = opened({"s": text, "O": 0, "p": "0a" * 60, "t": "graph"})
    blocks = len(cbpf.graph(program).as_dict()["blocks"])
    page.page.wait_for_selector(f"#pane-graph [data-block='{blocks - 1}']")
    boxes = page.page.locator("#pane-graph [data-block]")
    drawn = boxes.evaluate_all("(groups) => new Set(groups.map((group) => group.dataset.block)).size")
    assert drawn == blocks
    assert page.page.locator("#pane-graph g.on-path[data-block]").count() == 12


def test_long_code_is_complete(opened: Opener) -> None:
    page = opened({"s": CHAIN, "O": 0, "t": "code"})
    page.page.select_option("#notation-choice", "c")
    page.settle()
    assert page.page.locator("#pane-code pre").text_content() == cbpf.render(cbpf.parse(CHAIN), "c")


def test_each_pass_is_listed_when_it_is_opened(opened: Opener) -> None:
    page = opened({"s": "tcp port 443", "t": "passes"})
    first = page.page.locator("#pane-passes details").first
    last_row = first.locator("tr").nth(len(cbpf.compile("tcp port 443", optimizer=None)) - 1)
    assert first.locator("tr").count() == 0
    first.locator("summary").click()
    last_row.wait_for()
    first.locator("summary").click()
    last_row.wait_for(state="hidden")
    first.locator("summary").click()
    last_row.wait_for()
    assert first.locator("tr").count() == len(cbpf.compile("tcp port 443", optimizer=None))


def test_a_pasted_text_that_is_too_long_leaves_the_editor_unchanged(opened: Opener) -> None:
    page = opened({"s": "arp"})
    page.paste("tcp or " * 1_500_000)
    assert "10,500,000 characters" in page.text("#problems")
    assert page.text("#editor .cm-content") == "arp"
    page.write("ip")
    assert page.page.locator("#main-listing tr[data-index]").count() == 4


def test_states_that_a_link_may_not_contain_are_files(opened: Opener) -> None:
    """A text of 2 MB that repeats itself would fit into a link, but the page reads states up to 1 MB."""
    page = opened()
    page.paste("; a comment\n" * 160_000 + "ret #1\n")
    page.page.wait_for_selector("#copy-link:text('Download state')")
