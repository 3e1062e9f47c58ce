"""Text on standard output and on stderr."""

import sys

from .._typing import Any


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text at once, so that the order of both streams is preserved; `?` replaces unencodable characters."""
    stream = sys.stderr if err else sys.stdout
    line = f"{text}\n" if nl else str(text)
    try:
        stream.write(line)
    except UnicodeEncodeError:
        stream.write(line.encode(stream.encoding, "replace").decode(stream.encoding))
    stream.flush()


def echo_json(document: dict[str, Any]) -> None:
    """Print a dictionary as one line of JSON."""
    echo(json_line(document), nl=False)


def json_line(document: dict[str, Any]) -> str:
    """Return a dictionary as one line of JSON, which is ASCII, with its newline."""
    import json

    return f"{json.dumps(document)}\n"
