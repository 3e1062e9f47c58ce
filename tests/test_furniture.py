"""The files around the code: the citation, the forms of issues, the workflow of tests, and the distributions."""

import re
import shutil
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final, get_args

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

import cbpf
from cbpf.cli.completion_scripts import SCRIPTS
from support.project import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
FORMS: Final = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


@cache
def _loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_the_citation_is_that_of_the_project() -> None:
    citation = _loaded("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == PROJECT["name"]
    assert (citation["version"], citation["license"]) == (cbpf.__version__, PROJECT["license"])
    assert citation["keywords"] == PROJECT["keywords"]
    (author,) = citation["authors"]
    assert re.search(rf"Copyright \(c\) \d+, {author['name']}", (ROOT / "LICENSE").read_text(), re.IGNORECASE)


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_have_titled_fields(path: Path) -> None:
    form = _loaded(str(path.relative_to(ROOT)))
    assert {"name", "description", "body"} <= form.keys()
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


def test_the_form_of_a_different_result_lists_dialects_and_engines() -> None:
    form = _loaded(".github/ISSUE_TEMPLATE/different-result.yml")
    options = {field["id"]: field["attributes"].get("options", ()) for field in form["body"]}
    assert [option.split()[0] for option in options["dialect"]] == [name.upper() for name in cbpf.DIALECTS]
    assert tuple(options["engine"][:-1]) == get_args(cbpf.EngineName)


def _steps(job: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = _loaded(".github/workflows/test.yml")["jobs"][job]["steps"]
    return steps


def test_the_workflow_tests_the_versions_that_the_project_states() -> None:
    prefix = "Programming Language :: Python :: 3."
    stated = [text.split(" :: ")[-1] for text in PROJECT["classifiers"] if text.startswith(prefix)]
    assert _loaded(".github/workflows/test.yml")["jobs"]["test"]["strategy"]["matrix"]["python"] == stated
    assert PROJECT["requires-python"] == f">={stated[0]}"


def test_the_workflow_may_only_read_and_ends() -> None:
    workflow = _loaded(".github/workflows/test.yml")
    assert workflow["permissions"] == {"contents": "read"}
    assert all(job["timeout-minutes"] <= 30 for job in workflow["jobs"].values())


def test_the_workflow_uses_existing_commands() -> None:
    commands = set(re.findall(r"^(\w+)\)$", (ROOT / "dev").read_text(), re.MULTILINE))
    runs = [step.get("run", "") for job in _loaded(".github/workflows/test.yml")["jobs"] for step in _steps(job)]
    used = {command for run in runs for command in re.findall(r"\./dev (\w+)", run)}
    assert {"test", "docs"} <= used <= commands


@cache
def _files(kind: type[SdistBuilder] | type[WheelBuilder]) -> frozenset[str]:
    return frozenset(file.distribution_path for file in kind(str(ROOT)).recurse_included_files())


def test_the_sdist_contains_the_documents_of_the_readme() -> None:
    mentioned = re.findall(r"`([\w/.-]+\.md)`", (ROOT / "README.md").read_text())
    documents = {path for path in mentioned if (ROOT / path).exists()}
    assert len(documents) > 5
    assert documents <= _files(SdistBuilder)


def test_tests_can_run_from_the_sdist() -> None:
    assert {"dev", "pyproject.toml", "zensical.toml", "tests/conftest.py", "benchmarks/run.py"} <= _files(SdistBuilder)
    assert {"examples/traffic.pcap", ".github/workflows/test.yml", ".gitignore"} <= _files(SdistBuilder)


def test_the_sdist_contains_all_files_of_the_repository() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no repository with git here")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = {path for path in listed.split("\0") if path and (ROOT / path).exists() and not path.startswith(".ci/")}
    assert len(files) > 500
    assert files <= _files(SdistBuilder)


def test_the_sdist_contains_no_ignored_files() -> None:
    folders = {path.split("/")[0] for path in _files(SdistBuilder)}
    assert not folders & {".venv", ".uv", ".git", ".ci", ".mypy_cache", "site", "dist"}
    assert not [path for path in _files(SdistBuilder) if "__pycache__" in path]


def test_the_wheel_contains_the_package_alone() -> None:
    files = {path for path in _files(WheelBuilder) if path.startswith("cbpf/")}
    assert {"cbpf/py.typed", "cbpf/__init__.pyi", "cbpf/__main__.py"} <= files
    code = {path for path in files if not path.startswith("cbpf/cli/scripts/")}  # the others complete commands
    assert {Path(path).suffix for path in code} == {".bpf", ".c", ".py", ".pyi", ".txt", ".typed"}
    assert not [path for path in files if path.endswith(".md")]
    assert not [path for path in _files(WheelBuilder) if path.startswith(("tests", "docs", "benchmarks"))]


def test_the_wheel_installs_man_pages_and_completions() -> None:
    shared = WheelBuilder(str(ROOT)).config.shared_data
    installed = {str(Path(source).relative_to(ROOT)): target for source, target in shared.items()}
    assert installed.pop("man") == "share/man/man1"
    assert set(installed) == {f"src/cbpf/cli/scripts/{name}" for name in SCRIPTS.values()}
    assert all(Path(source).is_file() for source in shared if not source.endswith("/man"))
