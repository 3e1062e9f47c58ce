"""The explanation of an expression that libpcap rejects: the place, the fact, and the expression to write instead.

This module runs only after libpcap has rejected a text. A syntax error is explained by cbpf's own parser and the rules
of `repairs`; any other error has libpcap's text, and its place is the token after which libpcap reports it.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

from ...errors import ExpressionError
from ...formats.text_input import SourceText
from ..lexer import Token, tokens
from ..libpcap import REJECTS_ALL_MESSAGE
from ..parser import parse
from ..primitives import EXPECTED_CONDITION, SyntaxProblem
from ..vocabulary import ARGUMENTS, WLAN
from .repairs import RULES, WORD_RULES
from .semantic_rules import semantic_repairs
from .situation import ID_KINDS, Repair, Rule, Situation, shown
from .word_rules import with_protocol_tests

Compile: TypeAlias = Callable[[str], str | None]
"""text -> the error message of libpcap with its optimiser, or None if it accepts the text."""

_SYNTAX_ERRORS: Final = ("can't parse filter expression: syntax error", "syntax error in filter expression")
_LEXICAL_ERROR: Final = re.compile("number .* (overflows 32 bits|contains non-.* digit)|bogus (IPv6|ethernet) address")
_TOO_DEEP: Final = "can't parse filter expression: memory exhausted"
_PROBE: Final = " 099"  # an invalid number: libpcap reports it only if it accepts the tokens before
_LOCAL_NAMES: Final = {"port", "portrange", "proto", "protochain", "llc", *ARGUMENTS, *WLAN}
_GROUP: Final = "write the alternatives in parentheses, and join them with 'and' or 'or'"
_MAX_REPAIRS: Final = 40
_MAX_CORRECTED: Final = 2_000  # characters of an expression that is corrected as a whole
_MAX_SHOWN: Final = 120  # characters of a suggested expression


class _Explanation(NamedTuple):
    offset: int | None
    message: str
    hint: str = ""
    suggestion: str = ""


def is_syntax_error(message: str) -> bool:
    """Return whether a message of libpcap is about the syntax, on which the link type has no influence."""
    return message in _SYNTAX_ERRORS or _LEXICAL_ERROR.match(message) is not None


def diagnose(
    text: str, message: str, compile: Compile, kind: type[ExpressionError] = ExpressionError
) -> ExpressionError:
    """Return the error, of class *kind*, for a text that libpcap has rejected with *message*."""
    problem = _syntax_problem(text) if is_syntax_error(message) else None
    explanation = _explain(text, problem, compile) if problem else _explain_semantics(text, message, compile)
    full = "; ".join(filter(None, [explanation.message, explanation.hint]))
    error = kind(
        full,
        expression=text,
        problem=None if explanation.offset is None else SourceText(text).problem(explanation.offset, full),
    )
    error.hint, error.suggestion = explanation.hint, explanation.suggestion
    return error


def diagnose_syntax(text: str) -> ExpressionError:
    """Return the error for a text that the parser rejects; its suggestions are checked by the parser alone."""
    return diagnose(
        text, _SYNTAX_ERRORS[0], lambda candidate: _SYNTAX_ERRORS[0] if _syntax_problem(candidate) else None
    )


def _syntax_problem(text: str) -> SyntaxProblem | None:
    try:
        parse(text)
    except SyntaxProblem as problem:
        return problem
    return None


# Syntax


def _explain(text: str, problem: SyntaxProblem, compile: Compile) -> _Explanation:
    found = problem.found
    if found.kind == "invalid":
        return _Explanation(found.start, found.word)
    repair = _repair(text, problem, compile)
    if repair is None:
        fact = "the expression ends here" if found.kind == "end" else f"unexpected {shown(found)}"
        return _Explanation(found.start, fact, f"expected {problem.expected}")
    if repair.edit is None:
        return _Explanation(repair.start, repair.fact, repair.advice)
    suggestion = _corrected(repair.edit.apply(text), compile) if len(text) <= _MAX_CORRECTED else ""
    if suggestion is None:
        return _Explanation(repair.start, repair.fact)
    if suggestion and len(suggestion) <= _MAX_SHOWN:
        return _Explanation(repair.start, repair.fact, f'{repair.introduction} "{suggestion}"', suggestion)
    replacement = repair.edit.text.strip()
    advice = f'{repair.introduction} "{replacement}" there' if replacement else f"remove {shown(found)}"
    return _Explanation(repair.start, repair.fact, advice, suggestion)


def _repair(text: str, problem: SyntaxProblem, compile: Compile) -> Repair | None:
    """Return the first repair after which the text is right, or wrong at a later place only."""
    all_tokens = tokens(text)
    index = next(index for index, token in enumerate(all_tokens) if token.start == problem.found.start)
    situation = Situation(text, all_tokens, index, problem, _acceptance(compile))
    if _is_carried_name(situation):
        name = situation.token(-1)
        carried = situation._replace(found_index=index - 1, problem=SyntaxProblem(name, EXPECTED_CONDITION))
        return _first(WORD_RULES, carried, problem) or _first(RULES, situation, problem)
    return _first(RULES, situation, problem)


def _acceptance(compile: Compile) -> Callable[[str], bool]:
    """Return the function that decides whether a text can be compiled, as far as that needs no name server.

    An `and` without an operand ends libpcap's work before it generates code, which takes seconds for a long text. A
    short text is compiled, and must neither accept nor reject all packets: `tcp and udp` is never the intention.
    """

    def accepts(text: str) -> bool:
        if _syntax_problem(text) is not None:
            return False
        if _looks_up_names(text):
            return True
        return compile(f"{text} and") == _SYNTAX_ERRORS[0] and not (len(text) <= _MAX_SHOWN and is_constant(text))

    def is_constant(text: str) -> bool:
        return REJECTS_ALL_MESSAGE in (compile(text), compile(f"not ({text})"))

    return accepts


def _is_carried_name(situation: Situation) -> bool:
    """Return whether the token before the unexpected one is a name without qualifiers of its own."""
    return situation.token(-1).kind == "name" and situation.token(-2).word in ("and", "or", "not", "(")


def _first(rules: Iterable[Rule], situation: Situation, problem: SyntaxProblem) -> Repair | None:
    for rule in rules:
        repair = rule(situation)
        if repair is not None and (repair.edit is None or _improves(situation.text, problem, repair)):
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


def _improves(text: str, problem: SyntaxProblem, repair: Repair) -> bool:
    """Return whether less of the text remains after the error of the repaired text than after the present one."""
    assert repair.edit is not None
    repaired = repair.edit.apply(text)
    if not repaired.strip():
        return False
    next_problem = _syntax_problem(repaired)
    if next_problem is None:
        return True
    remaining = len(repaired) - next_problem.found.start
    return remaining < len(text) - max(problem.found.start, repair.edit.end - 1) or (
        remaining <= len(text) - repair.edit.end
    )


def _corrected(text: str, compile: Compile) -> str | None:
    """Return the expression after further repairs.

    The result is an empty text if a later mistake has no repair, and None if the repaired text cannot be compiled.
    """
    for _ in range(_MAX_REPAIRS):
        problem = _syntax_problem(text)
        if problem is None:
            text = with_protocol_tests(" ".join(text.split()))
            return text if _acceptance(compile)(text) else None
        repair = _repair(text, problem, compile)
        if repair is None or repair.edit is None or repair.is_guess:
            return ""
        text = repair.edit.apply(text)
    return ""


def _looks_up_names(text: str) -> bool:
    """Return whether libpcap may query a name server for a name in the text."""
    words = tokens(text)
    return any(
        name.kind == "name" and not (before.kind == "keyword" and before.word in _LOCAL_NAMES)
        for before, name in zip([words[-1], *words], words, strict=False)
    )


# Semantics


def _explain_semantics(text: str, message: str, compile: Compile) -> _Explanation:
    if message == _TOO_DEEP:
        fact, advice = "nested too deeply for libpcap", "it accepts about 10,000 open parentheses and negations"
        return _Explanation(_place(text, message, compile), fact, advice)
    offset = _place(text, message, compile)
    cleaned = " ".join(message.removeprefix("can't parse filter expression: ").split())
    cleaned = "".join(character if character.isprintable() else "\ufffd" for character in cleaned)
    if offset is None:
        return _Explanation(None, cleaned)
    repair = _semantic_repair(text, offset, cleaned, compile)
    if repair.edit is None:
        return _Explanation(offset, cleaned, repair.advice)
    suggestion = " ".join(repair.edit.apply(text).split())
    shown_text = suggestion if len(suggestion) <= _MAX_SHOWN else repair.edit.text.strip()
    return _Explanation(offset, cleaned, f'{repair.introduction} "{shown_text}"', suggestion)


def _semantic_repair(text: str, offset: int, message: str, compile: Compile) -> Repair:
    """Return the first repair after which the text can be compiled, or advice."""
    all_tokens = tokens(text)
    index = next(index for index, token in enumerate(all_tokens) if token.start >= offset)
    problem = SyntaxProblem(all_tokens[index], EXPECTED_CONDITION)
    situation = Situation(text, all_tokens, index, problem, _acceptance(compile))
    advice = ""
    for repair in semantic_repairs(situation, message):
        if repair.edit is None:
            advice = advice or repair.advice
        elif situation.accepts(repair.edit.apply(text)) and not _needs_parentheses(situation, repair):
            return repair
    return Repair(offset, message, advice=advice)


def _place(text: str, message: str, compile: Compile) -> int | None:
    """Return the offset of the token after which libpcap reports the error; None if it depends on no token.

    libpcap compiles while it reads, so it reports the first error of the shortest beginning that has one.
    """
    all_tokens = tokens(text)[:-1]
    named = re.match(r"unknown host '(.*)'$", message)
    if named:  # no further queries of name servers
        offsets = [token.start for token in all_tokens if token.kind == "name" and token.word == named[1]]
        if len(offsets) == 1:
            return offsets[0]
    if not all_tokens or compile(_PROBE) == message:
        return None
    if compile(text + _PROBE) != message:  # found after a look at the end of the text, or in the complete program
        return _beginning(all_tokens, len(all_tokens) - 1).start if compile(f"{text} and") == message else None
    low, high = 0, len(all_tokens)
    while low + 1 < high:  # the error is after token `low`, and not after token `high`
        middle = (low + high) // 2
        fails = compile(text[: all_tokens[middle - 1].end] + _PROBE) == message
        low, high = (low, middle) if fails else (middle, high)
    if (
        high > 1 and compile(f"{text[: all_tokens[high - 2].end]} and") == message
    ):  # found after a look at the last token
        high -= 1
    return _beginning(all_tokens, high - 1).start


def _beginning(all_tokens: list[Token], index: int) -> Token:
    """Return the first token of the identifier or field that ends with a token."""
    while index and all_tokens[index].text == ")":
        index -= 1
    if all_tokens[index].text == "]":
        depth = 0
        while index:
            depth += {"]": 1, "[": -1}.get(all_tokens[index].text, 0)
            index -= 1
            if not depth:
                break
        return all_tokens[index]
    if index > 1 and all_tokens[index - 1].word in ("/", "mask") and all_tokens[index - 2].kind in ("ipv4", "ipv6"):
        index -= 2
    return all_tokens[index]
