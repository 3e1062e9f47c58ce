"""The examples of a Markdown document, run in order in one directory, with the output that the document shows.

- A `pycon` block is a doctest. The blocks of a document share one namespace.
- A `console` block has commands, `$ command`, each followed by its output, stdout and stderr together. A command goes
  on after a backslash at the end of its line, and up to the end of a here-document. An exit code other than 0 is shown
  as a last line `[exit 2]`.
- A block with a title (```python title="name.py") is written to the file of this name, so that later examples can use
  or import it.
- Other blocks are not run.
- A picture that the document shows is equal to the file of its name, if an example writes one.

In an output, `...` stands for any text, and white space counts as one space. `<!-- requires: tcpdump -->` on the line
before a block names its requirements: programs, `root`, `libpcap`, libraries of an extra such as `llvmlite`, or
features of the kernel such as `seccomp`. A block is skipped without them.
"""

from __future__ import annotations

import doctest
import importlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import dedent
from typing import Any, Final, NamedTuple

from support.command_server import command_folder
from support.kernel_features import KERNEL_FEATURES, has_kernel_feature
from support.libpcap_release import libpcap_is_installed
from support.project import LIBRARIES, MISSING_LIBRARIES, ROOT, TABLE_LIBRARIES, is_installed

_BLOCK: Final = re.compile(
    r"(?:^ *<!-- requires: (?P<requires>[-\w ]+) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w+)(?P<attributes>[^\n]*)\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_TITLE: Final = re.compile(r'title="([^"]+)"')
_PICTURE: Final = re.compile(r"!\[[^\]]*\]\(([^):]+)\)")
_HERE_DOCUMENT: Final = re.compile(r"<<'?(\w+)'?")
_OTHER_LIBRARIES: Final = ("scapy", "trio")
"""Libraries beside which cbpf is used."""
_WITHOUT_PLUGINS: Final = "-p no:cov -p no:hypothesispytest -p no:xdist"  # whose import takes longer than an example
_INHERITED_SETTINGS: Final = re.compile(r"CBPF_.*|PYTEST_.*|PY_COLORS|FORCE_COLOR|CI|BUILD_NUMBER")
"""Variables that change the outputs of cbpf and pytest; with CI or BUILD_NUMBER, pytest abridges no message."""
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "80", "NO_COLOR": "1"}
_FLAGS: Final = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A fenced block of a document that is run or written to a file.

    Attributes:
        line: Number of its first line of text, from 1.
        language: Its language.
        title: Name of the file to write, or None.
        requires: The requirements without which it is skipped: programs, "root", "libpcap", libraries of an extra or
            of `_OTHER_LIBRARIES`, and names of `KERNEL_FEATURES`.
        text: Its text, without the indentation of the block.
    """

    line: int
    language: str
    title: str | None
    requires: tuple[str, ...]
    text: str

    @property
    def missing(self) -> list[str]:
        """The requirements that this machine does not satisfy."""
        return [name for name in self.requires if not _is_available(name)]


def _is_available(requirement: str) -> bool:
    if requirement == "root":
        return os.geteuid() == 0
    if requirement == "libpcap":
        return libpcap_is_installed()
    if requirement in KERNEL_FEATURES:
        return has_kernel_feature(requirement)
    if requirement in LIBRARIES:
        return requirement not in MISSING_LIBRARIES
    if requirement in (*TABLE_LIBRARIES, *_OTHER_LIBRARIES):
        return is_installed(requirement)
    return shutil.which(requirement) is not None


class Command(NamedTuple):
    """A command of a console block, and the output that the document shows."""

    line: int
    text: str
    output: str


class Report(NamedTuple):
    """The number of examples that ran, the failures as text, and the requirements of skipped blocks."""

    attempted: int
    failures: list[str]
    skipped: list[str]


def blocks(text: str) -> list[Block]:
    """Return the blocks of a document that are examples or files, in order."""
    matches = ((match, _TITLE.search(match["attributes"])) for match in _BLOCK.finditer(text))
    return [
        Block(
            text.count("\n", 0, match.start("text")) + 1,
            match["language"],
            title[1] if title else None,
            tuple((match["requires"] or "").split()),
            dedent(match["text"]),
        )
        for match, title in matches
        if title or match["language"] in ("pycon", "console")
    ]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block."""
    lines = iter(enumerate(block.text.splitlines(), block.line))
    number, text, output = 0, "", list[str]()
    for index, line in lines:
        if not line.startswith("$ "):
            output.append(line)
            continue
        if text:
            yield Command(number, text, "\n".join(output))
        number, text, output = index, line[2:], []
        while text.endswith("\\"):
            text += "\n" + next(lines)[1]
        if end := _HERE_DOCUMENT.search(text):
            while not text.endswith("\n" + end[1]):
                text += "\n" + next(lines)[1]
    if text:
        yield Command(number, text, "\n".join(output))


def run(document: Path, folder: Path) -> Report:
    """Run the examples of a document in a folder, which gets the capture `traffic.pcap`."""
    for place in (folder, folder / "examples"):
        place.mkdir(exist_ok=True)
        (place / "traffic.pcap").symlink_to(ROOT / "examples" / "traffic.pcap")
    report, namespace = Report(0, [], []), dict[str, Any]()
    with chdir(folder), _importable(folder):
        for block in blocks(document.read_text()):
            if block.missing:
                report.skipped.append(f"line {block.line}: {' and '.join(block.missing)} missing")
            elif block.title is not None:
                Path(block.title).write_text(block.text)
            else:
                run_block = _run_console if block.language == "console" else _run_doctest
                count, failures = run_block(document, block, namespace)
                if count == 0:
                    failures.append(f"{document.name}, line {block.line}: the block has no example")
                report = Report(report.attempted + count, report.failures + failures, report.skipped)
    return report._replace(failures=report.failures + list(_outdated_pictures(document, folder)))


def _outdated_pictures(document: Path, folder: Path) -> Iterator[str]:
    """Yield a failure for each picture of a document that differs from the file that its examples wrote."""
    for target in _PICTURE.findall(document.read_text()):
        picture = document.parent / target
        made = folder / picture.name
        if made.exists() and made.read_bytes() != picture.read_bytes():
            yield f"{document.name}: {target} is not the picture that the examples write"


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let `pycon` blocks import the modules that the document writes, and forget the modules at the end."""
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name, module in list(sys.modules.items()):
            if Path(getattr(module, "__file__", None) or "/").parent == folder:
                del sys.modules[name]


def _run_doctest(document: Path, block: Block, namespace: dict[str, Any]) -> tuple[int, list[str]]:
    name = f"{document.name}, line {block.line}"  # doctest looks for the source of a function by this name
    test = doctest.DocTestParser().get_doctest(block.text, {}, name, str(document), block.line - 1)
    test.globs = namespace
    output = StringIO()
    with redirect_stdout(output):
        result = doctest.DocTestRunner(optionflags=_FLAGS).run(test, clear_globs=False)
    return result.attempted, [output.getvalue()] if result.failed else []


def _run_console(document: Path, block: Block, _: dict[str, Any]) -> tuple[int, list[str]]:
    environment = _environment()
    failures, count = [], 0
    for command in commands(block):
        process = subprocess.run(
            ["sh", "-c", command.text],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        output = process.stdout + (f"[exit {process.returncode}]\n" if process.returncode else "")
        count += 1
        if not doctest.OutputChecker().check_output(command.output + "\n", output or "\n", _FLAGS):
            shown = f"expected:\n{command.output}\ngot:\n{output}"
            failures.append(f"{document.name}, line {command.line}: {command.text}\n{shown}")
    return count, failures


def _environment() -> dict[str, str]:
    """Return the environment of commands, without the user's language, time zone, terminal and settings."""
    folders = (command_folder(), Path(sys.executable).parent, os.environ["PATH"])
    path = ":".join(str(folder) for folder in folders if folder is not None)
    inherited = {name: value for name, value in os.environ.items() if not _INHERITED_SETTINGS.fullmatch(name)}
    return {**inherited, **_ENVIRONMENT, "PATH": path, "PYTEST_ADDOPTS": _WITHOUT_PLUGINS}
