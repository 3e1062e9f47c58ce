"""Captures as Arrow tables, for pyarrow, polars, duckdb and pandas. It needs pyarrow (extra `arrow`).

>>> import cbpf
>>> table = cbpf.arrow.read_table("examples/traffic.pcap", columns=["time", "length", "src_ip", "dst_port"])
>>> table.num_rows
905
"""

from .tables.files.writing import write_table
from .tables.grouping.groups import TopGroup, TopGroups
from .tables.grouping.top import top
from .tables.reading import read_batches, read_table
from .tables.schema import Column

__all__ = ["Column", "TopGroup", "TopGroups", "read_batches", "read_table", "top", "write_table"]
