"""Questions about the contents of an expression, for tables of expressions that differ."""

from __future__ import annotations

from functools import cached_property

from cbpf.expression.lexer import Token, tokens
from cbpf.expression.libpcap import Handle
from cbpf.expression.parser import parse
from cbpf.expression.primitives import SyntaxProblem
from cbpf.expression.syntax_tree import Match, Primitive, Protocol, Relation
from support.expression_nodes import conditions_of


class Subject:
    """An expression with the packets for which it is compiled, as the conditions of this module see it.

    Args:
        text: The expression.
        handle: The packets.
    """

    def __init__(self, text: str, handle: Handle) -> None:
        self.text = text
        self.dlt = handle.dlt
        self.is_file = handle.file_header is not None

    @cached_property
    def tokens(self) -> list[Token]:
        return tokens(self.text)

    @cached_property
    def conditions(self) -> list[Match | Protocol | Primitive | Relation]:
        """The primitives and relations; none if the text is not an expression."""
        try:
            return list(conditions_of(parse(self.text)))
        except SyntaxProblem:
            return []

    def matches(self, *kinds: str | None, protocol: str | None = None) -> list[Match]:
        """Return the identifiers of some kinds, with any protocol by default."""
        return [
            condition
            for condition in self.conditions
            if isinstance(condition, Match)
            and condition.qualifiers.kind in kinds
            and protocol in (None, condition.qualifiers.protocol)
        ]

    def primitives(self, *names: str) -> list[Primitive]:
        """Return the primitives with some names."""
        return [
            condition for condition in self.conditions if isinstance(condition, Primitive) and condition.name in names
        ]

    def has_protocol(self, words: frozenset[str]) -> bool:
        """Return whether the expression contains a protocol of *words*, alone or before a qualifier."""
        return any(token.kind == "protocol" and token.word in words for token in self.tokens)
