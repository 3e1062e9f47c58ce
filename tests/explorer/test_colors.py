"""The colours of the page: each text has the contrast of level AA to each background, in light and dark."""

import re
from typing import Final

import pytest

from support.contrast import LINE, TEXT, Color, color, contrast, mixed
from support.project import ROOT

STYLE: Final = re.sub(r"/\*.*?\*/", "", (ROOT / "explorer" / "page" / "style.css").read_text())
SCHEMES: Final = ("light", "dark")
BOXES: Final = ("plain-box", "accept-box", "reject-box", "depends-box")


def _variables(pattern: str) -> set[str]:
    return set(re.findall(rf"(?<![-\w]){pattern}:\s*var\(--([\w-]+)\)", STYLE))


TEXTS: Final = _variables("color")
BACKGROUNDS: Final = _variables("background")
LINES: Final = _variables("stroke") | {"focus", "control"}


def _palette(scheme: str) -> dict[str, Color]:
    pairs = re.findall(r"--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", STYLE)
    return {name: color(light if scheme == "light" else dark) for name, light, dark in pairs}


def test_every_colour_of_the_style_is_one_of_the_palette() -> None:
    rules = STYLE.partition("}")[2]  # after the palette
    assert re.findall(r"#[0-9a-f]{3,8}\b(?=[^{]*\})|rgba?\(|hsla?\(", rules) == []
    assert {"text", "quiet", "link", "error", "warning", "note", "accept"} <= TEXTS <= _palette("light").keys()
    assert {"page", "back", "panel", "field", "linked", "path", "selection"} == BACKGROUNDS
    assert _palette("light").keys() == _palette("dark").keys()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_can_be_read_on_every_background(scheme: str) -> None:
    palette = _palette(scheme)
    ratios = {(text, back): contrast(palette[text], palette[back]) for text in TEXTS for back in BACKGROUNDS}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < TEXT} == {}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_texts_of_drawings_can_be_read(scheme: str) -> None:
    palette = _palette(scheme)
    fills = {name: palette[name] for name in BOXES}
    fills |= {f"heat {tenths}": mixed(palette["plain-box"], palette["hot-box"], tenths / 10) for tenths in range(11)}
    ratios = {name: contrast(palette["text"], fill) for name, fill in fills.items()}
    ratios |= {f"label: {name}": contrast(palette[name], palette["back"]) for name in ("text", "accept", "error")}
    assert {name: ratio for name, ratio in ratios.items() if ratio < TEXT} == {}
    assert set(re.findall(r"--heat: (\d+)%", STYLE)) == {str(percent) for percent in range(0, 101, 10)}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_lines_and_borders_of_controls_can_be_seen(scheme: str) -> None:
    palette = _palette(scheme)
    ratios = {(line, back): contrast(palette[line], palette[back]) for line in LINES for back in ("back", "page")}
    assert {pair: ratio for pair, ratio in ratios.items() if ratio < LINE} == {}
