"""A search for code that calls itself for operands, with a cache, and without deep recursion.

The code for a value contains the code for its operands, so the search for a value requests theirs. After a few nested
requests, a further one is postponed: it is served first, from an explicit stack, and the search that needs it starts
again and finds it in the cache. So a value may be nested to any depth.
"""

from collections.abc import Callable

from ..._named_tuple import NamedTuple
from ..._typing import Final, TypeAlias
from ..ir.requirements import ValueId
from ..ir.value_numbering import TooLarge
from .straight_line import RegisterContents, StraightLineCode

_MAX_NESTED_REQUESTS: Final = 8
_MAX_INSTRUCTIONS: Final = 1_000_000


class Request(NamedTuple):
    """A request for the shortest code that loads *value* into A, which preserves X if *keep_x*."""

    value: ValueId
    contents: RegisterContents
    keep_x: bool


Candidates: TypeAlias = Callable[[ValueId, RegisterContents, bool], list[StraightLineCode]]
"""A function that returns the candidates for a request; it may call `CodeSearch.shortest` for other requests."""


class _Postponed(Exception):
    """A request is nested too deeply; it must be served first."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.request = request


class CodeSearch:
    """The search for the shortest code for requests.

    Args:
        candidates: The function that returns the candidates for a request.
    """

    def __init__(self, candidates: Candidates) -> None:
        self._candidates = candidates
        self._cache: dict[Request, StraightLineCode | None] = {}
        self._nested = 0
        self._instructions = 0

    def complete(self, select: Callable[[], StraightLineCode]) -> StraightLineCode:
        """Return the result of *select*, which starts again after each request that is postponed.

        Raises `TooLarge` if the candidates of all requests have more than a million instructions in total.
        """
        while True:
            try:
                return select()
            except _Postponed as postponed:
                self._serve(postponed.request)

    def shortest(self, request: Request) -> StraightLineCode | None:
        """Return the shortest candidate for a request, or None if there is none; call this only within `complete`."""
        if request not in self._cache:
            if self._nested == _MAX_NESTED_REQUESTS:
                raise _Postponed(request)
            self._nested += 1
            candidates = self._candidates(*request)
            self._nested -= 1
            self._instructions += sum(map(len, candidates))
            if self._instructions > _MAX_INSTRUCTIONS:
                raise TooLarge
            self._cache[request] = min(candidates, key=len, default=None)
        return self._cache[request]

    def _serve(self, request: Request) -> None:
        """Store the code for a request in the cache, and before that the code for each request that is postponed."""
        pending = [request]
        while pending:
            self._nested = 0
            try:
                self.shortest(pending[-1])
                pending.pop()
            except _Postponed as postponed:
                pending.append(postponed.request)
        self._nested = 0
