"""Arrow tables as rows, and the rows that they should have."""

from __future__ import annotations

from typing import Any, Final

import cbpf

FIXED_COLUMNS: Final = ("number", "time", "interface", "link_type", "captured", "length", "data")


def rows_of(batches: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a table or of record batches, with times in nanoseconds; check all values of the arrays."""
    import pyarrow as pa

    table = batches if isinstance(batches, pa.Table) else pa.Table.from_batches(batches)
    table.validate(full=True)
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        columns.append((column.cast(pa.int64()) if name == "time" else column).to_pylist())
    return list(zip(*columns, strict=True))


def rows_of_packets(packets: list[cbpf.Packet], interfaces: tuple[cbpf.Interface, ...]) -> list[tuple[Any, ...]]:
    """Return the rows of FIXED_COLUMNS for packets, all of which have a time."""
    return [
        (
            packet.number,
            packet.time_ns if -(2**63) <= packet.time_ns < 2**63 else None,
            packet.interface,
            interfaces[packet.interface].link_type.name,
            len(packet.data),
            packet.wire_length,
            packet.data,
        )
        for packet in packets
    ]


def read(source: Any, **options: Any) -> tuple[list[tuple[Any, ...]], str]:
    """Return the rows of the batches of a capture, and the error that ends them."""
    batches, error = [], ""
    try:
        with cbpf.arrow.read_batches(source, **options) as reader:
            for batch in reader:
                batches.append(batch)  # noqa: PERF402  # those before the error
    except cbpf.CbpfError as raised:
        error = f"{type(raised).__name__}: {raised}"
    return rows_of(batches) if batches else [], error
