"""The packet of the explorer page: its bytes in the link and in the panes belong to the packet that is selected."""

from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.explorer.links import fragment, state
from support.browser import Opener, OpenPage, missing_browser, served
from support.command_line import TRAFFIC

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
PACKETS: Final = [packet.data.hex() for packet in islice(cbpf.read_capture(TRAFFIC), 9)]


def _saved(page: OpenPage) -> dict[str, Any]:
    """Return the state in the address of the page, when it has been written."""
    page.page.wait_for_timeout(500)
    page.settle()
    return state(page.page.url.partition("#")[2])


def _select(page: OpenPage, number: int) -> None:
    page.page.click(f"#capture-list li[data-number='{number}']")
    page.settle()


def test_the_packet_of_a_link_outlasts_the_capture_of_the_command(opened: Opener) -> None:
    with served({"state": {"s": "arp"}, "capture": "traffic.pcap"}, TRAFFIC) as server:
        given = {"s": "udp", "p": PACKETS[6]}
        page = opened(f"{server.url}#{fragment(given)}")
        page.page.wait_for_selector("#capture-list li")
        page.settle()
        assert page.page.locator("#capture-list li[aria-current=true]").count() == 0
        assert _saved(page) == given


def test_the_link_has_the_bytes_of_the_packet_that_is_selected(opened: Opener) -> None:
    page = opened({"s": "arp"})
    page.drop(Path(TRAFFIC).read_bytes(), "traffic.pcap")
    assert _saved(page)["p"] == PACKETS[0]
    _select(page, 7)
    assert _saved(page)["p"] == PACKETS[6]
    page.write("arp or")
    assert _saved(page) == {"s": "arp or", "p": PACKETS[6]}
    assert page.text("#packet-bytes") != ""
    _select(page, 3)
    assert _saved(page) == {"s": "arp or"}
    page.write("arp")
    assert _saved(page) == {"s": "arp", "p": PACKETS[2]}


@pytest.mark.parametrize("tab", ["program", "graph"])
def test_the_panes_of_an_earlier_packet_are_cleared_when_the_next_one_has_no_trace(opened: Opener, tab: str) -> None:
    page = opened({"s": "arp", "p": PACKETS[6], "t": tab})
    assert page.page.locator(f"#pane-{tab} .on-path").count() > 0
    page.page.fill("#packet-hex", "zz")
    page.settle()
    assert page.text("#packet-bytes") == ""
    assert page.text("#trace") == "The source or the packet has an error."
    assert page.page.locator(f"#pane-{tab} .on-path").count() == 0


def test_a_capture_that_cannot_be_read_replaces_the_capture_before(opened: Opener) -> None:
    page = opened({"s": "arp", "o": "ip", "t": "compare"})
    page.drop(Path(TRAFFIC).read_bytes(), "traffic.pcap")
    _select(page, 7)
    page.drop(b"hello", "note.txt")
    assert page.text("#packet-bytes") == ""
    assert page.text("#trace").startswith("Open a capture")
    assert page.text("#capture-facts").startswith("note.txt: ")
    assert "Open a capture" in page.text("#pane-compare")
    page.write("udp")
    assert page.text("#packet-error") == ""
    assert _saved(page) == {"s": "udp", "o": "ip", "t": "compare"}
