"""The optional libraries of tables, imported at their first use."""

from .._pyarrow import load_pyarrow as load_pyarrow
