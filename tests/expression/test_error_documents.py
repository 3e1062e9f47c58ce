"""The page of the most common mistakes in expressions: each has the message of the command line.

CBPF_UPDATE=1 ./dev test -k error_documents writes it again.
"""

import shlex
from typing import Final, NamedTuple

import pytest

import cbpf
from support.command_line import run_here
from support.generated import check_generated
from support.project import ROOT


class Mistake(NamedTuple):
    """A mistake on the page.

    Args:
        title: The heading.
        expression: The expression.
        explanation: The sentences below the message.
        options: The options of `cbpf compile`.
        correct: The expressions to write; by default, the message has one.
    """

    title: str
    expression: str
    explanation: str
    options: tuple[str, ...] = ()
    correct: tuple[str, ...] = ()


MISTAKES: Final = (
    Mistake(
        "A misspelt word", "tcp prot 80", "The message shows the expression with the word that was probably intended."
    ),
    Mistake("Capital letters", "tcp Port 80", "All words of the language are in lower case."),
    Mistake(
        "A protocol and a number",
        "tcp 80",
        "A number may be a port, an address or the number of a protocol. The word before it decides: `port`, `host` or "
        "`proto`.",
    ),
    Mistake(
        "An address alone",
        "10.0.0.1 and tcp",
        "An address needs a word before it as well: `host` for the source or the destination, `src` or `dst` for one "
        "of them.",
    ),
    Mistake(
        "A display filter of Wireshark",
        "ip.addr == 10.0.0.1",
        "Wireshark has two languages. Its display filters (`ip.addr == 10.0.0.1`) choose packets that are shown; its "
        "capture filters (`host 10.0.0.1`) choose packets that are captured. cbpf compiles capture filters, and "
        "translates the most common fields in its messages.",
    ),
    Mistake(
        "A list with commas",
        "port 80,443",
        "Alternatives are joined by `or`. After another test they need parentheses: `tcp and port (80 or 443)`.",
    ),
    Mistake("A range of ports after port", "port 8000-8080", "`port` takes one port, `portrange` takes two."),
    Mistake(
        "A network after host",
        "host 10.0.0.0/8",
        "`host` takes one address; `net` takes an address and a prefix length.",
    ),
    Mistake("A network without its dots", "net 10/8", "The address before the prefix length has at least one dot."),
    Mistake(
        "An address in place of a network",
        "net 10.0.0.1/8",
        "With a prefix length of 8, only the first 8 bits of the address may be set. For the one address, write "
        "`host 10.0.0.1`.",
    ),
    Mistake(
        "A mistyped address",
        "host 10.0.0.300",
        "An IPv4 address consists of four numbers from 0 to 255.",
        correct=("host 10.0.0.30",),
    ),
    Mistake(
        "A name that does not exist",
        "port htttp",
        "A word after `port` is the name of a service of services(5); one after `host` is looked up in the domain name "
        "system. Check its spelling, or write the number.",
        correct=("port 80",),
    ),
    Mistake(
        "A number that is too large",
        "port 70000",
        "Each number has its limit: the message states it.",
        correct=("port 7000",),
    ),
    Mistake(
        "A word that does not fit the next one",
        "tcp host 10.0.0.1",
        "TCP has ports and no addresses: those are part of IP. Two tests are joined by `and`.",
    ),
    Mistake(
        "An Ethernet address after host",
        "host 00:11:22:33:44:55",
        "`host` is for IP addresses. Ethernet addresses follow `ether host`, `ether src` or `ether dst`.",
    ),
    Mistake(
        "A parenthesis that is not closed",
        "(tcp port 80 or udp port 53",
        "The message states the place of the `(` that has no `)`.",
    ),
    Mistake(
        "A number after or",
        "tcp or 443",
        "After `tcp port 80 or`, a number is another TCP port. After `tcp or`, a number has no word to repeat.",
    ),
    Mistake(
        "A value without a comparison",
        "tcp[13] & 2",
        "The bytes of a packet are compared with a number; a number is neither true nor false.",
    ),
    Mistake(
        "The name of an application",
        "dns",
        "The language has words for IP, TCP, UDP and the like. DNS, HTTP, SSH and other protocols of applications are "
        "recognised by their ports.",
    ),
    Mistake(
        "A word that the link type does not have",
        "ether host 00:11:22:33:44:55",
        "Some captures have no Ethernet header, for example those of the interface `any` of Linux. `cbpf stats -r "
        "FILE` shows the link types of a capture.",
        options=("-y", "LINUX_SLL"),
        correct=("host 192.0.2.1",),
    ),
)

SEVERAL: Final = "tcp prot 80 or vlan 5000 or host 10.0.0.300"


def _console(expression: str, *options: str) -> str:
    arguments = ["compile", *options, expression]
    result = run_here(*arguments)
    return f"```console\n$ {shlex.join(['cbpf', *arguments])}\n{result.stderr}[exit {result.exit_code}]\n```"


def test_page_shows_the_messages() -> None:
    sections = [
        f"## {mistake.title}\n\n{_console(mistake.expression, *mistake.options)}\n\n{mistake.explanation}"
        for mistake in MISTAKES
    ]
    sections.append(
        f"## Several mistakes\n\n{_console(SEVERAL)}\n\nEach mistake has its place. After a mistake that cbpf cannot "
        "correct, it continues with the next test after `and` or `or`. Other mistakes in the same parentheses appear "
        "when that one is corrected."
    )
    check_generated(
        ROOT / "docs" / "reference" / "expression-errors.md",
        "\n\n".join(sections),
        generator="tests/expression/test_error_documents.py",
    )


def test_there_are_twenty_mistakes() -> None:
    assert len({mistake.expression for mistake in MISTAKES}) == 20


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.title)
def test_corrected_expressions_compile(mistake: Mistake) -> None:
    link_type = mistake.options[1] if mistake.options else "EN10MB"
    with pytest.raises(cbpf.ExpressionError) as caught:
        cbpf.compile(mistake.expression, link_type=link_type)
    corrected = (*mistake.correct, caught.value.suggestion) if caught.value.suggestion else mistake.correct
    assert corrected
    for text in corrected:
        assert cbpf.compile(text, link_type=link_type)
