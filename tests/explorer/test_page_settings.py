"""The settings of the explorer page in a browser."""

import pytest

import cbpf
from support.browser import Opener, OpenPage, missing_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
PORTS = " or ".join(f"port {number}" for number in range(1, 40, 2))


def _code(page: OpenPage) -> str | None:
    """Return the text of the Code pane, also of the lines that are out of view."""
    text: str | None = page.page.locator("#pane-code pre").text_content()
    return text


def test_more_settings_are_those_of_the_compiler(opened: Opener) -> None:
    page = opened({"s": "ip broadcast", "t": "code"})
    assert "netmask" in page.text("#problems")
    page.page.click("#more-settings summary")
    page.page.select_option("#notation-choice", "c")
    page.page.fill("#netmask", "255.255.240.0")
    page.page.press("#netmask", "Enter")
    page.settle()
    assert page.text("#problems") == ""
    assert _code(page) == cbpf.render(cbpf.compile("ip broadcast", netmask="255.255.240.0"), "c")
    page.page.fill("#snaplen", "96")
    page.page.press("#snaplen", "Enter")
    page.write(PORTS)
    page.page.select_option("#goal", "speed")
    page.settle()
    assert _code(page) == cbpf.render(cbpf.compile(PORTS, snaplen=96, goal="speed"), "c")
    page.page.uncheck("#optimize")
    page.settle()
    assert _code(page) == cbpf.render(cbpf.compile(PORTS, snaplen=96, optimizer=None), "c")


def test_a_live_source_has_the_dialect_of_linux(opened: Opener) -> None:
    tagged = "ffffffffffff020000000001810000050800" + "45" + "00" * 40
    page = opened({"s": "vlan 5 and ip", "p": tagged})
    page.page.click("#more-settings summary")
    page.page.check("#live")
    page.settle()
    assert page.page.input_value("#dialect") == "linux"
    program = cbpf.compile("vlan 5 and ip", live=True)
    assert page.page.locator("#main-listing tr[data-index]").count() == len(program)
    assert "VLAN tag 5 removed" in page.text("#packet-bytes")
    assert "accepts the packet" in page.text("#trace .verdict")
    page.page.wait_for_timeout(500)
    other = opened(page.page.url)  # its link has the packet with its tag
    assert "VLAN tag 5 removed" in other.text("#packet-bytes")
    assert other.page.locator("#live").is_checked()
    assert other.page.locator("#live").is_visible()
    page.page.select_option("#dialect", "pcap")
    page.settle()
    assert not page.page.locator("#live").is_checked()
    assert page.page.locator("#main-listing tr[data-index]").count() == len(cbpf.compile("vlan 5 and ip"))


def test_invalid_settings_are_not_taken(opened: Opener) -> None:
    page = opened({"s": "arp", "S": 96})
    for text in ("-1", "4294967296", "x", "1.5"):
        page.page.fill("#snaplen", text)
        page.page.press("#snaplen", "Enter")
        page.settle()
        assert not page.page.evaluate("document.getElementById('snaplen').validity.valid")
        assert "#96" in page.text("#main-listing")
    page.page.fill("#snaplen", "64")
    page.page.press("#snaplen", "Enter")
    page.settle()
    assert "#64" in page.text("#main-listing")
    page.page.fill("#netmask", "<b>255</b>")
    page.page.press("#netmask", "Enter")
    page.settle()
    assert "netmask: '<b>255</b>' is not an IPv4 netmask" in page.text("#problems")
