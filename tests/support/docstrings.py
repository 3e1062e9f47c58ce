"""Check the docstrings of the public names: Google-style sections for arguments, results and errors.

Run `python -m support.docstrings` in the folder `tests` for a count of the functions and classes that have them.
"""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, NamedTuple

from support.project import PUBLIC_NAMES, public_object


class Documented(NamedTuple):
    """A public function, method or class, with its docstring."""

    name: str
    value: Any
    docstring: str


def documented() -> Iterator[Documented]:
    """Yield the public functions and classes, and the public methods that a class defines itself."""
    for name in PUBLIC_NAMES:
        value = public_object(name)
        if inspect.isroutine(value) or inspect.isclass(value):
            yield Documented(name, value, inspect.getdoc(value) or "")
        if inspect.isclass(value):
            for attribute, member in vars(value).items():
                function = getattr(member, "__func__", member)
                if inspect.isfunction(function) and not attribute.startswith("_"):
                    yield Documented(f"{name}.{attribute}", function, inspect.getdoc(function) or "")


def missing_sections(entry: Documented) -> list[str]:
    """Return the sections, and the arguments within `Args:`, that a docstring lacks."""
    parameters = list(_parameters(entry.value))
    missing = [name for name in parameters if not re.search(rf"^ +\*{{0,2}}{name}: ", entry.docstring, re.MULTILINE)]
    if parameters and not _has_section(entry, "Args"):
        missing.append("Args:")
    if _returns_something(entry.value) and not (_has_section(entry, "Returns") or _has_section(entry, "Yields")):
        missing.append("Returns:")
    if _raises_something(entry.value) and not _has_section(entry, "Raises"):
        missing.append("Raises:")
    return missing


def _has_section(entry: Documented, title: str) -> bool:
    return re.search(rf"^{title}:$", entry.docstring, re.MULTILINE) is not None


def _parameters(value: Any) -> Iterator[str]:
    is_interface = inspect.isclass(value) and getattr(value, "_is_protocol", False)
    if is_interface or (inspect.isclass(value) and issubclass(value, Enum | Exception)):
        return
    try:
        signature = inspect.signature(value)
    except ValueError:
        return
    yield from (name for name in signature.parameters if name not in ("self", "cls") and not name.startswith("_"))


def _returns_something(value: Any) -> bool:
    if inspect.isclass(value):
        return False
    return inspect.signature(value).return_annotation not in (None, "None", inspect.Signature.empty)


def _raises_something(value: Callable[..., object]) -> bool:
    if inspect.isclass(value):
        return False
    tree = ast.parse(textwrap.dedent(inspect.getsource(value)))
    raised = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    return any(statement not in ("raise", "raise NotImplementedError") for statement in raised)


def main() -> int:
    """Print each incomplete docstring and the share of complete ones; return the exit code."""
    entries = list(documented())
    incomplete = [(entry, missing_sections(entry)) for entry in entries]
    incomplete = [(entry, missing) for entry, missing in incomplete if missing]
    for entry, missing in incomplete:
        print(f"{entry.name}: lacks {', '.join(missing)}")
    print(f"{len(entries) - len(incomplete)} of {len(entries)} public functions, methods and classes are complete")
    return bool(incomplete)


if __name__ == "__main__":
    sys.exit(main())
