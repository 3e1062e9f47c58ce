"""Sessions of `cbpf debug` as golden files: commands after "> ", with their output; CBPF_UPDATE=1 writes them again.

The first line of a file is the command line. A last line `[exit 1]` shows an exit code other than 0.
"""

import gzip
import json
import shlex
from pathlib import Path
from typing import Final

import pytest

import cbpf
from support.command_line import TRAFFIC, CommandLine
from support.generated import check_file
from support.project import TESTS

FOLDER: Final = TESTS / "golden" / "debug"
TRANSCRIPTS: Final = sorted(FOLDER.glob("*.txt"))
_PROMPT: Final = "> "
_EXTENSIONS: Final = """
        ld vlan_avail
        jeq #1, tagged, drop
tagged: ld vlan_tci
        and #4095
        tax
        ld rand
        mod #4
        st M[2]
        ld proto
        jeq #0x806, keep, drop
keep:   ldx M[2]
        ret #-1
drop:   ret #0
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the files that the transcripts name."""
    (tmp_path / "traffic.pcap").symlink_to(TRAFFIC)
    sessions = json.loads((TESTS / "golden" / "bpf_dbg_sessions.json").read_text())
    (tmp_path / "packets.pcap").write_bytes(bytes.fromhex(sessions["captures"][0]["pcap"]))
    (tmp_path / "arithmetic.txt").write_text(sessions["sessions"][-1]["program"])
    (tmp_path / "extensions.asm").write_text(_EXTENSIONS)
    cbpf.filter_capture(TRAFFIC, tmp_path / "tagged.pcapng", filter="vlan", container="pcapng")
    (tmp_path / "tagged.pcapng.gz").write_bytes(gzip.compress((tmp_path / "tagged.pcapng").read_bytes()))
    return tmp_path


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_sessions_print_their_transcripts(path: Path, folder: Path, cli: CommandLine) -> None:
    first, *lines = path.read_text().splitlines()
    script = "".join(f"{line.removeprefix(_PROMPT)}\n" for line in lines if line.startswith(_PROMPT))
    program, *arguments = shlex.split(first.removeprefix("$ "))
    assert program == "cbpf"
    code, out, err = cli(*arguments, stdin=script.encode(), cwd=folder)
    check_file(path, f"{first}\n{out.decode()}{err}" + (f"[exit {code}]\n" if code else ""))


def test_transcripts_cover_every_command() -> None:
    from cbpf.cli.debugger.command_table import COMMANDS, full_name

    lines = [line for path in TRANSCRIPTS for line in path.read_text().splitlines()]
    words = {full_name(line.split()[1]) for line in lines if line.startswith(_PROMPT) and not line.startswith("> #")}
    assert set(COMMANDS) == words
