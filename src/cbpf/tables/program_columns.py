"""Columns whose values are the verdicts of programs: fields of headers, and columns that users define."""

from functools import reduce

from .._named_tuple import NamedTuple
from .._typing import TYPE_CHECKING, Any, Callable, Collection, Sequence, TypeAlias
from ..capture.packets import PacketColumns
from ..capture.reader import CaptureReader
from ..filtering.bound_filter import BoundFilter
from ..filtering.verdicts import column_verdicts
from ..packet.link_types import LinkType
from .arrays import inputs_of_rows, numbers
from .libraries import load_compute, load_pyarrow
from .program_values import WORDS, stored_values, value_array, value_width

if TYPE_CHECKING:
    from .field_code import FieldCode


class BoundPrograms(NamedTuple):
    """The programs of a column for packets of some interfaces.

    The verdicts of *values*, in their order, are the value of a packet. It has none if *validity* has the verdict 0;
    with *zero_only*, this is possible only if the first of *values* has the verdict 0. *code* computes the
    values of packets that machine code may read.
    """

    values: tuple[BoundFilter, ...]
    validity: BoundFilter | None = None
    zero_only: bool = False
    code: "FieldCode | None" = None


_Groups: TypeAlias = Collection[tuple[BoundPrograms, list[int]]]
"""The programs that run on some packets, each with the interfaces of its packets."""


class ProgramColumn:
    """A column of the verdicts of programs.

    *type* is one of `program_values.WORDS`. *programs_for* returns the programs for the packets of a link type, or None
    if they have no values in this column.
    """

    def __init__(self, type: str, programs_for: Callable[[LinkType], BoundPrograms | None]) -> None:
        self.type = type
        self._programs_for = programs_for
        self._arrays: list[Any] = []

    def append(self, reader: CaptureReader, columns: PacketColumns) -> None:
        """Append the values of some packets, of which there is one at least."""
        groups = self._groups(reader, columns)
        values = self._stored(groups, reader, columns)
        self._arrays.append(self._computed(groups, reader, columns) if values is None else values)

    def _groups(self, reader: CaptureReader, columns: PacketColumns) -> _Groups:
        interfaces = reader.container.interfaces
        groups: dict[int, tuple[BoundPrograms, list[int]]] = {}
        for index in columns.distinct_interfaces() if len(interfaces) > 1 else (0,):
            programs = self._programs_for(interfaces[index].link_type)
            if programs is not None:
                groups.setdefault(id(programs), (programs, []))[1].append(index)
        return groups.values()

    def _stored(self, groups: _Groups, reader: CaptureReader, columns: PacketColumns) -> Any:
        """Return the values that machine code stores, or None if machine code is not used."""
        if columns.native is None or any(programs.code is None for programs, _ in groups):
            return None
        count = len(columns.starts)
        values, present = bytearray(count * value_width(self.type)), bytearray((count + 7) // 8)
        for programs, indices in groups:
            selected = bytes(index in indices for index in range(len(reader.container.interfaces)))
            assert programs.code is not None
            if not programs.code.fill(columns, selected, values, present):
                return None
        return stored_values(self.type, count, values, present)

    def _computed(self, groups: _Groups, reader: CaptureReader, columns: PacketColumns) -> Any:
        """Return the values that are computed of the verdicts of each program."""
        pc = load_compute()
        parts = [_verdicts(programs, reader, columns, indices) for programs, indices in groups]
        if not parts:
            parts = [([_zeros(columns)] * WORDS[self.type], pc.not_equal(_zeros(columns), 0))]
        values, present = zip(*parts, strict=True)
        merged = [reduce(pc.bit_wise_or, words) for words in zip(*values, strict=True)]
        return value_array(self.type, merged, reduce(pc.or_, present))

    def finish(self) -> Any:
        """Return the values that were appended as one array, and begin another."""
        arrays, self._arrays = self._arrays, []
        return arrays[0] if len(arrays) == 1 else load_pyarrow().concat_arrays(arrays)


def _verdicts(
    programs: BoundPrograms, reader: CaptureReader, columns: PacketColumns, interfaces: Sequence[int]
) -> tuple[list[Any], Any]:
    """Return the verdicts of each program on the packets of some interfaces, and whether a packet has a value.

    The verdicts are arrays of uint32, which are 0 for packets without a value and for those of other interfaces. Only
    the programs that are needed run on a packet.
    """
    pc = load_compute()

    def run(program: BoundFilter, rows: PacketColumns) -> Any:
        return numbers("I", memoryview(column_verdicts(reader, program, rows, interfaces)))

    def run_on(mask: Any, program: BoundFilter) -> Any:
        """Return the verdicts on the packets that a mask selects, and 0 for the others."""
        if mask.true_count == len(mask):
            return run(program, columns)
        verdicts = _zeros(columns)
        return pc.replace_with_mask(verdicts, mask, run(program, inputs_of_rows(columns, mask)))

    first, *others = programs.values
    verdicts = run(first, columns) if programs.validity is None or programs.zero_only else None
    if programs.validity is None:
        present = pc.is_valid(verdicts)
    elif verdicts is None:
        present = pc.not_equal(run(programs.validity, columns), 0)
        verdicts = run_on(present, first)
    else:
        is_nonzero = pc.not_equal(verdicts, 0)
        present = pc.or_(is_nonzero, pc.not_equal(run_on(pc.invert(is_nonzero), programs.validity), 0))
    return [verdicts, *(run_on(present, program) for program in others)], present


def _zeros(columns: PacketColumns) -> Any:
    return numbers("I", memoryview(bytes(4 * len(columns.starts))).cast("I"))
