"""The programs of the columns of a table: bound to the captures, with the errors of those that fit none of them."""

from .._typing import TYPE_CHECKING, Sequence
from ..capture.reader import CaptureReader
from ..errors import CaptureError
from ..filtering.bound_filter import BoundFilter
from ..isa.dialects import PCAP, Dialect
from ..isa.program import Program
from ..packet.link_types import LinkType
from .fields import field_programs, field_type
from .program_columns import BoundPrograms, ProgramColumn
from .schema import Column

if TYPE_CHECKING:
    from .._options import EngineName


class ColumnPrograms:
    """Makes columns of programs; those of headers share their programs.

    *dialect* and *as_socket* apply to the columns that callers define. *fills_absent*: a column of a field that no
    packet can have is null, and not an error.
    """

    def __init__(self, engine: "EngineName", dialect: Dialect, *, as_socket: bool, fills_absent: bool = False) -> None:
        self._engine: EngineName = engine
        self._dialect = dialect
        self._as_socket = as_socket
        self._fills_absent = fills_absent
        self._fields: list[str] = []
        self._of_fields: dict[Program, BoundFilter] = {}
        self._defined: list[BoundFilter] = []

    def field(self, name: str) -> ProgramColumn:
        """Return the column of a field of headers."""
        self._fields.append(name)
        known: dict[LinkType, BoundPrograms | None] = {}

        def programs_for(link_type: LinkType) -> BoundPrograms | None:
            if link_type not in known:
                known[link_type] = self._field_programs(name, link_type)
            return known[link_type]

        return ProgramColumn(field_type(name), programs_for)

    def _field_programs(self, name: str, link_type: LinkType) -> BoundPrograms | None:
        programs = field_programs(name, link_type)
        if programs is None:
            return None
        values = tuple(map(self._bind, programs.values))
        validity, is_number = self._bind(programs.validity), len(values) == 1
        if self._engine != "llvm" or link_type.host_order is not None:  # then they run on another view of the packets
            return BoundPrograms(values, validity, zero_only=is_number)
        from .field_code import field_code

        return BoundPrograms(values, validity, zero_only=is_number, code=field_code(programs))

    def _bind(self, program: Program) -> BoundFilter:
        if program not in self._of_fields:
            self._of_fields[program] = BoundFilter(program, self._engine, PCAP)
        return self._of_fields[program]

    def defined(self, column: Column) -> ProgramColumn:
        """Return a column that the caller defines."""
        filters = [column.value] if column.present is None else [column.value, column.present]
        bound = [
            BoundFilter(filter, self._engine, self._dialect, as_socket=self._as_socket, exact=True)
            for filter in filters
        ]
        self._defined += bound
        programs = BoundPrograms((bound[0],), None if column.present is None else bound[1])
        return ProgramColumn(column.type, lambda link_type: programs)

    def prepare(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the errors that can be found before the first packet."""
        for bound in self._defined:
            bound.prepare(readers)
        if all(reader.container.interfaces_are_final for reader in readers):
            self._require_fields(readers)

    def require_fit(self, readers: Sequence[CaptureReader]) -> None:
        """Raise the error of a column that no interface of the captures has."""
        for bound in self._defined:
            bound.require_fit(readers)
        self._require_fields(readers)

    def _require_fields(self, readers: Sequence[CaptureReader]) -> None:
        found = [(reader.name, interface.link_type) for reader in readers for interface in reader.container.interfaces]
        for name in self._fields if found and not self._fills_absent else ():
            if all(field_programs(name, link_type) is None for _, link_type in found):
                source, link_type = found[0]
                raise CaptureError(f"{source}: packets of the link type {link_type.name} have no column {name!r}")
