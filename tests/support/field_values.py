"""The values of header columns for single packets, by the programs of the columns."""

from __future__ import annotations

from functools import cache

import cbpf
from cbpf.tables.fields import FIELD_NAMES, field_programs, field_type

Value = int | bytes | None


class Column:
    """A header column for the packets of a link type."""

    def __init__(self, name: str, link_type: str) -> None:
        programs = field_programs(name, link_type)
        assert programs is not None
        self._is_number = field_type(name).startswith("uint")
        self._values = [cbpf.VM(program, engine="python") for program in programs.values]
        self._validity = cbpf.VM(programs.validity, engine="python")
        self._widths = programs.widths

    def value(self, packet: bytes) -> Value:
        """Return the value for a packet, or None for a null."""
        parts = [vm.run(packet) for vm in self._values]
        is_present = self._validity.run(packet)
        if not is_present:
            assert parts[-1] == 0
            return None
        assert is_present == 1
        if self._is_number:
            assert parts[0] < 1 << 8 * self._widths[0]
            return parts[0]
        pairs = zip(parts, self._widths, strict=True)
        return b"".join((part & (1 << 8 * width) - 1).to_bytes(width, "big") for part, width in pairs)


@cache
def columns_of(link_type: str) -> dict[str, Column]:
    """Return the header columns of a link type by name."""
    return {name: Column(name, link_type) for name in FIELD_NAMES if field_programs(name, link_type)}


def values_of(link_type: str, packet: bytes) -> dict[str, Value]:
    """Return the values of all header columns of a packet; without those that the link type lacks."""
    return {name: column.value(packet) for name, column in columns_of(link_type).items()}
