"""Editors complete the public names, and show their signatures: jedi, and pyright where it is installed."""

import json
import shutil
import subprocess
from pathlib import Path

import jedi
import pytest

import cbpf
from support.project import ROOT

PROJECT = jedi.Project(ROOT, sys_path=[str(ROOT / "src")], smart_sys_path=False)
CHECKED = """\
import cbpf

reveal_type(cbpf.VM("tcp", link_type="RAW").run(b""))
reveal_type(cbpf.difference("tcp", cbpf.compile("udp")))
cbpf.VM(5)
"""


def test_jedi_completes_every_public_name() -> None:
    completions = jedi.Script("import cbpf\ncbpf.", project=PROJECT).complete(2, 5)
    assert set(cbpf.__all__) <= {completion.name for completion in completions}


def test_jedi_shows_the_parameters_of_a_function() -> None:
    (signature,) = jedi.Script("import cbpf\ncbpf.difference(", project=PROJECT).get_signatures(2, 16)
    assert [parameter.name for parameter in signature.params][:4] == ["left", "right", "link_type", "dialect"]


@pytest.mark.slow
def test_pyright_knows_the_types(tmp_path: Path) -> None:
    checker = shutil.which("pyright") or shutil.which("basedpyright")
    if checker is None:
        pytest.skip("pyright is not installed (basedpyright is a package that needs no network)")
    (tmp_path / "checked.py").write_text(CHECKED)
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"extraPaths": [str(ROOT / "src")]}))
    run = subprocess.run([checker, "--outputjson"], cwd=tmp_path, capture_output=True, text=True, check=False)
    diagnostics = json.loads(run.stdout)["generalDiagnostics"]
    messages = [
        (each["severity"], each["range"]["start"]["line"], each["message"].split("\n")[0]) for each in diagnostics
    ]
    assert ("information", 2, 'Type of "cbpf.VM("tcp", link_type="RAW").run(b"")" is "int"') in messages
    assert (
        "information",
        3,
        'Type of "cbpf.difference("tcp", cbpf.compile("udp"))" is "Difference | None"',
    ) in messages
    assert [line for severity, line, _ in messages if severity == "error"] == [4]
