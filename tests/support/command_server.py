"""A process that has imported cbpf, and runs each command `cbpf` in a fork of itself.

Most of the time of a short command is the start of Python and the imports. `command_folder` starts the server and
returns a folder with the executable `cbpf`, a small program in C that sends its standard streams to the server. The
server reads the arguments, the environment and the working directory of this client from /proc, and a fork of it runs
the entry point with them. The client ends as the fork does, and the fork is killed if the client is.

The server rejects a client whose situation a fork would not share: a terminal, more open files, limits, ignored
signals, namespaces, users, or variables that Python reads at its start. A rejected client runs `python -m cbpf` in its
own place. Under coverage (`./dev test --all`), and where there is no C compiler, every command is such a process.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import pkgutil
import re
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import traceback
from contextlib import ExitStack, suppress
from functools import cache, partial
from io import TextIOWrapper
from pathlib import Path
from tempfile import mkdtemp
from typing import Final, NamedTuple, NoReturn

import cbpf

_SOURCE: Final = Path(__file__).with_name("command_client.c")
_NOT_PRELOADED: Final = ("cbpf.__main__", "cbpf.pytest_plugin")
_IMPORTED_AT_FIRST_USE: Final = ("bitwuzla", "cypcap")
_CREDENTIALS: Final = struct.Struct("3i")  # struct ucred
_INT: Final = struct.Struct("i")
_STREAMS: Final = ("stdin", "stdout", "stderr")
_INHERITED_STATUS: Final = re.compile(
    r"^(?:Uid|Gid|Groups|CapEff|NoNewPrivs|Seccomp|SigBlk|Umask|Cpus_allowed):.*", re.MULTILINE
)
_IGNORED_SIGNALS: Final = re.compile(r"^SigIgn:\s*(\w+)$", re.MULTILINE)
_IGNORED_BY_PYTHON: Final = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)
_SIGNALS: Final = (1 << 31) - 1 & ~_IGNORED_BY_PYTHON  # posix_spawn ignores two that glibc uses by itself, 32 and 33
_READ_AT_START: Final = re.compile(rb"PYTHON.*|LD_.*|COVERAGE.*")
_LOCALES: Final = (b"LC_ALL", b"LC_CTYPE", b"LANG")
_LIKE_C: Final = (b"", b"C", b"POSIX", b"C.UTF-8", b"C.utf8")  # UTF-8, with the error handler surrogateescape

_resources: Final = ExitStack()
stop: Final = _resources.close
"""End the server and remove the folder, if there are any."""


def _remove(folder: Path, owner: int) -> None:
    """Remove a folder, unless this process is a fork of its owner."""
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def command_folder() -> Path | None:
    """Start the server; return the folder of the executable `cbpf`, or None if there can be no server."""
    compiler = shutil.which("cc")
    if compiler is None or any(name.startswith("COVERAGE") for name in os.environ):
        return None
    temporary = Path(mkdtemp(prefix="cbpf-commands-"))
    _resources.callback(_remove, temporary, os.getpid())
    folder, address = temporary / "bin", str(temporary / "socket")
    folder.mkdir()
    definitions = [f'-D{name}="{value}"' for name, value in (("SERVER", address), ("PYTHON", sys.executable))]
    if subprocess.run([compiler, "-O1", *definitions, "-o", folder / "cbpf", _SOURCE]).returncode != 0:
        return None  # such as a compiler without the headers of the C library
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        server = subprocess.Popen(
            [sys.executable, "-m", "support.command_server", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            cwd=_SOURCE.parents[1],
            pass_fds=[listener.fileno()],
            start_new_session=True,  # Ctrl-C ends the tests, whose end is the end of the input of the server
        )
    _resources.callback(server.communicate)
    return folder


class Situation(NamedTuple):
    """Everything that a command inherits beside its arguments, streams, working directory and other variables."""

    status: list[str]
    ignored_signals: int
    limits: str
    namespaces: list[str]
    locale: bytes
    variables: dict[bytes, bytes]

    @classmethod
    def of(cls, folder: Path, environment: dict[bytes, bytes]) -> Situation:
        """Return the situation of the process with this folder in /proc and this environment."""
        status = (folder / "status").read_text()
        locale = next((environment[name] for name in _LOCALES if environment.get(name)), b"")
        return cls(
            _INHERITED_STATUS.findall(status),
            int(_IGNORED_SIGNALS.findall(status)[0], 16) & _SIGNALS,
            (folder / "limits").read_text(),
            [os.readlink(folder / "ns" / name) for name in ("mnt", "net", "user")],
            b"C" if locale in _LIKE_C else locale,
            {name: value for name, value in environment.items() if _READ_AT_START.fullmatch(name)},
        )


class _Request:
    """A command that a client sends, read from the folder of the client in /proc."""

    def __init__(self, connection: socket.socket) -> None:
        _, self.streams, _, _ = socket.recv_fds(connection, 1, len(_STREAMS))
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        self.folder = Path("/proc", str(_CREDENTIALS.unpack(credentials)[0]))
        self.arguments = (self.folder / "cmdline").read_bytes().split(b"\0")[1:-1]
        variables = (self.folder / "environ").read_bytes().split(b"\0")[:-1]
        self.environment = {name: value for name, _, value in (variable.partition(b"=") for variable in variables)}

    def is_usual(self, own: Situation) -> bool:
        """Return whether a fork of the server would be in the situation of the client."""
        return (
            not any(map(os.isatty, self.streams))
            and len(os.listdir(self.folder / "fd")) == len(_STREAMS) + 1  # and the connection
            and Situation.of(self.folder, self.environment) == own
        )

    def enter(self) -> None:
        """Give this process, a fork, the arguments, the environment, the streams and the directory of the client."""
        os.environb.clear()
        os.environb.update(self.environment)
        time.tzset()
        os.chdir(self.folder / "cwd")
        sys.path[0] = os.getcwd()
        sys.argv = ["cbpf", *map(os.fsdecode, self.arguments)]
        for descriptor, (name, opened) in enumerate(zip(_STREAMS, self.streams, strict=True)):
            os.dup2(opened, descriptor)
            os.close(opened)
            stream = _reopened(descriptor, getattr(sys, name))
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _reopened(descriptor: int, old: TextIOWrapper) -> TextIOWrapper:
    """Open a standard stream, which is not a terminal, as Python did at its start."""
    mode = "rb" if descriptor == 0 else "wb"
    binary = os.fdopen(descriptor, mode, 0 if old.write_through else -1, closefd=False)
    settings = {"line_buffering": descriptor == 2, "write_through": old.write_through}
    return TextIOWrapper(binary, old.encoding, old.errors, "\n", **settings)


def _run(request: _Request) -> NoReturn:
    """Run the command and end this process, a fork, as the interpreter would."""
    status: object = 1
    try:
        request.enter()
        from cbpf.__main__ import main

        main()
        status = 0
    except SystemExit as error:
        status = error.code
    except BaseException:
        traceback.print_exc()
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError):  # closed
            stream.flush()
    assert isinstance(status, int)
    os._exit(status)


class _Command(NamedTuple):
    """A fork that runs a command, and the connection to its client."""

    process: int
    end: int  # a descriptor of the process, readable after its end
    connection: socket.socket


class _Server:
    """Accepts clients until standard input ends."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._situation = Situation.of(Path("/proc/self"), dict(os.environb))
        self._selector = selectors.DefaultSelector()

    def serve(self) -> None:
        self._selector.register(0, selectors.EVENT_READ)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        while True:
            (key, _), *_ = self._selector.select()
            if key.fd == 0:
                return
            key.data()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        with suppress(OSError):  # the client has ended
            request = _Request(connection)
            if request.is_usual(self._situation):
                self._start(request, connection)
            for stream in request.streams:
                os.close(stream)
        if connection not in self._selector.get_map():
            connection.close()

    def _start(self, request: _Request, connection: socket.socket) -> None:
        process = os.fork()
        if process == 0:
            connection.close()
            for key in self._selector.get_map().values():
                if key.fd != 0:  # which the request replaces
                    os.close(key.fd)
            self._selector.close()
            _run(request)
        command = _Command(process, os.pidfd_open(process), connection)
        for source in (command.end, connection):
            self._selector.register(source, selectors.EVENT_READ, partial(self._end, command))
        connection.send(_INT.pack(process))

    def _end(self, command: _Command) -> None:
        """Report the end of a command to its client; kill a command whose client has ended."""
        process, status = os.waitpid(command.process, os.WNOHANG)
        if not process:
            os.kill(command.process, signal.SIGKILL)
            _, status = os.waitpid(command.process, 0)
        for source in (command.end, command.connection):
            self._selector.unregister(source)
        os.close(command.end)
        with suppress(OSError), command.connection:
            command.connection.send(_INT.pack(status))


def _main() -> None:
    names = (module.name for module in pkgutil.walk_packages(cbpf.__path__, "cbpf."))
    for name in (*(name for name in names if name not in _NOT_PRELOADED), *_IMPORTED_AT_FIRST_USE):
        with suppress(ImportError):  # an extra that is not installed
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # so that the garbage collector of a fork does not touch, and copy, the pages of the server
    _Server(socket.socket(fileno=int(sys.argv[1]))).serve()


if __name__ == "__main__":
    _main()
