"""Measure the structure of the package: modules, layers, and type names that several modules define.

Run `python -m support.structure` in the folder `tests`.
"""

import ast
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from support.project import ROOT

SOURCE: Final = ROOT / "src" / "cbpf"


def module_names() -> dict[str, Path]:
    """Return the modules of the package by their dotted names below `cbpf`."""
    paths = sorted(SOURCE.rglob("*.py"))
    return {".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def top_level_modules() -> list[str]:
    """Return the names of the modules, not packages, directly below `cbpf`."""
    return sorted(path.stem for path in SOURCE.glob("*.py"))


def layers() -> list[str]:
    """Return the layers of the import contract, from top to bottom."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [contract for contract in settings["contracts"] if contract["type"] == "layers"]
    return list(contract["layers"])


def repeated_type_names() -> dict[str, list[str]]:
    """Return the names of classes and type aliases that more than one module defines, with these modules."""
    places: dict[str, list[str]] = defaultdict(list)
    for module, path in module_names().items():
        for name in _type_names(ast.parse(path.read_text())):
            places[name].append(module)
    return {name: modules for name, modules in sorted(places.items()) if len(modules) > 1}


def _type_names(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name.lstrip("_")
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
            yield ast.unparse(node.target).lstrip("_")


def main() -> None:
    """Print the measurements."""
    repeated = repeated_type_names()
    print(f"modules at the top level: {len(top_level_modules())}")
    print(f"modules: {len(module_names())}")
    print(f"layers: {len(layers())}")
    print(f"type names defined more than once: {len(repeated)}")
    for name, modules in repeated.items():
        print(f"  {name}: {', '.join(modules)}")


if __name__ == "__main__":
    main()
