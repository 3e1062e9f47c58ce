"""Rules for words that the language does not have: other names of keywords, protocols, display filters.

Each rule is a function of a `Situation`; it returns None, or a `Repair`.
"""

import re

from ..._typing import Final
from ..lexer import Token, tokens
from ..vocabulary import KEYWORDS, KINDS, NAMED_NUMBERS
from .display_filter import FIELD, is_field, translate
from .mistakes import (
    EVERYTHING,
    FILLERS,
    HEADER_FIELDS,
    HEADER_TESTS,
    NUMBERED_TESTS,
    PROTOCOL_TESTS,
    SERVICES,
    SYNONYMS,
    TCP_FLAGS,
)
from .situation import (
    ARITHMETIC,
    ID_KINDS,
    PORT_PROTOCOLS,
    RELATIONS,
    Edit,
    Repair,
    Situation,
    is_keyword,
    is_service,
    shown,
)

_LOADABLE: Final = "load from ether, ip, ip6, arp, tcp, udp, sctp, icmp or icmp6"
_SEVERAL_FLAGS: Final = 'for any of several flags write "tcp[tcpflags] & (tcp-syn | tcp-ack) != 0"'
_SEARCHES: Final = frozenset(("contains", "matches"))
_NAMESPACES: Final = frozenset((*KEYWORDS, *PROTOCOL_TESTS, "frame", "eth", "ipv6", "icmpv6"))
_MIN_SIMILARITY: Final = 0.7
_MIN_PROTOCOL_LENGTH: Final = 5
_SIMILAR: Final = 0.8  # sufficient without the correct expression


def display_filter(s: Situation) -> Repair | None:
    """Recognise a field of Wireshark, such as `ip.addr`."""
    for token in (s.found, s.token(-1)):
        if token.kind == "name" and FIELD.match(token.text) and _is_display_filter(s, token):
            end, primitive = translate(s.text, token.start, token.text)
            fact = f"{shown(token)} is a Wireshark display filter field"
            if primitive is not None:
                edit = Edit(token.start, end, primitive)
                return Repair(token.start, fact, edit, introduction="in a capture filter write")
            nearest = PROTOCOL_TESTS.get(token.text.split(".")[0])
            advice = f'the nearest test is "{nearest}"' if nearest else "cbpf knows no capture filter for this test"
            return Repair(token.start, fact, advice=advice)
    return None


def _is_display_filter(s: Situation, token: Token) -> bool:
    if is_field(token.text) or _is_compared(s, token.end):
        return True
    return token is s.found and s.is_operand_expected and token.text.split(".")[0] in _NAMESPACES


def _is_compared(s: Situation, end: int) -> bool:
    """Return whether a comparison follows, so that the word before it is not a host name."""
    following = s.text[end:].lstrip()
    return bool(re.match(r"[=!<>~]=|[=<>]|(?:eq|ne|gt|lt|ge|le|contains|matches|in)\b", following))


def field_of_protocol(s: Situation) -> Repair | None:
    """Recognise `ip tos 0xb8`, `icmp[type]` and `arp request`."""
    protocol, name, following = s.token(-1), s.found, s.token(1)
    if protocol.text == "[" and s.token(-2).kind == "protocol" and following.text == "]":
        field = HEADER_FIELDS.get((s.token(-2).word, name.text.lower()), "")
        if not re.fullmatch(r"\w+\[[\w:]+\]", field):
            return None
        return Repair(name.start, f"{shown(name)} is not a number", Edit(s.token(-2).start, following.end, field))
    if protocol.kind != "protocol":
        return None
    key, fact = (protocol.word, name.text.lower()), f"{shown(name)} cannot follow {shown(protocol)}"
    two_words = (protocol.word, f"{name.text}-{following.text}".lower())
    if two_words in HEADER_TESTS:
        return Repair(name.start, fact, Edit(protocol.start, following.end, HEADER_TESTS[two_words]))
    if key in HEADER_TESTS:
        return Repair(name.start, fact, Edit(protocol.start, name.end, HEADER_TESTS[key]))
    if key not in HEADER_FIELDS:
        return None
    field, flag = HEADER_FIELDS[key], TCP_FLAGS.get(following.text.lower())
    if following.word in RELATIONS or following.text in ARITHMETIC:
        return Repair(name.start, fact, Edit(protocol.start, name.end, field))
    if following.kind == "number":
        return Repair(name.start, fact, Edit(protocol.start, following.start, f"{field} = "))
    if flag and s.token(2).text in (",", "/", "|", "&"):
        return Repair(name.start, fact, advice=_SEVERAL_FLAGS)
    if flag and field == "tcp[tcpflags]":
        return Repair(name.start, fact, Edit(protocol.start, following.end, f"{field} & {flag} != 0"))
    return Repair(name.start, fact, Edit(protocol.start, name.end, f"{field} != 0"))


def tcp_flag(s: Situation) -> Repair | None:
    """Recognise `tcp syn`, `tcp[13] & syn` and `syn`."""
    name = s.found
    flag = TCP_FLAGS.get(name.text.lower()) if name.kind == "name" else None
    if flag is None or s.token(-1).text == "[":
        return None
    fact = f"{shown(name)} is not a keyword"
    if not (s.is_operand_expected or s.is_complete):
        return Repair(name.start, fact, s.replace_found(flag))
    start = s.token(-1).start if s.token(-1).word == "tcp" else name.start
    return Repair(name.start, fact, Edit(start, name.end, f"tcp[tcpflags] & {flag} != 0"))


def unknown_load(s: Situation) -> Repair | None:
    """Recognise the bytes of a protocol that the language does not load from."""
    if s.found.kind != "name" or s.token(1).text != "[":
        return None
    fact = f"{shown(s.found)} is not a protocol whose bytes can be loaded"
    word = SYNONYMS.get(s.found.text.lower(), "")
    if s.accepts(f"{word}[0] = 1"):
        return Repair(s.found.start, fact, s.replace_found(word))
    return Repair(s.found.start, fact, advice=_LOADABLE)


def known_word(s: Situation) -> Repair | None:
    """Recognise another name of a keyword, and a protocol that the language does not know."""
    token, word, following = s.found, s.found.text.lower(), s.token(1)
    if token.kind not in ("name", "mac"):
        return None
    for searched in (token, following):
        if searched.kind == "name" and searched.word.lower() in _SEARCHES:
            advice = "capture filters cannot search the content of packets"
            return Repair(searched.start, f"{shown(searched)} is not an operator", advice=advice)
    if word in EVERYTHING and s.is_operand_expected:
        return Repair(
            token.start, f"{shown(token)} is not a keyword", advice="an empty expression accepts every packet"
        )
    if token.text != word and (word in KEYWORDS or word in NAMED_NUMBERS):
        fact = f"{shown(token)} is not a keyword; keywords are in lower case"
        return Repair(token.start, fact, s.replace_found(word))
    if word in SYNONYMS:
        replacement = SYNONYMS[word].removeprefix(f"{s.token(-1).text} ")
        if replacement.endswith(" host") and s.token(2).text == "/":
            replacement = replacement.replace("host", "net")
        if s.is_complete and s.token(-1).kind in ID_KINDS:  # the beginning of another primitive
            replacement = f"and {replacement}"
        return Repair(token.start, f"{shown(token)} is not a keyword", s.replace_found(replacement))
    fact = f"{shown(token)} is not a protocol that the language knows"
    if word in NUMBERED_TESTS and following.kind == "number":
        test = NUMBERED_TESTS[word].format(following.text)
        return Repair(token.start, fact, Edit(token.start, following.end, _grouped(s, test, 2)))
    if word not in PROTOCOL_TESTS:
        return None
    if s.token(-1).word in PORT_PROTOCOLS and word in SERVICES:
        return Repair(token.start, fact, s.replace_found(f"port {SERVICES[word]}"))
    return Repair(token.start, fact, s.replace_found(_grouped(s, PROTOCOL_TESTS[word], 1)))


def _grouped(s: Situation, test: str, distance: int) -> str:
    """Return a test, in parentheses if other operands precede it or follow it at a distance in tokens."""
    is_alone = s.found_index == 0 and s.token(distance).kind == "end"
    return f"({test})" if not is_alone and (" or " in test or " and " in test) else test


def with_protocol_tests(text: str) -> str:
    """Return *text* with a test in place of each protocol that is a name to the parser, such as that of a host.

    In `host 10.0.0.1 and dns`, `dns` has the qualifiers of the identifier before it.
    """
    words = tokens(text)
    for index in reversed(range(1, len(words))):
        word = words[index]
        is_alone = word.kind == "name" and words[index - 1].word in ("and", "or", "not", "(")
        if is_alone and word.word in PROTOCOL_TESTS and not _is_carried_service(words[:index], word.word):
            test = PROTOCOL_TESTS[word.word]
            test = f"({test})" if " or " in test or " and " in test else test
            text = text[: word.start] + test + text[word.end :]
    return text


def _is_carried_service(before: list[Token], name: str) -> bool:
    """Return whether *name* is a port of the protocol in the primitive before it, as in `port http or https`."""
    qualifiers = [token.word for token in before if token.word in {*KINDS, "proto"} or token.kind == "protocol"]
    protocol = qualifiers[-2] if qualifiers[-2:-1] and qualifiers[-2] in PORT_PROTOCOLS else "port"
    is_same = protocol == "port" or PROTOCOL_TESTS[name].startswith(("port", protocol))
    return qualifiers[-1:] == ["proto"] or (qualifiers[-1:] == ["port"] and is_service(name) and is_same)


def filler(s: Situation) -> Repair | None:
    """Recognise a word that may be left out, as in `vlan id 5`."""
    if s.found.text.lower() not in FILLERS or (s.token(1).kind == "end" and not s.is_complete):
        return None
    end = s.token(1).start or s.found.end
    return Repair(s.found.start, f"{shown(s.found)} is not a keyword", Edit(s.found.start, end, ""))


def glued(s: Situation) -> Repair | None:
    """Recognise words without a blank between them: `port80`, `len-20`."""
    text = s.found.text
    if s.found.kind != "name":
        return None
    match = re.fullmatch(r"(src|dst|host|net|port|portrange|tcp|udp|ip|proto|vlan|less|greater)([0-9].*)", text)
    if match:
        return Repair(s.found.start, f"'{text}' is one word", s.replace_found(f"{match[1]} {match[2]}"))
    match = re.fullmatch(r"(len)-([0-9]+)", text)
    if match:
        fact = f"'{text}' is one word; a minus needs a blank before it"
        return Repair(s.found.start, fact, s.replace_found(f"{match[1]} - {match[2]}"))
    return None


def spelling(s: Situation) -> Repair | None:
    """Recognise a keyword that is spelt almost right."""
    token = s.found
    written = token.text.lower()
    if token.kind != "name" or not 3 <= len(written) <= 40 or written in PROTOCOL_TESTS:
        return None
    import difflib

    words = [*KEYWORDS, *NAMED_NUMBERS, *SYNONYMS]
    if len(written) >= _MIN_PROTOCOL_LENGTH:  # of a short name, any other short name is similar
        words += PROTOCOL_TESTS
    transposed = [word for word in KEYWORDS if sorted(word) == sorted(written)]
    similar = transposed or difflib.get_close_matches(written, words, n=5, cutoff=_MIN_SIMILARITY)
    edits = [s.replace_found(SYNONYMS.get(word) or PROTOCOL_TESTS.get(word) or word) for word in similar]
    edit = next((edit for edit in edits if s.accepts(edit.apply(s.text))), None)
    fact = f"{shown(token)} is not a keyword"
    if edit is not None or not similar:
        return Repair(token.start, fact, edit) if edit else None
    if not transposed and difflib.SequenceMatcher(None, written, similar[0]).ratio() < _SIMILAR:
        return None
    names = list(dict.fromkeys(edit.text for edit in edits[:2]))
    ratios = [difflib.SequenceMatcher(None, written, word).ratio() for word in similar[:2]]
    if len(names) == 1 or ratios[0] > ratios[1]:  # the text has other mistakes as well
        return Repair(token.start, fact, edits[0])
    return Repair(token.start, fact, advice=f"did you mean {' or '.join(map(repr, names))}?")


def reserved_name(s: Situation) -> Repair | None:
    """Recognise a keyword in place of a protocol's name: `ether proto ip`."""
    qualifiers = s.problem.qualifiers
    if qualifiers is None or qualifiers.kind not in ("proto", "protochain"):
        return None
    if not is_keyword(s.found) or s.found.word in ("and", "or"):
        return None
    fact = f"{shown(s.found)} is a reserved word; a backslash makes it a name"
    edit = s.replace_found(f"\\{s.found.text}")
    if not s.accepts(edit.apply(s.text)):
        edit = Edit(s.tokens[s.head_index()].start, s.found.end, s.found.text)
    return Repair(s.found.start, fact, edit)
