"""The pages of the expression language: their words, listings and tables are generated from the package.

CBPF_UPDATE=1 ./dev test -k expression_documents writes them again.
"""

import re
import shlex
import warnings
from collections.abc import Iterable
from typing import Any, Final

import pytest

import cbpf
from cbpf._typing import get_args
from cbpf.expression.generator.generate import generate
from cbpf.expression.generator.link_fields import _ACTIONS, _MTP, _REASONS
from cbpf.expression.generator.link_layers import _OTHERS, _ROWS, UNSET, Family, Headers, Offset, initial_headers
from cbpf.expression.generator.network_protocols import _LINK_PROTOCOL_NAMES, OSI
from cbpf.expression.generator.wireless import _DIRECTIONS, _SUBTYPES, _SUPERVISORY, _TYPES, _UNNUMBERED
from cbpf.expression.lexer import tokens
from cbpf.expression.names import Lookups
from cbpf.expression.parser import parse
from cbpf.expression.problems import ExpressionProblems
from cbpf.expression.syntax_tree import Condition
from cbpf.expression.target import Target
from cbpf.expression.vocabulary import KEYWORDS, NAMED_NUMBERS
from cbpf.packet.link_types import link_type_by_dlt
from support.expression_link_words import LINK_WORDS
from support.expression_words import ADDRESSES, HEADERS, PROTOCOLS, VALUES, Group, Word
from support.generated import check_generated
from support.project import ROOT

FOLDER: Final = ROOT / "docs" / "reference" / "expressions"
GENERATOR: Final = "tests/expression/test_expression_documents.py"
PAGES: Final = {
    "protocols.md": PROTOCOLS,
    "addresses.md": ADDRESSES,
    "headers.md": HEADERS,
    "values.md": VALUES,
    "link-words.md": LINK_WORDS,
}
PAGE_BY_WORD: Final = {word.word: page for page, groups in PAGES.items() for group in groups for word in group.words}
SYNONYMS: Final = {
    word: [synonym for synonym, canonical in KEYWORDS.items() if canonical == word != synonym] for word in PAGE_BY_WORD
}
DLTS: Final = tuple(row.dlt for row in _ROWS if row.family != "none")
"""The link types whose protocols expressions can test."""
OTHER_DLTS: Final = (*(row.dlt for row in _ROWS if row.family == "none"), *_MTP)
"""Link types with words of their own, or with a row in the generator's table, whose protocols are unknown."""
UNKNOWN_PAYLOAD: Final = min(_OTHERS)
"""A link type without a row."""

PROTOCOLS_BY: Final[dict[Family, str]] = {
    "ether": "EtherType, or LLC in frames with a length",
    "llc": "LLC and SNAP",
    "wlan": "LLC and SNAP, in data frames",
    "sunatm": "LLC and SNAP, in packets of that type",
    "sll": "EtherType, or LLC",
    "type": "EtherType",
    "ppp": "number of PPP",
    "pppbsd": "number of PPP, IPv4 also with compressed TCP headers",
    "hdlc": "EtherType, 0xfefe for OSI",
    "loop": "address family, 4 bytes",
    "raw": "version of IP",
    "ipv4": "always IPv4",
    "ipv6": "always IPv6",
    "arcnet": "number of ARCnet",
    "ltalk": "always AppleTalk",
    "frelay": "control byte and NLPID",
    "pflog": "address family, 1 byte",
    "ipnet": "address family, 1 byte",
    "bacnet": "the preamble 0x55ff, for every protocol",
    "juniper": "Juniper's number 0x4d4743, for every protocol",
    "none": "none; protocols are rejected",
}
"""By the family of a link layer: the test of the protocol of a payload."""


class Names:
    """The names in the examples."""

    def addresses(self, host: str) -> tuple[str, ...]:
        return ("192.0.2.1",) if host == "router.example" else ()

    def ethernet_address(self, host: str) -> str | None:
        return "02:00:00:00:00:01" if host == "router.example" else None

    def network(self, name: str) -> None:
        return None

    def port(self, service: str, transport: str) -> None:
        return None

    def protocol(self, name: str) -> None:
        return None


def _join(parts: Iterable[str]) -> str:
    return "\n\n".join(filter(None, parts))


# The words


def test_expression_documents_contain_every_word() -> None:
    assert sorted(PAGE_BY_WORD) == sorted(set(KEYWORDS.values()))


@pytest.mark.parametrize("word", [word for groups in PAGES.values() for group in groups for word in group.words])
def test_examples_contain_their_word(word: Word) -> None:
    assert word.word in {token.word for token in tokens(word.example)}


@pytest.mark.parametrize("page", PAGES)
def test_expression_documents_explain_words(page: str) -> None:
    words = _join(map(_group, PAGES[page]))
    check_generated(FOLDER / page, _join([words, TABLES.get(page, "")]), GENERATOR)


def _group(group: Group) -> str:
    return _join([f"## {group.title}", *map(_word, group.words)])


def _word(word: Word) -> str:
    synonyms = ", ".join(f"`{synonym}`" for synonym in SYNONYMS[word.word])
    options: Any = {"link_type": word.link_type, "frontend": "cbpf", "names": Names()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cbpf.ExpressionWarning)
        plain, best = (str(cbpf.compile(word.example, optimizer=each, **options)) for each in (None, "cbpf"))
    link_type = [] if word.link_type == "EN10MB" else ["-y", word.link_type]
    command = shlex.join(["cbpf", "compile", *link_type, word.example])
    folded = f'??? note "Plain code"\n{_indented(_block(plain))}'
    return _join(
        [
            f"### {word.word}",
            word.meaning,
            f"Also written {synonyms}." if synonyms else "",
            f"Link types of the example: {_link_types(word)}.",
            _block(f"$ {command}\n{best}"),
            "The plain code has the same instructions." if plain == best else folded,
        ]
    )


def _block(text: str) -> str:
    return f"```text\n{text}\n```"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.splitlines())


def _link_types(word: Word) -> str:
    """Return the link types on which the example may match a packet."""
    tree = parse(word.example)
    found = [dlt for dlt in DLTS if _may_match(tree, dlt)]
    if len(found) == len(DLTS) and _may_match(tree, UNKNOWN_PAYLOAD):
        return "all"
    if len(found) > len(DLTS) / 2:
        missing = ", ".join(_names(dlt for dlt in DLTS if dlt not in found))
        return "all [with protocols](link-types.md)" + (f" except {missing}" if missing else "")
    return ", ".join(_names([*found, *(dlt for dlt in OTHER_DLTS if _may_match(tree, dlt))]))


def _may_match(tree: Condition | None, dlt: int) -> bool:
    try:
        return generate(tree, Target(dlt, 262_144), Lookups(Names())).condition is not False
    except ExpressionProblems:
        return False


def _names(dlts: Iterable[int]) -> list[str]:
    """Return the names of link types; those of Juniper are one entry if all are there."""
    chosen = list(dlts)
    juniper = [row.dlt for row in _ROWS if row.family == "juniper"]
    rest = [dlt for dlt in chosen if dlt not in juniper] if set(juniper) <= set(chosen) else chosen
    return [f"`{link_type_by_dlt(dlt).name}`" for dlt in rest] + ["`JUNIPER_...`"] * (len(rest) < len(chosen))


def test_expression_documents_list_all_words() -> None:
    rows = [f"| `{spelling}` | [{word}]({PAGE_BY_WORD[word]}#{word}) |" for spelling, word in sorted(KEYWORDS.items())]
    check_generated(FOLDER / "words.md", "\n".join(["| word | entry |", "|---|---|", *rows]), GENERATOR)


# Names after some words


def _numbers(names: dict[str, int], form: str = "{}") -> str:
    return ", ".join(f"`{name}` {form.format(number)}" for name, number in names.items())


def _named_numbers() -> str:
    rows = [
        ("fields of ICMP and TCP", [name for name in NAMED_NUMBERS if "-" not in name]),
        *(
            (f"`{prefix}...`", [name for name in NAMED_NUMBERS if name.startswith(prefix)])
            for prefix in ("tcp-", "icmp-", "icmp6-")
        ),
    ]
    assert sorted(name for _, names in rows for name in names) == sorted(NAMED_NUMBERS)
    return _table(
        "Named numbers",
        ("names", "numbers"),
        [(title, _numbers({name: NAMED_NUMBERS[name] for name in names})) for title, names in rows],
    )


def _table(title: str, header: tuple[str, str], rows: Iterable[tuple[str, str]]) -> str:
    lines = ["| {} | {} |".format(*row) for row in (header, ("---", "---"), *rows)]
    return f"## {title}\n\n" + "\n".join(lines)


def _link_names() -> str:
    types = {number: "`, `".join(name for name in _TYPES if _TYPES[name] == number) for number in _SUBTYPES}
    return _table(
        "Names after these words",
        ("after", "names"),
        [
            ("`type`", _numbers(_TYPES)),
            *((f"`subtype`, of `{types[number]}`", _numbers(_SUBTYPES[number], "{:#x}")) for number in _SUBTYPES),
            ("`dir`", _numbers(_DIRECTIONS)),
            ("`llc`", ", ".join(f"`{name}`" for name in ("i", "s", "u", *_SUPERVISORY, *_UNNUMBERED))),
            ("`reason`", _numbers({name: number for number, name in enumerate(_REASONS)})),
            ("`action`", _numbers(_ACTIONS)),
        ],
    )


def _protocol_names() -> str:
    return _table(
        "Names after proto",
        ("after", "names"),
        [
            ("`ether proto`", _numbers(_LINK_PROTOCOL_NAMES, "{:#x}")),
            ("`iso proto`", _numbers(OSI, "{:#x}")),
            ("`proto`, `ip proto`, `ip6 proto`", "those of protocols(5)"),
        ],
    )


TABLES: Final = {
    "protocols.md": _protocol_names(),
    "values.md": _named_numbers(),
    "link-words.md": _link_names(),
}


# Link types


def test_expression_documents_contain_the_link_types() -> None:
    assert PROTOCOLS_BY.keys() == set(get_args(Family))
    header = ("link type", "number", "link header", "type field", "network header", "protocols by")
    rows = [
        _link_type(initial_headers(dlt))
        for dlt in sorted([*DLTS, *OTHER_DLTS], key=lambda dlt: link_type_by_dlt(dlt).linktype)
    ]
    lines = [
        "| " + " | ".join(cells) + " |" for cells in (header, ("---", "---:", "---:", "---:", "---:", "---"), *rows)
    ]
    check_generated(FOLDER / "link-types.md", "\n".join(lines), GENERATOR)


def _link_type(headers: Headers) -> tuple[str, ...]:
    link_type = link_type_by_dlt(headers.link_type)
    return (
        f"`{link_type.name}`",
        str(link_type.linktype),
        _offset(headers.link),
        _offset(headers.type_field),
        _offset(headers.network_header) if headers.payload.constant != UNSET else "unknown",
        PROTOCOLS_BY[headers.family],
    )


def _offset(offset: Offset) -> str:
    if offset.slot is not None:
        return "varies"
    return "none" if offset.constant == UNSET else str(offset.constant)


# The language


def test_expression_documents_show_the_qualifiers_that_are_carried_over() -> None:
    text = (FOLDER / "index.md").read_text().partition("| written | read as |")[2].partition("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    assert len(rows) > 5
    for written, reading in rows:
        for expression in re.findall(r"`([^`]+)`", written):
            if reading.startswith("rejected"):
                with pytest.raises(cbpf.ExpressionError):
                    cbpf.format_expression(expression)
            else:
                assert cbpf.format_expression(expression) == cbpf.format_expression(reading.strip("`"))
