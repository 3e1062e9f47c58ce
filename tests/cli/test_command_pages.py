"""The pages of the site about the commands are those that the help texts yield.

CBPF_UPDATE=1 ./dev test -k command_pages writes them again.
"""

from documentation.command_pages import FOLDER, pages

from support.generated import check_file


def test_the_pages_are_current() -> None:
    expected = pages()
    for name, text in expected.items():
        check_file(FOLDER / name, text)
    assert {path.name for path in FOLDER.iterdir()} == set(expected)
