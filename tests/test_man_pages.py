"""The manual pages in the folder `man`: they match the help texts, and formatters accept them."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest
from documentation.man import pages

from support.command_line import COMMANDS
from support.generated import check_file
from support.project import ROOT

PAGES: Final = pages()


@pytest.mark.parametrize("name", PAGES)
def test_man_pages_match_the_help_texts(name: str) -> None:
    check_file(ROOT / "man" / name, PAGES[name])


def test_each_command_has_a_man_page() -> None:
    expected = {"cbpf.1", *(f"cbpf-{name.replace(' ', '-')}.1" for name in COMMANDS)}
    assert expected == {path.name for path in (ROOT / "man").iterdir()} == set(PAGES)


def test_mandoc_accepts_the_man_pages() -> None:
    if shutil.which("mandoc") is None:
        pytest.skip("mandoc is not installed")
    done = subprocess.run(["mandoc", "-T", "lint", *sorted(PAGES)], cwd=ROOT / "man", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def _is_man_db() -> bool:
    """Return whether `man` is that of man-db; some containers have a script that prints a message instead."""
    if shutil.which("man") is None:
        return False
    return subprocess.run(["man", "--version"], capture_output=True, text=True).stdout.startswith("man 2.")


def test_man_finds_the_pages_of_a_prefix(tmp_path: Path) -> None:
    """An installed wheel has the command in bin and the pages in share/man/man1: man needs no variable for them."""
    if not _is_man_db():
        pytest.skip("man-db is not installed")
    binaries, pages = tmp_path / "bin", tmp_path / "share" / "man" / "man1"
    binaries.mkdir()
    shutil.copytree(ROOT / "man", pages)
    environment = {"PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(["man", "-w", "cbpf-filter"], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == str(pages / "cbpf-filter.1")
