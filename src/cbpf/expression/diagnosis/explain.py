"""The explanation of an expression that cannot be compiled: places, facts, rules, and the expression to write instead.

This module runs only after the parser or the generator has found problems. A syntax error ends the parser's work.
The problems after it are found by parsing the repaired text, or the text without
the clause that has the error. The generator finds all problems of a text at once.
"""

import re
from collections.abc import Iterable, Sequence

from ..._named_tuple import NamedTuple
from ..._typing import Final
from ...errors import ExpressionError, LinkTypeError
from ...formats.text_input import SourceText
from ..lexer import tokens
from ..names import Lookups
from ..primitives import EXPECTED_CONDITION, SyntaxProblem
from ..problems import ExpressionProblem
from .judge import MAX_GENERATED, Found, Judge
from .repairs import RULES, WORD_RULES
from .resumption import without_clause
from .semantic_rules import semantic_repairs, word_before
from .situation import ID_KINDS, Edit, Repair, Rule, Situation, quoted, shown
from .word_rules import with_protocol_tests

_GROUP: Final = "write the alternatives in parentheses, and join them with 'and' or 'or'"
_MAX_REPAIRS: Final = 40
_MAX_SHOWN: Final = 120  # characters of a suggested expression


class _Note(NamedTuple):
    """The explanation of one problem.

    Args:
        offset: The place in the text of the user; None if the problem concerns no part of it.
        fact: The mistake.
        rule: The rule that the text does not follow, or a remedy.
        repair: The repair, or None.
        local: The repair in words, without the rest of the expression.
    """

    offset: int | None
    fact: str
    rule: str = ""
    repair: Repair | None = None
    local: str = ""


class _Draft:
    """A text that is corrected step by step, and the places of its characters in the original text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._edits: list[tuple[Edit, int]] = []

    def apply(self, edit: Edit) -> None:
        """Apply an edit."""
        before, self.text = self.text, edit.apply(self.text)
        self._edits.append((edit, len(self.text) - len(before)))

    def original(self, offset: int) -> int | None:
        """Return the offset in the original text; None for a character that an edit has inserted."""
        for edit, growth in reversed(self._edits):
            if offset >= edit.end + growth:
                offset -= growth
            elif offset >= edit.start:
                return None
        return offset


def diagnose(text: str, found: Sequence[Found], judge: Judge) -> ExpressionError:
    """Return the error for a text with problems; `LinkTypeError` if it can be compiled for another link type."""
    notes, suggestion = _Diagnosis(text, judge).explain(found)
    notes.sort(key=lambda note: -1 if note.offset is None else note.offset)
    source = SourceText(text)
    hints = [_hint(note, suggestion if index == 0 else None) for index, note in enumerate(notes)]
    messages = ["; ".join(filter(None, [note.fact, hint])) for note, hint in zip(notes, hints, strict=True)]
    problems = tuple(
        source.problem(note.offset, message)
        for note, message in zip(notes, messages, strict=True)
        if note.offset is not None
    )
    of_link_type = all(
        isinstance(problem, ExpressionProblem) and problem.fits_others for problem in found
    ) and judge.fits_another_link_type(text)
    error = (LinkTypeError if of_link_type else ExpressionError)(messages[0], expression=text, problems=problems)
    error.hint, error.suggestion = hints[0], suggestion or ""
    return error


def diagnose_syntax(text: str, problem: SyntaxProblem) -> ExpressionError:
    """Return the error for a text that the parser rejects; its suggestions are checked by the parser alone."""
    return diagnose(text, (problem,), Judge(None, Lookups(None)))


def _hint(note: _Note, suggestion: str | None) -> str:
    """Return the rule and the remedy of a note; *suggestion* is the corrected expression, if there is one."""
    if note.repair is None or note.repair.edit is None:
        return note.rule
    if suggestion and len(suggestion) <= _MAX_SHOWN:
        return "; ".join(filter(None, [note.rule, f'{note.repair.introduction} "{suggestion}"']))
    return "; ".join(filter(None, [note.rule, note.local]))


class _Diagnosis:
    def __init__(self, text: str, judge: Judge) -> None:
        self._draft = _Draft(text)
        self._judge = judge
        self._is_long = len(text) > MAX_GENERATED

    def explain(self, found: Sequence[Found]) -> tuple[list[_Note], str]:
        """Return the notes, and the corrected expression; an empty text if there is none."""
        notes: list[_Note] = []
        was_syntax, is_complete = isinstance(found[0], SyntaxProblem), True
        for _ in range(_MAX_REPAIRS):
            if not isinstance(found[0], SyntaxProblem):
                is_corrected = self._explain_meaning(found, notes) and is_complete
                return notes, self._suggestion(was_syntax) if is_corrected else ""
            note = self._syntax_note(found[0])
            if notes and note.offset is None:  # a consequence of a repair
                return notes, ""
            notes.append(note)
            edit = note.repair.edit if note.repair and (len(notes) == 1 or not note.repair.is_guess) else None
            if edit is None:
                edit, is_complete = without_clause(self._draft.text, found[0].found.start), False
            if edit is None or self._is_long:
                return notes, ""
            self._draft.apply(edit)
            found = self._judge.problems(self._draft.text)
            if not found:
                return self._checked(notes) if is_complete else (notes, "")
        return notes, ""

    def _checked(self, notes: list[_Note]) -> tuple[list[_Note], str]:
        """Return the notes and the corrected expression; without remedies if it accepts or rejects all packets."""
        suggestion = self._suggestion(of_syntax=True)
        if suggestion:
            return notes, suggestion
        notes = [note._replace(repair=None, rule="") for note in notes]
        corrected = " ".join(self._draft.text.split())
        if len(corrected) <= _MAX_SHOWN:
            notes[-1] = notes[-1]._replace(rule=f'"{corrected}" would have the same verdict for all packets')
        return notes, ""

    def _suggestion(self, of_syntax: bool) -> str:
        text = " ".join(self._draft.text.split())
        text = with_protocol_tests(text) if of_syntax else text
        return text if self._judge.accepts(text) else ""

    # Syntax

    def _syntax_note(self, problem: SyntaxProblem) -> _Note:
        found = problem.found
        if found.kind == "invalid":
            return _Note(self._draft.original(found.start), found.word)
        repair = _repair(self._draft.text, problem, self._judge)
        if repair is None:
            fact = "the expression ends here" if found.kind == "end" else f"unexpected {shown(found)}"
            return _Note(self._draft.original(found.start), fact, f"expected {problem.expected}")
        offset = self._draft.original(repair.start)
        if repair.edit is None:
            return _Note(offset, repair.fact, repair.advice)
        return self._repaired_note(offset, repair.fact, "", repair)

    # Meaning

    def _explain_meaning(self, found: Sequence[Found], notes: list[_Note]) -> bool:
        """Add the notes of all problems, and apply their repairs. Return whether all problems were repaired."""
        new: list[_Note] = []
        for index, problem in enumerate(found):
            assert isinstance(problem, ExpressionProblem)
            note = self._meaning_note(problem, len(found), may_repair=index < _MAX_REPAIRS and not self._is_long)
            if note.offset is not None or not notes:
                new.append(note)
        notes += new
        edits = [note.repair.edit for note in new if note.repair is not None and note.repair.edit is not None]
        for edit in sorted(edits, reverse=True):
            self._draft.apply(edit)
        return len(edits) == len(found)

    def _meaning_note(self, problem: ExpressionProblem, count: int, *, may_repair: bool) -> _Note:
        offset = self._draft.original(problem.span.start) if problem.span.end else None
        fact = "".join(character if character.isprintable() else "\ufffd" for character in problem.fact)
        repair = self._meaning_repair(problem, count) if may_repair and offset is not None else None
        if repair is None or repair.edit is None:
            return _Note(offset, fact, repair.advice if repair else problem.rule)
        return self._repaired_note(offset, repair.fact or fact, "" if repair.fact else problem.rule, repair)

    def _repaired_note(self, offset: int | None, fact: str, rule: str, repair: Repair) -> _Note:
        assert repair.edit is not None
        replaced = self._draft.text[repair.edit.start : repair.edit.end]
        return _Note(offset, fact, rule, repair, _local(repair, replaced))

    def _meaning_repair(self, problem: ExpressionProblem, count: int) -> Repair | None:
        """Return the first repair after which the text has fewer than *count* problems, or advice, or None."""
        situation = _place_of(self._draft.text, problem, self._judge)
        advice = None
        for repair in semantic_repairs(situation, problem.kind):
            if repair.edit is None:
                advice = advice or (repair if repair.advice else None)
                continue
            repaired = repair.edit.apply(self._draft.text)
            if self._reduces(repaired, count) and not _needs_parentheses(situation, repair):
                return repair
        return advice

    def _reduces(self, repaired: str, count: int) -> bool:
        """Return whether a repaired text has fewer problems, and can be suggested if it has none."""
        remaining = self._judge.problems(repaired)
        if not remaining:
            return self._judge.accepts(repaired)
        return len(remaining) < count and not isinstance(remaining[0], SyntaxProblem)


def _local(repair: Repair, replaced: str) -> str:
    """Return the remedy of a repair in words, without the rest of the expression."""
    assert repair.edit is not None
    replacement = repair.edit.text.strip()
    if replacement:
        return f'{repair.introduction} "{replacement}" there'
    written = quoted(replaced.strip()) if replaced.strip() else "it"
    return f"write a blank in place of {written}" if repair.edit.text else f"remove {written}"


def _place_of(text: str, problem: ExpressionProblem, judge: Judge) -> Situation:
    """Return the situation at the identifier of a problem, or at its first token if it has none."""
    all_tokens = tokens(text)
    start, end = problem.span
    inside = [index for index, token in enumerate(all_tokens) if start <= token.start < max(end, start + 1)]
    index = next((index for index in inside if all_tokens[index].kind in ID_KINDS), inside[0])
    return Situation(text, all_tokens, index, SyntaxProblem(all_tokens[index], EXPECTED_CONDITION), judge.accepts)


# Repairs of the syntax


def _repair(text: str, problem: SyntaxProblem, judge: Judge) -> Repair | None:
    """Return the first repair after which the text is right, or wrong at a later place only."""
    all_tokens = tokens(text)
    index = next(index for index, token in enumerate(all_tokens) if token.start == problem.found.start)
    situation = Situation(text, all_tokens, index, problem, judge.accepts)
    if _is_carried_name(situation):
        name = situation.token(-1)
        carried = situation._replace(found_index=index - 1, problem=SyntaxProblem(name, EXPECTED_CONDITION))
        return _first(WORD_RULES, carried, problem, judge) or _first(RULES, situation, problem, judge)
    return _first((word_before, *RULES), situation, problem, judge)


def _is_carried_name(situation: Situation) -> bool:
    """Return whether the token before the unexpected one is a name without qualifiers of its own."""
    return situation.token(-1).kind == "name" and situation.token(-2).word in ("and", "or", "not", "(")


def _first(rules: Iterable[Rule], situation: Situation, problem: SyntaxProblem, judge: Judge) -> Repair | None:
    for rule in rules:
        repair = rule(situation)
        if repair is not None and (repair.edit is None or _improves(situation.text, problem, repair, judge)):
            return repair._replace(edit=None, advice=_GROUP) if _needs_parentheses(situation, repair) else repair
    return None


def _needs_parentheses(situation: Situation, repair: Repair) -> bool:
    """Return whether a repair adds `and` or `or` where the operator before its primitive would apply to one operand.

    `and` and `or` have the same precedence, from left to right, and `not` a higher one: `ip and port 80,443` is not
    `ip and port 80 or 443`, and `not port 80,443` is not `not port 80 or 443`.
    """
    if repair.edit is None:
        return False
    inserted = re.search(r"\b(and|or)\b", re.sub(r"\([^()]*\)", "", repair.edit.text))
    replaced = situation.text[repair.edit.start : repair.edit.end]
    if inserted is None or re.fullmatch(r"(?i:and|or)", replaced):
        return False
    index = next(index for index, token in enumerate(situation.tokens) if token.start >= repair.edit.start)
    while index and (situation.tokens[index - 1].kind in ID_KINDS or situation.tokens[index - 1].text == "/"):
        index -= 1
    head = situation._replace(found_index=index).head_index()
    word = situation.tokens[head - 1].word if head else ""
    joins_conditions = repair.edit.text.strip() == "and" and repair.edit.start == situation.found.start
    if word == "not" and joins_conditions:  # `not A and B` is the usual meaning of `not A B`
        return False
    return word in {"and", "or", "not"} - {inserted[1]}


def _improves(text: str, problem: SyntaxProblem, repair: Repair, judge: Judge) -> bool:
    """Return whether less of the text remains after the error of the repaired text than after the present one."""
    assert repair.edit is not None
    repaired = repair.edit.apply(text)
    if not repaired.strip():
        return False
    next_problem = judge.syntax_problem(repaired)
    if next_problem is None:
        return True
    remaining = len(repaired) - next_problem.found.start
    return remaining < len(text) - max(problem.found.start, repair.edit.end - 1) or (
        remaining <= len(text) - repair.edit.end
    )
