"""Links and states in files, opened by the explorer page in a browser."""

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.explorer.links import DEFAULTS, state
from support.browser import Opener, OpenPage, missing_browser
from support.explorer_links import INVALID, LINKS, shown

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]


def _open(page: OpenPage, fragment: str) -> None:
    """Open a fragment in the page, as a click on a link of the same site does."""
    page.page.evaluate("(fragment) => { location.hash = fragment; }", fragment)
    page.page.wait_for_timeout(200)
    page.settle()


def _saved(page: OpenPage) -> dict[str, Any]:
    """Return the state in the address of the page, when it has been written."""
    page.page.wait_for_timeout(500)
    page.settle()
    return state(page.page.url.partition("#")[2])


def test_golden_links_show_their_state(opened: Opener) -> None:
    page = opened()
    for fragment, given in LINKS:
        _open(page, fragment)
        expected = shown(given)
        assert page.text("#message") == ""
        assert _controls(page) == {key: expected.get(key, DEFAULTS[key]) for key in (*"ydOSmgL",)}
        for key, editor in (("s", "#editor"), ("o", "#other-editor")):
            if expected.get(key):
                text = expected[key].strip().replace("\u202e", "•")  # which would reverse the text after it
                assert page.text(f"{editor} .cm-content").replace("\n\n", "\n").strip() == text
        assert page.page.locator("[role=tab][aria-selected=true]").get_attribute("id") == (
            f"tab-{expected.get('t', 'program')}"
        )
        assert page.page.input_value("#packet-hex").replace(" ", "") == expected.get("p", "")
        assert page.page.input_value("#wire-length") == str(expected.get("w", ""))
        assert _saved(page) == expected


def _controls(page: OpenPage) -> dict[str, Any]:
    """Return the settings that the page shows, by their keys in links."""
    return {
        "y": page.page.input_value("#link-type"),
        "d": page.page.input_value("#dialect"),
        "O": int(page.page.is_checked("#optimize")),
        "S": int(page.page.input_value("#snaplen") or cbpf.DEFAULT_SNAPLEN),
        "m": page.page.input_value("#netmask"),
        "g": page.page.input_value("#goal"),
        "L": int(page.page.is_checked("#live")),
    }


_MESSAGES = {
    "version": "this link is of an unknown version; the page begins empty",
    "corrupt": "this link is truncated or corrupt; the page begins empty",
    "long": "this link is too long; the page begins empty",
}


def test_corrupt_links_begin_an_empty_page_with_one_message(opened: Opener) -> None:
    page = opened({"s": "arp", "o": "ip", "S": 96, "p": "00" * 20})
    for why, (fragment, kind) in INVALID.items():
        if fragment:  # a page with an empty fragment has no link
            _open(page, fragment)
            assert (why, page.text("#message")) == (why, _MESSAGES[kind])
            assert (why, _saved(page)) == (why, {"s": ""})
            assert page.text("#trace").startswith("Open a capture")
    page.write("arp")
    assert page.page.locator("#main-listing tr[data-index]").count() == 4


def test_the_page_and_python_accept_the_same_fragments(opened: Opener) -> None:
    choose = Random(19)
    characters = "ABCxyz019-_+/=.% é"
    fragments = [fragment for fragment, _ in (*LINKS, *INVALID.values()) if len(fragment) < 10_000]
    for fragment, _ in LINKS * 40:
        at = choose.randrange(len(fragment))
        kind = choose.randrange(3)
        inserted = "" if kind == 0 else choose.choice(characters)
        fragments.append(fragment[:at] + inserted + fragment[at + (kind != 1) :])
    read = """async (fragments) => {
      const { fromFragment } = await import("./links.js");
      const read = (fragment) => fromFragment(fragment).catch((error) => error.message);
      return Promise.all(fragments.map(read));
    }"""
    for fragment, here in zip(fragments, opened().page.evaluate(read, fragments), strict=True):
        try:
            expected = state(fragment)
        except cbpf.FieldError:
            expected = {}
        assert (fragment, here if isinstance(here, dict) else {}) == (fragment, expected)


def test_a_copied_link_opens_the_same_page(opened: Opener) -> None:
    page = opened({"s": "arp"}, permissions=["clipboard-read", "clipboard-write"])
    page.write("udp port 53")
    page.page.click("#copy-link")
    page.page.wait_for_timeout(300)
    copied = page.page.evaluate("navigator.clipboard.readText()")
    assert copied == page.page.url
    assert state(copied.partition("#")[2]) == {"s": "udp port 53"}


def test_states_that_are_too_large_for_a_link_are_files(opened: Opener, tmp_path: Path) -> None:
    text = " or ".join(f"host 10.{number % 251}.{number % 83}.{number * 7 % 253}" for number in range(6_000))
    given = {"s": "arp", "o": "ip", "y": "RAW", "d": "linux", "S": 96, "m": "255.0.0.0", "p": "45" * 20, "w": 99}
    page = opened(given)
    page.paste(text)
    page.page.wait_for_timeout(500)
    assert "#" not in page.page.url
    assert page.text("#copy-link") == "Download state"
    with page.page.expect_download() as download:
        page.page.click("#copy-link")
    target = tmp_path / "explorer.cbpf.json"
    download.value.save_as(target)
    assert json.loads(target.read_text()) == {**given, "s": text}
    other = opened({"s": "udp", "t": "code"})
    other.drop(target.read_bytes(), target.name)
    assert other.text("#notation") == page.text("#notation")
    assert _controls(other) == _controls(page)
    assert other.text("#other-editor .cm-content") == "ip"
    assert other.page.input_value("#packet-hex") == page.page.input_value("#packet-hex")
    assert other.page.is_visible("#pane-program")
    assert other.text("#copy-link") == "Download state"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"7", b"null", b"{", b"\xff\xfe", b"[" * 1_000_000, b"\xd4\xc3\xb2\xa1" + bytes(100)]
)
def test_other_files_are_no_states(opened: Opener, data: bytes) -> None:
    page = opened({"s": "arp", "p": "00"})
    page.drop(data, "<i>note</i>.cbpf.json")
    assert page.text("#message") == "<i>note</i>.cbpf.json: this file is not a state of the page"
    assert page.page.locator("#message i").count() == 0
    assert _saved(page) == {"s": "arp", "p": "00"}
