"""The project's prose follows the rules of support/prose.py."""

import json
from pathlib import Path

import pytest

from support.prose import checked_files, violations


def test_prose_follows_the_rules() -> None:
    assert not [str(violation) for path in checked_files() for violation in violations(path)]


@pytest.mark.parametrize(
    "text",
    [
        '"""The bytes behind the packet."""',
        "x = 1  # what is left",
        "raise ValueError(f'{x} is no number')",
        'def f():\n    """The same with a list."""',
    ],
)
def test_each_kind_of_passage_is_checked(text: str, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    path = tmp_path / "src" / "module.py"
    path.write_text(text)
    assert list(violations(path))


def test_cells_of_notebooks_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "page.ipynb"
    cells = [{"cell_type": "code", "source": ["what is it"]}, {"cell_type": "markdown", "source": ["It is\n", "told."]}]
    path.write_text(json.dumps({"cells": cells}))
    assert [violation.excerpt for violation in violations(path)] == ["told."]


def test_code_and_questions_are_not_prose(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# What is a filter?\n`is no name` and\n```\nit stands behind\n```\n")
    assert not list(violations(path))
