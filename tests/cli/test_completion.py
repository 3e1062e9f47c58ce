"""Completion in real shells: bash, with its Tab key and its completion function, fish and zsh."""

import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from cbpf.cli import commands
from support.command_line import CommandLine

SHELLS: Final = ("bash", "fish", "zsh")
QUERIES: Final = [
    ("cbpf in", ["info"]),
    ("cbpf filter --en", ["--engine"]),
    ("cbpf filter --engine ", ["auto", "interpreter", "llvm", "python"]),
    ("cbpf filter -r t.pcap tcp po", ["port", "portrange"]),
    ("cbpf verify -y en1", ["EN10MB"]),
]
"""Command lines, and the words that complete them."""
FILES: Final = [
    ("cbpf info t.p", "", ["t.pcap", "t.pdir/"]),
    ("cbpf info two\\ ", "", ["two words.pcap"]),
    ("cbpf split arp=t.pc", "arp=", ["t.pcap"]),
    ("cbpf filter --hosts=t.pc", "--hosts=", ["t.pcap"]),
    ("cbpf filter t.pc", "", ["t.pcap"]),
]
"""Command lines, the part of the last word before the name of a file, and the names that complete it."""


def _environment(home: Path) -> dict[str, str]:
    """Return the environment of a shell that finds this cbpf, without settings of the user such as INPUTRC."""
    binaries = home / "bin"
    binaries.mkdir(exist_ok=True)
    (binaries / "cbpf").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cbpf "$@"\n')
    (binaries / "cbpf").chmod(0o755)
    of_python = {name: value for name, value in os.environ.items() if name.startswith("PYTHON")}
    path = f"{binaries}:{os.environ['PATH']}"
    return {**of_python, "HOME": str(home), "PATH": path, "TERM": "dumb", "PS1": "> ", "LANG": "C.UTF-8"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with files, in which the shells run."""
    place = tmp_path / "files"
    (place / "t.pdir").mkdir(parents=True)
    for name in ("t.pcap", "two words.pcap"):
        (place / name).touch()
    return place


def _run(shell: str, code: str, folder: Path, *arguments: str) -> list[str]:
    """Run code in a shell, which must print nothing on stderr, and return the lines of its output."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    options = {"bash": ["--norc", "-c"], "fish": ["--no-config", "-c"]}[shell]
    command = [shell, *options, code, *(["bash"] if shell == "bash" else []), *arguments]
    done = subprocess.run(
        command, check=True, cwd=folder, env=_environment(folder.parent), stdin=subprocess.DEVNULL, capture_output=True
    )
    assert done.stderr == b""
    return done.stdout.decode().splitlines()


BASH: Final = """
source <(cbpf completion bash)
compopt() { echo "$*"; }
for line; do
    COMP_LINE=$line COMP_POINT=${#line} COMP_WORDS=($line) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    [[ $line == *' ' ]] && COMP_CWORD=${#COMP_WORDS[@]}
    _cbpf cbpf
    (IFS=,; echo "${COMPREPLY[*]}")
done
"""
"""Calls the completion function as bash does, and prints the requests to the shell and the words."""


def test_bash_completes_words(folder: Path) -> None:
    lines = _run("bash", BASH, folder, *(line for line, _ in QUERIES))
    assert [sorted(line.split(",")) for line in lines] == [words for _, words in QUERIES]


def test_bash_completes_file_names_by_itself(folder: Path) -> None:
    lines = [line for line, _, _ in FILES[-2:]]
    assert _run("bash", BASH, folder, *lines) == ["-o default", ""] * len(lines)


def test_bash_quotes_values_with_spaces(folder: Path) -> None:
    assert _run("bash", BASH, folder, "cbpf filter --direction src") == [r"src\ or\ dst,src\ and\ dst,src"]


BASH_QUOTES: Final = """
source <(cbpf completion bash)
COMP_LINE="cbpf filter $1" COMP_POINT=1000 COMP_WORDS=(cbpf filter "$1") COMP_CWORD=2
_cbpf cbpf
echo "${COMPREPLY[0]}"
"""


@pytest.mark.parametrize(
    ("word", "completed"),
    [
        ("'ether \\x po", "ether \\x port"),
        ('"\\$(x) po', "\\$(x) port"),
        ("'$(x)'\\ po", "\\$\\(x\\)\\ port"),
        ('"$x"\\ po', "\\$x\\ port"),
    ],
)
def test_bash_does_not_remove_the_effect_of_quotes(word: str, completed: str, folder: Path) -> None:
    """In the completed word, `$` and backquotes have no meaning either."""
    assert _run("bash", BASH_QUOTES, folder, word) == [completed]


FISH: Final = """
cbpf completion fish | source
for line in $argv
    complete -C $line | string replace -r '\\t.*' '' | string join ,
end
true
"""


def test_fish_completes_words_and_file_names(folder: Path) -> None:
    words_after_prefixes = [*FILES, ("cbpf filter --engine=p", "--engine=", ["python"])]
    lines = _run("fish", FISH, folder, *(line for line, _ in QUERIES), *(line for line, _, _ in words_after_prefixes))
    expected = [words for _, words in QUERIES] + [
        [prefix + name for name in names] for _, prefix, names in words_after_prefixes
    ]
    assert [sorted(line.split(",")) for line in lines] == expected


class _Terminal:
    """An interactive shell on a pseudo-terminal."""

    def __init__(self, command: list[str], folder: Path) -> None:
        environment = _environment(folder.parent)
        self.process, self._descriptor = pty.fork()
        if self.process == 0:
            try:
                os.chdir(folder)
                os.execvpe(command[0], command, environment)
            finally:
                os._exit(127)

    def type(self, text: str, expected: str) -> str:
        """Type a text and return the output until it contains another text, or has paused for long."""
        os.write(self._descriptor, text.encode())
        output = b""
        while expected.encode() not in output and select.select([self._descriptor], [], [], 20)[0]:
            output += os.read(self._descriptor, 4096)
        return output.decode()

    def close(self) -> None:
        os.close(self._descriptor)
        os.waitpid(self.process, 0)


TERMINALS: Final = {
    "bash": (["bash", "--norc", "-i"], "source <(cbpf completion bash)"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; source <(cbpf completion zsh)"),
}


@pytest.fixture(params=TERMINALS)
def terminal(request: pytest.FixtureRequest, folder: Path) -> Iterator[_Terminal]:
    """Each shell, with the completion of cbpf."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    command, setting = TERMINALS[request.param]
    terminal = _Terminal(command, folder)
    try:
        assert "ready" in terminal.type(f"{setting}; echo rea''dy\n", "ready\r\n")
        yield terminal
        terminal.type("\x15exit\n", "exit")
    finally:
        terminal.close()


def test_the_tab_key_completes(terminal: _Terminal) -> None:
    for typed, completed in [
        ("cbpf in\t", "cbpf info "),
        ("t.pc\t", "ap "),
        ("two\t", "words.pcap "),
        ("t.pd\t", "ir/"),
    ]:
        assert completed in terminal.type(typed, completed).replace("\a", "")


def test_the_name_of_a_file_is_not_executed(terminal: _Terminal, folder: Path) -> None:
    (folder / "x'\"; $(touch executed) `touch executed`").touch()
    assert "executed\\`" in terminal.type("cbpf info x\t", "executed\\`")
    error = "cbpf: x'\"; $(touch executed) `touch executed`: "
    assert error in terminal.type("\n", error)
    assert not (folder / "executed").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_is_valid(shell: str, cli: CommandLine) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    script = cli("completion", shell)
    assert script.exit_code == 0
    checked = subprocess.run([shell, "-n", "/dev/stdin"], input=script.stdout, capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.parametrize(
    "line", ["cbpf nothing ", "cbpf filter --nothing ", "cbpf '", 'cbpf filter "tcp \\', "cbpf info ''"]
)
def test_incomplete_lines_are_answered_without_a_message(line: str, cli: CommandLine) -> None:
    environment = {**os.environ, "COMP_LINE": line, "_CBPF_COMPLETE": "bash_complete"}
    result = cli(env=environment)
    assert (result.exit_code, result.stderr) == (0, "")


def _imported(*arguments: str, **variables: str) -> set[str]:
    """Return the modules that a command line imports."""
    code = "import sys; from cbpf.cli import main; import atexit; atexit.register(lambda: print(*sys.modules)); main()"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_help_text_does_not_import_the_modules_of_completion() -> None:
    assert not _imported("--help") & {"click.shell_completion", "importlib.resources", "cbpf.cli.completion"}


def test_a_query_without_a_command_line_lists_the_subcommands(cli: CommandLine) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "COMP_LINE"}
    result = cli(env={**environment, "_CBPF_COMPLETE": "bash_complete"})
    assert [line.split(b"\t")[1].decode() for line in result.stdout.splitlines()] == commands.command.names
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_query_imports_no_more_than_it_needs() -> None:
    """The names of files are left to the shell, so that a query for one imports the subcommand alone."""
    loaded = _imported(COMP_LINE="cbpf info t.p", _CBPF_COMPLETE="bash_complete")
    assert "cbpf.cli.commands.info" in loaded
    assert not loaded & {f"cbpf.cli.commands.{name}" for name in commands.command.names if name != "info"}
    assert not loaded & {"cbpf.expression.vocabulary", "cbpf.engines.base", "cypcap", "llvmlite"}
