"""The optional libraries of archives, imported at their first use."""

from importlib import import_module

from .._typing import Any
from ..errors import MissingLibrary


def load_fsspec() -> Any:
    """Return the module fsspec; raise `MissingLibrary` if it is not installed or cannot be imported."""
    return _load("fsspec", "archives need fsspec: pip install 'cbpf[archive]'")


def load_pyarrow(name: str = "pyarrow") -> Any:
    """Return a module of pyarrow; raise `MissingLibrary` if it is not installed or cannot be imported."""
    return _load(name, "manifests of archives need pyarrow: pip install 'cbpf[archive]'")


def load_distributed() -> Any:
    """Return the module distributed; raise `MissingLibrary` if it is not installed or cannot be imported."""
    return _load("distributed", "a scheduler needs dask.distributed: pip install 'cbpf[dask]'")


def _load(name: str, remedy: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise MissingLibrary(f"{remedy} ({error})") from None
        raise MissingLibrary(remedy) from None
    except (ImportError, OSError) as error:
        raise MissingLibrary(f"{remedy} (the installed one cannot be used: {error})") from None
