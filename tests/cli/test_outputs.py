"""The files of every subcommand that writes one: complete or unchanged, with the name of the file in the error."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from support.command_line import TRAFFIC, CommandLine
from support.damaged_writes import limit_file_size
from support.writing_commands import EXIT_CODES, WRITERS, arguments, write_program

_FULL_DISK: Final = 'mount -t tmpfs -o size=16k tmpfs disk && printf old > disk/out && cat /dev/zero > disk/fill; "$@"'


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return write_program(tmp_path / "program")


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_replaces_a_file(name: str, cli: CommandLine, program: Path, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    results = []
    for content in (None, b"old" * 100_000):
        if content is not None:
            (folder / "out").write_bytes(content)
        result = cli(*arguments(name, program, TRAFFIC, "out"), cwd=folder)
        assert result.exit_code == EXIT_CODES.get(name, 0), result.stderr
        results.append((folder / "out").read_bytes())
        assert os.listdir(folder) == ["out"]
    assert results[0] == results[1] != b""


@pytest.mark.parametrize("name", WRITERS)
def test_a_limit_of_the_file_size_leaves_the_old_file(
    name: str, cli: CommandLine, program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "out").write_bytes(b"old")
    result = cli(*arguments(name, program, TRAFFIC, "out"), cwd=folder, preexec_fn=lambda: limit_file_size(10))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "cbpf: out: File too large")
    assert result.stderr.count("\n") == 1
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("out", b"old")]


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_leaves_the_old_file(name: str, cli: CommandLine, program: Path, tmp_path: Path) -> None:
    """In a mount namespace of its own, which ends with the command."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare(1)")
    (tmp_path / "disk").mkdir()
    command = shlex.join([*cli.command, *arguments(name, program, TRAFFIC, "disk/out")])
    script = f"{command}; code=$?; ls -A disk >&2; cat disk/out >&2; exit $code"
    unshared = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _FULL_DISK, "sh", "sh", "-c", script]
    done = subprocess.run(unshared, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "cannot mount" in done.stderr or "permission denied" in done.stderr:
        pytest.skip("cannot mount a file system here")
    lines = [line for line in done.stderr.splitlines() if not line.startswith("cat: write error")]
    assert done.returncode == 2
    assert lines == ["cbpf: disk/out: No space left on device", "fill", "out", "old"]


@pytest.mark.parametrize("name", ["asm", "convert", "disasm", "optimize"])
def test_a_program_is_replaced_in_place(name: str, cli: CommandLine, program: Path, tmp_path: Path) -> None:
    expected = cli(*arguments(name, program, TRAFFIC, str(tmp_path / "expected"))).exit_code
    (tmp_path / "link").symlink_to(program)
    assert cli(*arguments(name, program, TRAFFIC, str(tmp_path / "link"))).exit_code == expected == 0
    assert program.read_bytes() == (tmp_path / "expected").read_bytes()


@pytest.mark.parametrize("name", ["asm", "convert", "disasm", "filter", "graph", "optimize"])
def test_standard_output_by_its_names(name: str, cli: CommandLine, program: Path, tmp_path: Path) -> None:
    """A file that the shell has opened is appended to, not replaced."""
    log = tmp_path / "log"
    log.write_bytes(b"begin\n")
    outputs = []
    for target in ("-", "/dev/stdout", "/dev/fd/1"):
        with log.open("ab") as stream:
            assert cli(*arguments(name, program, TRAFFIC, target), stdout=stream).exit_code == 0
        outputs.append(log.read_bytes())
        log.write_bytes(b"begin\n")
    assert outputs[0].startswith(b"begin\n")
    assert outputs[1] == outputs[2]
    assert len(outputs[0]) == len(outputs[1])


@pytest.mark.parametrize("name", ["asm", "convert", "disasm", "filter", "graph", "optimize"])
def test_a_full_standard_output_is_one_line(name: str, cli: CommandLine, program: Path) -> None:
    for target in ("-", "/dev/stdout"):
        with open("/dev/full", "wb") as full:
            result = cli(*arguments(name, program, TRAFFIC, target), stdout=full)
        place = "standard output" if target == "-" else target
        assert (result.exit_code, result.stderr) == (2, f"cbpf: {place}: No space left on device\n")


def test_a_capture_appended_to_itself_is_rejected(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "in.pcap"
    data = Path(TRAFFIC).read_bytes()
    path.write_bytes(data)
    with path.open("ab") as stream:
        result = cli("filter", "-q", "-r", str(path), stdout=stream)
    assert result.exit_code == 2
    assert result.stderr.startswith("cbpf: standard output: is also an input")
    assert path.read_bytes() == data


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".jpeg", ".svg.gz"])
def test_a_picture_of_an_unknown_suffix_is_rejected(
    suffix: str, cli: CommandLine, program: Path, tmp_path: Path
) -> None:
    target = tmp_path / f"out{suffix}"
    result = cli("graph", str(program), "-w", str(target))
    assert result.exit_code == 2
    assert "its suffix names no format; known are .svg, .mmd, .mermaid, .md, .dot and .gv" in result.stderr
    assert not target.exists()
    assert cli("graph", str(program), "-w", str(target), "--to", "dot").exit_code == 0


def test_characters_that_standard_output_cannot_encode_are_replaced(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "ü.c").write_text("{ 0x6, 0, 0, 1 },\n")
    result = cli("verify", "ü.c", cwd=tmp_path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert result == (0, b"?.c: 1 instruction, accepted by pcap\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("convert", "-e", "arp", "--to", "raw"),
        ("optimize", "-e", "arp", "--to", "raw"),
        ("emit", "-e", "arp", "--target", "wasm"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_bytes_are_not_written_to_a_terminal(arguments: tuple[str, ...]) -> None:
    if arguments[0] == "emit":
        pytest.importorskip("llvmlite", reason="WebAssembly needs llvmlite")
    terminal, standard_output = os.openpty()
    try:
        command = [sys.executable, "-m", "cbpf", *arguments]
        done = subprocess.run(command, stdout=standard_output, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(standard_output)
        os.close(terminal)
    message = f"cbpf: standard output is a terminal; give -w FILE (see cbpf {arguments[0]} --help)\n"
    assert (done.returncode, done.stderr) == (2, message)
