"""The distribution cbpf-explorer: its versions, its pinned packages, and the rules of its scripts."""

import json
import os.path
import re
import tomllib
from graphlib import TopologicalSorter
from typing import Final, get_args

import cbpf
from cbpf.explorer import links
from cbpf.explorer.answers import QUESTIONS
from cbpf.explorer.emission import EMISSIONS
from cbpf.explorer.files import PAGE_POLICY
from cbpf.explorer.page import MAX_CAPTURE
from cbpf.explorer.programs import NOTATIONS, TARGETS
from cbpf.explorer.proofs import PROOFS
from support.project import ROOT

FOLDER: Final = ROOT / "explorer"
SCRIPTS: Final = {
    path.relative_to(FOLDER).as_posix(): path.read_text()
    for path in [*(FOLDER / "page").rglob("*.js"), *FOLDER.glob("editor/*.js")]
}


def test_the_distribution_has_the_version_of_cbpf() -> None:
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text())["project"]
    assert project["version"] == cbpf.__version__
    assert project["dependencies"] == [f"cbpf=={cbpf.__version__}"]
    assert f'__version__ = "{cbpf.__version__}"' in (FOLDER / "cbpf_explorer" / "__init__.py").read_text()


def test_the_distribution_contains_the_page_and_the_site_that_git_ignores() -> None:
    build = tomllib.loads((FOLDER / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert build["artifacts"] == ["cbpf_explorer/page", "cbpf_explorer/site"]
    assert all(f"/explorer/{path}/" in ignored for path in build["artifacts"])


def test_npm_packages_are_pinned_with_checksums() -> None:
    declared = json.loads((FOLDER / "package.json").read_text())
    packages = json.loads((FOLDER / "package-lock.json").read_text())["packages"]
    for name, version in {**declared["dependencies"], **declared["devDependencies"]}.items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all(package["integrity"].startswith("sha512-") for path, package in packages.items() if path)


def test_the_page_states_the_policy_of_the_server() -> None:
    (stated,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', (FOLDER / "page" / "index.html").read_text())
    assert stated == PAGE_POLICY


def test_scripts_insert_no_markup_and_name_no_other_host() -> None:
    for name, text in SCRIPTS.items():
        assert not re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            name
        )
        assert not re.findall(r"https?://", text), name
        assert not re.findall(r"setAttribute\(\"style\"", text), name


def test_the_page_asks_questions_that_have_answers() -> None:
    text = "".join(SCRIPTS.values())
    asked = set(re.findall(r'client\.ask\("(\w+)"', text))
    assert asked == set(QUESTIONS)
    assert set(re.findall(r'\bprove\("(\w+)"', text)) <= set(PROOFS)
    offered = dict(re.findall(r'^  \["([\w-]+)", "([^"]+)"\],$', SCRIPTS["page/panes/code.js"], re.MULTILINE))
    assert set(offered) == {*NOTATIONS, *TARGETS, *EMISSIONS}


def test_lists_and_limits_of_the_scripts_are_those_of_the_package() -> None:
    """The page applies a link before Python is ready."""
    text = "".join(SCRIPTS.values())
    lists = {name: json.loads(value) for name, value in re.findall(r"^const (DIALECTS|GOALS) = (\[.*\]);$", text, re.M)}
    assert lists == {"DIALECTS": list(cbpf.DIALECTS), "GOALS": list(get_args(cbpf.Goal))}
    limits = {name: int(value) for name, value in re.findall(r"\bconst (MAX_\w+) = ([\d_]+);", text)}
    for name, limit in (("CAPTURE", MAX_CAPTURE), ("FRAGMENT", links.MAX_FRAGMENT), ("STATE", links.MAX_STATE)):
        assert limits[f"MAX_{name}"] == limit


def test_scripts_are_small_and_import_each_other_without_cycles() -> None:
    assert [name for name, text in SCRIPTS.items() if text.count("\n") > 300] == []
    imports = {
        name: {
            os.path.normpath(os.path.join(os.path.dirname(name), path))
            for path in re.findall(r'^import .* from "(\..*)";$', text, re.MULTILINE)
        }
        for name, text in SCRIPTS.items()
    }
    assert "page/state.js" in imports["page/packets.js"]
    assert tuple(TopologicalSorter(imports).static_order())
