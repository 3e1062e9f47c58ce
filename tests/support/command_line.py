"""Running the command as a user does."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import cbpf
from support.project import ROOT

TRAFFIC = str(ROOT / "examples" / "traffic.pcap")


PACKETS = list(cbpf.read_capture(TRAFFIC))


def run(*arguments: str | bytes, stdin: bytes = b"", **options: Any) -> tuple[int, bytes, str]:
    """Exit code, standard output, standard error."""
    result = subprocess.run([sys.executable, "-m", "cbpf", *arguments], input=stdin, capture_output=True, **options)
    return result.returncode, result.stdout, result.stderr.decode()
