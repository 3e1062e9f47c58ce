"""Captures as Arrow tables, for pyarrow, polars, duckdb and pandas. It needs the extra `arrow`."""

__all__: list[str] = []
