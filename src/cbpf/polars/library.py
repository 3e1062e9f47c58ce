"""The optional library polars, imported at its first use."""

from .._typing import Any
from ..errors import MissingLibrary


def load_polars() -> Any:
    """Return the module polars; raise `MissingLibrary` if it is not installed or cannot be imported."""
    try:
        import polars
    except ModuleNotFoundError:
        raise MissingLibrary("data frames need polars: pip install 'cbpf[polars]'") from None
    except (ImportError, OSError) as error:
        fact = f"data frames cannot use the installed polars ({error})"
        raise MissingLibrary(f"{fact}: pip install 'cbpf[polars]'") from None
    return polars
