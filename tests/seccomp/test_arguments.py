"""The arguments of system calls; CBPF_UPDATE=1 ./dev test -k trace_events writes `arguments.txt` again, as root."""

import os
from pathlib import Path
from typing import Final

import pytest

from cbpf.seccomp import ARCHITECTURES, arguments_of, call_names, names_available
from cbpf.seccomp.names import arguments
from cbpf.seccomp.names.removed_calls import removed_calls
from support.generated import check_file
from support.judges import trace_events

DATA: Final = Path(arguments.__file__).with_name("arguments.txt")
HEADER: Final = "# The arguments of system calls, from the trace events of Linux {}: tests/seccomp/test_arguments.py."


def test_arguments_are_those_of_the_trace_events() -> None:
    """A kernel has the calls of its configuration; those of another release may have changed since."""
    if reason := trace_events.available():
        pytest.skip(reason)
    release = ".".join(os.uname().release.split(".")[:2])
    prototypes = trace_events.prototypes()
    assert len(prototypes) > 300
    text = DATA.read_text()
    if os.environ.get("CBPF_UPDATE"):
        text = "\n".join([HEADER.format(release), *(prototypes[name] for name in sorted(prototypes)), ""])
    header, *lines = text.splitlines()
    if header != HEADER.format(release):
        pytest.skip(f"This kernel is Linux {release}.")
    data = {line.partition("(")[0]: line for line in lines}
    assert {name: line for name, line in data.items() if name in prototypes and prototypes[name] != line} == {}
    check_file(DATA, text)


def test_types_are_known() -> None:
    """Each type is a pointer, in a table of this module, or one of these, which have 32 bits."""
    names = "int pid_t uid_t gid_t qid_t u32 __u32 __s32 unsigned clockid_t key_t key_serial_t mqd_t timer_t rwf_t"
    ints = {*names.split(), "unsigned int", "enum landlock_rule_type"}
    seen = {argument for call in arguments._prototypes("x86_64") for argument in arguments_of(call)}
    assert len(seen) > 400
    for argument in seen:
        bare = argument.type.removeprefix("const ")
        assert (argument.width == 32) is (bare in ints), argument


@pytest.mark.skipif(not names_available(), reason="system-calls is not installed")
def test_most_calls_have_known_arguments() -> None:
    present = {name for name in call_names() if name in arguments._prototypes("x86_64")}
    missing = call_names().keys() - present - arguments_removed()
    assert missing == {"epoll_ctl_old", "epoll_wait_old", "rseq_slice_yield"}
    assert arguments._prototypes("i386").keys() >= {"socketcall", "ipc", "mmap2", "chown32", "futex_time64"}


def arguments_removed() -> set[str]:
    """Return the names of calls that kernels no longer have."""
    return set(removed_calls("x86_64"))


@pytest.mark.parametrize(
    ("call", "architecture", "names"),
    [
        ("clone", "x86_64", "flags newsp parent_tidptr child_tidptr tls"),
        ("clone", "x32", "flags newsp parent_tidptr child_tidptr tls"),
        ("clone", "aarch64", "flags newsp parent_tidptr tls child_tidptr"),
        ("clone", "s390x", "newsp flags parent_tidptr child_tidptr tls"),
        ("mmap", "x86_64", "addr len prot flags fd off"),
        ("mmap", "s390x", "arg"),
        ("mmap2", "arm", "addr len prot flags fd pgoff"),
        ("pread64", "x86_64", "fd buf count pos"),
        ("pread64", "i386", ""),  # pos occupies two registers
        ("setuid32", "i386", "uid"),
        ("getpid", "x86_64", ""),
        ("nothing", "x86_64", ""),
    ],
)
def test_names_of_arguments(call: str, architecture: str, names: str) -> None:
    assert " ".join(argument.name for argument in arguments_of(call, architecture)) == names


@pytest.mark.parametrize(
    ("call", "architecture", "widths"),
    [
        ("socket", "x86_64", (32, 32, 32)),
        ("mmap", "x86_64", (64, 64, 64, 64, 64, 64)),
        ("fchmodat", "x86_64", (32, 64, 16)),
        ("execve", "x86_64", (64, 64, 64)),
        ("execve", "arm", (32, 32, 32)),
        ("capset", "s390x", (64, 64)),
    ],
)
def test_widths_of_arguments(call: str, architecture: str, widths: tuple[int, ...]) -> None:
    assert tuple(argument.width for argument in arguments_of(call, architecture)) == widths


def test_every_architecture_has_arguments() -> None:
    for name in ARCHITECTURES:
        assert arguments_of("socket", name)[0] == ("family", "int", 32)
