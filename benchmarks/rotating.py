"""The memory of a live capture that rotates its files for ten minutes."""

import resource
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks.processes import CBPF, WORKSPACE
from benchmarks.report import Section, at_most
from benchmarks.setting import Omitted, Setting
from benchmarks.veth import EAST, FRAME, Sender, enter_namespace

_SECONDS: Final = 600
_FRAMES: Final = 20_000  # a second: a small part of the frames that a processor can receive
_LINES: Final = 10  # of the table


def rotation(setting: Setting) -> Iterator[Section]:
    """Send packets every second to a capture that rotates its files, and measure its memory."""
    enter_namespace()
    sizes = _sizes(max(setting.scaled(_SECONDS), 2 * _LINES))
    yield _section(sizes)


def _sizes(seconds: int) -> list[float]:
    """Return the resident memory in MB after each second."""
    command = [CBPF, "capture", "-i", EAST, "-w", str(WORKSPACE / "rotated.pcap"), "-C", "1", "-W", "4"]
    sender, sizes = Sender(), []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first_line = process.stderr.readline()
        start = time.monotonic()
        for second in range(1, seconds + 1):
            sender.send(_FRAMES)
            time.sleep(max(0.0, start + second - time.monotonic()))
            if process.poll() is not None:
                raise Omitted(f"{command[0]}: {first_line}{process.stderr.read()}")
            sizes.append(_resident_bytes(process.pid) / 1e6)
        process.terminate()  # Ctrl-C is ignored in a process that a shell started in the background
        process.stderr.read()
    sender.close()
    return sizes


def _section(sizes: list[float]) -> Section:
    step = len(sizes) // _LINES
    rows = [[f"after {number} s", f"{sizes[number - 1]:.1f}"] for number in range(step, len(sizes) + 1, step)]
    growth = median(sizes[-step:]) - median(sizes[:step])
    goals = [at_most("`cbpf capture -C`: growth of memory from the first tenth to the last", 5.0, growth, "{:.1f} MB")]
    megabytes = len(sizes) * _FRAMES * (len(FRAME) + 16) / 1e6
    frames = f"{_FRAMES:,} frames of {len(FRAME)} bytes per second, together {megabytes:,.0f} MB"
    note = f"{frames}, in files of 1 MB: `cbpf capture -C 1 -W 4`."
    return Section("Memory of a rotating capture", ["case", "MB resident"], rows, note, goals)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()
