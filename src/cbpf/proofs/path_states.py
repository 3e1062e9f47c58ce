"""The states of paths in a symbolic execution, and their merging where paths join.

Paths are merged unless they differ in a register that `path_registers` names; any other register with different values
becomes a choice between these values. The choice is built when the register is first read, and therefore never for a
dead register. Paths with different positions of later loads remain apart, up to a limit. A position is then a sum,
which is the same term in every program that computes it; with a choice, a proof takes up to a thousand times as long.
"""

from collections.abc import Hashable, Sequence

from .._named_tuple import NamedTuple
from .._typing import Final, TypeAlias
from .terms import BoolTerm, Terms, WordTerm, term_key

_MAX_STATES: Final = 16
"""The number of states at an instruction; further ones are merged."""


class Choice:
    """A word with different values on several incoming edges; its term is built when it is first read.

    Args:
        incoming: Each value, with the path conditions of the edges that provide it.
    """

    __slots__ = ("incoming", "term")

    def __init__(self, incoming: "list[tuple[LazyWord, list[BoolTerm]]]") -> None:
        self.incoming = incoming
        self.term: WordTerm = None


LazyWord: TypeAlias = "WordTerm | Choice"


class PathState(NamedTuple):
    """The state on an edge.

    Args:
        condition: The path condition.
        words: The words by the number of their register.
        captured: For the key of a position, a number of bytes that are captured from there on in every packet on this
            path; the key 0 is the position of packet byte 0.
    """

    condition: BoolTerm
    words: tuple[LazyWord, ...]
    captured: dict[Hashable, int]


def merge_states(terms: Terms, states: list[PathState], registers: Sequence[int]) -> list[PathState]:
    """Merge the states of incoming edges in which *registers* are equal."""
    if len(states) < 2:
        return states
    groups: dict[Hashable, list[PathState]] = {}
    for state in states:
        key = tuple([_key(state.words[register]) for register in registers])
        groups.setdefault(key if len(groups) < _MAX_STATES or key in groups else None, []).append(state)
    return [group[0] if len(group) == 1 else _merge(terms, group) for group in groups.values()]


def _merge(terms: Terms, states: list[PathState]) -> PathState:
    condition = terms.any(*(state.condition for state in states))
    _, words, captured = states[0]
    if any(state.words is not words for state in states):
        words = tuple([_merge_word(states, values) for values in zip(*(state.words for state in states), strict=True)])
    if any(state.captured is not captured for state in states):
        common = set(captured).intersection(*(state.captured for state in states))
        captured = {position: min(state.captured[position] for state in states) for position in common}
    return PathState(condition, words, captured)


def _merge_word(states: list[PathState], values: tuple[LazyWord, ...]) -> LazyWord:
    first = values[0]
    if all(value is first for value in values):
        return first
    incoming: dict[Hashable, tuple[LazyWord, list[BoolTerm]]] = {}
    for state, value in zip(states, values, strict=True):
        incoming.setdefault(_key(value), (value, []))[1].append(state.condition)
    return first if len(incoming) == 1 else Choice(list(incoming.values()))


def _key(word: LazyWord) -> Hashable:
    return word if isinstance(word, Choice) else term_key(word)


def built(terms: Terms, word: LazyWord) -> WordTerm:
    """Return the term of a word, after building the choices that it depends on.

    It is iterative, since a program may have thousands of joins.
    """
    if not isinstance(word, Choice):
        return word
    pending = [word]
    while pending:
        last = pending[-1]
        unbuilt = [value for value, _ in last.incoming if isinstance(value, Choice) and value.term is None]
        if unbuilt:
            pending += unbuilt
        elif pending.pop().term is None:
            last.term = _choose(terms, last)
    return word.term


def _choose(terms: Terms, choice: Choice) -> WordTerm:
    """Return the value whose path condition holds; one of them does, so the last one needs no test."""
    *others, (last, _) = choice.incoming
    word = last.term if isinstance(last, Choice) else last
    for value, conditions in reversed(others):
        term = value.term if isinstance(value, Choice) else value
        word = terms.select(terms.any(*conditions), term, word)
    return word
