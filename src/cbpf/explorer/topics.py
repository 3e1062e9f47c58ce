"""The topics of the documentation site: the titles of its pages and sections."""

from __future__ import annotations

import html
import json
import re

from .._named_tuple import NamedTuple
from .._typing import Final, Iterable, Iterator

_TAG: Final = re.compile(r"<[^>]+>")
_IDENTIFIER: Final = re.compile(r"\[([\w-]+)\]\s*$")
_ORDER: Final = (
    "reference/commands/",
    "reference/lint.html",
    "reference/expressions/",
    "reference/expression-errors.html",
    "reference/dialects.html",
    "reference/environment.html",
    "glossary.html",
    "reference/",
    "tutorial.html",
    "how-to/",
    "explanation/",
    "reference/api/",
    "",
)
"""The parts of the site, from the one whose topics are meant most often."""


class Topic(NamedTuple):
    """A page or a section of the site.

    Args:
        title: Its title.
        location: Its path below the root of the site, with the fragment of a section.
        text: Its text.
    """

    title: str
    location: str
    text: str

    @property
    def name(self) -> str:
        """The title as it is compared: in lower case, and without "cbpf" before the name of a command."""
        return _normal(self.title)


def read_topics(index: bytes) -> list[Topic]:
    """Return the topics of the site, the most important ones first.

    Args:
        index: The search index of the site, the file search.json.
    """
    items = json.loads(index)["items"]
    topics = [Topic(*(_plain(item[key]) for key in ("title", "location", "text"))) for item in items]
    return sorted(topics, key=lambda topic: _rank(topic.location))


def find_topic(topics: Iterable[Topic], wanted: str) -> Topic | None:
    """Return the topic with a title, or of a page with this name, or with these words; None if there is none.

    Args:
        topics: The topics, the most important ones first.
        wanted: A title or words of one, such as "filter", "mixed-operators" or "jump target", or the message of an
            error, whose parts are then searched.
    """
    given = list(topics)
    return next((topic for text in _parts(wanted) if (topic := _find(given, text)) is not None), None)


def _find(topics: list[Topic], wanted: str) -> Topic | None:
    name = _normal(wanted)
    page = f"{name.replace(' ', '-')}.html"
    words = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])", re.IGNORECASE)
    for matches in (
        lambda topic: topic.name == name,
        lambda topic: topic.location.rpartition("/")[2] == page,
        lambda topic: words.search(topic.name),
        lambda topic: words.search(topic.text),
    ):
        for topic in topics:
            if matches(topic):
                return topic
    return None


def _parts(wanted: str) -> Iterator[str]:
    """Yield a text; of a message also the identifier at its end, and its facts, the longest first."""
    yield wanted
    if (identifier := _IDENTIFIER.search(wanted)) is not None:
        yield identifier[1]
    facts = [fact.strip() for fact in re.split(r"[:;\[]\s", wanted)]
    yield from sorted((fact for fact in facts if " " in fact and fact != wanted), key=len, reverse=True)


def similar_titles(topics: Iterable[Topic], wanted: str) -> list[str]:
    """Return up to three titles that are spelled nearly as a text."""
    from difflib import get_close_matches

    titles = {topic.name: topic.title for topic in reversed(list(topics))}
    return [titles[name] for name in get_close_matches(_normal(wanted), titles, n=3)]


def _rank(location: str) -> int:
    """Return the place of a page in the order of the parts; the part with the longest name contains it."""
    return _ORDER.index(max((part for part in _ORDER if location.startswith(part)), key=len))


def _plain(text: str) -> str:
    return html.unescape(_TAG.sub("", text))


def _normal(text: str) -> str:
    return " ".join(text.lower().split()).removeprefix("cbpf ")
