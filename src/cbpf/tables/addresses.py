"""The columns `src` and `dst`: addresses of IPv4 or IPv6 as text, made of two header columns.

They are columns of files and groups, for people. `read_table` has the header columns, whose values are numbers and
bytes.
"""

from .._typing import TYPE_CHECKING, Any, Final, Iterable, Mapping, Sequence
from ..errors import FieldError
from .libraries import load_compute
from .schema import Column, checked_definitions, chosen_columns
from .text_values import texts

if TYPE_CHECKING:
    from ..filtering.bound_filter import Filter

ADDRESS_COLUMNS: Final = {"src": ("src_ip", "src_ip6"), "dst": ("dst_ip", "dst_ip6")}
"""The header columns of each column, for IPv4 and IPv6."""


class Choice:
    """The columns that a caller chooses and defines, with those of addresses among them.

    Args:
        caller: The public function, for messages.
        parameter: The parameter that names the columns.
        names: The names of the columns.
        define: The columns that the caller defines.

    Raises:
        FieldError: A name is unknown or occurs twice, or a definition is not valid.
    """

    def __init__(
        self, caller: str, parameter: str, names: Iterable[str], define: "Mapping[str, Filter | Column] | None"
    ) -> None:
        defined = checked_definitions(f"{caller}.define", define)
        for name in defined:
            if name in ADDRESS_COLUMNS:
                raise FieldError(f"{caller}.define: {name!r} is a column of every table; choose another name")
        self.names: Sequence[str] = chosen_columns(f"{caller}.{parameter}", names, defined, tuple(ADDRESS_COLUMNS))
        self.defined: Mapping[str, Column] = {name: defined[name] for name in defined if name in self.names}
        """The definitions of the columns that were chosen."""

    def read_names(self) -> list[str]:
        """Return the names of the columns to read, each once."""
        return list(dict.fromkeys(part for name in self.names for part in ADDRESS_COLUMNS.get(name, (name,))))


def address_texts(batch: Any, name: str) -> Any:
    """Return a column of addresses as text, made of the header columns of a batch or table."""
    return load_compute().coalesce(*(texts(part, batch[part]) for part in ADDRESS_COLUMNS[name]))
