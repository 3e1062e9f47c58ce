"""The rules that recognise mistakes, in the order in which they are tried."""

from typing import Final

from . import structure_rules, text_rules, word_rules
from .situation import Rule

WORD_RULES: Final[tuple[Rule, ...]] = (
    word_rules.display_filter,
    word_rules.tcp_flag,
    word_rules.unknown_load,
    word_rules.known_word,
    word_rules.glued,
    word_rules.spelling,
)
"""The rules for a word that the parser took for an identifier."""

RULES: Final[tuple[Rule, ...]] = (
    text_rules.option,
    text_rules.pasted_command,
    text_rules.html_entity,
    text_rules.comment,
    word_rules.display_filter,
    structure_rules.port_range,
    text_rules.listed,
    text_rules.quoted_bytes,
    text_rules.character,
    text_rules.operator,
    structure_rules.compared_qualifier,
    structure_rules.missing_operand,
    structure_rules.parentheses,
    word_rules.field_of_protocol,
    word_rules.tcp_flag,
    word_rules.unknown_load,
    word_rules.filler,
    word_rules.known_word,
    structure_rules.arithmetic_junction,
    structure_rules.misplaced_protocol,
    word_rules.reserved_name,
    structure_rules.joined_port,
    structure_rules.network,
    word_rules.glued,
    word_rules.spelling,
    structure_rules.identifier_after_protocol,
    structure_rules.bare_identifier,
    structure_rules.value_alone,
    structure_rules.missing_junction,
)
"""The rules for a syntax error."""
