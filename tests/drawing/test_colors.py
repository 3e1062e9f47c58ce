"""The colours of drawings: every text can be read on every page, and every line on white and on black."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

import pytest

import cbpf
from support.contrast import LINE, TEXT, color, contrast

SVG = "{http://www.w3.org/2000/svg}"
UNREACHABLE = "ja 2\nld #1\njeq #1,0,0\nld #5\njeq #5,0,1\nret a\nret #0"
PAGES = {"white": "#ffffff", "black": "#000000", "the dark theme of the explorer": "#14171c"}
HOSTS = " or ".join(f"host 192.0.2.{number}" for number in range(1, 30))


def _drawings() -> Iterator[tuple[str, ElementTree.Element]]:
    program = cbpf.compile("tcp port 443 or arp")
    counts = cbpf.execution_counts(program, [bytes(60), b"\x08\x06" * 30, bytes(12) + b"\x08\x06" + bytes(46)])
    graphs = {
        "plain": cbpf.graph(program),
        "with counts": cbpf.graph(program, counts=counts),
        "unreachable": cbpf.graph(cbpf.parse(UNREACHABLE)),
        "depends on the packet": cbpf.graph(cbpf.parse("ldb [0]\nret a")),
        "seccomp": cbpf.graph(cbpf.parse("ld [0]\njeq #1,0,1\nret #0x7fff0000\nret #0"), dialect=cbpf.SECCOMP),
        "folded": cbpf.graph(HOSTS),
    }
    for name, graph in graphs.items():
        yield name, ElementTree.fromstring(graph.svg())


DRAWINGS = dict(_drawings())


def _texts(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, str, ElementTree.Element]]:
    """Yield each text with its colour and the rectangle that is drawn below it."""
    for group in root.iter(f"{SVG}g"):
        below = None
        for part in group:
            below = part if part.tag == f"{SVG}rect" else below
            if part.tag == f"{SVG}text":
                assert below is not None, part.text
                yield part, part.get("fill") or group.attrib["fill"], below


def test_the_contrast_is_that_of_the_guidelines() -> None:
    """The ratios of the examples in "Understanding success criterion 1.4.3"."""
    assert contrast(color("#ffffff"), color("#000000")) == pytest.approx(21)
    assert contrast(color("#777777"), color("#ffffff")) < TEXT < contrast(color("#767676"), color("#ffffff"))
    assert contrast(color("#949494"), color("#ffffff")) > LINE > contrast(color("#959595"), color("#ffffff"))


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_text_has_a_background_of_its_own_and_the_contrast_of_aa(name: str) -> None:
    texts = list(_texts(DRAWINGS[name]))
    assert len(texts) == len(list(DRAWINGS[name].iter(f"{SVG}text")))
    for text, fill, below in texts:
        assert contrast(color(fill), color(below.attrib["fill"])) >= TEXT, text.text
        x, y, left, top, width, height = (
            float(part.attrib[key])
            for part, keys in ((text, "xy"), (below, ("x", "y", "width", "height")))
            for key in keys
        )
        assert left <= x <= left + width
        assert top < y < top + height


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("name", DRAWINGS)
def test_every_line_can_be_seen_on_light_and_dark_pages(name: str, page: str) -> None:
    strokes = {part.attrib["stroke"] for part in DRAWINGS[name].iter() if "stroke" in part.attrib}
    assert strokes
    assert [stroke for stroke in strokes if contrast(color(stroke), color(PAGES[page])) < LINE] == []


@pytest.mark.parametrize("name", DRAWINGS)
def test_nothing_in_a_drawing_is_translucent(name: str) -> None:
    """The contrast of translucent parts would depend on the page below them."""
    assert [part.attrib for part in DRAWINGS[name].iter() if any("opacity" in key for key in part.attrib)] == []


def test_outcomes_are_words_and_not_only_colours() -> None:
    for group in DRAWINGS["plain"].iterfind(f"{SVG}g[@data-edge]"):
        assert [text.text for text in group.iter(f"{SVG}text")] == [group.attrib["data-outcome"]]
    kinds = {
        (group.attrib["data-kind"], [text.text for text in group.iter(f"{SVG}text")][-1])
        for name in ("plain", "seccomp", "depends on the packet")
        for group in DRAWINGS[name].iterfind(f"{SVG}g[@data-block]")
        if group.attrib["data-kind"] != "plain"
    }
    assert kinds == {
        ("accept", "accept"),
        ("reject", "reject"),
        ("accept", "ALLOW"),
        ("reject", "KILL_THREAD"),
        ("depends", "accept or reject"),
    }
