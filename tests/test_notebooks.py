"""The example notebooks run, with the outputs that they contain.

CBPF_UPDATE=1 ./dev test -k notebook writes them again.
"""

from pathlib import Path
from typing import Any, Final

import pytest

from support import notebooks
from support.generated import check_file
from support.project import ROOT

NOTEBOOKS: Final = {"everyday": ("bitwuzla",), "explore": (), "tables": ("polars", "pyarrow")}
"""The libraries that each notebook needs."""


def _path(name: str) -> Path:
    return ROOT / "examples" / f"{name}.ipynb"


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_outputs_of_a_notebook(name: str, tmp_path: Path, traffic: Path) -> None:
    for library in NOTEBOOKS[name]:
        pytest.importorskip(library, reason=f"needs {library}; ./dev test --all installs the libraries of tables")
    (tmp_path / "traffic.pcap").symlink_to(traffic)
    check_file(_path(name), notebooks.text_of(notebooks.run(notebooks.read(_path(name)), tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["traffic.pcap"], (
        "the notebook removes the files that it writes"
    )


def test_the_outputs_of_notebooks_show_text_tables_and_pictures() -> None:
    cells = [cell for name in NOTEBOOKS for cell in notebooks.read(_path(name))["cells"]]
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    forms = {form for output in outputs for form in output.get("data", ())}
    assert forms == set(notebooks.FORMS)
    assert {output["output_type"] for output in outputs} == {"stream", "execute_result"}


def _notebook(*sources: str) -> dict[str, Any]:
    return {"cells": [{"cell_type": "code", "source": source.splitlines(keepends=True)} for source in sources]}


@pytest.mark.parametrize(
    ("sources", "outputs"),
    [
        (["x = 1"], [[]]),
        (["None"], [[]]),
        (["print('a')\nprint('b')"], [[{"output_type": "stream", "name": "stdout", "text": ["a\n", "b\n"]}]]),
        (
            ["x = 2", "x + 1"],
            [
                [],
                [
                    {
                        "output_type": "execute_result",
                        "data": {"text/plain": ["3"]},
                        "execution_count": 2,
                        "metadata": {},
                    }
                ],
            ],
        ),
    ],
)
def test_cells_share_a_namespace(sources: list[str], outputs: list[Any], tmp_path: Path) -> None:
    cells = notebooks.run(_notebook(*sources), tmp_path)["cells"]
    assert [cell["outputs"] for cell in cells] == outputs
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(sources) + 1))


def test_an_error_in_a_cell_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        notebooks.run(_notebook("x = 0", "1 / x"), tmp_path)
