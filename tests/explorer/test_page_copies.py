"""The notations of a program that the explorer page copies, compared with the output of the commands."""

import pytest

import cbpf
from support.browser import Opener, missing_browser
from support.command_line import CommandLine

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
TEXT = "tcp port 443 or arp"

COMMANDS = {
    "tcpdump -dd": ["compile", "-dd", TEXT],
    "tcpdump -ddd": ["compile", "-ddd", TEXT],
    "tcpdump -d": ["compile", "-d", TEXT],
    "iptables": ["convert", "--to", "iptables"],
    "tc": ["convert", "--to", "tc"],
    "Python": ["convert", "--to", "python"],
    "Go": ["convert", "--to", "go"],
    "C": ["emit"],
    "Assembly": ["convert", "--to", "asm"],
    "JSON": ["convert", "--to", "json"],
    "Hexadecimal": ["convert", "--to", "hex"],
}
"""The command that prints each notation, by its name in the Code pane."""


def test_each_notation_is_copied_as_the_command_prints_it(opened: Opener, cli: CommandLine) -> None:
    page = opened({"s": TEXT, "t": "code"}, permissions=["clipboard-read", "clipboard-write"])
    names = page.texts("#notation-choice option")
    program = cbpf.render(cbpf.compile(TEXT), "asm").encode()
    for name, command in COMMANDS.items():
        (label,) = [each for each in names if each.partition(" (")[0] == name]
        page.page.select_option("#notation-choice", label=label)
        page.settle()
        page.page.click("#pane-code button:text-is('Copy')")
        page.page.wait_for_selector("#pane-code [role=status]:text('Copied')")
        expected = cli(*command, stdin=b"" if command[0] == "compile" else program)
        assert (name, expected.exit_code) == (name, 0)
        assert page.page.evaluate("navigator.clipboard.readText()").strip() == expected.stdout.decode().strip()
        assert page.text("#pane-code pre") == page.page.evaluate("navigator.clipboard.readText()")


def test_a_page_that_may_not_copy_says_so(opened: Opener) -> None:
    page = opened({"s": TEXT, "t": "code"})
    page.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('denied')); }")
    page.page.click("#pane-code button:text-is('Copy')")
    assert "select the text instead" in page.text("#pane-code [role=status]")
