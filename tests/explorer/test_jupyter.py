"""`explore` in JupyterLab: the page in the output of a cell, and the outputs that remain without it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from support.command_line import TRAFFIC
from support.jupyter import (
    end_kernels,
    environment,
    jupyter_server,
    missing_jupyter,
    open_notebook,
    run_all_cells,
    write_notebook,
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_jupyter()), reason=missing_jupyter())]
EXPLORE: Final = "import cbpf\ncbpf.explore('tcp port 443', 'traffic.pcap')"
FRAME: Final = "iframe[title='cbpf explorer']"
WIDTH: Final = "image => image.decode().then(() => image.naturalWidth)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the notebooks."""
    result = tmp_path_factory.mktemp("notebooks")
    (result / "traffic.pcap").symlink_to(TRAFFIC)
    return result


@pytest.fixture(scope="module")
def lab(folder: Path) -> Iterator[str]:
    """The URL of a JupyterLab."""
    with jupyter_server(folder) as url:
        yield url


def _edit(page: Any, text: str) -> None:
    """Replace the text of the editor in the frame of a page by typing."""
    page.frame_locator(FRAME).locator("#editor .cm-content").click()
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


@pytest.mark.parametrize("is_proxied", [False, True], ids=["loopback", "jupyter-server-proxy"])
def test_the_page_in_a_notebook_answers_keystrokes(browser: Any, folder: Path, lab: str, is_proxied: bool) -> None:
    options = f", notebook_url={lab!r}" if is_proxied else ""
    write_notebook(folder / "live.ipynb", EXPLORE.replace("cap')", f"cap'{options})"))
    page = browser.new_page()
    answers: list[Any] = []
    failures: list[str] = []
    page.on("response", lambda answer: answers.append(answer))
    page.on("pageerror", lambda error: failures.append(str(error)))
    open_notebook(page, lab, "live.ipynb")
    run_all_cells(page)
    frame = page.frame_locator(FRAME)
    frame.locator("body[data-status=ready] #capture-facts", has_text="74 of 905 packets accepted").wait_for()
    assert page.locator(FRAME).bounding_box()["height"] == 600
    assert page.locator(".jp-OutputArea details[open]").count() == 0
    assert not frame.locator("html.framed[data-theme=light] h1").is_visible()
    assert page.locator(FRAME).get_attribute("src").startswith(lab if is_proxied else "http://127.0.0.1:")
    _edit(page, "arp")
    frame.locator("body[data-status=ready] #notation", has_text="4 instructions").wait_for()
    assert frame.locator("#main-listing tr[data-index]").count() == 4
    _edit(page, "arp prot")
    frame.locator("#problems", has_text="error").wait_for()
    assert failures == [f"{answer.status} {answer.url}" for answer in answers if answer.status >= 400]
    page.close()


def test_the_program_remains_when_the_kernel_has_ended(browser: Any, folder: Path, lab: str) -> None:
    write_notebook(folder / "ended.ipynb", EXPLORE)
    page = browser.new_page()
    open_notebook(page, lab, "ended.ipynb")
    run_all_cells(page)
    page.frame_locator(FRAME).locator("body[data-status=ready]").wait_for()
    page.keyboard.press("Control+s")
    page.wait_for_selector(".jp-Notebook-ExecutionIndicator[data-status='idle']")
    page.wait_for_function("() => !document.querySelector('.jp-mod-dirty')")
    end_kernels(lab)
    open_notebook(page, lab, "ended.ipynb")
    output = page.locator(".jp-OutputArea")
    output.get_by_text("The interactive page cannot be reached").wait_for()
    assert f'pass notebook_url="{lab}" to cbpf.explore' in output.inner_text()
    assert page.locator(FRAME).bounding_box()["height"] == 0
    assert page.locator("details[open] pre", has_text="jset").count() == 2
    page.close()


def test_a_notebook_that_is_not_trusted_shows_the_program(browser: Any, folder: Path, lab: str) -> None:
    """JupyterLab runs no script of it."""
    write_notebook(folder / "foreign.ipynb", EXPLORE)
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--inplace", "--execute", "foreign.ipynb"]
    subprocess.run(command, cwd=folder, env=environment(folder / ".foreign"), capture_output=True, check=True)
    page = browser.new_page()
    open_notebook(page, lab, "foreign.ipynb")
    page.locator(".jp-OutputArea details[open] pre", has_text="jset").first.wait_for()
    assert page.locator(".jp-OutputArea details img").evaluate(WIDTH) > 100
    assert page.locator(FRAME).count() == 0
    page.close()


def test_an_exported_notebook_shows_the_program_and_requests_no_page(browser: Any, folder: Path) -> None:
    write_notebook(folder / "export.ipynb", EXPLORE)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "export.ipynb"]
    subprocess.run(command, cwd=folder, env=environment(folder / ".jupyter"), capture_output=True, check=True)
    page = browser.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((folder / "export.html").as_uri(), wait_until="domcontentloaded")
    assert (
        page.locator("details[open] summary").inner_text() == "tcp port 443: 20 instructions; accepts 74 of 905 packets"
    )
    assert page.locator("details img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    assert not [request for request in requests if "127.0.0.1" in request]
    page.close()
