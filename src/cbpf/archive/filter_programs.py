"""Filters as programs for workers: compiled here, for each kind of packets that the workers find.

A worker receives the bytes of programs, and compiles no expression: so all workers run the same programs, whatever
names their machines know. A filter is compiled for a link type when a worker meets the first packets of this type.
"""

from __future__ import annotations

from functools import lru_cache

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Final, TypeAlias
from ..capture.base import Interface
from ..errors import LinkTypeError, warn
from ..expression.address_lists import Expression
from ..expression.names import SYSTEM_NAMES, Lookups
from ..filtering.bound_filter import check_filter
from ..filtering.capture_programs import compile_for_interface
from ..filtering.link_programs import LinkPrograms
from ..formats.savefile import Savefile
from ..isa.dialects import Dialect
from ..isa.instructions import RetConstant
from ..isa.program import Program
from ..isa.verifier import verify
from ..packet.link_types import LinkType, link_type, link_type_by_dlt
from ..vm import VM

if TYPE_CHECKING:
    from .._options import EngineName
    from ..filtering.bound_filter import Filter

Kind: TypeAlias = tuple[LinkType, str]
"""A kind of packets: the link type, and the byte order ("<" or ">")."""

_SNAPLEN: Final = 262_144  # the verdict on accepted packets: any number but 0 accepts all bytes of the packet
_REJECT_ALL: Final = bytes(Program([RetConstant(0)]))


class SentFilter(NamedTuple):
    """A filter as it is sent to workers: one program for all packets, or one for each kind of packets known so far."""

    program: bytes | None
    by_kind: tuple[tuple[Kind, bytes], ...]
    dialect: Dialect

    def bind(self) -> LinkPrograms | VM:
        """Return the filter for `filter_capture`; the machines of its programs are made once in a process."""
        engine = worker_engine()
        if self.program is not None:
            return _machine(self.program, self.dialect, engine)
        return LinkPrograms({kind: _machine(program, self.dialect, engine) for kind, program in self.by_kind})


def worker_engine() -> EngineName:
    """Return machine code where it can be used: a worker filters many objects with it."""
    from ..engines.base import llvm_is_installed

    return "llvm" if llvm_is_installed() else "python"


@lru_cache(maxsize=64)
def _machine(program: bytes, dialect: Dialect, engine: EngineName) -> VM:
    return VM(Program.from_bytes(program), engine=engine, dialect=dialect)


class FilterPrograms:
    """The programs of a filter, for the kinds of packets that have been found so far.

    Raises the errors of the filter: `ExpressionError`, `FieldError` or `VerificationError`.
    """

    def __init__(self, path: str, filter: Filter, dialect: Dialect) -> None:
        """Check a filter, and compile it for Ethernet; *path* is the name of the argument in errors."""
        self._filter: Any = check_filter(path, filter)
        self._dialect = dialect
        self._names = Lookups(SYSTEM_NAMES)
        self._program: bytes | None = None
        self._first = b""
        self._by_kind: dict[Kind, bytes] = {}
        self._misfits: dict[Kind, LinkTypeError] = {}
        if isinstance(filter, VM):
            self._filter, self._dialect = filter.program, filter.dialect
        if not isinstance(self._filter, str | Expression | Savefile):
            self._program = bytes(self._verified(Program(self._filter)))
            return
        try:
            self._first = bytes(self._compiled((link_type("EN10MB"), "<")))
        except LinkTypeError:
            self._first = _REJECT_ALL

    @property
    def identity(self) -> list[str]:
        """The parts of the filter that its results depend on, as text."""
        text = ""
        if isinstance(self._filter, str | Expression):
            text = self._filter if isinstance(self._filter, str) else f"{self._filter.text} {self._filter.lists}"
        elif isinstance(self._filter, Savefile):
            text = f"savefile {self._filter.link_type}"
        program = self._program or self._first
        return [text, program.hex(), self._dialect.name, str(self._dialect.record_size), self._dialect.byte_order]

    def add(self, kind: Kind) -> None:
        """Compile the filter for a kind of packets; if it does not fit, its program rejects all of them."""
        if self._program is not None or kind in self._by_kind:
            return
        try:
            self._by_kind[kind] = bytes(self._compiled(kind))
        except LinkTypeError as error:
            self._misfits[kind] = error
            self._by_kind[kind] = _REJECT_ALL

    def _compiled(self, kind: Kind) -> Program:
        packet_type, order = kind
        if isinstance(self._filter, Savefile):
            if self._filter.link_type != packet_type.dlt:
                compiled = link_type_by_dlt(self._filter.link_type).name
                fact = f"link type {packet_type.name} is not {compiled}, for which the savefile was compiled"
                raise LinkTypeError(fact)
            return self._verified(self._filter.program)
        interface = Interface(packet_type, _SNAPLEN, order)  # type: ignore[arg-type]
        return self._verified(compile_for_interface(self._filter, interface, self._dialect, self._names))

    def _verified(self, program: Program) -> Program:
        verify(program, dialect=self._dialect)
        return program

    def sent(self) -> SentFilter:
        """Return the filter as it is sent to workers."""
        return SentFilter(self._program, tuple(self._by_kind.items()), self._dialect)

    def report_misfits(self) -> None:
        """Warn of the kinds of packets that the filter does not fit; raise `LinkTypeError` if it fits none of them."""
        if self._misfits and len(self._misfits) == len(self._by_kind):
            raise next(iter(self._misfits.values()))
        for (packet_type, _), error in self._misfits.items():
            warn(f"link type {packet_type.name}: {error}; its packets do not match")
