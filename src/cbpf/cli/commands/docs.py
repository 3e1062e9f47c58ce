"""cbpf docs: read the documentation in a browser."""

from __future__ import annotations

from ..._typing import TYPE_CHECKING
from ..browser import serve
from ..declarations import argument, option, subcommand
from ..failures import CommandError
from ..streams import echo
from ..values import TOPIC

if TYPE_CHECKING:
    from ...explorer.site import Site


@subcommand("docs", "Read the documentation in a browser, without a network.")
@argument("topic", required=False, multiple=True, kind=TOPIC)
@option("--no-browser", is_flag=True, help="Print the link only.")
def command(topic: tuple[str, ...], no_browser: bool) -> None:
    """Serve the documentation site on 127.0.0.1, and open it in a browser; Ctrl-C ends it.

    With a TOPIC, the browser opens its page: that of a command, of a rule of cbpf lint, of a word of expressions or of
    the glossary, or another title, or the first page with these words. The message of an error is a topic as well.

    Links below the examples open the explorer page with their programs. The site works without a network; it is a part
    of the distribution of the page (pip install cbpf-explorer).

    Exit code: 0 ended by Ctrl-C, 2 error.

    \b
      cbpf docs
      cbpf docs filter
      cbpf docs mixed-operators
      cbpf docs --no-browser scratch slot
    """
    from ...explorer.page import Page, page_folder, served_facts, site_folder
    from ...explorer.server import ExplorerServer
    from ...explorer.site import SAMPLES, Site

    facts = {**served_facts({}, None), "samples": SAMPLES}
    site = Site(site_folder(), Page(page_folder(), facts))
    location = _location(site, " ".join(topic)) if topic else ""
    with ExplorerServer(site) as server:
        serve(server, f"{server.url}{location}", opens=not no_browser)


def _location(site: Site, wanted: str) -> str:
    """Return the path of the page about a topic; the error about an unknown one names similar titles."""
    from ...explorer.topics import find_topic, read_topics, similar_titles

    index = site.file("search.json")
    topics = [] if index is None else read_topics(index.data)
    topic = find_topic(topics, wanted)
    if topic is None:
        similar = similar_titles(topics, wanted)
        advice = f"; did you mean {' or '.join(map(repr, similar))}?" if similar else ""
        raise CommandError(f"topic {wanted!r} is unknown{advice or '; cbpf docs opens the contents'}")
    echo(f"cbpf: {topic.title}", err=True)
    return topic.location
