"""Programs that a target cannot execute, and invalid arguments: one line with the instruction and the reason."""

import subprocess
import sys
from pathlib import Path

import pytest

import cbpf
from support.command_line import CommandLine

TARGETS = ("c", "llvm", "object", "ptx", "wasm", "ebpf-xdp", "ebpf-tc", "ebpf-socket")
FUNCTIONS = TARGETS[:5]
BPF = TARGETS[5:]


@pytest.mark.parametrize("target", TARGETS)
def test_length_and_xor_exist_everywhere(target: str) -> None:
    program = cbpf.parse("ldx #3\nld #len\nld #xor_x\nret a")
    assert cbpf.emit(program, target=target, dialect=cbpf.LINUX)  # type: ignore[call-overload]


@pytest.mark.parametrize("target", FUNCTIONS)
@pytest.mark.parametrize("word", ["mark", "proto", "vlan_tci", "cpu", "rand", "hatype"])
def test_functions_have_no_metadata(target: str, word: str) -> None:
    program = cbpf.parse(f"ldx #1\nld #{word}\nret a")
    message = (
        rf"target {target}: \(001\) ld \[.*\]: the extension {word} does not exist in a function of the packet alone"
    )
    with pytest.raises(cbpf.ProgramFormatError, match=message):
        cbpf.emit(program, target=target, dialect=cbpf.LINUX)  # type: ignore[call-overload]


@pytest.mark.parametrize("target", FUNCTIONS)
@pytest.mark.parametrize("count", [4_000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_long_programs_are_written(target: str, count: int, cli: CommandLine, tmp_path: Path) -> None:
    """LLVM ended the process for long programs with scratch slots, in a pass or at the lack of a stack."""
    lines = [f"ldb [{index}]\njeq #{index % 256},0,1\nst M[{index % 16}]" for index in range(count // 3)]
    source, written = tmp_path / "long.asm", tmp_path / "written"
    source.write_text("\n".join([*lines, *(f"ldx M[{slot}]\nxor x" for slot in range(16)), "ret a"]))
    done = cli("emit", str(source), "--target", target, "-w", str(written))
    assert (done.exit_code, done.stderr) == (0, "")
    assert written.stat().st_size > 2 * count


@pytest.mark.parametrize("target", BPF)
@pytest.mark.parametrize("word", ["hatype", "nla", "nlan", "poff"])
def test_extension_that_no_hook_has_is_named(target: str, word: str) -> None:
    program = cbpf.parse(f"ld #{word}\nret a")
    with pytest.raises(cbpf.ProgramFormatError, match=rf"target {target}: .*extension {word} does not exist"):
        cbpf.emit(program, target=target, dialect=cbpf.LINUX)  # type: ignore[call-overload]


@pytest.mark.parametrize("offset", ["-1048576", "-2097152"])
def test_header_window_is_for_sockets_only(offset: str) -> None:
    program = cbpf.parse(f"ldb [{offset}]\nret a")
    for target in (*FUNCTIONS, "ebpf-xdp", "ebpf-tc"):
        with pytest.raises(cbpf.ProgramFormatError, match="header, whose position is unknown"):
            cbpf.emit(program, target=target, dialect=cbpf.LINUX)  # type: ignore[call-overload]
    assert cbpf.emit(program, target="ebpf-socket", dialect=cbpf.LINUX)


@pytest.mark.parametrize("target", BPF)
def test_filters_of_system_calls_are_not_ebpf(target: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError, match=f"target {target}: filters of system calls"):
        cbpf.emit(cbpf.parse("ret #0"), target=target, dialect=cbpf.SECCOMP)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "java"}, "target: 'java' is not one of c, llvm, object"),
        ({"name": "2x"}, "emit.name: '2x' is not a name for the function; it has letters of ASCII, digits and _,"),
        ({"name": "while"}, "emit.name: 'while' is not a name"),
        ({"name": "m3"}, "emit.name: 'm3' is not a name"),
        ({"main": True, "target": "wasm"}, "emit.main: the target wasm has no main function; it is for c"),
        (
            {"main": True, "dialect": cbpf.SECCOMP},
            "emit.main: the main function reads captures, and programs of seccomp do not",
        ),
        ({"accept": "drop"}, "emit.accept: the target c does not drop packets; 'drop' is for ebpf-xdp and ebpf-tc"),
        ({"accept": "redirect", "target": "ebpf-xdp"}, "emit.accept: 'redirect' is not one of 'pass', 'drop'"),
    ],
)
def test_invalid_arguments_are_reported(options: dict[str, object], message: str) -> None:
    with pytest.raises(cbpf.FieldError, match=f"^{message}"):
        cbpf.emit([cbpf.RetConstant(1)], **options)  # type: ignore[call-overload]


def test_rejected_program_is_reported() -> None:
    with pytest.raises(cbpf.VerificationError):
        cbpf.emit([cbpf.LoadScratch(cbpf.Register.A, 3), cbpf.RetA()], dialect=cbpf.LINUX)


def test_a_target_without_its_library_names_the_extra() -> None:
    command = "import sys; sys.modules['llvmlite'] = None; from cbpf.cli import main; main()"
    arguments = ["emit", "-e", "arp", "--target", "ptx"]
    done = subprocess.run([sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cbpf: target ptx: the engine 'llvm' needs llvmlite: pip install 'cbpf[llvm]'\n"
