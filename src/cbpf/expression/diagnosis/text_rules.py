"""Rules for characters and text around an expression: quotation marks, comments, commands, lists.

Each rule is a function of a `Situation`; it returns None, or a `Repair`.
"""

import html
import re
import unicodedata

from ..._typing import Final
from ..vocabulary import ARGUMENTS, KEYWORDS, NUMBERED
from .mistakes import (
    CHARACTER_RULES,
    CHARACTERS,
    COMMANDS,
    COMPARISONS,
    ENTITIES,
    OPERATORS,
    OPTIONS_WITH_VALUE,
    QUOTATION_MARKS,
    SHELL_COMMANDS,
    SYNONYMS,
    TCP_FLAGS,
)
from .situation import ID_KINDS, RELATIONS, Edit, Repair, Situation, is_keyword, shown

_COMPARISONS: Final = RELATIONS | {"=="}
_LETTERS: Final = re.compile(r"[^\W\d_][\w-]*")
_COMMENT_MARK: Final = re.compile(r"#|//|/\*|--(?=\s|$)")
_OPTION: Final = re.compile(r"--?([A-Za-z][\w-]*)")
_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:/]*")


def _after_options(words: list[re.Match[str]]) -> int:
    """Return the number of words that are commands, options and the values of options."""
    position = 0
    while position < len(words):
        word = words[position][0]
        has_value = word == "cbpf" or re.fullmatch(rf"-[A-Za-z]*[{OPTIONS_WITH_VALUE}]", word)
        if has_value and position + 1 < len(words) and _ADDRESS.fullmatch(words[position + 1][0]):
            break  # an option of another command, such as -s of iptables
        if not has_value and word not in COMMANDS and not word.startswith("-"):
            break
        position += 2 if has_value else 1
    return min(position, len(words))


def option(s: Situation) -> Repair | None:
    """Recognise `tcp --dport 80` and `tcp port 80 -w FILE`: an option after the beginning or in place of a keyword."""
    start = s.found.start - len(re.findall("-*$", s.text[: s.found.start])[0])  # the dashes are operators to the parser
    match = _OPTION.match(s.text, start)
    if match is None or not (s.is_complete or s.is_operand_expected or start == s.tokens[0].start):
        return None
    fact = f"'{match[0][:40]}' is an option of a command, which is not part of an expression"
    keyword = SYNONYMS.get(match[1].lower())
    if keyword and match[0].startswith("--"):
        return Repair(start, fact, Edit(start, match.end(), keyword))
    if start == s.tokens[0].start:
        return None
    words = list(re.finditer(r"\S+", s.text[start:]))
    is_end = s.is_complete and not match[0].startswith("--") and _after_options(words) == len(words)
    return Repair(start, fact, Edit(start, len(s.text), "") if is_end else None)


def pasted_command(s: Situation) -> Repair | None:
    """Recognise `tcpdump -i eth0 tcp port 80`: a command, or options of one, before the expression."""
    first = s.tokens[0]
    words = list(re.finditer(r"\S+", s.text))
    is_option = bool(words) and re.match(r"-{1,2}[A-Za-z]", words[0][0]) is not None
    if s.found_index > 1 or not (first.text in COMMANDS or is_option):
        return None
    position = _after_options(words)
    start = words[position].start() if position < len(words) else len(s.text)
    fact = f"'{words[0][0]}' is an option of a command" if is_option else f"'{first.text}' is a command"
    edit = Edit(first.start, start, "") if position else None
    return Repair(first.start, f"{fact}, which is not part of an expression", edit)


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
    match = _COMMENT_MARK.match(s.text, s.found.start)
    if match is None:
        return None
    end = s.text.find("\n", s.found.start)
    edit = Edit(s.found.start, len(s.text) if end < 0 else end, "")
    fact = f"'{match[0]}' begins a comment, which is not part of an expression"
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
    if s.token(-1).text in TCP_FLAGS.values() and following.text.removeprefix("tcp-") in TCP_FLAGS:
        return Repair(found.start, f"{shown(found)} does not join flags; '|' does", s.replace_found("|"))
    if is_keyword(s.token(-2)) and s.token(-2).word in {*NUMBERED, *ARGUMENTS}:  # `vlan 5 or vlan 6` tests two tags
        return Repair(found.start, f"{shown(found)} is not part of an expression")
    is_list = following.kind in ID_KINDS or (following.kind == s.token(-1).kind == "protocol")
    word = "or" if is_list and found.text == "," else "and"
    blank = "" if s.text[found.end : found.end + 1].isspace() else " "
    fact = f"{shown(found)} does not join operands; '{word}' does"
    return Repair(found.start, fact, Edit(found.start, found.end, f" {word}{blank}"))


def quoted_bytes(s: Situation) -> Repair | None:
    """Recognise `tcp[20:4] = "GET "`: the bytes of a field as text."""
    match = re.match(r"([\"'])((?:[ -~]{2}){1,2})\1", s.text[s.found.start :])
    field = re.search(r":\s*([24])\s*\]\s*[=!<>]+\s*$", s.text[: s.found.start])
    if match is None or field is None or len(match[2]) != int(field[1]):
        return None
    fact = f"{shown(s.found)} is a quotation mark; bytes are compared as a number"
    end = s.found.start + match.end()
    return Repair(s.found.start, fact, Edit(s.found.start, end, f"0x{match[2].encode().hex()}"))


def shell_operator(s: Situation) -> Repair | None:
    """Recognise `tcp port 80 > FILE` and `tcp port 80 | head`: an operator of the shell within the quotation."""
    found, following = s.found, s.token(1)
    is_file = found.text in (">", ">>") and following.kind == "name"
    is_pipe = found.text == "|" and following.text in SHELL_COMMANDS
    if not s.is_complete or not (is_file or is_pipe):
        return None
    fact = f"'{found.text} {following.text[:40]}' is for the shell, and not part of an expression"
    return Repair(found.start, fact, Edit(found.start, len(s.text), ""))


def accented_word(s: Situation) -> Repair | None:
    """Recognise `tcp p\u00f6rt 80`: a word with letters that ASCII does not have."""
    words = (match for match in _LETTERS.finditer(s.text) if match.start() <= s.found.start < match.end())
    match = next(words, None)
    if match is None or match[0].isascii():
        return None
    plain = unicodedata.normalize("NFKD", match[0]).encode("ascii", "ignore").decode()
    edit = Edit(match.start(), match.end(), plain) if plain in KEYWORDS else None
    letter = next(token for token in s.tokens if token.start >= match.start() and not token.text.isascii())
    return Repair(letter.start, f"{shown(letter)} is not part of an expression", edit)


def quotation(s: Situation) -> Repair | None:
    """Recognise a quotation: two quotation marks with a part of the expression between them."""
    if s.found.text not in QUOTATION_MARKS:
        return None
    end = next((index for index in range(s.found.end, len(s.text)) if s.text[index] in QUOTATION_MARKS), s.found.end)
    inside = s.text[s.found.end : end].strip()
    fact = f"{shown(s.found)} is a quotation mark, which is not part of an expression"
    return Repair(s.found.start, fact, Edit(s.found.start, end + 1, inside)) if inside else None


def character(s: Situation) -> Repair | None:
    """Recognise a character that no token contains."""
    found, text = s.found, s.found.text
    if found.kind != "unknown":
        return None
    is_quotation = text in QUOTATION_MARKS
    fact = f"{shown(found)} is {'a quotation mark, which is ' if is_quotation else ''}not part of an expression"
    replacement = "" if is_quotation else CHARACTERS.get(text)
    if replacement is None and not text.isascii():
        return Repair(found.start, fact, _normal(s))
    edit = None if replacement is None else s.replace_found(replacement)
    return Repair(found.start, fact, edit, CHARACTER_RULES.get(text, ""))


def _normal(s: Situation) -> Edit | None:
    """Return the edit that writes characters such as full-width digits in ASCII."""
    if s.found.text.isspace():
        return s.replace_found(" ")
    end = s.found.start
    normal = ""
    while end < len(s.text) and not s.text[end].isascii():
        character = unicodedata.normalize("NFKC", s.text[end])
        if not (character.isascii() and character.isprintable()):
            break
        normal, end = normal + character, end + 1
    return Edit(s.found.start, end, normal) if normal else None


def operator(s: Situation) -> Repair | None:
    """Recognise a sequence such as `!==` and `=!`, and a word such as `eq`."""
    found = s.found
    for match in re.finditer("[=!<>~:&|]{2,4}", s.text):
        if match.start() <= found.start < match.end() and match[0] in OPERATORS:
            fact = f"'{match[0]}' is not an operator"
            return Repair(match.start(), fact, Edit(match.start(), match.end(), OPERATORS[match[0]]))
    previous = s.token(-1)
    if previous.word in {*RELATIONS, "not"} and found.word in RELATIONS:
        joined = f"{previous.text}{found.text}"
        text = found.text if previous.word == found.word else OPERATORS.get(joined, joined)
        edit = Edit(previous.start, found.end, text) if text in _COMPARISONS else None
        return Repair(found.start, f"{shown(found)} follows {shown(previous)}", edit)
    if found.word in COMPARISONS and found.kind == "name" and (s.problem.after_value or s.problem.qualifiers):
        return Repair(found.start, f"{shown(found)} is not an operator", s.replace_found(COMPARISONS[found.word]))
    return None
