"""Archives: captures as objects in a store, indexed, counted and filtered by many processes.

A source is a path or URL of any protocol of fsspec: of an object, of a folder, with a pattern, the beginning of names,
"@" with the path of a list, or a manifest. Files of this machine need no library; stores and manifests need those of
the extra `archive`: pip install 'cbpf[archive]'.
"""

from .._typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .count_run import count
    from .filtering import filter, split
    from .index_run import index
    from .merging import merge
    from .report import ObjectProblem, Report

# The modules of the names, which are imported at their first use, as in `cbpf` itself.
_NAMES = {
    ".count_run": "count",
    ".filtering": "filter split",
    ".merging": "merge",
    ".index_run": "index",
    ".report": "ObjectProblem Report",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = ["ObjectProblem", "Report", "count", "filter", "index", "merge", "split"]


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(_MODULE_OF[name].lstrip("."), globals(), fromlist=["__doc__"], level=1)
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
