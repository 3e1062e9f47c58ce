"""`cbpf format`: sources of the expression, the canonical form, and the exit codes of --check."""

from pathlib import Path

import pytest

from support.command_line import CommandLine

TEXT = "tcp port 80 || 443 and ether host 0-1-2-3-4-5"
CANONICAL = b"tcp port (80 or 443) and ether host 00:01:02:03:04:05\n"


def test_canonical_form_of_words_a_file_and_standard_input(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "filter.txt"
    path.write_text(TEXT.replace("||", "or # a comment\n"))
    expected = (0, CANONICAL, "")
    assert cli("format", *TEXT.split()) == expected
    assert cli("format", "-F", str(path)) == expected
    assert cli("format", "-F", "-", stdin=TEXT.encode()) == expected
    assert cli("format") == (0, b"\n", "")


def test_canonical_form_of_expressions_that_are_not_compiled(cli: CommandLine) -> None:
    """No link type has all of these primitives, and the host does not exist."""
    text = "type mgt and vpi > 3 and src host does-not-exist.invalid"
    assert cli("format", text) == (0, f"{text}\n".encode(), "")


@pytest.mark.parametrize("text", [CANONICAL.decode(), "tcp port (80 or 443)\n  and ether host 00:01:02:03:04:05 # end"])
def test_check_accepts_the_canonical_form(cli: CommandLine, text: str) -> None:
    assert cli("format", "--check", "-F", "-", stdin=text.encode()) == (0, b"", "")


def test_long_lines_are_broken(cli: CommandLine) -> None:
    broken = CANONICAL.replace(b" and", b"\n  and")
    assert cli("format", "--width", "40", TEXT) == (0, broken, "")
    assert cli("format", "--check", "-F", "-", stdin=broken) == (0, b"", "")
    assert cli("format", "--width", "0", TEXT).exit_code == 2


def test_check_prints_the_canonical_form_of_any_other_text(cli: CommandLine) -> None:
    assert cli("format", "--check", TEXT) == (1, CANONICAL, "")


def test_errors(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "filter.txt"
    path.write_text("tcp\nprot 80")
    code, out, err = cli("format", "-F", str(path))
    assert (code, out) == (2, b"")
    assert err.startswith(f"cbpf: {path}: line 2, column 1: ")
    assert cli("format", "-F", str(path), "tcp") == (
        2,
        b"",
        "cbpf: EXPRESSION and -F FILE are mutually exclusive (see cbpf format --help)\n",
    )


def test_compile_shows_the_syntax_tree(cli: CommandLine) -> None:
    assert cli("compile", "--show", "ast", "not", "arp") == (0, b"1-7 not\n5-7   protocol arp\n", "")
    code, out, err = cli("compile", "--show", "ast", "-d", "arp")
    assert (code, out) == (2, b"")
    assert "--show and -d or -w are mutually exclusive" in err
