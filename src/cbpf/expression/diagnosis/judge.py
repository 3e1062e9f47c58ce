"""The problems of a text, found without a query of a name server, and whether it is worth suggesting."""

from collections.abc import Sequence
from contextlib import suppress

from ..._typing import Final, TypeAlias
from ...isa.dialects import LINUX, PCAP
from ...isa.opcodes import OPCODE_BY_CODE, Action
from ..generator.assembler import assemble
from ..generator.generate import Generated, generate
from ..names import Lookups
from ..parser import parse
from ..primitives import SyntaxProblem
from ..problems import ExpressionProblem, ExpressionProblems
from ..target import Target, link_types_to_try

Found: TypeAlias = SyntaxProblem | ExpressionProblem
"""A problem that the parser or the generator has found."""

MAX_GENERATED: Final = 2_000  # characters; of a longer text, only the syntax is judged
_MAX_OPTIMIZED: Final = 120  # characters
_ACCEPTED: Final = 1  # the verdict on accepted packets


class Judge:
    """Decides about texts that may be suggested.

    Args:
        target: The packets of the expression; None judges only the syntax.
        names: The names that were looked up in the rejected expression. All others are assumed to exist: no suggestion
            is worth a query of a name server.
    """

    def __init__(self, target: Target | None, names: Lookups) -> None:
        self._target = target
        self._names = names if names.resolver is None else Lookups(_Assumed(names))

    def problems(self, text: str) -> tuple[Found, ...]:
        """Return the problem of the syntax, or else all problems of the meaning."""
        try:
            self._generated(text)
        except SyntaxProblem as problem:
            return (problem,)
        except ExpressionProblems as found:
            return found.problems
        return ()

    @staticmethod
    def syntax_problem(text: str) -> SyntaxProblem | None:
        """Return the problem of the syntax, or None."""
        try:
            parse(text)
        except SyntaxProblem as problem:
            return problem
        return None

    def accepts(self, text: str) -> bool:
        """Return whether a text can be compiled; a short one must neither accept nor reject all packets."""
        try:
            generated = self._generated(text)
        except (SyntaxProblem, ExpressionProblems):
            return False
        return generated is None or len(text) > _MAX_OPTIMIZED or not self._is_constant(generated)

    def fits_another_link_type(self, text: str) -> bool:
        """Return whether a text can be compiled for another link type; of a long one, for a representative."""
        assert self._target is not None
        tree = parse(text)
        for candidate in link_types_to_try(all_types=len(text) <= MAX_GENERATED):
            with suppress(ExpressionProblems):
                generate(tree, self._target._replace(dlt=candidate.dlt), self._names)
                return True
        return False

    def _generated(self, text: str) -> Generated | None:
        tree = parse(text)
        if self._target is None or len(text) > MAX_GENERATED:
            return None
        return generate(tree, self._target, self._names)

    def _is_constant(self, generated: Generated) -> bool:
        """Return whether all packets that are long enough have one verdict, as with `tcp and udp`."""
        from ...optimizer.pipeline import improve

        code = assemble(generated.condition, _ACCEPTED).instructions
        dialect = LINUX if self._target is not None and self._target.socket is not None else PCAP
        improved = improve(code, dialect=dialect, goal="size")
        returns = [raw for raw in (improved or code) if OPCODE_BY_CODE[raw.op].action is Action.RETURN]
        return len({raw.k for raw in returns}) == 1  # apart from packets that are too short for a load


class _Assumed:
    """A resolver with the answers that are known, and with example addresses and numbers for all other names."""

    def __init__(self, names: Lookups) -> None:
        self._names = names

    def addresses(self, host: str) -> Sequence[str]:
        """Return the addresses of a host."""
        known: Sequence[str] = self._names.known(("192.0.2.1", "2001:db8::1"), "addresses", host)
        return known

    def ethernet_address(self, host: str) -> str | None:
        """Return the Ethernet address of a host."""
        known: str | None = self._names.known("02:00:00:00:00:01", "ethernet_address", host)
        return known

    def network(self, name: str) -> str | None:
        """Return the address of a network."""
        known: str | None = self._names.known("192.0.2.0", "network", name)
        return known

    def port(self, service: str, transport: str) -> int | None:
        """Return the port of a service."""
        known: int | None = self._names.known(_number(service), "port", service, transport)
        return known

    def protocol(self, name: str) -> int | None:
        """Return the number of a protocol."""
        known: int | None = self._names.known(_number(name) & 0xFF, "protocol", name)
        return known


def _number(name: str) -> int:
    """Return a number that two names hardly have in common."""
    return sum(name.encode()) & 0xFFFF
