"""Sessions of Linux's bpf_dbg, for bpf_dbg_sessions.json: that of its documentation, and random ones.

`make_linux.py` calls `make_sessions`. Nothing here imports cbpf.
"""

import os
import re
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from golden.make import Row, save

ARP: Final = "0019cb5555a40014a4437869 0806 0001080006040001 0014a4437869 0a3b0126 000000000000 0a3b0101"
"""The packet in the documentation of bpf_dbg (Linux networking/filter.rst)."""
_ADDRESSES: Final = "0019cb5555a40014a4437869"
FRAMES: Final = (
    (ARP, 0),
    (f"{_ADDRESSES} 0800 45000054 00004000 4001 0000 0a3b0126 0a3b0101 0800 1234 00010001", 42),
    (f"{_ADDRESSES} 0800 4500003c 00004000 4006 0000 0a3b0126 0a3b0101 c001 0016 00000001 00000000 5002ffff", 0),
    (f"{_ADDRESSES} 0800 46000040 00000000 4006 0000 0a3b0126 0a3b0101 01010101 0016 c001 00000001", 0),
    (f"{_ADDRESSES} 0800 45000030 00002000 4011 0000 0a3b0126 0a3b0101 0035 c001 001c 0000", 8),
    (f"{_ADDRESSES} 86dd 60000000 0014 06 40 {'20010db8' + 24 * '0'} {'20010db8' + 23 * '0'}1 0016 c001 00000001", 0),
    (f"{_ADDRESSES} 0800 4500", 60),
)
"""The packets of the capture: their bytes, and the number of bytes that were not captured."""

DOCUMENTED: Final = "6,40 0 0 12,21 0 3 2048,48 0 0 23,21 0 1 1,6 0 0 65535,6 0 0 0"
PORT_22: Final = (
    "24,40 0 0 12,21 0 8 34525,48 0 0 20,21 2 0 132,21 1 0 6,21 0 17 17,40 0 0 54,21 14 0 22,40 0 0 56,21 12 13 22,"
    "21 0 12 2048,48 0 0 23,21 2 0 132,21 1 0 6,21 0 8 17,40 0 0 20,69 6 0 8191,177 0 0 14,72 0 0 14,21 2 0 22,"
    "72 0 0 16,21 0 1 22,6 0 0 65535,6 0 0 0"
)
"""The program of `port 22` in the documentation."""
ARITHMETIC: Final = (
    "16,128 0 0 0,2 0 0 0,4 0 0 4294967295,2 0 0 3,177 0 0 14,135 0 0 0,100 0 0 3,3 0 0 15,12 0 0 0,2 0 0 1,97 0 0 3,"
    "96 0 0 0,61 0 1 0,37 1 0 60,6 0 0 0,6 0 0 1"
)
"""A program with arithmetic and scratch slots."""
PROGRAMS: Final = (DOCUMENTED, PORT_22, ARITHMETIC)

_SESSIONS: Final = 12  # random ones for each program
_COMMANDS: Final = 10  # of a random session


def capture() -> bytes:
    """Return the packets as a pcap file of this machine's byte order, which bpf_dbg requires."""
    parts = [struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for text, missing in FRAMES:
        frame = bytes.fromhex(text)
        parts.append(struct.pack("=iiII", 0, 0, len(frame), len(frame) + missing) + frame)
    return b"".join(parts)


def documented_commands() -> list[str]:
    """Return the session that the documentation shows."""
    return ["disassemble", "dump", "breakpoint 0", "breakpoint 1", "run", "breakpoint", "run", "step", "run", "run 3"]


def random_commands(random: Random, program: str) -> list[str]:
    """Return random commands; `select` is followed by steps only, because bpf_dbg does not restart its counts."""
    instructions = program.rstrip(",").split(",")[1:]
    breakable = [index for index, text in enumerate(instructions) if not text.startswith("6 ")]
    commands = [f"breakpoint {random.choice(breakable)}" for _ in range(random.randrange(4))]
    if random.random() < 0.5:
        moves = ["run", "step", f"run {random.randint(1, 5)}", f"step -{random.randint(1, 4)}", "breakpoint reset"]
    else:
        moves = ["step", f"step {random.randint(1, 6)}", f"step -{random.randint(1, 4)}"]
        moves.append(f"select {random.randint(1, len(FRAMES) - 1)}")
    others = [f"disassemble {random.randrange(len(instructions))}", "breakpoint"]
    return commands + random.choices([*moves, *moves, *others], k=_COMMANDS)


def session(bpf_dbg: str, program: str, commands: Sequence[str], directory: Path) -> Row:
    """Return the output of each command, which bpf_dbg prints after the command itself."""
    script, answer = directory / "commands", directory / "answer"
    lines = [f"load bpf {program}", "load pcap packets.pcap", *commands, "quit"]
    script.write_text("".join(f"{line}\n" for line in lines))
    # It writes its history into HOME, and a command that is wider than the terminal in parts.
    environment = os.environ | {"HOME": str(directory), "TERM": "dumb", "COLUMNS": "10000"}
    subprocess.run([bpf_dbg, script, answer], stdin=subprocess.DEVNULL, env=environment, cwd=directory, check=True)
    outputs = re.split(r"^> .*\n", answer.read_text(), flags=re.MULTILINE)[1:]
    if len(outputs) != len(lines) or any(outputs[:2]):
        raise RuntimeError(f"bpf_dbg: {program}: {answer.read_text()}")
    return {"program": program, "commands": list(commands), "outputs": outputs[2:-1]}


def make_sessions(versions: Sequence[str], bpf_dbg: str) -> None:
    """Write bpf_dbg_sessions.json."""
    random = Random(19)
    scripts = [(DOCUMENTED, documented_commands())]
    scripts += [(program, random_commands(random, program)) for program in PROGRAMS for _ in range(_SESSIONS)]
    with TemporaryDirectory() as directory:
        (Path(directory) / "packets.pcap").write_bytes(capture())
        rows = [session(bpf_dbg, *script, Path(directory)) for script in scripts]
    save("bpf_dbg_sessions.json", versions, captures=[{"pcap": capture().hex()}], sessions=rows)
