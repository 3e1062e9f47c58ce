"""Live captures that are written to files, by libpcap and by cbpf, also if they end early."""

import errno
import os
import pwd
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf.live import recording_file
from cbpf.live.recording_file import RecordingFile
from support.command_line import CommandLine
from support.damaged_writes import limited_file_size
from support.live_frames import ARP, TAGGED, UDP
from support.namespaces import EAST

FRAMES = [ARP, UDP, TAGGED] * 5
BLOCK_TIME = 0.02
NOBODY = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_name == "nobody"), None)

Send = Callable[..., None]


@contextmanager
def captured(send: Send, *frames: bytes, accept: str = "") -> Iterator[cbpf.Sniffer]:
    """Yield a capture that is stopped after frames have arrived."""
    with cbpf.sniff(EAST, accept, block_time=BLOCK_TIME) as sniffer:
        send(*frames)
        sniffer.stop()
        yield sniffer


def data_of(path: Path) -> list[bytes]:
    return [packet.data for packet in cbpf.read_capture(path)]


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng", "a.pcap.gz", "a.pcapng.xz"])
def test_files_have_all_packets(send: Send, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with captured(send, *FRAMES) as sniffer:
        sniffer.record(path)
    assert data_of(path) == FRAMES
    info = cbpf.capture_info(path)
    assert info.interfaces[0].interface.needs_nanoseconds
    assert info.container == ("pcapng" if "pcapng" in name else "pcap")
    if "pcapng" in name:
        assert info.interfaces[0].interface.name == EAST
        assert dict(info.other_blocks) == {"interface statistics": 1}


@pytest.mark.skipif(not shutil.which("tcpdump"), reason="tcpdump is not installed")
@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng"])
def test_tcpdump_reads_the_files(send: Send, tmp_path: Path, name: str) -> None:
    with captured(send, *FRAMES) as sniffer:
        sniffer.record(tmp_path / name)
    command = ["tcpdump", "-nr", name, "vlan"]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert output.count("vlan 100, p 3") + output.count("10.0.0.1.53 > 10.0.0.2.4660") >= 5


def test_statistics_are_at_the_end_of_a_pcapng(send: Send, tmp_path: Path) -> None:
    path = tmp_path / "a.pcapng"
    with captured(send, *FRAMES) as sniffer:
        sniffer.record(path)
    block = path.read_bytes()[-64:]
    assert block[:8] == (5).to_bytes(4, "little") + (64).to_bytes(4, "little")
    options = {block[start]: int.from_bytes(block[start + 4 : start + 12], "little") for start in (20, 32, 44)}
    assert options == {5: 0, 6: 15, 7: 0}  # isb_ifdrop, isb_filteraccept, isb_osdrop


def test_a_capture_is_split_into_several_files(send: Send, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("udp.pcap", "vlan.pcap.gz", "rest.pcap")]
    with captured(send, *FRAMES) as sniffer:
        summaries = sniffer.split({"udp": paths[0], "vlan 100": paths[1]}, rest=paths[2])
    assert [summary.packets_accepted for summary in summaries] == [5, 5, 5]
    assert [set(data_of(path)) for path in paths] == [{UDP}, {TAGGED}, {ARP}]


def test_files_are_rotated(send: Send, tmp_path: Path) -> None:
    with captured(send, *FRAMES) as sniffer:
        sniffer.record(tmp_path / "a.pcap", rotation=cbpf.Rotation(size=400))
    paths = sorted(tmp_path.iterdir())
    assert len(paths) > 2
    assert [data for path in paths for data in data_of(path)] == FRAMES


def test_packets_that_were_not_iterated_are_recorded(send: Send, tmp_path: Path) -> None:
    with captured(send, ARP, accept="arp") as sniffer:
        stream = sniffer.stream()
        assert len(stream.read(24)) == 24
        with pytest.raises(cbpf.FieldError, match="require pcap and pcapng"):
            sniffer.split({"arp": tmp_path / "a.pcap", "": tmp_path / "a.pcapng"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([("arp", "old"), ("udp prot 3", "new")], "column 5"),
        ([("arp", "old"), ("udp", "old")], "is the target of two routes"),
    ],
)
def test_mistakes_in_routes_leave_files_as_they_are(
    namespace: None, tmp_path: Path, routes: list[tuple[str, str]], message: str
) -> None:
    (tmp_path / "old").write_bytes(b"content")
    with cbpf.sniff(EAST, duration=0.01, block_time=0.01) as sniffer, pytest.raises(cbpf.CbpfError, match=message):
        sniffer.split([(text, tmp_path / name) for text, name in routes])
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("old", b"content")]


@pytest.mark.parametrize(
    ("routes", "message"),
    [
        ([], "split.routes: is empty"),
        ([("arp",)], "is not a pair of a filter and its target"),
        ("ab", "is not a pair"),
        ([(5, "a")], "split.routes: 5 is not"),
        ({"arp": None}, "target: None is not a path"),
    ],
)
def test_routes_are_checked(namespace: None, routes: Any, message: str) -> None:
    with cbpf.sniff(EAST) as sniffer, pytest.raises(cbpf.FieldError, match=message):
        sniffer.split(routes)


@pytest.mark.parametrize("target", [None, 5])
def test_targets_are_paths(namespace: None, target: Any) -> None:
    with cbpf.sniff(EAST) as sniffer, pytest.raises(cbpf.FieldError, match=f"target: {target} is not a path"):
        sniffer.record(target)


# -- failures ------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.pcap", "a.pcapng"])
def test_a_file_that_cannot_grow_has_complete_records(send: Send, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with cbpf.sniff(EAST, block_time=BLOCK_TIME) as sniffer:
        sniffer.stop()
        send(*FRAMES)
        with limited_file_size(500), pytest.raises(cbpf.CaptureError, match=f"{name}: File too large"):
            sniffer.record(path)
    assert data_of(path) == []
    with captured(send) as sniffer, pytest.raises(cbpf.CaptureError, match="No space left on device"):
        sniffer.record("/dev/full")


def test_an_incomplete_write_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    with RecordingFile(path) as file:
        assert not path.exists()
        file.write(b"complete")

        def write_part(descriptor: int, data: bytes) -> None:
            os.write(descriptor, data[:3])
            raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(recording_file, "write_all", write_part)
            with pytest.raises(OSError, match="No space"):
                file.write(b"incomplete")
        file.write(b", then more")
    assert path.read_bytes() == b"complete, then more"


@pytest.mark.parametrize(("target", "message"), [("no/such/folder", "No such file or directory"), ("", "empty")])
def test_targets_that_cannot_be_opened_are_reported(namespace: None, target: str, message: str) -> None:
    with cbpf.sniff(EAST) as sniffer, pytest.raises(cbpf.CaptureError, match=message):
        sniffer.record(target)


# -- the command ---------------------------------------------------------------


def started(process: "subprocess.Popen[bytes]") -> str:
    """Return the line that a command prints when it captures."""
    assert process.stderr is not None
    return process.stderr.readline().decode()


@pytest.mark.parametrize("signum", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_signals_leave_a_complete_file(cli: CommandLine, send: Send, tmp_path: Path, signum: int) -> None:
    path = tmp_path / "a.pcap"
    with cli.start("capture", "-i", EAST, "-w", str(path), "udp", stderr=subprocess.PIPE) as process:
        assert started(process) == "capturing on east, link type EN10MB, snapshot length 262,144 bytes\n"
        send(*FRAMES)
        process.send_signal(signum)
        assert process.stderr is not None
        assert process.stderr.read() == b"10 packets captured, 10 accepted by the filter, 0 dropped by the system\n"
        assert process.wait() == 0
    assert data_of(path) == [UDP, TAGGED] * 5


def test_packets_are_printed_without_a_file(cli: CommandLine, send: Send) -> None:
    arguments = ("capture", "-i", EAST, "-c", "2", "--time", "delta", "-p", "-s", "0", "-B", "64", "arp or udp")
    with cli.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        started(process)
        send(ARP, UDP, UDP)
        assert process.stdout is not None
        lines = process.stdout.read().decode().splitlines()
        assert process.wait() == 0
    assert len(lines) == 2
    assert "IP 10.0.0.1.53 > 10.0.0.2.4660: " in lines[1]


@pytest.mark.slow
def test_routes_sort_packets_for_some_time(cli: CommandLine, send: Send, tmp_path: Path) -> None:
    routes = ("--route", f"udp={tmp_path / 'udp.pcapng'}", "--rest", str(tmp_path / "rest.pcapng"))
    with cli.start("capture", "-i", EAST, "--duration", "0.3", *routes, stderr=subprocess.PIPE) as process:
        started(process)
        send(*FRAMES)
        assert process.wait() == 0
    assert data_of(tmp_path / "udp.pcapng") == [UDP] * 5
    assert data_of(tmp_path / "rest.pcapng") == [ARP, TAGGED] * 5


@pytest.mark.parametrize(
    ("interface", "route", "message"),
    [
        ("nowhere", "tcp prot 80", "column 5: 'prot' is not a keyword; "),
        ("any", "vlan 5", "column 1: link type LINUX_SLL2 has no VLAN tags; it is that of the interface 'any'; "),
    ],
)
def test_mistakes_in_routes_are_reported_before_the_capture_begins(
    cli: CommandLine, namespace: None, tmp_path: Path, interface: str, route: str, message: str
) -> None:
    path = tmp_path / "new"
    result = cli("capture", "-i", interface, "--route", f"arp={path}", "--route", f"{route}={path}2")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"cbpf: expression: {message}")
    assert result.stderr.splitlines()[1] == route
    assert "capturing on" not in result.stderr
    assert "packets captured" not in result.stderr
    assert not list(tmp_path.iterdir())


# -- privileges ----------------------------------------------------------------

_REPORTING_IMPORTS = """
import os, sys

def report(event, arguments):
    if event == "import" and os.getuid():
        os.write(2, f"imported {arguments[0]} as another user\\n".encode())

sys.addaudithook(report)
from cbpf.__main__ import main
main()
"""
OUTPUTS = [
    ("-w", "a.pcapng.gz"),
    *(
        pytest.param(output, marks=pytest.mark.slow)
        for output in (
            ("-w", "a.pcap"),
            ("-w", "a.pcap.xz", "-C", "1", "-W", "2"),
            ("--route", "udp=a.pcapng.zst", "--rest", "b.pcapng"),
            (),
        )
    ),
]


@pytest.mark.skipif(NOBODY is None, reason="There is no user nobody.")
@pytest.mark.parametrize("output", OUTPUTS, ids=lambda output: " ".join(output) or "print")
def test_nothing_is_imported_after_the_user_has_changed(send: Send, tmp_path: Path, output: tuple[str, ...]) -> None:
    # The files of Python may be unreadable for the other user, also where this test runs.
    tmp_path.chmod(0o777)
    command = [sys.executable, "-c", _REPORTING_IMPORTS, "capture", "-i", EAST, "-c", "15", "-Z", "nobody", *output]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert started(process).startswith("capturing on east")
        send(*FRAMES)
        printed, messages = process.communicate()
    assert messages.decode().splitlines() == ["15 packets captured, 15 accepted by the filter, 0 dropped by the system"]
    written = {path.name.split(".")[0]: path for path in tmp_path.iterdir()}
    assert {path.stat().st_uid for path in written.values()} <= {NOBODY}
    assert len(printed.splitlines()) + sum(len(data_of(path)) for path in written.values()) >= 15
