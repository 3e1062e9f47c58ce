"""The links from examples of the site to the explorer page: exact, complete, and readable without a mouse."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from documentation.try_it.pages import Block, blocks, with_links
from documentation.try_it.states import answer

import cbpf
from cbpf.explorer.links import state
from cbpf.explorer.site import SAMPLES
from support.built_site import built_site
from support.command_line import TRAFFIC

_LINK: Final = re.compile(
    r'<a href="(?P<path>(?:\.\./)*explorer/index\.html)#(?P<fragment>[^"]+)">Try it: (?P<name>.*?)</a>'
)


def _page(language: str, *texts: str) -> str:
    """Return a page with blocks of code as in the built site."""
    return "<p>Text</p>".join(
        f'<div class="language-{language} highlight"><pre><span></span><code>'
        f"{html.escape(text, quote=False)}\n</code></pre></div>"
        for text in texts
    )


def _states(page: str) -> list[dict[str, Any]]:
    return [state(match["fragment"]) for match in _LINK.finditer(with_links(page, "../"))]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("cbpf compile 'tcp port 443'", {"s": "tcp port 443"}),
        ("cbpf compile tcp port 443", {"s": "tcp port 443"}),
        ("cbpf compile -O arp", {"s": "arp", "O": 0}),
        ("cbpf compile --optimizer none arp", {"s": "arp", "O": 0}),
        ("cbpf compile -y 113 \"ether[0] = 'a'\"", {"s": "ether[0] = 'a'", "y": "LINUX_SLL"}),
        ("cbpf compile --live vlan", {"s": "vlan", "d": "linux", "L": 1}),
        ("cbpf compile -s 60 --netmask 255.0.0.0 arp", {"s": "arp", "S": 60, "m": "255.0.0.0"}),
        ("cbpf capture -i lo -w out.pcap arp", {"s": "arp", "d": "linux", "L": 1}),
        ("cbpf filter --snaplen 60 -r in.pcap arp", {"s": "arp"}),
        ("cbpf optimize --goal speed -e arp", {"s": "arp", "g": "speed"}),
        ("cbpf verify --dialect linux -e 'ip[0] & 0xf > 5'", {"s": "ip[0] & 0xf > 5", "d": "linux"}),
        ("cbpf lint \\\n  'tcp or udp'", {"s": "tcp or udp"}),
        ("cbpf trace -n 7 -e arp traffic.pcap 2>/dev/null", {"s": "arp", "c": "traffic.pcap", "n": 7}),
        ("cbpf filter -r traffic.pcap -w out.pcap arp", {"s": "arp", "c": "traffic.pcap"}),
        ("cbpf diff -e arp -e 'arp or rarp'", {"s": "arp", "o": "arp or rarp", "t": "compare"}),
        ("CBPF_DEBUG=1 cbpf explain arp | head -n 1", {"s": "arp"}),
        ("printf 'ldh [2]\\nret a\\n' | cbpf verify", {"s": "ldh [2]\nret a\n", "O": 0}),
        ("echo '1,6 0 0 0' | cbpf convert --to go", {"s": "1,6 0 0 0", "O": 0}),
        ("cbpf asm --to tcpdump <<'END'\nldb [0]\nret a\nEND", {"s": "ldb [0]\nret a\n", "O": 0}),
        ("cbpf compile -y RAW ip > a.txt && cbpf run a.txt other.pcap", {"s": "ip", "y": "RAW"}),
        ("cbpf split -r traffic.pcap 'tcp port 443=a.pcap'", {"s": "tcp port 443", "c": "traffic.pcap"}),
    ],
)
def test_a_command_has_a_link_with_its_program_and_settings(command: str, expected: dict[str, Any]) -> None:
    found = _states(_page("console", f"$ {command}\nan output"))
    assert found == [expected]


@pytest.mark.parametrize(
    "command",
    [
        "cbpf compile --hosts list.txt tcp",
        "cbpf compile --frontend libpcap arp",
        "cbpf compile 'host router.example'",
        "cbpf filter -r in.pcap ''",
        "cbpf info traffic.pcap",
        "cbpf compile --unknown arp",
        "tcpdump -d arp",
        "echo 'ldq [0]' | cbpf asm",
    ],
)
def test_a_program_that_the_page_cannot_show_has_no_link(command: str) -> None:
    assert _states(_page("console", f"$ {command}")) == []


def test_files_of_a_page_are_programs_of_later_commands() -> None:
    title = '<span class="filename">two.asm</span>'
    program = _page("asm", "ldh [12]\nret a").replace("<pre>", f"{title}<pre>", 1)
    page = program + _page("console", "$ cbpf run --dialect linux two.asm traffic.pcap", "$ cbpf optimize two.asm")
    text = "ldh [12]\nret a\n"
    assert _states(page) == [
        {"s": text, "d": "linux", "O": 0},
        {"s": text, "d": "linux", "O": 0, "c": "traffic.pcap"},
        {"s": text},
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('>>> cbpf.compile("tcp port 443")', [{"s": "tcp port 443"}]),
        (">>> cbpf.VM(cbpf.compile('arp', optimizer=None))", [{"s": "arp", "O": 0}]),
        (">>> cbpf.VM('ld #mark', dialect=cbpf.LINUX)", [{"s": "ld #mark", "d": "linux"}]),
        ('>>> text = "ip"\n>>> cbpf.lint_expression(text)\n[]', [{"s": "ip"}]),
        ('>>> for text in ("ip", "arp"):\n...     cbpf.compile(text)', [{"s": "ip"}, {"s": "arp"}]),
        ('>>> cbpf.parse("ldb [0]\\nret a")', [{"s": "ldb [0]\nret a", "O": 0}]),
        ('>>> cbpf.compile(f"{flag} and {flag}")', []),
        ('>>> cbpf.difference("arp", "rarp")', [{"s": "arp", "o": "rarp", "t": "compare"}]),
        ('>>> cbpf.compile("ip", link_type="RAW")', [{"s": "ip", "y": "RAW"}]),
        ('>>> cbpf.compile("ip", snaplen=60, goal="speed")', [{"s": "ip", "S": 60, "g": "speed"}]),
        ('>>> cbpf.compile("ip", live=True, netmask="10.0.0.0")', [{"s": "ip", "d": "linux", "L": 1, "m": "10.0.0.0"}]),
        ('>>> cbpf.VM("ip", dialect=mine)', []),
        ('>>> cbpf.compile("ip", frontend="libpcap")', []),
        ('>>> cbpf.read_capture("traffic.pcap", filter="arp")', [{"s": "arp", "c": "traffic.pcap"}]),
        ('>>> cbpf.VM("arp").run(bytes.fromhex("00 01"))', [{"s": "arp", "p": "0001"}]),
        (">>> from cbpf import compile\n>>> compile('arp')", [{"s": "arp"}]),
        ('>>> cbpf.linux.attach(sock, "udp[8] = 0x41")', []),
        ('>>> cbpf.linux.attach(sock, cbpf.parse("ret a"))', [{"s": "ret a", "O": 0, "d": "linux"}]),
        ('>>> cbpf.linux.packet_socket("lo", "arp")', [{"s": "arp", "d": "linux", "L": 1}]),
        (">>> print('arp')", []),
        (">>> this is not Python", []),
    ],
)  # fmt: skip
def test_python_has_links_with_its_texts(source: str, expected: list[dict[str, Any]]) -> None:
    assert _states(_page("pycon", source)) == expected


def test_links_are_text_below_their_block() -> None:
    page = with_links(_page("console", "$ cbpf compile 'ip[0] & 1 < 2'"), "../../")
    (match,) = _LINK.finditer(page)
    assert match["path"] == "../../explorer/index.html"
    assert match["name"] == "<code>ip[0] &amp; 1 &lt; 2</code>"
    assert page.index("</pre>") < page.index('<p class="try-it">') < match.start()


def test_a_program_too_long_for_a_link_has_none() -> None:
    numbers = " or ".join(f"port {number * 7919 % 65521}" for number in range(4_000))
    assert _states(_page("console", f"$ cbpf format '{numbers}'")) == []


def test_a_comment_states_the_link_of_a_text() -> None:
    page = _page("text", "vlan 5 ...") + '\n<!-- try: {"s": "vlan 5 or arp", "y": "RAW"} -->'
    assert _states(page) == [{"s": "vlan 5 or arp", "y": "RAW"}]


def test_the_page_is_shown_in_a_frame_that_a_reader_unfolds() -> None:
    page = with_links('<p>a</p><!-- explorer: {"s": "ip[0] & 1 < 2", "c": "traffic.pcap"} --><p>b</p>', "../")
    frame = re.search(
        r'<details[^>]*><summary>.+</summary><iframe src="\.\./explorer/index\.html#(\S+)" (.*)></iframe>', page
    )
    assert frame is not None
    assert state(frame[1]) == {"s": "ip[0] & 1 < 2", "c": "traffic.pcap"}
    assert frame[2] == 'title="The explorer page with the filter ip[0] &amp; 1 &lt; 2" loading="lazy"'


# The site


class Linked(NamedTuple):
    """A block of the site with the text up to the next block, and the states of its links."""

    page: str
    block: Block
    following: str
    states: tuple[dict[str, Any], ...]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_site(tmp_path_factory)


@pytest.fixture(scope="session")
def linked(site: Path) -> list[Linked]:
    """Every block of the site."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = path.read_text()
        listed = blocks(page)
        for block in listed:
            between = page[block.end :].partition('<div class="language-')[0]
            following = html.unescape(re.sub(r"<[^>]+>", "", between))
            states = tuple(state(match["fragment"]) for match in _LINK.finditer(between))
            found.append(Linked(str(path.relative_to(site)), block, following, states))
    return found


@pytest.mark.slow
def test_every_link_shows_its_program_or_the_error_of_the_example(site: Path, linked: list[Linked]) -> None:
    count = 0
    for each in linked:
        for given in each.states:
            for key in {"s", "o"} & given.keys():
                count += 1
                found = answer("check", given, key)
                messages = [problem["message"] for problem in found["problems"]]
                text = html.unescape(re.sub(r"<[^>]+>", "", (site / each.page).read_text()))
                missing = [message for message in messages if not _is_shown(message, text, each.block.text)]
                assert missing == [] or "rejects the expression" in each.following, (each.page, given, missing)
                assert messages or found["size"] > 0
    assert count > 600


def _is_shown(message: str, page: str, block: str) -> bool:
    """Return whether a page has an error: its fact, or, in an abridged example, its identifier or quoted words."""
    fact = message.removeprefix("instruction ").partition(": ")[2].partition(";")[0] or message.partition(";")[0]
    words = re.findall(r"'([^']+)'", message) if "Error" in block else re.findall(r"\[([\w-]+)\]$", message)
    return message in page or fact in page or bool(words and all(word in block for word in words))


@pytest.mark.slow
def test_the_program_of_a_link_is_that_of_the_example(linked: list[Linked]) -> None:
    """Where an example is one command that prints the program."""
    compared = 0
    for each in linked:
        command, _, output = each.block.text.partition("\n")
        lines = re.findall(r"^\(\d{3}\) (.*)$", output, re.MULTILINE)
        if not command.startswith("$ cbpf compile") or "$ " in output or not lines or "|" in command:
            continue
        if not each.states:
            continue  # the next test
        (given,) = each.states
        shown = answer("program", given)["lines"]
        assert [line.split() for line in shown] == [line.split() for line in lines], command
        compared += 1
    assert compared > 100


_WITH_EXPRESSION: Final = re.compile(
    r"\bcbpf (archive )?(compile|count|emit|explain|filter|format|lint|print|split|why)\b.* '[^'\n]*[a-z][^'\n]*'"
    r"|\bcbpf [a-z -]+.* -e \S|^ *\$ cbpf compile( -[yO]( [A-Z0-9_]+)?)? [a-z0-9]+$",
    re.MULTILINE,
)
_IN_PYTHON: Final = re.compile(r"\b(compile|parse|VM|Flow|difference|witness|lint_expression)\(\s*[\"']")
_NOT_ON_THE_PAGE: Final = re.compile(r"--(hosts|ports|frontend)\b|\.example\b|ldq|frontend=|archive/%")


@pytest.mark.slow
def test_every_example_with_a_program_has_a_link(linked: list[Linked]) -> None:
    """Except those with settings that the page does not have."""
    missing = []
    for each in linked:
        shell, python = each.block.language in ("console", "sh", "text"), each.block.language in ("pycon", "python")
        pattern = _WITH_EXPRESSION if shell else _IN_PYTHON if python else None
        if each.states or pattern is None or not pattern.search(each.block.text):
            continue
        if not _NOT_ON_THE_PAGE.search(each.block.text):
            missing.append((each.page, each.block.text[:300]))
    assert missing == []


@pytest.mark.slow
def test_samples_exist_and_have_the_packets_of_links(site: Path, linked: list[Linked]) -> None:
    with cbpf.read_capture(TRAFFIC) as capture:
        packets = len(list(capture))
    states = [given for each in linked for given in each.states if "c" in given or "n" in given]
    assert len(states) > 50
    assert all(given["c"] in SAMPLES and 1 <= given.get("n", 1) <= packets for given in states)
    for path in SAMPLES.values():
        assert (site / "explorer" / path).resolve().read_bytes() == Path(TRAFFIC).read_bytes()


@pytest.mark.slow
def test_the_site_has_the_licences_of_its_parts(site: Path) -> None:
    text = (site / "LICENSES.txt").read_text()
    for words in ("Zensical and contributors", "Lucide", "Pictogrammers", "Apache License", "Martin Donath", "W3C"):
        assert words in text
