"""The canonical spelling of the words of an expression: keywords, numbers, names and addresses.

Two spellings of one word are equal for the compiler; a reader and a search find a filter by one of them only. Numbers
remain in their base, and names as they are.
"""

import re
from collections.abc import Iterable

from .._typing import Final
from .lexer import Token, tokens
from .syntax_tree import Qualifiers
from .vocabulary import WLAN

DEFAULT_LINK_WORD: Final = "ether"

_MAC_SEPARATORS: Final = re.compile("[:.-]")
_LEADING_ZEROS: Final = re.compile(r"(?<![0-9])0+(?=[0-9])", re.ASCII)
_DOTTED_DECIMAL: Final = re.compile(r"[0-9]+(?:\.[0-9]+)*", re.ASCII)


def link_word(words: Iterable[Token]) -> str:
    """Return the word for the link layer in an expression: the first that it contains, such as `wlan` or `ppp`.

    All of them are one protocol for the compiler, but they show a reader the link type, which the text does not state.
    An expression without one has `wlan` if it contains a primitive of 802.11, and `ether` otherwise.
    """
    word = DEFAULT_LINK_WORD
    for token in words:
        if token.kind == "protocol" and token.word == "link":
            return token.text
        if token.kind == "keyword" and token.word in WLAN:
            word = "wlan"
    return word


def protocol_text(protocol: str, link: str) -> str:
    """Return a protocol as text, where *link* is the word for the link layer."""
    return link if protocol == "link" else protocol


def qualifiers_text(qualifiers: Qualifiers, link: str) -> str:
    """Return the qualifiers of an identifier as text, all of them explicit.

    `src or dst` is the default and omitted. The kind `host`, also a default, is written, except after a direction of
    the link layer: pcap-filter(7) and its users write `ether src 00:00:5e:00:53:01`.
    """
    protocol, direction, kind = qualifiers
    words = [protocol_text(protocol, link)] if protocol else []
    is_directed = direction not in (None, "src or dst")
    if is_directed:
        words.append(str(direction))
    if not (protocol == "link" and is_directed and kind in (None, "host")):
        words.append(kind or "host")
    return " ".join(words)


def identifier_text(identifier: Token, mask: Token | None) -> str:
    """Return an identifier as text, with its prefix length or mask."""
    text = token_text(identifier)
    if mask is None:
        return text
    return f"{text}{'/' if mask.kind == 'number' else ' mask '}{token_text(mask)}"


def token_text(token: Token) -> str:
    r"""Return the canonical spelling of a token.

    >>> [token_text(token) for token in tokens("&& 0X1F \\www \\udp 010.0.0.1 2001:DB8::0 0-0-5E-0-53-1")[:-1]]
    ['and', '0x1f', 'www', '\\udp', '10.0.0.1', '2001:db8::', '00:00:5e:00:53:01']
    """
    match token.kind:
        case "number" | "arcnet":
            return token.text.lower()
        case "name":
            return _name_text(token)
        case "ipv4":
            return _LEADING_ZEROS.sub("", token.text) if _DOTTED_DECIMAL.fullmatch(token.text) else token.text
        case "ipv6":
            return _ipv6_text(token.text)
        case "mac":
            return _mac_text(token.text)
    return token.word


def _name_text(token: Token) -> str:
    """Return a name; a backslash remains where the word without it would be another token."""
    if token.text == token.word:
        return token.text
    first, *_ = tokens(token.word)
    return token.word if (first.kind, first.text) == ("name", token.word) else token.text


def _ipv6_text(text: str) -> str:
    """Return an IPv6 address in the form of RFC 5952, with a dotted quad if it is IPv4-mapped."""
    from ipaddress import IPv6Address

    address = IPv6Address(text)
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else address.compressed


def _mac_text(text: str) -> str:
    """Return six pairs of lower-case digits with colons between."""
    groups = _MAC_SEPARATORS.split(text.lower())
    if len(groups) < 6:
        digits = "".join(groups)
        groups = [digits[index : index + 2] for index in range(0, 12, 2)]
    return ":".join(group.zfill(2) for group in groups)
