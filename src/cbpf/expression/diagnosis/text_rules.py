"""Rules for characters and text around an expression: quotation marks, comments, commands, lists.

Each rule is a function of a `Situation`; it returns None, or a `Repair`.
"""

import html
import re
import unicodedata
from typing import Final

from .mistakes import (
    CHARACTERS,
    COMMANDS,
    COMPARISONS,
    ENTITIES,
    OPERATORS,
    OPTIONS_WITH_VALUE,
    QUOTATION_MARKS,
)
from .situation import ID_KINDS, Edit, Repair, Situation, is_keyword, shown

_COMMENT_MARKS: Final = ("#", "//", "/*", "--")


def pasted_command(s: Situation) -> Repair | None:
    """Recognise `tcpdump -i eth0 tcp port 80`: a command, or options of one, before the expression."""
    first = s.tokens[0]
    words = list(re.finditer(r"\S+", s.text))
    is_option = bool(words) and re.match(r"-{1,2}[A-Za-z]", words[0][0]) is not None
    if s.found_index > 1 or not (first.text in COMMANDS or is_option):
        return None
    position = 0
    while position < len(words):
        word = words[position][0]
        if word == "cbpf" or re.fullmatch(rf"-[A-Za-z]*[{OPTIONS_WITH_VALUE}]", word):
            position += 2
        elif word in COMMANDS or word.startswith("-"):
            position += 1
        else:
            break
    start = words[position].start() if position < len(words) else len(s.text)
    fact = f"'{words[0][0]}' is an option of a command" if is_option else f"'{first.text}' is a command"
    return Repair(first.start, f"{fact}, which is not part of an expression", Edit(first.start, start, ""))


def html_entity(s: Situation) -> Repair | None:
    """Recognise `&amp;`."""
    for match in re.finditer(ENTITIES, s.text):
        if match.start() <= s.found.start < match.end():
            character = html.unescape(match[0])
            character = CHARACTERS.get(character, character)
            fact = f"'{match[0]}' is the HTML spelling of '{character}'"
            return Repair(match.start(), fact, Edit(match.start(), match.end(), character))
    return None


def comment(s: Situation) -> Repair | None:
    """Recognise a comment."""
    if not s.text.startswith(_COMMENT_MARKS, s.found.start):
        return None
    end = s.text.find("\n", s.found.start)
    edit = Edit(s.found.start, len(s.text) if end < 0 else end, "")
    mark = next(mark for mark in _COMMENT_MARKS if s.text.startswith(mark, s.found.start))
    fact = f"'{mark}' begins a comment, which is not part of an expression"
    if edit.apply(s.text).strip():
        return Repair(s.found.start, fact, edit)
    return Repair(s.found.start, fact, advice="an empty expression accepts every packet")


def listed(s: Situation) -> Repair | None:
    """Recognise a comma or semicolon between operands."""
    found, following = s.found, s.token(1)
    if found.text not in (",", ";"):
        return None
    if following.kind == "end" or (is_keyword(following) and following.word in ("and", "or")):
        fact = f"{shown(found)} is not part of an expression"
        return Repair(found.start, fact, Edit(found.start, found.end, ""))
    word = "or" if following.kind in ID_KINDS and found.text == "," else "and"
    blank = "" if s.text[found.end : found.end + 1].isspace() else " "
    fact = f"{shown(found)} does not join operands; '{word}' does"
    return Repair(found.start, fact, Edit(found.start, found.end, f" {word}{blank}"))


def character(s: Situation) -> Repair | None:
    """Recognise a character that no token contains."""
    found, text = s.found, s.found.text
    if found.kind != "unknown":
        return None
    is_quotation = text in QUOTATION_MARKS
    fact = f"{shown(found)} is {'a quotation mark, which is ' if is_quotation else ''}not part of an expression"
    replacement = "" if is_quotation else CHARACTERS.get(text)
    if replacement is None and not text.isascii():
        normal = unicodedata.normalize("NFKC", text)
        replacement = " " if text.isspace() else normal if normal.isascii() and normal.isprintable() else None
    return Repair(found.start, fact, None if replacement is None else Edit(found.start, found.end, replacement))


def operator(s: Situation) -> Repair | None:
    """Recognise a sequence such as `!==` and `=!`, and a word such as `eq`."""
    found = s.found
    for match in re.finditer("[=!<>~:&|]{2,4}", s.text):
        if match.start() <= found.start < match.end() and match[0] in OPERATORS:
            fact = f"'{match[0]}' is not an operator"
            return Repair(match.start(), fact, Edit(match.start(), match.end(), OPERATORS[match[0]]))
    if found.word in COMPARISONS and found.kind == "name" and (s.problem.after_value or s.problem.qualifiers):
        return Repair(found.start, f"{shown(found)} is not an operator", s.replace_found(COMPARISONS[found.word]))
    return None
