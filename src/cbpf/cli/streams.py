"""Text on standard output and on stderr."""

import sys


def echo(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text at once, so that the order of both streams is preserved; `?` replaces unencodable characters."""
    stream = sys.stderr if err else sys.stdout
    line = f"{text}\n" if nl else str(text)
    try:
        stream.write(line)
    except UnicodeEncodeError:
        stream.write(line.encode(stream.encoding, "replace").decode(stream.encoding))
    stream.flush()
