"""Filters of programs that are installed on this machine: each is started, and the filters that it installs are caught.

`python -m support.real_filters FOLDER`, run as root in the folder `tests`, writes the filters as arrays of struct
sock_filter into a folder, for $CBPF_SECCOMP_FILTERS. The project
contains neither them nor the output of cbpf for them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import cbpf
from cbpf.seccomp import trace_command
from support.forked import in_child
from support.large_seccomp_filters import profile

Stack = tuple[cbpf.Program, ...]
"""The filters of a thread, oldest first."""

_SYSTEMD: Final = """
import ctypes, glob, os
library = ctypes.CDLL(glob.glob("/usr/lib/*/systemd/libsystemd-shared-*.so")[-1])
library.syscall_filter_set_find.restype = ctypes.c_void_p
set_of = lambda name: ctypes.c_void_p(library.syscall_filter_set_find(name))
load = library.seccomp_load_syscall_filter_set
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
"""
_ALLOW, _ERRNO = 0x7FFF_0000, 0x0005_0001
_SYSTEMD_SETTINGS: Final = {
    "LockPersonality": "library.seccomp_lock_personality(ctypes.c_ulong(0))",
    "MemoryDenyWriteExecute": "library.seccomp_memory_deny_write_execute()",
    "ProtectHostname": "library.seccomp_protect_hostname()",
    "ProtectKernelLogs": "library.seccomp_protect_syslog()",
    "ProtectKernelTunables": "library.seccomp_protect_sysctl()",
    "RestrictNamespaces": "library.seccomp_restrict_namespaces(ctypes.c_ulong(0))",
    "RestrictSUIDSGID": "library.seccomp_restrict_suid_sgid()",
    "SystemCallFilter-deny": f"load({_ALLOW}, set_of(b'@mount'), {_ERRNO}, False)",
    "SystemCallFilter-allow": f"load({_ERRNO}, set_of(b'@system-service'), {_ALLOW}, False)",
}
"""Settings of units, and the functions by which systemd applies them."""

_APT_CONFIGURATION: Final = b"601 Configuration\nConfig-Item: APT::Sandbox::Seccomp=true\n\n"
_BIND_MOUNTS: Final = ("/usr", "/etc")
_NOBODY: Final = 65534
_PAGE: Final = "<script>document.write(1 + 1)</script><video src='data:video/mp4;base64,AAAA'></video>"


class Uncaught(Exception):
    """No filter can be caught; the message is the reason."""


class Source(NamedTuple):
    """A command that installs filters.

    Args:
        name: A name for the filters.
        package: Debian's package of the command.
        command: The words of the command; in them, {folder} is an empty folder.
        input: The data of its standard input, which is a socket.
        files: Files of the folder, with their texts, in which {folder} is the folder as well.
        setup: A command that precedes it.
        seconds: The time after which the command is killed, if it does not end.
        is_unprivileged: Whether root runs the command as an ordinary user, in an empty folder of this user.
    """

    name: str
    package: str
    command: tuple[str, ...]
    input: bytes = b""
    files: Mapping[str, str] = {}
    setup: tuple[str, ...] = ()
    seconds: float = 10
    is_unprivileged: bool = False

    def stacks(self, folder: Path) -> tuple[Stack, ...]:
        """Return the stacks that the threads of the command have at their end; raise `Uncaught` if there is none."""
        for words in filter(None, (self.setup, self.command)):
            if shutil.which(words[0]) is None:
                raise Uncaught(f"{self.name}: needs Debian's package {self.package}")
        if not self.is_unprivileged or os.geteuid() != 0:
            return self._stacks(folder)
        with tempfile.TemporaryDirectory() as name:  # the folders of *folder* may be closed to the user
            os.chown(name, _NOBODY, _NOBODY)
            words = ("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *self.command)
            return self._replace(command=words)._stacks(Path(name))

    def _stacks(self, folder: Path) -> tuple[Stack, ...]:
        for name, text in self.files.items():
            (folder / name).write_text(text.replace("{folder}", str(folder)))
        setup, command = (
            [word.replace("{folder}", str(folder)) for word in each] for each in (self.setup, self.command)
        )
        if setup:
            subprocess.run(setup, cwd=folder, check=True, capture_output=True)
        log = folder / "log"
        stacks: tuple[Stack, ...] = in_child(partial(_traced, command, self.input, log, self.seconds))
        if not stacks:
            lines = log.read_text(errors="replace").strip().splitlines() or ["no message"]
            raise Uncaught(f"{self.name}: the command installs no filter here: {lines[-1][:200]}")
        return stacks


def _traced(command: list[str], data: bytes, log: Path, seconds: float) -> tuple[Stack, ...]:
    """Trace a command in this process, whose standard input and outputs are replaced."""
    ours, theirs = socket.socketpair()
    ours.sendall(data)
    with suppress(OSError):
        ours.shutdown(socket.SHUT_WR)
    os.dup2(theirs.fileno(), 0)
    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.chdir(log.parent)
    os.environ["HOME"] = str(log.parent)
    return trace_command(command, timeout=seconds).stacks()


def _container(name: str, *options: str) -> Source:
    """Return an OCI runtime that starts a command with a made-up profile, on the files of this machine."""
    layered = json.loads(profile())
    architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    seccomp = {"architectures": architectures} | {key: layered[key] for key in ("defaultAction", "syscalls")}
    mounts = [
        {"destination": each, "source": each, "type": "bind", "options": ["rbind", "ro"]} for each in _BIND_MOUNTS
    ]
    mounts.append({"destination": "/proc", "source": "proc", "type": "proc"})
    user = {"uid": 0, "gid": 0}
    config = {
        "ociVersion": "1.0.2",
        "process": {"args": ["/usr/bin/true"], "cwd": "/", "user": user, "noNewPrivileges": True},
        "root": {"path": "root"},
        "mounts": mounts,
        "linux": {"namespaces": [{"type": "mount"}], "seccomp": seccomp},
    }
    links = "for each in bin lib lib64 sbin; do ln -s usr/$each root/$each; done"
    words = f"mkdir -p root/usr root/etc root/proc && {links}"
    identifier = f"cbpf-test-{os.getpid()}"
    command = (name, "--root", "{folder}/state", *options, "run", "--no-pivot", "--bundle", "{folder}", identifier)
    return Source(name, name, command, files={"config.json": json.dumps(config)}, setup=("sh", "-c", words))


def _sources() -> Iterator[Source]:
    config = {"config": "HostKey {folder}/key\nUsePAM no\nLoginGraceTime 5\n"}
    keys = ("sh", "-c", "mkdir -p -m 755 /run/sshd && ssh-keygen -q -t ed25519 -N '' -f {folder}/key")
    sshd = ("/usr/sbin/sshd", "-i", "-e", "-f", "{folder}/config")
    yield Source("sshd", "openssh-server", sshd, b"SSH-2.0-test\r\n", config, keys)
    for setting, call in _SYSTEMD_SETTINGS.items():
        text = f"{_SYSTEMD}\nassert {call} >= 0\nos._exit(0)"
        yield Source(f"systemd-{setting}", "systemd", (sys.executable, "-c", text))
    hardened = "\n".join(f"assert {call} >= 0" for call in _SYSTEMD_SETTINGS.values())
    yield Source("systemd-hardened", "systemd", (sys.executable, "-c", f"{_SYSTEMD}\n{hardened}\nos._exit(0)"))
    for method in ("file", "store", "http"):
        yield Source(f"apt-{method}", "apt", (f"/usr/lib/apt/methods/{method}",), _APT_CONFIGURATION)
    yield Source(
        "man", "man-db", ("man", "-P", "cat", "-l", "{folder}/page.1"), files={"page.1": ".TH A 1\n.SH NAME\na\n"}
    )
    torrc = "Sandbox 1\nDisableNetwork 1\nSocksPort 0\nDataDirectory {folder}/data\n"
    yield Source("tor", "tor", ("tor", "-f", "{folder}/torrc"), files={"torrc": torrc}, seconds=5)
    for level in ("1", "2"):
        words = ("/usr/sbin/chronyd", "-F", level, "-Q", "-t", "1", "-u", "root", "-f", "{folder}/conf")
        text = "port 0\ncmdport 0\nbindcmdaddress /\npidfile {folder}/pid\nserver 127.0.0.1\n"
        yield Source(f"chronyd-{level}", "chrony", words, files={"conf": text})
    denied = ",".join(f"{each}=deny" for each in ("obsolete", "elevateprivileges", "spawn", "resourcecontrol"))
    quiet = ("-M", "none", "-display", "none", "-serial", "none", "-monitor", "stdio")
    yield Source("qemu", "qemu-system-x86", ("qemu-system-x86_64", "-sandbox", f"on,{denied}", *quiet), b"quit\n")
    options = ("--seccomp", "--protocol=unix,inet", "--memory-deny-write-execute", "--restrict-namespaces")
    yield Source("firejail", "firejail", ("firejail", "--quiet", "--noprofile", *options, "true"))
    yield _container("runc")
    yield _container("crun", "--cgroup-manager", "disabled")
    yield Source("passt", "passt", ("passt", "-f", "-s", "{folder}/socket"), seconds=3)
    tpm = ("swtpm", "socket", "--tpm2", "--tpmstate", "dir={folder}", "--ctrl", "type=unixio,path={folder}/control")
    yield Source("swtpm", "swtpm", (*tpm, "--seccomp", "action=kill"), seconds=3)
    yield Source("ctags", "universal-ctags", ("ctags-universal", "--_interactive=sandbox"))
    yield Source("arping", "arping", ("arping", "-z", "-c", "1", "-i", "lo", "127.0.0.1"), seconds=3)
    yield Source(
        "sniffglue", "sniffglue", ("sniffglue", "-r", str(Path(__file__).parents[2] / "examples/traffic.pcap"))
    )
    page = {"page.html": _PAGE}
    firefox = ("--headless", "--no-remote", "--profile", "{folder}/profile", "--screenshot", "{folder}/image.png")
    yield Source(
        *("firefox", "firefox-esr", ("firefox-esr", *firefox, "file://{folder}/page.html")),
        files=page,
        setup=("mkdir", "profile"),
        seconds=60,
    )
    for name, mode in (("chromium", "--headless"), ("chromium-headless-shell", "--incognito")):
        browser = (name, mode, "--dump-dom", "--user-data-dir={folder}/data", "file://{folder}/page.html")
        yield Source(name, name, browser, files=page, seconds=60, is_unprivileged=True)


SOURCES: Final = tuple(_sources())


def main() -> None:
    """Write the filters of all sources into a folder, one file per filter: NAME-STACK-INDEX.bpf."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m support.real_filters FOLDER")
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        folder = target / "work"
        folder.mkdir()
        try:
            stacks = source.stacks(folder)
        except Uncaught as reason:
            print(reason, file=sys.stderr)
            continue
        finally:
            shutil.rmtree(folder)
        for number, stack in enumerate(stacks):
            for index, program in enumerate(stack):
                (target / f"{source.name}-{number}-{index}.bpf").write_bytes(program.to_bytes(byte_order="little"))
        print(f"{source.name}: {', '.join(' '.join(str(len(each)) for each in stack) for stack in stacks)}")


if __name__ == "__main__":
    main()
