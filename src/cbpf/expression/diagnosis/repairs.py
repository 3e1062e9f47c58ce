"""The rules that recognise mistakes, in the order in which they are tried."""

from ..._typing import Final
from . import address_rules, structure_rules, text_rules, word_rules
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
    address_rules.port_range,
    address_rules.bracketed_list,
    text_rules.listed,
    text_rules.quoted_bytes,
    text_rules.accented_word,
    text_rules.quotation,
    text_rules.character,
    text_rules.shell_operator,
    text_rules.operator,
    structure_rules.compared_qualifier,
    structure_rules.compared_protocol,
    structure_rules.other_direction,
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
    address_rules.joined_port,
    address_rules.network,
    address_rules.malformed_address,
    word_rules.glued,
    word_rules.spelling,
    structure_rules.identifier_after_protocol,
    structure_rules.bare_identifier,
    structure_rules.value_alone,
    structure_rules.protocol_as_number,
    structure_rules.number_after_keyword,
    structure_rules.missing_junction,
    structure_rules.operator_after_condition,
)
"""The rules for a syntax error."""
