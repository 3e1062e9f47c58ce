"""`cbpf table` and `cbpf top`: arguments, formats, terminals, pipes, exit codes, and errors in one line."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

import cbpf
from support.captures import Variant, encoded
from support.command_line import TRAFFIC, CommandLine, run_here
from support.sample_captures import RECORDS

ABSENT: Final = "No such file or directory"

pytest.importorskip("pyarrow", reason="tables need pyarrow; ./dev test --all installs it")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a capture and its first 100,000 bytes."""
    shutil.copy(TRAFFIC, tmp_path / "in.pcap")
    (tmp_path / "damaged.pcap").write_bytes(Path(TRAFFIC).read_bytes()[:100_000])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _lines(*arguments: str) -> list[str]:
    done = run_here(*arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    return done.stdout.decode().splitlines()


@pytest.mark.usefixtures("folder")
def test_the_first_argument_is_the_capture_unless_r_is_given() -> None:
    expected = _lines("table", "-r", "in.pcap", "--to", "csv", "tcp", "port", "443")
    assert len(expected) == 75
    assert _lines("table", "in.pcap", "--to", "csv", "tcp", "port", "443") == expected
    assert _lines("table", "in.pcap", "--to", "csv", "tcp port 443") == expected
    both = _lines("table", "-r", "in.pcap", "-r", "in.pcap", "--to", "csv", "tcp port 443")
    assert both == expected + expected[1:]


def test_standard_input_and_output(cli: CommandLine) -> None:
    capture = Path(TRAFFIC).read_bytes()
    expected = cli("table", TRAFFIC, "--to", "csv")
    assert expected.exit_code == 0
    assert cli("table", "-", "--to", "csv", "-w", "-", stdin=capture) == expected
    assert cli("table", "--to", "csv", stdin=capture) == expected
    assert cli("top", "-", stdin=capture) == cli("top", TRAFFIC)


def test_binary_formats_can_be_piped(cli: CommandLine) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    columns = ["--columns", "number,src,time"]
    stream = pa.ipc.open_stream(cli("table", TRAFFIC, "--to", "arrows", *columns).stdout).read_all()
    assert stream == pa.ipc.open_file(cli("table", TRAFFIC, "--to", "arrow", *columns).stdout).read_all()
    parquet = cli("table", TRAFFIC, "--to", "parquet", *columns).stdout
    assert stream == pyarrow.parquet.read_table(io.BytesIO(parquet))


@pytest.mark.usefixtures("folder")
def test_a_file_is_written_with_a_summary() -> None:
    done = run_here("table", "in.pcap", "-w", "out.parquet", "arp")
    count = sum(1 for _ in cbpf.read_capture("in.pcap", filter="arp"))
    assert done == (0, b"", f"{count} packets written to out.parquet\n")
    assert run_here("table", "in.pcap", "-w", "out.parquet", "-q", "arp") == (0, b"", "")


@pytest.mark.usefixtures("folder")
def test_columns_are_expressions_and_programs(folder: Path) -> None:
    (folder / "tos.asm").write_text("ldb [15]\nret a\n")
    (folder / "arp.bpf").write_bytes(cbpf.Savefile(cbpf.compile("arp"), link_type=1).to_bytes())
    defined = ["--column", "dns=port 53", "--column", "tos=tos.asm", "--column", "arp=arp.bpf"]
    expected = cbpf.arrow.read_table(
        "in.pcap",
        columns=["length", "dns", "tos", "arp"],
        define={"dns": "port 53", "tos": cbpf.parse("ldb [15]\nret a"), "arp": "arp"},
    ).to_pylist()
    lines = _lines("table", "in.pcap", "--to", "jsonl", "--columns", "length", *defined)
    assert list(map(json.loads, lines)) == expected
    lines = _lines("table", "in.pcap", "--to", "jsonl", "--columns", "length, dns, tos, arp", *defined)
    assert list(map(json.loads, lines)) == expected
    assert _lines("table", "in.pcap", *defined, "-c", "1")[0].endswith("dst_port    dns  tos    arp")


@pytest.mark.usefixtures("folder")
def test_packets_are_selected_as_by_filter() -> None:
    options = ["--since", "+5s", "--until", "+20s", "--sample", "1/3", "--seed", "7"]
    run_here("filter", "-r", "in.pcap", "-w", "some.pcap", *options, "tcp")
    expected = _lines("table", "some.pcap", "--to", "csv", "--columns", "time,src,length")
    assert len(expected) > 50
    assert _lines("table", "in.pcap", "--to", "csv", "--columns", "time,src,length", *options, "tcp") == expected
    assert _lines("top", "in.pcap", *options, "tcp") == _lines("top", "some.pcap")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["table", "top"])
def test_a_damaged_capture_has_its_complete_packets_and_code_2(command: str) -> None:
    expected = run_here("filter", "-r", "damaged.pcap", "-w", "whole.pcap")
    done = run_here(command, "damaged.pcap")
    assert done.exit_code == 2
    assert done.stderr == expected.stderr.splitlines()[-1] + "\n"
    assert done.stdout.decode().splitlines() == _lines(command, "whole.pcap")


@pytest.mark.usefixtures("folder")
def test_the_file_of_a_damaged_capture_is_complete() -> None:
    assert run_here("table", "damaged.pcap", "-w", "out.csv").exit_code == 2
    assert Path("out.csv").read_text().count("\n") == 365


def test_lines_fit_the_terminal(cli: CommandLine) -> None:
    import fcntl
    import termios

    for width in (40, 80):
        leader, follower = os.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        with cli.start("table", TRAFFIC, "-c", "20", "ip", stdout=follower, env=environment) as process:
            os.close(follower)
            output = b""
            try:
                while data := os.read(leader, 65_536):
                    output += data
            except OSError:  # the other end was closed
                pass
            assert process.wait() == 0
        os.close(leader)
        lines = output.decode().splitlines()
        assert len(lines) == 21
        assert max(map(len, lines)) == (width if width == 40 else max(map(len, lines)))
        assert max(map(len, lines)) <= width
        assert all(line.endswith("...") for line in lines) is (width == 40)


def test_binary_formats_are_not_written_to_a_terminal(cli: CommandLine) -> None:
    leader, follower = os.openpty()
    done = cli("table", TRAFFIC, "--to", "parquet", stdout=follower)
    os.close(follower)
    os.close(leader)
    message = "standard output is a terminal; give -w FILE or another format than parquet (see cbpf table --help)"
    assert (done.exit_code, done.stderr) == (2, f"cbpf: {message}\n")


@pytest.mark.parametrize("format", ["text", "csv", "jsonl", "parquet", "arrow"])
def test_a_closed_pipe_is_silent(cli: CommandLine, format: str) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = cli("table", TRAFFIC, "--to", format, stdout=write_end)
    os.close(write_end)
    assert (done.exit_code, done.stderr) == (141, "")


@pytest.mark.usefixtures("folder")
def test_top_prints_text_csv_and_json() -> None:
    groups = cbpf.arrow.top("in.pcap", ["src", "dst_port"], count=3, sort="bytes", filter="tcp")
    options = ["in.pcap", "--by", "src,dst_port", "-n", "3", "--sort", "bytes", "tcp"]
    assert "\n".join(_lines("top", *options)) == str(groups)
    assert json.loads(_lines("top", *options, "--json")[0]) == json.loads(json.dumps(groups.as_dict()))
    header, *rows = _lines("top", *options, "--csv")
    assert header == "src,dst_port,packets,packets_share,packets_error,bytes,bytes_share,bytes_error"
    first = groups.groups[0]
    share = (first.packets / groups.packets, first.bytes / groups.bytes)
    assert rows[0] == f"{first.key[0]},{first.key[1]},{first.packets},{share[0]},0,{first.bytes},{share[1]},0"
    assert len(rows) == 3
    assert len(_lines("top", "in.pcap", "-n", "1000", "--csv")) == 65


@pytest.mark.usefixtures("folder")
def test_top_by_columns_of_filters() -> None:
    rows = _lines("top", "in.pcap", "--by", "dns,vlan", "--column", "dns=port 53", "--csv")
    assert {row.split(",")[0] for row in rows[1:]} == {"true", "false"}
    assert any(row.startswith("false,,") for row in rows)
    assert any(
        line.startswith("false  - ") for line in _lines("top", "in.pcap", "--by", "dns,vlan", "--column", "dns=arp")
    )


@pytest.mark.usefixtures("folder")
def test_top_with_a_limit_is_marked_as_approximate() -> None:
    assert "approximate (Space-Saving)" in "\n".join(_lines("top", "in.pcap", "--max-groups", "10"))
    content = json.loads(_lines("top", "in.pcap", "--max-groups", "10", "--json")[0])
    assert (content["is_exact"], content["group_count"]) == (False, None)
    assert content["packets_error"] <= 905 // 11


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("table tcp", f"tcp: {ABSENT}; the first argument is the capture, - for standard input"),
        ("top n.pcap", f"n.pcap: {ABSENT}; the first argument is the capture, - for standard input"),
        ("table -r n.pcap tcp", f"n.pcap: {ABSENT}"),
        ("table in.pcap -w no/a.csv", f"no/a.csv: {ABSENT}"),
        ("table in.pcap --columns time,scr", "--columns: 'scr' is not a column; did you mean 'src'?"),
        ("top in.pcap --by src,dts", "--by: 'dts' is not a column; did you mean 'dst'?"),
        ("table in.pcap --column ttl=ip", "--column: 'ttl' is a column of every table; choose another name"),
        ("table in.pcap --column a=ip --column a=arp", "--column: 'a' occurs twice (see cbpf table --help)"),
        (
            "table in.pcap --column dns",
            "--column: 'dns' is not NAME=FILTER; example: dns='udp port 53' (see cbpf table --help)",
        ),
        ("table usb.pcap --columns src", "usb.pcap: packets of the link type USBPCAP have no column 'src_ip'"),
        ("top usb.pcap --by ttl", "usb.pcap: packets of the link type USBPCAP have no column 'ttl'"),
        ("table in.pcap -w in.pcap --to csv", "in.pcap: is also an input, which this output must not replace"),
        ("top in.pcap --csv --json", "--csv and --json are mutually exclusive (see cbpf top --help)"),
        (
            "table in.pcap -w a.xlsx",
            "--to: the suffix '.xlsx' is not that of a table (.parquet, .arrow, .arrows, .csv, .jsonl, .txt); "
            "name one of the formats parquet, arrow, arrows, csv, jsonl, text",
        ),
        ("table in.pcap -w a.csv tcp prot 80", "expression: column 5: "),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(arguments: str, message: str, folder: Path) -> None:
    (folder / "usb.pcap").write_bytes(encoded(RECORDS[:1], Variant(linktype=249)))
    before = sorted(path.name for path in folder.iterdir())
    done = run_here(*arguments.split())
    assert (done.exit_code, done.stdout) == (2, b"")
    assert done.stderr.startswith(f"cbpf: {message}" if "column 5" in message else f"cbpf: {message}\n")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert (folder / "in.pcap").read_bytes() == Path(TRAFFIC).read_bytes()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", ["table", "top"])
def test_a_missing_library_is_named_with_its_extra(command: str) -> None:
    code = f"import sys; sys.modules['pyarrow'] = None; sys.argv = ['cbpf', {command!r}, 'in.pcap']; " + (
        "from cbpf.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "cbpf: Arrow tables need pyarrow: pip install 'cbpf[arrow]'\n"
