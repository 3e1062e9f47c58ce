"""Scripts of `cbpf debug`: errors with their line, exit codes, and inputs at their limits."""

import gzip
import os
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

import cbpf
from support.command_line import PACKETS, TRAFFIC, CommandLine

_REPLACEABLE: Final = (
    *("proto", "type", "ifidx", "hatype", "mark", "queue", "rxhash", "cpu", "vlan_tci", "vlan_tpid", "poff", "rand"),
)


def _debug(cli: CommandLine, script: str, *arguments: str, expected: int = 0) -> str:
    code, out, err = cli("debug", *(arguments or ("-e", "tcp", TRAFFIC)), stdin=script.encode())
    assert code == expected, (out, err)
    return err if expected == 2 else out.decode()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("b 99", "b 99: the program has 14 instructions, numbered from 0"),
        ("b 3 if", "b 3 if: expected N, or N if CONDITION"),
        ("b 3 if A = 1", "b 3 if A = 1: '=' is not an operator; use == to compare"),
        ("b three", "b three: 'three' is not the number of an instruction, such as 7 or l7"),
        ("brakpoint 3", "unknown command 'brakpoint'; did you mean 'breakpoint'?"),
        ("\x07", r"unknown command '\x07'"),
        ("frobnicate", "unknown command 'frobnicate'; help lists the commands"),
        ("tbreak 3", "the command 'tbreak' is not supported; until N goes to instruction N once"),
        ("b 3,", "b 3,: expected N, or N if CONDITION"),
        ("set markk 3", "set markk 3: unknown extension load 'markk'; did you mean 'mark'?"),
        ("set mark 0x100000000", "set mark 0x100000000: 0x100000000 is too large: numbers have at most 32 bits"),
        ("set proto 65536", "set proto 65536: 65536 is not an unsigned 16-bit number (0..65535)"),
        ("set vlan_avail 2", "set vlan_avail 2: vlan_avail is 0 or 1"),
        ("set len 3", "set len 3: the load len is computed from the packet and the registers"),
        ("set cpu", "set cpu: 'cpu' is not replaced"),
        ("step 0", "step 0: '0' is not a number from 1"),
        ("step x", "step x: 'x' is not a number from 1"),
        ("step -1", "step -1: the run has not begun, so no step can be taken back"),
        ("step 3\nback 5", "back 5: cannot go back by 5: the run began 2 steps ago"),
        ("run 1.5", "run 1.5: '1.5' is not a number from 1"),
        ("run back", "run back: no breakpoint or watch stops the run on packet 1 before this position"),
        ("select 906", f"{TRAFFIC}: contains fewer than 906 packets"),
        ("until", "until: expected accept, reject, branch, N, N true, N false, or a condition"),
        ("until branch", "until branch: the position is not at a conditional jump"),
        ("until 0 true", "until 0 true: ldh [12] is not a conditional jump"),
        ("until A", "until A: it is a number, and not a condition; compare it, as in A == 0"),
        ("print", "print: the run has not begun; use step or run"),
        ("print [2000]", "print [2000]: packet[2000] is past the end of the 86 captured bytes"),
        ("print A / X", "print A / X: division by zero"),
        ("watch B", "watch B: 'B' cannot be watched; expected A, X, M[n], packet[n] or packet[n:size]"),
        ("watch M[16]", "watch M[16]: M[16] does not exist: slots are M[0] to M[15]"),
        ("watch [3:0]", "watch [3:0]: a range has at least 1 byte"),
        ("clear 3", "clear 3: no breakpoint at instruction 3"),
        ("clear X", "clear X: X is not watched"),
        ("list 14", "list 14: the program has 14 instructions, numbered from 0"),
        ("load", "load: expected bpf FILE, bpf NUMBERS, pcap FILE, or expression TEXT"),
        ("load pcap missing.pcap", "missing.pcap: No such file or directory"),
        ("load bpf 2,6 0 0 1", "header declares 2 instructions, found 1"),
        ("dump 3", "dump 3: dump has no argument"),
        ("help dumb", "help dumb: unknown command 'dumb'; did you mean 'dump'?"),
    ],
)
def test_errors_name_the_line_and_end_the_script(script: str, message: str, cli: CommandLine) -> None:
    number = script.count("\n") + 1
    lines = _debug(cli, f"{script}\nquit\n", expected=2).splitlines()
    assert lines[0].startswith(f"cbpf: standard input:{number}: ")
    assert message in lines[0]


def test_errors_in_expressions_and_programs_show_their_place(cli: CommandLine) -> None:
    assert _debug(cli, "load expression tcp prot 80", expected=2).startswith("cbpf: standard input:1: expression: ")
    first, *others = _debug(cli, "load bpf 2,135 0 0 0,7 0 0 0\n", expected=2).splitlines()
    assert not others
    assert first.startswith("cbpf: standard input:1: instruction 1: ")


def test_nothing_loaded_is_an_error_with_the_remedy(cli: CommandLine, tmp_path: Path) -> None:
    def message(script: str) -> str:
        code, _, err = cli("debug", stdin=script.encode())
        assert code == 2
        return err.splitlines()[0].removeprefix("cbpf: standard input:")

    assert message("step") == "1: step: no program is loaded; load one with: load bpf FILE"
    assert message("select 1") == "1: select 1: no capture is loaded; load one with: load pcap FILE"
    loaded = "load bpf 1,6 0 0 1\n"
    assert message(f"{loaded}step") == "2: step: no capture is loaded; load one with: load pcap FILE"
    assert message(f"load pcap {TRAFFIC}\nlist") == "2: list: no program is loaded; load one with: load bpf FILE"


def test_arguments_that_cannot_be_loaded_are_errors(cli: CommandLine, tmp_path: Path) -> None:
    bad = tmp_path / "bad.c"
    bad.write_text("{ 0x28, 0, 0, 12 },\n{ 0x15, 0, 9, 2048 },\n")
    assert "jump target 11" in _debug(cli, "", str(bad), TRAFFIC, expected=2)
    assert "contains fewer than 9,999 packets" in _debug(cli, "", "-n", "9999", "-e", "tcp", TRAFFIC, expected=2)
    assert "read from standard input" in _debug(cli, "", "-", TRAFFIC, expected=2)
    assert "Missing argument 'CAPTURE'" in _debug(cli, "", str(bad), expected=2)
    empty = tmp_path / "empty.pcap"
    cbpf.write_capture(str(empty), [])
    assert "contains fewer than 1 packets" in _debug(cli, "", "-e", "tcp", str(empty), expected=2)


@pytest.mark.parametrize(
    ("begin", "repeated", "message"),
    [
        ("", "x", "unknown command"),
        ("step ", "9", "is too long: the number has at most 18 digits"),
        ("step ", "0", "is not a number from 1"),
        ("list ", "9", "is too long: numbers have at most 32 bits"),
        ("print ", "9", "is too long: numbers have at most 32 bits"),
        ("print ", "x", "unknown name"),
        ("watch ", "x", "cannot be watched"),
        ("breakpoint 3 if ", "(", "nested more than 20 deep"),
        ("breakpoint ", "x", "is not the number of an instruction"),
        ("set ", "x", "is not replaced"),
        ("help ", "x", "unknown command"),
    ],
)
def test_long_words_are_shortened_in_errors(begin: str, repeated: str, message: str, cli: CommandLine) -> None:
    error = _debug(cli, f"{begin}{100_000 * repeated}\n", expected=2)
    assert message in error
    assert len(error) < 300


def test_long_expressions_are_evaluated(cli: CommandLine) -> None:
    assert _debug(cli, f"print {'1 + ' * 50_000}1\n").splitlines()[-1] == "0xc351 = 50001"


def test_conditions_may_follow_a_comma_as_in_pdb(cli: CommandLine) -> None:
    assert _debug(cli, "b 3, A == 6\nrun\n").splitlines()[-2] == "(breakpoint 3 if A == 6)"


def test_extension_loads_have_the_names_of_assembly(cli: CommandLine) -> None:
    out = _debug(cli, "set #mark = 3\nset vlan_pr 1\n").splitlines()
    assert out[-2:] == ["mark = 0x3 = 3", "vlan_avail = 0x1 = 1"]


def test_dialects_without_extension_loads_have_no_values(cli: CommandLine, tmp_path: Path) -> None:
    program = tmp_path / "all.asm"
    program.write_text("ret #1\n")
    message = _debug(cli, "set mark 1\n", "--dialect", "freebsd", str(program), TRAFFIC, expected=2)
    assert "programs of the dialect freebsd load no mark; use --dialect linux" in message


@pytest.mark.parametrize(
    "name",
    ["proto", "type", "ifidx", "hatype", "mark", "queue", "rxhash", "cpu", "vlan_tci", "vlan_tpid", "poff", "rand"],
)
def test_values_of_extension_loads_can_be_replaced(name: str, cli: CommandLine, tmp_path: Path) -> None:
    program = tmp_path / "load.asm"
    program.write_text(f"ld {name}\nret a\n")
    arguments = ("--dialect", "linux", "--as-socket", str(program), TRAFFIC)
    before = _debug(cli, "step 2\n", *arguments).splitlines()[-1]
    replaced = _debug(cli, f"set {name} 5\nstep 2\n", *arguments).splitlines()[-1]
    restored = _debug(cli, f"set {name} 5\nset {name}\nstep 2\n", *arguments).splitlines()[-1]
    assert replaced.endswith("=> accepts the packet (verdict 5)")
    assert restored == before != replaced


def test_a_search_without_a_result_has_exit_code_1(cli: CommandLine) -> None:
    assert _debug(cli, "until accept\n").splitlines()[-1].endswith("accepts the packet (verdict 262144)")
    nothing = _debug(cli, "until accept\nuntil len > 60000\n", expected=1)
    assert nothing.splitlines()[-1].endswith("to the end has a state with len > 60000")
    assert _debug(cli, "until len > 60000\nuntil accept\n")


def test_counts_are_those_of_the_filter(cli: CommandLine) -> None:
    vm = cbpf.VM("tcp")
    accepted = sum(vm.run(packet.data) > 0 for packet in PACKETS)
    expected = f"bpf passes:{accepted} fails:{len(PACKETS) - accepted}"
    assert expected in _debug(cli, "run\n").splitlines()
    assert expected in _debug(cli, "b 3 if len == 1\nwatch [2000]\nrun\n").splitlines()
    stopping = _debug(cli, "b 12\n" + "run\n" * (accepted + 1)).splitlines()
    assert expected in stopping


def test_every_step_is_that_of_a_trace(cli: CommandLine) -> None:
    packet = PACKETS[205]
    steps = list(cbpf.VM(cbpf.source_map("tcp port 443").program).trace(packet.data))
    out = _debug(cli, "step\n" * len(steps), "-n", "206", "-e", "tcp port 443", TRAFFIC)
    shown = [line.split(":")[0] for line in out.splitlines() if line.startswith("-> ")]
    assert shown == [f"-> l{step.index}" for step in steps]
    assert len(shown) > 10
    registers = [f"A={step.a:#010x} X={step.x:#010x}" for step in steps]
    lines = [line for line in out.splitlines() if line.startswith("-> ")]
    assert all(text in line for text, line in zip(registers[:-1], lines[1:], strict=True))


def test_steps_back_show_the_same_states(cli: CommandLine) -> None:
    out = _debug(cli, "step\n" * 12 + "back\n" * 11 + "step 11\nstep -11\n", "-n", "206", "-e", "tcp port 443", TRAFFIC)
    lines = [line for line in out.splitlines() if line.startswith("-> ")]
    assert lines[:12] == lines[11:23][::-1]
    assert lines[23:] == [lines[11], lines[0]]


def test_captures_of_other_link_types_and_damage(cli: CommandLine, tmp_path: Path) -> None:
    truncated = tmp_path / "cut.pcap"
    truncated.write_bytes(Path(TRAFFIC).read_bytes()[:1000])
    code, out, err = cli("debug", "-e", "tcp", str(truncated), stdin=b"run\n")
    assert code == 2
    assert "bpf passes:0 fails:9" in out.decode()
    assert err.startswith(f"cbpf: standard input:1: {truncated}: ")
    usb = tmp_path / "usb.pcap"
    cbpf.write_capture(str(usb), [b"1234"], link_type="USB_LINUX")
    assert "USB_LINUX" in _debug(cli, "", "-e", "tcp", str(usb), expected=2)


def test_records_shorter_than_those_of_the_dialect_have_no_steps(cli: CommandLine, tmp_path: Path) -> None:
    program, capture = tmp_path / "allow.txt", tmp_path / "calls.pcap"
    program.write_text("1,6 0 0 2147418112")
    cbpf.write_capture(str(capture), [bytes(60), bytes(64)])
    out = _debug(cli, "step\n", "--dialect", "seccomp", str(program), str(capture)).splitlines()
    assert out[1] == "packet 1: 60 bytes; rejected, because it is shorter than the record of the dialect"
    assert out[3:5] == ["(next packet)", "packet 2: 64 bytes"]
    assert out[5].startswith("-> l0: ret #0x7fff0000")


def test_verdicts_of_seccomp_accept_if_they_run_the_call(cli: CommandLine, tmp_path: Path) -> None:
    program, capture = tmp_path / "filter.asm", tmp_path / "calls.pcap"
    program.write_text("ld [0]\njeq #1, no\nret #0x7fff0000\nno: ret #0x00050001\n")  # ALLOW; ERRNO
    cbpf.write_capture(str(capture), [number.to_bytes(4, "little") + bytes(60) for number in (0, 1, 2)])
    out = _debug(cli, "run\nuntil reject\n", "--dialect", "seccomp", str(program), str(capture)).splitlines()
    assert out[3] == "bpf passes:2 fails:1"
    assert out[-2] == "packet 2: 64 bytes"
    assert out[-1].startswith("-> l3: ret #0x50001 ")
    assert "ERRNO" in out[-1]


def _stops(cli: CommandLine, script: str) -> list[str]:
    """Return the labels of the positions that a script shows, on a packet of traffic.pcap with TCP."""
    out = _debug(cli, script, "-n", "206", "-e", "tcp port 443", TRAFFIC)
    return [line.split()[1].rstrip(":") for line in out.splitlines() if line.startswith("-> ")]


@pytest.mark.parametrize(
    ("watched", "is_loaded"),
    [
        ("[11]", False),
        ("[12]", True),
        ("[13]", True),
        ("[14]", False),
        ("[0:12]", False),
        ("[0:13]", True),
        ("[13:9]", True),
    ],
)
def test_a_watch_stops_at_loads_of_its_bytes_only(watched: str, is_loaded: bool, cli: CommandLine) -> None:
    """The first instruction loads bytes 12 and 13, and the fourth one byte 23."""
    (stop,) = _stops(cli, f"watch {watched}\nbreakpoint 1\nrun\n")
    assert stop == ("l0" if is_loaded else "l1")


def test_run_back_stops_at_the_nearest_stop(cli: CommandLine) -> None:
    assert _stops(cli, "b 0\nb 1\nstep 4\nrun back\nrun back\n")[1:] == ["l1", "l0"]


def test_a_search_for_a_verdict_includes_the_run_that_has_begun(cli: CommandLine) -> None:
    out = _debug(cli, "step 3\nuntil reject\nuntil reject\n", "-n", "5", "-e", "tcp port 443", TRAFFIC).splitlines()
    assert [line for line in out if line.startswith("packet ")] == ["packet 5: 130 bytes", "packet 6: 42 bytes"]
    assert sum(line.endswith("rejects the packet (verdict 0)") for line in out) == 2


@pytest.mark.parametrize("is_compressed", [True, False])
def test_pipes_are_read_once(cli: CommandLine, tmp_path: Path, is_compressed: bool) -> None:
    source, pipe = tmp_path / "source", tmp_path / "pipe"
    data = Path(TRAFFIC).read_bytes()
    source.write_bytes(gzip.compress(data) if is_compressed else data)
    os.mkfifo(pipe)
    writer = subprocess.Popen(["dd", f"if={source}", f"of={pipe}", "status=none"])
    script = b"until accept\nselect 900\nselect 1\n"
    code, out, err = cli("debug", "-e", "tcp", str(pipe), stdin=script, timeout=60)
    assert writer.wait() == 0
    assert code == 2
    assert out.decode().splitlines()[-2:] == [f"packet 900: {len(PACKETS[899].data)} bytes", "> select 1"]
    assert err == f"cbpf: standard input:3: select 1: {pipe} is not a file: its packets cannot be read again\n"


def test_output_that_nobody_reads_ends_the_session(cli: CommandLine) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = cli.start("debug", "-e", "tcp", TRAFFIC, stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    _, err = process.communicate(b"step\n")
    assert (process.returncode, err) == (141, b"")


def test_ctrl_c_ends_a_script(cli: CommandLine) -> None:
    process = cli.start("debug", "-e", "tcp", TRAFFIC, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdin.write(b"step\n")
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    process.stdin.close()
    process.stdout.close()


def test_bytes_that_are_not_text_are_one_error(cli: CommandLine) -> None:
    code, _, err = cli("debug", "-e", "tcp", TRAFFIC, stdin=b"\xff\xfe\n")
    assert code == 2
    assert err == "cbpf: standard input:1: unknown command " + repr(r"\xff\xfe") + "; help lists the commands\n"
