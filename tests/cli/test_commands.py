"""The command line: output, errors and exit codes of the subcommands."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import pytest

import cbpf
from cbpf.cli.click_parser import group
from support.command_line import COMMANDS, PACKETS, TRAFFIC, CommandLine, is_writing, without_excerpt
from support.libpcap_release import needs_libpcap
from support.project import uncovered_environment

ARP = sum(packet.data[12:14] == b"\x08\x06" for packet in PACKETS)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "http.c"
    path.write_text(cbpf.render(cbpf.compile("tcp port 80"), "c"))
    return path


def test_filter_writes_a_file_and_a_summary(cli: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    code, out, err = cli("filter", "-r", TRAFFIC, "-w", str(target), "tcp", "port", "443")
    accepted = sum(1 for _ in cbpf.read_capture(target))
    assert (code, out) == (0, b"")
    assert err.startswith(f"{len(PACKETS)} packets seen, {accepted} accepted; ")
    assert accepted > 50


def test_filter_reads_stdin_and_writes_stdout(cli: CommandLine) -> None:
    data = Path(TRAFFIC).read_bytes()
    code, out, err = cli("filter", "-r", "-", "-w", "-", "-q", "arp", stdin=data)
    assert (code, err) == (0, "")
    assert cli("filter", "-q", "arp", stdin=data) == (0, out, "")
    assert out[:24] == data[:24]


def test_filter_counts_inverts_and_stops(cli: CommandLine) -> None:
    assert cli("filter", "-r", TRAFFIC, "-q", "--count", "arp") == (0, b"%d\n" % ARP, "")
    assert cli("filter", "-r", TRAFFIC, "-q", "--count", "--invert", "arp") == (0, b"%d\n" % (len(PACKETS) - ARP), "")
    assert cli("filter", "-r", TRAFFIC, "-q", "--count", "-c", "5", "arp") == (0, b"5\n", "")
    assert cli("filter", "-r", TRAFFIC, "-r", TRAFFIC, "-q", "--count", "-n", "-O", "arp") == (
        0,
        b"%d\n" % (2 * ARP),
        "",
    )


def test_filter_reads_programs_and_expression_files(cli: CommandLine, tmp_path: Path, program: Path) -> None:
    _, expected, _ = cli("filter", "-r", TRAFFIC, "-q", "tcp port 80")
    assert cli("filter", "-r", TRAFFIC, "-q", "--program", str(program)) == (0, expected, "")
    assert cli("filter", "-r", TRAFFIC, "-q", "--program", "-", stdin=program.read_bytes()) == (0, expected, "")
    words = tmp_path / "words"
    words.write_text("tcp\nport 80\n")
    assert cli("filter", "-r", TRAFFIC, "-q", "-F", str(words)) == (0, expected, "")


def test_filter_of_a_truncated_capture(cli: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    data = Path(TRAFFIC).read_bytes()[:100_000]
    code, out, err = cli("filter", "-w", str(target), "ip", stdin=data)
    assert (code, out) == (2, b"")
    summary, error = err.splitlines()
    assert " accepted; " in summary
    assert error.startswith("cbpf: standard input: packet ")
    assert error.endswith("the capture is truncated")
    assert f"{sum(1 for _ in cbpf.read_capture(target))} accepted" in summary


def test_compile_prints_like_tcpdump(cli: CommandLine) -> None:
    program = cbpf.compile("arp", snaplen=96)
    for options, name in ([], "tcpdump"), (["-d"], "tcpdump"), (["-dd"], "c"), (["-ddd"], "decimal"):
        expected = cbpf.render(program, name).encode()
        assert cli("compile", *options, "-s", "96", "arp") == (0, expected, "")
    raw = cbpf.compile("ip", link_type="RAW")
    assert cli("compile", "-y", "RAW", "-s", "0", "ip") == (0, cbpf.render_bytes(raw, "tcpdump"), "")
    assert b"0xff" in cli("compile", "--netmask", "255.255.255.0", "ip broadcast")[1]


@pytest.mark.parametrize("name", ["cbpf", "libpcap"])
def test_compile_warns_if_all_packets_are_rejected(name: str, cli: CommandLine) -> None:
    if name == "libpcap":
        needs_libpcap()
    code, out, err = cli("compile", "--frontend", name, "--optimizer", name, "ip and not ip")
    assert (code, out) == (0, b"(000) ret      #0\n")
    assert err == "cbpf: warning: expression 'ip and not ip' rejects all packets of link type EN10MB\n"


def test_verify_reports_acceptance_or_all_findings(cli: CommandLine, program: Path) -> None:
    name = str(program)
    assert cli("verify", name) == (0, f"{name}: 20 instructions, accepted by pcap\n".encode(), "")
    assert cli("verify", "--dialect", "linux", name)[0] == 0
    code, out, err = cli("verify", "--dialect", "seccomp", name)
    findings = cbpf.findings(cbpf.parse(program.read_text()), dialect=cbpf.SECCOMP)
    assert (code, out) == (1, b"")
    assert err.splitlines() == [f"{name}: {finding}" for finding in findings]


def test_run_prints_a_verdict_per_packet(cli: CommandLine, program: Path) -> None:
    code, out, err = cli("run", str(program), TRAFFIC)
    vm = cbpf.VM(cbpf.parse(program.read_text()))
    expected = [f"{packet.number} {vm.run(packet.data)}" for packet in cbpf.read_capture(TRAFFIC)]
    assert (code, out.decode().splitlines(), err) == (0, expected, "")


def test_trace_shows_the_path_of_a_packet(cli: CommandLine, program: Path) -> None:
    arp = next(packet for packet in cbpf.read_capture(TRAFFIC) if packet.data[12:14] == b"\x08\x06")
    code, out, err = cli("trace", str(program), TRAFFIC, "-n", str(arp.number))
    lines = out.decode().splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == f"packet {arp.number}: 42 of 42 bytes captured"
    assert lines[1] == "(000) ldh      [12]                             A=0x00000806 X=0x00000000  bytes 12..13: 0x0806"
    assert lines[2].endswith("false, to 2")
    assert lines[-1] == "rejects the packet (verdict 0)"


def test_trace_shows_a_load_past_the_end(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "far").write_text("ld [70000]\nret #1")
    code, out, _ = cli("trace", str(tmp_path / "far"), TRAFFIC)
    assert code == 0
    assert out.decode().splitlines()[1].endswith("bytes 70000..70003: past the end")


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help(cli: CommandLine, name: str, width: int) -> None:
    code, out, err = cli(*name.split(), "--help", env={**os.environ, "COLUMNS": str(width)})
    assert (code, err) == (0, "")
    assert out.startswith(b"Usage: ")
    lines = out.decode().splitlines()
    assert all(len(line) <= width for line in lines)
    command: click.Command | None = group
    for word in name.split():
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    for example in re.findall(r"^ +cbpf .*", command.help or "", re.MULTILINE):
        assert f"    {example.strip()}" in lines, "the example is not on one line"


def test_version(cli: CommandLine) -> None:
    assert cli("--version") == (0, f"cbpf {cbpf.__version__}\n".encode(), "")


# Arguments, with P for a valid program and T for the capture; and the beginning of stderr.
USAGE_ERRORS = [
    (["frobnicate"], "cbpf: No such command 'frobnicate' (see cbpf --help)"),
    (["filter", "--bogus"], "cbpf: No such option '--bogus' (see cbpf filter --help)"),
    (["completion"], "cbpf: Missing argument 'SHELL'. Choose from: bash, fish, zsh (see cbpf completion --help)"),
    (["filter", "-dd", "ip"], "cbpf: No such option '-d'; cbpf compile prints programs (see cbpf filter --help)"),
    (["filter", "-i", "eth0", "ip"], "cbpf: No such option '-i'; cbpf capture captures packets"),
    (["filter", "-nr", "T", "-v", "ip"], "cbpf: No such option '-v'; cbpf print prints packets"),
    (["filter", "--linktype=RAW", "ip"], "cbpf: No such option '--linktype'; the link type is that of the capture"),
    (["filter", "T", "ip"], "cbpf: T is a file, and not an expression; read it with -r FILE (see cbpf filter --help)"),
    (["asm", "nope"], "cbpf: nope: No such file or directory\n"),
    (["filter", "-r", "nope.pcap", "-w", "out", "ip"], "cbpf: nope.pcap: No such file or directory"),
    (["filter", "-r", "T", "-w", "no/such/place", "ip"], "cbpf: no/such/place: No such file or directory"),
    (["filter", "-r", "T", "-w", "/dev/full", "ip"], "cbpf: /dev/full: No space left on device"),
    (["filter", "-r", ".", "-w", "out", "ip"], "cbpf: .: Is a directory"),
    (
        ["filter", "-r", "P", "-w", "out", "ip"],
        "cbpf: P: byte 0: 7b 20 30 78 is not the magic number of a capture",
    ),
    (
        ["filter", "-r", "/dev/null", "-w", "out", "ip"],
        "cbpf: /dev/null: file too short: 0 bytes, but a pcap header has 24",
    ),
    (
        ["filter", "-r", "T", "-w", "out", "tcp", "prot", "443"],
        "cbpf: expression: column 5: 'prot' is not a keyword; write \"tcp port 443\"\ntcp prot 443\n    ^\n",
    ),
    (
        ["filter", "-r", "T", "-w", "out", "inbound"],
        "cbpf: expression: column 1: a capture file of link type EN10MB does not contain the direction of packets",
    ),
    (
        ["filter", "-r", "T", "-c", "0"],
        "cbpf: Invalid value for '-c': 0 is not in the range x>=1 (see cbpf filter --help)",
    ),
    (
        ["filter", "-r", "T", "--program", "P", "ip"],
        "cbpf: --program PROGRAM cannot be combined with EXPRESSION, -F, --hosts or --ports (see cbpf filter --help)",
    ),
    (
        ["filter", "-r", "T", "-F", "P", "ip"],
        "cbpf: EXPRESSION and -F FILE are mutually exclusive (see cbpf filter --help)",
    ),
    (["filter", "-r", "T", "-F", "T"], "cbpf: T: line 1, column 1: byte 0xd4 (offset 0) is not UTF-8 text"),
    (["filter", "-r", "T", "--program", "", "-w", "out"], "cbpf: a file name must not be empty"),
    (["filter", "-r", "T", "-w", "", "ip"], "cbpf: target: a path must not be empty"),
    (
        ["filter", "-r", "T", "-w", "out", "--count", "ip"],
        "cbpf: --count and -w FILE are mutually exclusive (see cbpf filter --help)",
    ),
    *(
        (
            ["filter", "-r", "T", "--count", *options],
            f"cbpf: --count and {shown} are mutually exclusive (see cbpf filter --help)",
        )
        for options, shown in (
            (["--snaplen", "60"], "--snaplen N"),
            (["--compress", "gzip"], "--compress KIND[:LEVEL]"),
            (["--pcap"], "--pcap"),
            (["--pcapng"], "--pcapng"),
        )
    ),
    (
        ["verify", "/dev/zero"],
        "cbpf: /dev/zero: longer than 67,108,864 bytes; a program or an expression is not that long",
    ),
    (["filter", "-r", "no\nsuch", "--count", "ip"], "cbpf: 'no\\nsuch': No such file or directory"),
    (["verify", "no\x1bsuch"], "cbpf: 'no\\x1bsuch': No such file or directory"),
    (
        ["trace", "P", "T", "-n", "9223372036854775808"],
        "cbpf: T: contains fewer than 9,223,372,036,854,775,808 packets",
    ),
    (
        ["trace", "P", "T", "-n", "0"],
        "cbpf: Invalid value for '-n': 0 is not in the range x>=1 (see cbpf trace --help)",
    ),
    (
        ["filter", "-c", "1k", "ip"],
        "cbpf: Invalid value for '-c': '1k' is not a valid integer (see cbpf filter --help)",
    ),
    (["filter", "--seed", "3", "ip"], "cbpf: --seed INTEGER requires --sample 1/N (see cbpf filter --help)"),
    (["info", "--since", "noon", "T", "T"], "cbpf: --since: 'noon' is not a time"),
    (["filter", "ip", "-r"], "cbpf: Option '-r' requires an argument (see cbpf filter --help)"),
    (["split"], "cbpf: Missing argument 'EXPRESSION=FILE...' (see cbpf split --help)"),
    (["compile", "(" * 5000], "cbpf: expression: column 5001: the expression ends here; expected a primitive"),
    (
        ["compile", b"\xff"],
        "cbpf: expression: column 1: lone surrogate '\\udcff'; the text must be encodable as UTF-8",
    ),
    (["compile", "-y", "\u00b2", "tcp"], "cbpf: link type: '\u00b2' is unknown"),
    (["verify", "nope"], "cbpf: nope: No such file or directory"),
    (["verify", "T"], "cbpf: T: byte 0: not a program: this is a pcap capture"),
    (["verify", "--dialect", "bsd", "P"], "cbpf: Invalid value for '--dialect': 'bsd' is not one of"),
    (["run", "P"], "cbpf: Missing argument 'CAPTURE' (see cbpf run --help)"),
    (["run", "P", "P"], "cbpf: P: byte 0: 7b 20 30 78 is not the magic number of a capture"),
    (["trace", "P", "T", "-n", "9999"], "cbpf: T: contains fewer than 9,999 packets"),
    (
        ["compile", "-y", "foo", "ip"],
        "cbpf: link type: 'foo' is unknown; names are those of tcpdump.org/linktypes, such as EN10MB",
    ),
    (["compile", "-s", "-1", "ip"], "cbpf: -s: -1 is not a snapshot length (0..4294967295)"),
    (
        ["compile", "ip", "broadcast"],
        "cbpf: expression: column 1: 'ip broadcast' requires the netmask of the network",
    ),
    (["compile", "--netmask", "x", "ip"], "cbpf: --netmask: 'x' is not an IPv4 netmask such as 255.255.255.0"),
]


@pytest.mark.parametrize(
    ("arguments", "message"),
    USAGE_ERRORS,
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_errors_are_one_line(
    cli: CommandLine, arguments: list[str | bytes], message: str, program: Path, tmp_path: Path
) -> None:
    names: dict[str | bytes, str] = {"P": str(program), "T": TRAFFIC}
    before = sorted(tmp_path.iterdir())
    code, out, err = cli(*(names.get(argument, argument) for argument in arguments), cwd=tmp_path)
    for letter, name in names.items():
        err = err.replace(name, str(letter))
    assert (code, out) == (2, b"")
    assert without_excerpt(err).count("\n") == 1
    assert err.startswith(message)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [["run", "raw", "T"], ["trace", "raw", "T"], ["stats", "raw", "-r", "T"]])
def test_a_savefile_does_not_run_on_packets_of_another_link_type(
    cli: CommandLine, arguments: list[str], tmp_path: Path
) -> None:
    assert cli("compile", "-y", "RAW", "-w", "raw", "ip", cwd=tmp_path).exit_code == 0
    code, out, err = cli(*(TRAFFIC if argument == "T" else argument for argument in arguments), cwd=tmp_path)
    assert (code, out) == (2, b"")
    assert err == f"cbpf: {TRAFFIC}: link type EN10MB is not RAW, for which the savefile was compiled\n"


def test_a_rejected_program_is_reported_by_one_line_per_finding(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "bad").write_text("div #0\nld #1")
    code, _, err = cli("filter", "-r", TRAFFIC, "--program", str(tmp_path / "bad"), "--count")
    assert code == 2
    assert [line.rsplit(" ", 1)[1] for line in err.splitlines()] == ["[division-by-zero]", "[no-return]"]
    assert all(line.startswith(f"cbpf: {tmp_path / 'bad'}: instruction ") for line in err.splitlines())


def test_no_arguments_show_the_help(cli: CommandLine) -> None:
    code, out, err = cli()
    assert (code, out) == (2, b"")
    assert err.startswith("Usage: cbpf")


def test_a_closed_pipe_is_silent(cli: CommandLine, program: Path) -> None:
    for arguments in (["filter", "-r", TRAFFIC, "-q", "ip"], ["run", str(program), TRAFFIC]):
        reader, writer = os.pipe()
        os.close(reader)
        result = cli(*arguments, stdout=writer)
        os.close(writer)
        assert (result.exit_code, result.stderr) == (141, "")


def test_closed_streams_are_reported(cli: CommandLine) -> None:
    command = f"{shlex.join(cli.command)} filter -q -r {TRAFFIC} ip"
    result = subprocess.run(["sh", "-c", f"{command} >&-"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (2, "cbpf: standard output: Bad file descriptor\n")
    result = subprocess.run(["sh", "-c", f"{command} -r - <&-"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (2, "cbpf: standard input: Bad file descriptor\n")


def test_a_full_disk_is_one_line(cli: CommandLine, program: Path) -> None:
    with open("/dev/full", "wb") as full:
        result = cli("run", str(program), TRAFFIC, stdout=full)
    assert (result.exit_code, result.stderr) == (2, "cbpf: standard output: No space left on device\n")


@contextmanager
def running_filter(cli: CommandLine, target: Path, **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Start a filter that has begun to write, and waits for the rest of the capture."""
    arguments = ("filter", "-q", "-r", "-", "-w", str(target), "ip")
    with cli.start(*arguments, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **options) as process:
        assert process.stdin is not None
        process.stdin.write(Path(TRAFFIC).read_bytes()[:50_000])
        process.stdin.flush()
        while process.poll() is None and not is_writing(process, target.parent):
            time.sleep(0.01)
        yield process


def test_ignored_hangups_stay_ignored(cli: CommandLine, tmp_path: Path) -> None:
    """The command nohup(1) sets SIGHUP to be ignored."""
    target = tmp_path / "out.pcap"
    ignore = lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)  # noqa: E731
    with running_filter(cli, target, preexec_fn=ignore) as process:
        process.send_signal(signal.SIGHUP)
        process.communicate(Path(TRAFFIC).read_bytes()[50_000:])
    assert process.returncode == 0
    assert target.exists()


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_leave_no_partial_file(cli: CommandLine, number: int, expected: int, tmp_path: Path) -> None:
    with running_filter(cli, tmp_path / "out.pcap") as process:
        process.send_signal(number)
        _, error = process.communicate()
    # CPython exits by the signal itself if it arrives during an exec of text; a shell reports both alike.
    assert process.returncode in (expected, -number), error
    assert list(tmp_path.iterdir()) == []


def test_seccomp_verdicts_are_named_by_their_action(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "kill").write_text("ret #0x80000000")
    capture = tmp_path / "calls.pcap"
    cbpf.write_capture(str(capture), [(bytes(64), 64)], link_type="RAW")
    options = ["--dialect", "seccomp", str(tmp_path / "kill")]
    _, out, _ = cli("trace", *options, str(capture))
    lines = out.decode().splitlines()
    assert lines[1].startswith("(000) ret      #0x80000000 ")
    assert lines[-1] == "KILL_PROCESS (verdict 0x80000000)"
    _, out, _ = cli("stats", *options, "-r", str(capture), "--json")
    assert json.loads(out)["run"]["accepted"] == 0
    _, out, _ = cli("graph", *options)
    assert b"ret #0x80000000" in out
    assert b"KILL_PROCESS" in out


def test_trace_of_a_record_that_is_too_short(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "allow").write_text("ret #0x7fff0000")
    code, out, _ = cli("trace", "--dialect", "seccomp", str(tmp_path / "allow"), TRAFFIC, "-n", "6")
    assert (code, out.decode().splitlines()[1:]) == (0, ["KILL_THREAD (verdict 0x00000000)"])


@pytest.mark.parametrize("rest", [[], ["--rest", "rest.pcap"]])
def test_split(cli: CommandLine, rest: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = cli("split", "-r", TRAFFIC, "tcp=tcp.pcap", "tcp[13] & 2 != 0=syn.pcap", "=all.pcap", *rest)
    assert (code, out) == (0, b"")
    words = [line.split(maxsplit=1) for line in error.splitlines()]
    assert [word[1] for word in words[:3]] == ["tcp", "tcp[13] & 2 != 0", "all packets"]
    assert words[3] == ["0", "the rest" if rest else "the rest, not written"]
    assert {path.name for path in tmp_path.iterdir()} == {"tcp.pcap", "syn.pcap", "all.pcap", *rest[1:]}
    assert Path("all.pcap").read_bytes() == Path(TRAFFIC).read_bytes()


@pytest.mark.parametrize("routes", [["tcp"], ["tcp="], ["tcp=-", "udp=/dev/stdout"], ["tcp=x", "udp=x"]])
def test_split_rejects_invalid_routes(
    cli: CommandLine, routes: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, error = cli("split", "-r", TRAFFIC, *routes)
    assert (code, out, error.count("\n")) == (2, b"", 1)
    assert not list(tmp_path.iterdir())


@contextmanager
def slow_filter(cli: CommandLine, target: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start a filter that runs longer than the delay of the progress bar, with a terminal as its stderr.

    Yield the other end of the terminal and the process.
    """
    leader, follower = os.openpty()
    arguments = ("filter", *options, "-r", "-", "-w", str(target), "ip")
    with cli.start(*arguments, stdin=subprocess.PIPE, stderr=follower) as process:
        os.close(follower)
        assert process.stdin is not None
        data = Path(TRAFFIC).read_bytes()
        for start in range(0, 150_000, 10_000):
            process.stdin.write(data[start : start + 10_000])
            process.stdin.flush()
            time.sleep(0.06)
        process.stdin.close()
        yield leader, process
    os.close(leader)


def _terminal_output(leader: int) -> str:
    output = b""
    try:
        while data := os.read(leader, 4096):
            output += data
    except OSError:  # the other end of a terminal was closed
        pass
    return output.decode()


def test_progress_is_shown_on_a_terminal(cli: CommandLine, tmp_path: Path) -> None:
    with slow_filter(cli, tmp_path / "out.pcap", "--engine", "python") as (leader, process):
        assert process.wait(20) == 2  # the capture is truncated
        output = _terminal_output(leader)
    assert re.search(r"\d+(\.\d)? kB, \d+(\.\d)? kB/s", output)
    _, line = output.rsplit("\x1b[K", 1)
    assert "kB/s" not in line
    assert line.startswith("\x1b[?25h")  # shows the cursor again
    assert "packets seen" in line


@pytest.mark.parametrize("option", ["--no-progress", "-q"])
def test_progress_can_be_disabled(cli: CommandLine, option: str, tmp_path: Path) -> None:
    with slow_filter(cli, tmp_path / "out.pcap", option) as (leader, process):
        process.wait(20)
        output = _terminal_output(leader)
    assert "/s" not in output
    assert ("packets seen" in output) is (option != "-q")


def test_terminals_as_standard_streams_are_rejected(cli: CommandLine) -> None:
    with terminal() as follower:
        result = cli("filter", "-r", TRAFFIC, "ip", stdout=follower)
    expected = "cbpf: standard output is a terminal; give -w FILE or --count (see cbpf filter --help)\n"
    assert (result.exit_code, result.stderr) == (2, expected)
    with terminal() as follower:
        result = cli("filter", "-w", "x", "ip", stdin=follower)
    expected = "cbpf: no capture to read; give -r FILE (see cbpf filter --help)\n"
    assert (result.exit_code, result.stderr) == (2, expected)


@contextmanager
def terminal() -> Iterator[int]:
    """Open a pseudo-terminal and yield the descriptor for a program."""
    leader, follower = os.openpty()
    try:
        yield follower
    finally:
        os.close(follower)
        os.close(leader)


def test_asm_matches_bpf_asm(cli: CommandLine) -> None:
    text = b"ldh [12]\njne #0x806, drop\nret #-1\ndrop: ret #0\n"
    rows = "4,40 0 0 12,21 0 1 2054,6 0 0 4294967295,6 0 0 0"
    assert cli("asm", stdin=text) == (0, f"{rows}\n".encode(), "")
    program = cbpf.parse(text)
    assert cli("asm", "-c", stdin=text) == (0, cbpf.render_bytes(program, "c"), "")
    assert cli("asm", "--to", "raw", "-", stdin=text) == (0, bytes(program), "")


def test_disasm_shows_labels(cli: CommandLine, program: Path) -> None:
    loaded = cbpf.parse(program.read_text())
    assert cli("disasm", str(program)) == (0, cbpf.render_bytes(loaded, "asm"), "")
    assert cli("disasm", "--to", "dbg", stdin=program.read_bytes()) == (0, cbpf.render_bytes(loaded, "dbg"), "")
    assert cli("disasm", "-e", "arp", "--to", "tcpdump") == cli("compile", "arp")


@pytest.mark.filterwarnings("ignore::cbpf.ProgramWarning")
@pytest.mark.parametrize("name", cbpf.FORMAT_NAMES)
def test_convert_reads_and_writes_every_format(cli: CommandLine, name: str, program: Path, tmp_path: Path) -> None:
    loaded = cbpf.parse(program.read_text())
    target = tmp_path / "converted"
    result = cli("convert", str(program), "--to", name, "-w", str(target))
    assert result[:2] == (0, b"")
    assert ("tests the EtherType of an Ethernet header" in result.stderr) is (name == "iptables")
    assert target.read_bytes() == cbpf.render_bytes(loaded, name)
    for options in ([], ["--from", name])[name == "raw-swapped" :]:  # raw-swapped is not recognised
        expected = (0, cbpf.render_bytes(loaded, "json"), "")
        assert cli("convert", *options, "--to", "json", stdin=target.read_bytes()) == expected


def test_an_expression_replaces_a_program(cli: CommandLine, program: Path) -> None:
    assert cli("run", "-e", "tcp port 80", TRAFFIC) == cli("run", str(program), TRAFFIC)
    assert cli("trace", "-e", "tcp port 80", TRAFFIC, "-n", "6") == cli("trace", str(program), TRAFFIC, "-n", "6")
    assert cli("verify", "-e", "arp") == (0, b"-e 'arp': 4 instructions, accepted by pcap\n", "")
    assert cli("convert", "-e", "ip", "-y", "RAW")[1] == cbpf.render_bytes(cbpf.compile("ip", link_type="RAW"), "asm")
    for arguments, error in (
        (["run", "-e", "ip", "x", "y"], "Got unexpected extra argument (y) (see cbpf run --help)"),
        (["run", "-e", "ip"], "Missing argument 'CAPTURE' (see cbpf run --help)"),
        (["run"], "Missing argument 'PROGRAM' (see cbpf run --help)"),
        (["verify", "-e", "ip", "x"], "PROGRAM and -e EXPRESSION are mutually exclusive (see cbpf verify --help)"),
    ):
        assert cli(*arguments) == (2, b"", f"cbpf: {error}\n")


def test_savefiles_contain_their_context(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "http.cbpf"
    assert cli("compile", "-w", str(path), "-s", "96", "tcp", "port", "80") == (0, b"", "")
    savefile = cbpf.Savefile.from_bytes(path.read_bytes())
    assert savefile.program == cbpf.compile("tcp port 80", snaplen=96)
    assert (savefile.expression, savefile.snaplen, savefile.link_type_name) == ("tcp port 80", 96, "EN10MB")
    code, out, err = cli("filter", "-q", "-r", TRAFFIC, "--program", str(path))
    assert (code, out) == cli("filter", "-q", "-r", TRAFFIC, "tcp port 80")[:2]
    fact = "the savefile was compiled for a snapshot length of 96, below 262144"
    assert err.startswith(f"cbpf: warning: {TRAFFIC}: {fact}")
    assert cli("disasm", str(path))[1] == cbpf.render_bytes(savefile.program, "asm")


def test_savefiles_of_another_link_type_are_rejected(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "raw.cbpf"
    assert cli("compile", "-w", str(path), "-y", "RAW", "tcp") == (0, b"", "")
    error = f"cbpf: {TRAFFIC}: link type EN10MB is not RAW, for which the savefile was compiled\n"
    assert cli("filter", "-r", TRAFFIC, "--program", str(path), "--count") == (2, b"", error)


def test_packets_are_presented_as_by_a_live_socket(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "tagged").write_text("ld vlan_avail\nret a")
    options = ["--dialect", "linux", "--as-socket"]
    tagged = sum(packet.data[12:14] in (b"\x81\x00", b"\x88\xa8") for packet in PACKETS)
    counted = cli("filter", "-q", "--count", "-r", TRAFFIC, "--program", str(tmp_path / "tagged"), *options)
    assert counted == (0, b"%d\n" % tagged, "")
    _, out, _ = cli("run", str(tmp_path / "tagged"), TRAFFIC, *options)
    assert out.count(b" 1\n") == tagged
    number = next(packet.number for packet in PACKETS if packet.data[12:14] == b"\x81\x00")
    _, out, _ = cli("trace", str(tmp_path / "tagged"), TRAFFIC, "-n", str(number), *options)
    assert b"accepts the packet (verdict 1)" in out


def test_a_damaged_capture_is_not_replaced_by_its_beginning(cli: CommandLine, tmp_path: Path) -> None:
    """If it were filtered in place, the data after the damage would be lost."""
    path = tmp_path / "truncated.pcap"
    path.write_bytes(Path(TRAFFIC).read_bytes()[:100_000])
    code, _, err = cli("filter", "-q", "-r", str(path), "-w", str(path), "arp")
    assert (code, err.count("\n")) == (2, 1)
    assert path.read_bytes() == Path(TRAFFIC).read_bytes()[:100_000]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["filter", "--help"]])
def test_help_into_a_closed_pipe(cli: CommandLine, arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    result = cli(*arguments, stdout=writer)
    os.close(writer)
    assert (result.exit_code, result.stderr) == (141, "")


def test_an_unwritable_stderr_keeps_the_exit_code(cli: CommandLine) -> None:
    with open("/dev/full", "wb") as full:
        result = cli("filter", "-r", "nope", stderr=full)
    assert result.exit_code == 2


def test_problems_of_a_file_are_reported_with_its_name_and_a_caret(cli: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "bad.asm"
    path.write_text("ldh [12]\n  oops\n")
    expected = f"cbpf: {path}: line 2, column 3: unknown instruction 'oops'\n  oops\n  ^\n"
    for command in (["asm"], ["disasm"], ["verify"], ["convert"]):
        assert cli(*command, str(path)) == (2, b"", expected)
    (tmp_path / "cut.cbpf").write_bytes(b"\xa1\xb2\xc3\xcbcBPF")
    error = f"cbpf: {tmp_path}/cut.cbpf: byte 8: truncated header; the header of a savefile has 20 bytes\n"
    assert cli("filter", "-r", TRAFFIC, "--count", "--program", str(tmp_path / "cut.cbpf")) == (2, b"", error)


# Arguments of cbpf diff, the exit code, and the beginning of the output.
ANSWERS = [
    (
        ["-e", "tcp port 80", "-e", "port 80 and tcp"],
        0,
        "equal: both give the same verdict on every packet of 0 to",
    ),
    (
        ["-e", "ip", "-e", "ip6"],
        1,
        "different: left rejects the packet (verdict 0), right accepts the packet (verdict",
    ),
    (
        ["-e", "tcp port 80", "-e", "tcp", "--relation", "implies"],
        0,
        "implied: right accepts every packet of 0 to 65,535 bytes that left accepts\n",
    ),
    (
        ["-e", "tcp", "-e", "tcp port 80", "--relation", "implies"],
        1,
        "not implied: left accepts the packet (verdict",
    ),
    (["P", "-e", "tcp port 80"], 0, "equal: "),
    (["-", "-e", "tcp port 80", "--verdicts", "accept"], 0, "equal: both accept or both reject every packet"),
    (
        ["-e", "ip", "-e", "ip and len > 20", "--shortest", "21"],
        0,
        "equal: both give the same verdict on every",
    ),
    (["-y", "RAW", "-e", "ip", "-e", "ip[0] & 0xf0 = 0x40"], 0, "equal: "),
]


@pytest.mark.parametrize(("arguments", "status", "begin"), ANSWERS, ids=lambda value: str(value)[:40])
def test_diff_answers(cli: CommandLine, arguments: list[str], status: int, begin: str, program: Path) -> None:
    stdin = program.read_bytes() if "-" in arguments else b""
    code, out, err = cli(
        "diff", *(str(program) if argument == "P" else argument for argument in arguments), stdin=stdin
    )
    assert (code, err) == (status, "")
    assert out.decode().startswith(begin)


def test_diff_shows_the_packet_and_both_traces(cli: CommandLine, tmp_path: Path) -> None:
    target = tmp_path / "counterexample.pcap"
    code, out, err = cli("diff", "-e", "ip and tcp", "-e", "ip", "-w", str(target))
    (packet,) = cbpf.read_capture(target)
    programs = [cbpf.compile(expression) for expression in ("ip and tcp", "ip")]
    assert (code, err) == (1, "")
    _, left, right, _, lengths, first, second, _, heading, *steps = out.decode().splitlines()
    assert left == f"  left:  -e 'ip and tcp', {len(programs[0])} instructions"
    assert right == f"  right: -e 'ip', {len(programs[1])} instructions"
    assert lengths == f"packet: {packet.captured_length} bytes captured, {packet.wire_length} on the wire"
    assert first == "  0000  00 00 00 00 00 00 00 00  00 00 00 00 08 00 00 00  ................"
    assert second.startswith("  0010  00")
    column = heading.index("right")
    columns = [line[:column] for line in steps], [line[column:] for line in steps]
    for program, lines in zip(programs, columns, strict=True):
        trace = list(cbpf.VM(program).trace(packet.data, wire_length=packet.wire_length))
        assert [int(line[1:4]) for line in lines if line.startswith("(")] == [step.index for step in trace]
        assert any(f"verdict {trace[-1].verdict}" in line for line in lines)
    assert all(len(line) <= 120 for line in steps)


def test_diff_abridges_long_traces(cli: CommandLine, tmp_path: Path) -> None:
    for name, last in (("a", 1), ("b", 2)):
        (tmp_path / name).write_text("ld [0]\n" + "add #1\n" * 60 + f"add #{last}\nret a")
    code, out, _ = cli("diff", "a", "b", cwd=tmp_path)
    lines = out.decode().splitlines()
    assert code == 1
    assert any(re.fullmatch(r"\.\.\. \d+ more equal steps \.\.\.", line) for line in lines)
    assert len(lines) < 80
    assert all(len(line) <= 120 for line in lines)


def test_diff_shows_metadata_and_system_calls(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ld mark\njeq #7,0,1\nret #1\nret #0")
    (tmp_path / "b").write_text("ld mark\njeq #8,0,1\nret #1\nret #0")
    target = tmp_path / "w.pcap"
    code, out, err = cli("diff", "--dialect", "linux", "a", "b", "-w", str(target), cwd=tmp_path)
    assert code == 1
    assert re.search(rb"^metadata: mark=[78]$", out, re.MULTILINE)
    assert re.fullmatch(r"cbpf: warning: metadata cannot be stored in a capture: mark=[78]\n", err)
    (tmp_path / "c").write_text("ld [0]\njeq #59,0,1\nret #0x50001\nret #0x7fff0000")
    (tmp_path / "d").write_text("ret #0x7fff0000")
    code, out, err = cli("diff", "--dialect", "seccomp", "c", "d", cwd=tmp_path)
    text = out.decode()
    assert (code, err) == (1, "")
    assert text.startswith("different: left ERRNO 1 (verdict 0x00050001), right ALLOW (verdict 0x7fff0000)\n")
    assert "system call: nr=59 arch=0x0 instruction_pointer=0x0 args=(0x0, 0x0, 0x0, 0x0, 0x0, 0x0)\n" in text
    (tmp_path / "x32").write_text("ld [0]\njeq #0x40000209,0,1\nret #0x50001\nret #0x7fff0000")
    _, out, _ = cli("diff", "--dialect", "seccomp", "x32", "d", cwd=tmp_path)
    assert b"system call: nr=0x40000209 arch=" in out


DIFF_ERRORS = [
    ([], 2, "expected two programs, got 0 (see cbpf diff --help)"),
    (["-e", "ip", "-e", "ip", "-e", "ip"], 2, "expected two programs, got 3 (see cbpf diff --help)"),
    (["port 53", "-e", "ip"], 2, "port 53: No such file or directory; an expression is given as -e EXPRESSION"),
    (["-e", "ip", "-e", "tcp prot 5"], 2, "expression: column 5: 'prot' is not a keyword"),
    (["-e", "ip", "-e", "ip6", "--timeout", "0"], 2, "Invalid value for '--timeout': 0.0 is not a number of seconds"),
    (["-e", "ip", "-e", "ip6", "--timeout", "nan"], 2, "Invalid value for '--timeout': nan is not a number of seconds"),
    (["-e", "ip", "-e", "ip6", "--longest", "-1"], 2, "Invalid value for '--longest': -1 is not in the range"),
    (["-e", "ip", "-e", "ip6", "--shortest", "9", "--longest", "8"], 2, "--shortest: 9 bytes exceed --longest, 8"),
    (["-e", "ip", "-e", "ip6", "-w", "no/such/place"], 2, "no/such/place: No such file or directory"),
    (
        ["-e", "ip", "-e", "ip6", "--timeout", "1e-9"],
        3,
        "undecided: timed out after 1e-09 seconds; increase --timeout",
    ),
    (["-e", "ip", "-e", "ip6", "--dialect", "seccomp"], 2, "-e 'ip': instruction 0: opcode 0x28 (ldh [12]) is not"),
]


@pytest.mark.parametrize(("arguments", "status", "message"), DIFF_ERRORS, ids=lambda value: str(value)[:40])
def test_diff_reports_errors(cli: CommandLine, arguments: list[str], status: int, message: str, tmp_path: Path) -> None:
    code, out, err = cli("diff", *arguments, cwd=tmp_path)
    assert (code, out) == (status, b"")
    assert without_excerpt(err).count("\n") == 1
    assert err.startswith(f"cbpf: {message}")


def test_cases_are_listed_or_written(cli: CommandLine, tmp_path: Path, program: Path) -> None:
    cases = cbpf.cases(cbpf.parse(program.read_text()))
    code, out, err = cli("cases", str(program))
    lines = out.decode().splitlines()
    assert (code, err) == (0, "")
    assert len(lines) == 2 * len(cases)
    assert lines[:2] == ["1: 13 bytes, verdict 0: runs 0, 0 lacks a byte", "    (13 zeros)"]
    target = tmp_path / "cases.pcap"
    assert cli("cases", str(program), "-w", str(target)) == (0, b"", "")
    assert [packet.data for packet in cbpf.read_capture(target)] == [case.packet for case in cases]
    verdicts = cli("run", str(program), str(target))[1].decode().splitlines()
    assert verdicts == [f"{number} {case.verdict}" for number, case in enumerate(cases, 1)]


def test_cases_of_expressions_and_metadata(cli: CommandLine, tmp_path: Path) -> None:
    assert cli("cases", "-y", "RAW", "-e", "ip")[1].startswith(
        b"1: 0 bytes, verdict 0: runs 0, 0 lacks a byte\n    (no bytes)\n"
    )
    (tmp_path / "a").write_text("ld mark\njeq #7,0,1\nret #1\nret #0")
    assert b"    metadata: mark=7\n" in cli("cases", "--dialect", "linux", str(tmp_path / "a"))[1]
    code, _, err = cli("cases", "--dialect", "linux", str(tmp_path / "a"), "-w", str(tmp_path / "w"))
    assert (code, err) == (0, "cbpf: warning: the metadata of 1 packet cannot be stored in a capture\n")
    assert cli("cases", "-e", "ip", "--timeout", "1e-9")[0] == 3


@pytest.mark.parametrize("repetition", range(3))
def test_ctrl_c_stops_a_proof(cli: CommandLine, repetition: int, tmp_path: Path) -> None:
    """The signal arrives while the solver polls for termination, or between two polls."""
    start = "ld [4]\ntax\nld [0]\nst M[0]\ndiv x\n"
    (tmp_path / "a").write_text(start + "mul x\nst M[1]\nld M[0]\nmod x\nldx M[1]\nadd x\nret a")
    (tmp_path / "b").write_text(start + "ld M[0]\nret a")
    arguments = ("diff", "a", "b", "--timeout", "60")
    environment = uncovered_environment()
    with cli.start(*arguments, stderr=subprocess.PIPE, cwd=tmp_path, env=environment) as process:
        try:
            while "bitwuzla" not in Path(f"/proc/{process.pid}/maps").read_text():
                time.sleep(0.01)
            time.sleep(0.3 + 0.05 * repetition)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, error.strip()) == (130, b"")


@pytest.mark.parametrize("command", [["verify"], ["run"], ["diff"]], ids=lambda command: command[0])
def test_many_findings_end_with_their_number(cli: CommandLine, tmp_path: Path, command: list[str]) -> None:
    def lines(count: int) -> list[str]:
        path = tmp_path / f"{count}.asm"
        path.write_text("ldx M[3]\n" * (count - 1) + "st M[16]\nret #0\n")
        others = {"verify": [], "run": [TRAFFIC], "diff": ["-e", "arp"]}[command[0]]
        _, _, err = cli(*command, "--dialect", "linux", str(path), *map(str, others))
        return [line.removeprefix("cbpf: ").removeprefix(f"{path}: ") for line in err.splitlines()]

    assert len(lines(21)) == 21
    many = lines(50)
    assert len(many) == 21
    assert many[0].startswith("instruction 0: ")
    assert many[-1] == "and 30 more"
