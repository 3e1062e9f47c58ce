"""The columns of a table: which there are, and those that a caller chooses or defines."""

from .._record import Record
from .._suggestions import suggestion
from .._typing import Annotated, Any, Final, Iterable, Mapping, Sequence
from .._validators import iterable, optional
from ..errors import FieldError
from ..filtering.bound_filter import Filter, check_filter
from .fields import FIELD_NAMES

FIXED_COLUMNS: Final = ("number", "time", "interface", "link_type", "captured", "length", "data")
"""The columns that the records of a capture contain, in the order that a table has by default."""


class Column(Record):
    r"""A column of a table that a filter computes.

    Args:
        value: The value for each packet. For an expression or a savefile, it is Boolean: whether the packet matches.
            For a program or a VM, it is the verdict, an unsigned number of 32 bits; `cbpf.parse` reads a program from
            assembly.
        present: A filter for the packets that have a value; it is null for the others. None: every packet has one.

    Raises:
        FieldError: A field is not a filter.

    >>> from cbpf import parse
    >>> ttl = Column(parse("ldb [22]\n ret a"), present="ip")
    >>> ttl.type
    'uint32'
    """

    value: Annotated["Filter", check_filter]
    present: Annotated["Filter | None", optional(check_filter)] = None

    @property
    def type(self) -> str:
        """The type of the values: "bool" or "uint32"."""
        return "bool" if _is_decision(self.value) else "uint32"


def _is_decision(filter: Filter) -> bool:
    """Return whether a filter is an expression or a savefile, whose verdict has no other meaning than 0 or not."""
    from ..expression.address_lists import Expression
    from ..formats.savefile import Savefile

    return isinstance(filter, str | Expression | Savefile)


def fixed_type(name: str, pa: Any) -> Any:
    """Return the type of a fixed column, given the module pyarrow."""
    types = {
        "number": pa.uint64(),
        "time": pa.timestamp("ns", "UTC"),
        "interface": pa.uint32(),
        "link_type": pa.dictionary(pa.int32(), pa.string()),
        "captured": pa.uint32(),
        "length": pa.uint32(),
        "data": pa.binary_view(),
    }
    return types[name]


def checked_definitions(path: str, definitions: "Mapping[str, Filter | Column] | None") -> dict[str, Column]:
    """Return the columns that a caller defines, by name; raise `FieldError` for one that is not valid."""
    if definitions is None:
        return {}
    if not isinstance(definitions, Mapping):
        raise FieldError(f"{path}: {definitions!r} is not a mapping of names to filters")
    for name in definitions:
        if not isinstance(name, str) or not name:
            raise FieldError(f"{path}: {name!r} is not a name of a column, a text of one character or more")
        if name in (*FIXED_COLUMNS, *FIELD_NAMES):
            raise FieldError(f"{path}: {name!r} is a column of every table; choose another name")
    return {
        name: value if isinstance(value, Column) else Column(check_filter(f"{path}[{name!r}]", value))
        for name, value in definitions.items()
    }


def chosen_columns(
    path: str, columns: Iterable[str] | None, defined: Mapping[str, Column], others: Sequence[str] = ()
) -> Sequence[str]:
    """Return the names of the columns of a table; raise `FieldError` for a name that is unknown or occurs twice.

    *others* are names that the caller knows beside those of `read_table`.
    """
    if columns is None:
        return (*FIXED_COLUMNS, *defined)
    if isinstance(columns, str):
        raise FieldError(f"{path}: {columns!r} is a text; pass a list of names")
    names = list(iterable(path, columns))
    known = (*FIXED_COLUMNS, *FIELD_NAMES, *others, *defined)
    for index, name in enumerate(names):
        if name not in known:
            raise FieldError(f"{path}: {name!r} is not a column{_remedy(name, known)}")
        if name in names[:index]:
            raise FieldError(f"{path}: {name!r} occurs twice")
    return names


def _remedy(name: object, known: Sequence[str]) -> str:
    """Return the nearest name, or the names of all columns."""
    nearest = suggestion(name, known) if isinstance(name, str) else ""
    return nearest or f"; the columns are {', '.join(known)}"
