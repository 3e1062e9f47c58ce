"""Seeded random texts that resemble filter expressions: valid ones with tokens deleted, exchanged or inserted."""

from random import Random
from typing import Final

from cbpf.expression.lexer import tokens
from cbpf.expression.vocabulary import KEYWORDS
from support.corpus_filters import CORPUS
from support.random_choices import below, pick
from support.random_expressions import expression

SAMPLES: Final = (
    *(
        "vlan 5 or vlan (6)",
        "vlan and mpls 5 and tcp",
        "pppoes 1 and ip",
        "geneve 7",
        "pppoed or llc or llc rnr",
        "llc ui",
    ),
    *(
        "less 64 or greater 1500",
        "byte 0 = 1",
        "ifindex 3",
        "on eth0",
        "ruleset a",
        "rnr 5",
        "reason match",
        "action pass",
    ),
    *("type mgt subtype beacon", "wlan type 0x08 subtype 0x10", "subtype ack", "dir tods", "wlan addr1 0:1:2:3:4:5"),
    *("vpi (1 or 2)", "vci > 5", "sio (1 or 2)", "opc 5", "hdpc != 5", "oam or lane", "fisu or hmsu"),
    *("net 10.0.0.0 mask 255.0.0.0", "ip6 net fe80::/10", "host (10.0.0.1 or 10.0.0.2)", "port 80 or (443 or not 22)"),
    *(
        "not (not tcp)",
        "src or dst port 80",
        "dst and src host 10.0.0.1",
        "ether proto \\ip",
        "ip proto \\tcp or \\udp",
    ),
    *("ip broadcast", "multicast", "ip protochain 6", "link host $1", "((1 + 2)) * 3 = 9", "-5 % 3 = ip[0] ^ 7 << 1"),
    *(
        "host 10.0.0.1 and (not (10.0.0.2) or 10.0.0.3)",
        "tcp[tcpflags] & (tcp-syn|tcp-ack) != 0",
        "ip[ip[0] & 0xf:2] = 5",
    ),
    *("aarp or atalk", "len - 20 >= 0x10", "ether host 00-11-22-33-44-55", "ether src aabb.ccdd.eeff", "isis or es-is"),
)
"""Expressions with the primitives that the corpus does not have."""

WORDS: Final = (
    *sorted(KEYWORDS),
    *("()[]:+-*/%&|^!=<>" * 4),
    *("and", "or", "not", "&&", "||") * 8,
    *("80", "10.0.0.1", "::1", "0:1:2:3:4:5", "$1", "tcp-syn", "1", "2", "4", "\\ip", "==", "<<", ">=", "/24", "mask")
    * 3,
    *(
        "\xe9",
        "#",
        ",",
        ";",
        "a-",
        "0x",
        "1.2.3.4.5",
        "fe80::1.2.3.4",
        "1:2:",
        "12345::",
        "aabbccddeeff",
        "099",
        "1::2::",
    ),
    *(
        "0x100000000",
        "4294967296",
        "1.2.3.4.5.6",
        "a.b.c.d.e.f",
        "1:2:3:4:5:6:7:8",
        "::1.2.3.400",
        "\\",
        "_",
        "\x0b",
        "\u201c",
    ),
)
"""The words that are inserted: keywords, operators, identifiers, and characters that no token contains."""

_CHARACTERS: Final = "0123456789abcxf:.-_/\\ ()[]!=<>&|^%*+,;#$\xe9\u2013\t\n"


def random_text(random: Random) -> str:
    """Return an expression with up to three changes, or a sequence of random words."""
    if random.random() < 0.2:
        return " ".join(pick(random, WORDS) for _ in range(1 + below(random, 8)))
    text = pick(random, (*SAMPLES, *(filter.expression for filter in CORPUS if len(filter.expression) < 200)))
    if random.random() < 0.3:
        text = expression(random, max_primitives=4)
    if random.random() < 0.2:
        text = f"{text} {pick(random, ('and', 'or'))} {pick(random, SAMPLES)}"
    for _ in range(pick(random, (0, 1, 1, 1, 2, 3))):
        text = _changed(random, text)
    return text


def _changed(random: Random, text: str) -> str:
    words = [token.text for token in tokens(text)[:-1]]
    if random.random() < 0.2 or not words:
        place = below(random, len(text) + 1)
        return text[:place] + pick(random, _CHARACTERS) + text[place + below(random, 2) :]
    first, second = below(random, len(words)), below(random, len(words))
    match below(random, 5):
        case 0:
            del words[first]
        case 1:
            words.insert(first, pick(random, WORDS))
        case 2:
            words[first] = pick(random, WORDS)
        case 3:
            words[first], words[second] = words[second], words[first]
        case _:
            words.insert(first, words[second])
    return " ".join(words)
