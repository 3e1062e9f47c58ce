"""The contrast of two colours, as the Web Content Accessibility Guidelines (WCAG) 2.2 define it."""

from typing import Final, TypeAlias

Color: TypeAlias = tuple[float, float, float]
"""Red, green and blue of sRGB, each from 0.0 to 1.0."""

TEXT: Final = 4.5
"""The least contrast of a text to its background at level AA (success criterion 1.4.3)."""
LINE: Final = 3.0
"""The least contrast of the lines of a graphic, and of the borders of controls, at level AA (1.4.11)."""


def color(text: str) -> Color:
    """Return the colour that six hexadecimal digits after a # describe."""
    red, green, blue = (int(text[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def mixed(first: Color, second: Color, share: float) -> Color:
    """Return a mixture of two colours in sRGB, with this *share* of the second, as CSS `color-mix(in srgb, ...)`."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def luminance(value: Color) -> float:
    """Return the relative luminance of a colour: 0.0 for black, 1.0 for white."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in value)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: Color, second: Color) -> float:
    """Return the contrast ratio of two colours, from 1.0 to 21.0."""
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)
