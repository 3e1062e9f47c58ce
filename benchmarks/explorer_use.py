"""Actions of a user in the explorer page, during which the benchmark looks for blocks of its main thread."""

from collections.abc import Callable
from typing import Final

from benchmarks.assembly import long_program
from benchmarks.explorer_browser import MeasuredPage
from benchmarks.processes import WORKSPACE

import cbpf

CAPTURE: Final = WORKSPACE / "1000.pcap"
"""A capture of 1,000 packets."""
EXPRESSION: Final = "tcp port 443 or (arp and not host 192.0.2.1)"
_VIEWS: Final = ("graph", "passes", "code", "compare", "proofs", "program")
_HUGE: Final = 10_000_000  # characters


def _type(page: MeasuredPage) -> None:
    page.focus_editor("Control+a", "Delete")
    page.begin()
    page.page.keyboard.type(EXPRESSION, delay=60)
    page.settle()


def _views(page: MeasuredPage) -> None:
    page.begin()
    for name in _VIEWS:
        page.tab(name)


def _open_capture(page: MeasuredPage) -> None:
    page.begin()
    page.open_capture(CAPTURE)


def _step(page: MeasuredPage) -> None:
    page.begin()
    for label in ("Back", "Next"):
        for _ in range(5):
            page.page.click(f"#trace button:text-is('{label}')")
    page.page.focus("#capture-list li >> nth=0")
    for _ in range(5):
        page.page.keyboard.press("ArrowDown")
        page.page.keyboard.press("Enter")
        page.settle()


def _paste_program(page: MeasuredPage) -> None:
    _paste(page, cbpf.render(long_program(), "decimal"))


def _paste_huge(page: MeasuredPage) -> None:
    _paste(page, "tcp or ".ljust(8) * (_HUGE // 8))


def _paste(page: MeasuredPage, text: str) -> None:
    page.focus_editor("Control+a")
    page.copy(text)
    page.begin()
    page.paste_copied()


def _type_line(page: MeasuredPage) -> None:
    page.focus_editor("Control+End")
    page.begin()
    page.page.keyboard.press("Enter")
    page.page.wait_for_timeout(100)
    page.settle()


USES: Final[dict[str, tuple[str, Callable[[MeasuredPage], None]]]] = {
    "typing": ("44 characters, one every 60 ms", _type),
    "views": ("each view of the program opened", _views),
    "a capture": ("1,000 packets opened", _open_capture),
    "steps": ("10 steps of a trace, and 5 packets", _step),
    "typing with the capture": ("44 characters, one every 60 ms", _type),
    "a large program": ("4,096 instructions pasted", _paste_program),
    "views of the large program": ("each view opened", _views),
    "steps of the large program": ("10 steps of a trace, and 5 packets", _step),
    "a key in the large program": ("the key Enter", _type_line),
    "a huge text": ("10 MB pasted, which the page rejects", _paste_huge),
}
"""The actions in their order: the name, the description, and the function."""
