"""The default installation: click alone, and no module that only CPython has, such as ctypes."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import cbpf
from support.project import ROOT

CAPTURE = ROOT / "examples" / "traffic.pcap"

WITHOUT_LIBRARIES = """
import sys

class Missing:
    names = {"_ctypes", "backports", "bitwuzla", "ctypes", "cypcap", "isal", "llvmlite", "lz4"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
assert not Missing.names & set(sys.modules)
"""


def _output(code: str, *arguments: object) -> str:
    """Return the output of Python code in a process without the libraries of the extras and without ctypes."""
    command = [sys.executable, "-c", WITHOUT_LIBRARIES + code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_project_depends_on_click_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert [dependency.partition(">")[0] for dependency in project["dependencies"]] == ["click"]


@pytest.mark.parametrize("engine", ["auto", "python", "interpreter"])
def test_captures_are_filtered(engine: str, tmp_path: Path) -> None:
    code = """
import cbpf
source, target, engine = sys.argv[1:]
program = cbpf.compile("tcp port 443")
print(len(program), cbpf.filter_capture(source, target, "tcp port 443", engine=engine).packets_accepted)
"""
    target = tmp_path / "https.pcap"
    length, matched = map(int, _output(code, CAPTURE, target, engine).split())
    assert length == len(cbpf.compile("tcp port 443"))
    with cbpf.read_capture(target) as capture:
        assert sum(1 for _ in capture) == matched == 74


def test_command_filters_captures(tmp_path: Path) -> None:
    target = tmp_path / "https.pcap"
    arguments = ("filter", "-r", CAPTURE, "-w", target, "tcp port 443")
    _output("from cbpf.cli import main; main()", *arguments)
    expected = tmp_path / "expected.pcap"
    cbpf.filter_capture(CAPTURE, expected, "tcp port 443")
    assert target.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        ("cbpf.compile('ip', frontend='libpcap')", "pip install 'cbpf[libpcap]'"),
        ("cbpf.VM([cbpf.RetConstant(0)], engine='llvm').run(b'')", "use engine='python'"),
        ("cbpf.VM([cbpf.RetConstant(0)], engine='cuda')", "use engine='python'"),
        ("cbpf.emit([cbpf.RetConstant(0)], target='ptx')", "ctypes"),
        ("cbpf.emit([cbpf.RetConstant(0)], target='wasm')", "ctypes"),
        ("cbpf.equivalent(cbpf.compile('ip'), cbpf.compile('arp'))", "pip install 'cbpf[smt]'"),
        ("list(cbpf.read_capture(io.BytesIO(b'\\x04\\x22\\x4d\\x18' + bytes(40))))", "pip install 'cbpf[compressed]'"),
    ],
)
def test_missing_library_names_its_extra(call: str, remedy: str) -> None:
    code = f"""
import io
import cbpf
try:
    {call}
except cbpf.MissingLibrary as error:
    print(error)
"""
    assert remedy in _output(code)
