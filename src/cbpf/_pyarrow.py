"""The optional library pyarrow, imported at its first use."""

from ._typing import Any
from .errors import MissingLibrary


def load_pyarrow() -> Any:
    """Return the module pyarrow; raise `MissingLibrary` if it is not installed or cannot be imported."""
    try:
        import pyarrow
    except ModuleNotFoundError:
        raise MissingLibrary("Arrow tables need pyarrow: pip install 'cbpf[arrow]'") from None
    except (ImportError, OSError) as error:
        fact = f"Arrow tables cannot use the installed pyarrow ({error})"
        raise MissingLibrary(f"{fact}: pip install 'cbpf[arrow]'") from None
    return pyarrow
