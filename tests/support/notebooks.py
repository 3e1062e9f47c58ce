"""Jupyter notebooks run without Jupyter: the cells of code in order, in one namespace, with their outputs.

An output is the text that a cell prints, and then the value of its last expression in the forms that Jupyter displays.
"""

import ast
import json
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

FORMS: Final = {"image/svg+xml": "_repr_svg_", "text/html": "_repr_html_", "text/plain": "__repr__"}
"""The method of a value for each form that Jupyter displays."""


def read(path: Path) -> dict[str, Any]:
    """Return a notebook."""
    notebook: dict[str, Any] = json.loads(path.read_text())
    return notebook


def text_of(notebook: dict[str, Any]) -> str:
    """Return the text of a notebook as Jupyter writes it."""
    return json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def markdown(notebook: dict[str, Any]) -> list[str]:
    """Return the texts of the cells that have no code."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]


def run(notebook: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a notebook with the outputs of its cells, run in a folder."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    cells, count = [], 0
    with chdir(folder):
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                count += 1
                outputs = _outputs("".join(cell["source"]), namespace, count)
                cells.append({**cell, "execution_count": count, "outputs": outputs})
            else:
                cells.append(cell)
    return {**notebook, "cells": cells}


def _outputs(source: str, namespace: dict[str, Any], count: int) -> list[dict[str, Any]]:
    printed = StringIO()
    with redirect_stdout(printed):
        value = _execute(source, namespace, f"cell {count}")
    outputs: list[dict[str, Any]] = []
    if text := printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": _lines(text)})
    if value is not None:
        result = {"data": _forms(value), "execution_count": count, "metadata": {}}
        outputs.append({"output_type": "execute_result", **result})
    return outputs


def _execute(source: str, namespace: dict[str, Any], name: str) -> Any:
    """Execute the code of a cell, and return the value of the expression at its end, or None."""
    module = ast.parse(source, name)
    last = module.body.pop() if module.body else None
    if isinstance(last, ast.Expr):
        exec(compile(module, name, "exec"), namespace)
        return eval(compile(ast.Expression(last.value), name, "eval"), namespace)
    exec(compile(source, name, "exec"), namespace)
    return None


def _forms(value: object) -> dict[str, list[str]]:
    return {form: _lines(getattr(value, method)()) for form, method in FORMS.items() if hasattr(value, method)}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)
