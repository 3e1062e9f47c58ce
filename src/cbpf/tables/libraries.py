"""The optional libraries of tables, imported at their first use."""

from .._pyarrow import load_pyarrow as load_pyarrow
from .._typing import Any


def load_compute() -> Any:
    """Return the module pyarrow.compute; raise `MissingLibrary` as `load_pyarrow`."""
    load_pyarrow()
    import pyarrow.compute

    return pyarrow.compute
