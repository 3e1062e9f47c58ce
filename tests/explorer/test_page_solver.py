"""The questions of the explorer page to the solver of its server: a change of the source ends them."""

from collections.abc import Iterator
from typing import Any

import pytest

from cbpf.explorer.links import fragment
from support.browser import Opener, OpenPage, missing_browser, served

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]


@pytest.fixture
def proving(opened: Opener) -> Iterator[tuple[OpenPage, list[str]]]:
    """A page whose solver never answers, and the questions to it that the page has ended."""
    with served({"proofs": True}) as server:
        page = opened(f"{server.url}#{fragment({'s': 'arp', 't': 'proofs'})}")
        held: list[Any] = []
        ended: list[str] = []
        page.page.route("**/proofs/*", lambda route: held.append(route))
        page.page.on("requestfailed", lambda request: ended.append(request.url.rpartition("/")[2]))
        yield page, ended


def test_a_change_of_the_source_ends_the_search_for_findings(proving: tuple[OpenPage, list[str]]) -> None:
    page, ended = proving
    with page.page.expect_request("**/proofs/lint"):
        page.write("udp")
    page.write("udp or")
    assert ended == ["lint"]


def test_a_change_of_the_source_ends_a_proof_and_clears_its_answer(proving: tuple[OpenPage, list[str]]) -> None:
    page, ended = proving
    page.page.click("text=A packet that is accepted")
    page.page.click("text=Dead code")
    page.page.wait_for_timeout(200)
    assert ended == ["witness"]
    assert page.text("#pane-proofs [role=status]") == "The solver is running …"
    page.write("udp or")
    assert "dead" in ended
    assert page.text("#pane-proofs [role=status]") == ""
