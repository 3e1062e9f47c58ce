"""Captures in polars: lazy scans, and filters on columns of packets. It needs polars (extra `polars`).

>>> import cbpf.polars, polars as pl
>>> packets = cbpf.polars.scan_capture("examples/traffic.pcap")
>>> packets.filter(pl.col("data").bpf.matches("udp port 53")).select(pl.len()).collect().item()
18
"""

from importlib.util import find_spec

from .expressions import BpfExpressions
from .scan import scan_capture

__all__ = ["BpfExpressions", "scan_capture"]

if find_spec("polars") is not None:
    from .library import load_polars

    load_polars().api.register_expr_namespace("bpf")(BpfExpressions)
