"""The data files of this package: texts whose lines are facts."""

import os


def data_text(name: str) -> str:
    """Return the content of a data file of this package."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as stream:
        return stream.read()
