"""The eBPF targets: loaded into the live kernel, run there on packets, and compared with the VM."""

import pickle
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

import cbpf
from cbpf import EbpfTarget
from cbpf.backends.ebpf.elf import INSTRUCTION_SIZE, instructions_in
from cbpf.backends.ebpf.hooks import HOOKS
from cbpf.backends.ebpf.source import _MOST_INSTRUCTIONS
from cbpf.linux.bpf_calls import LoadedProgram
from support.command_line import CommandLine, run_here
from support.emitted import Case, corpus_cases, packets_for, random_case
from support.project import Rounds

pytest.importorskip("llvmlite", reason="eBPF needs llvmlite")


def kernel_obstacle() -> str | None:
    """Return why this process cannot load eBPF programs, or None."""
    try:
        cbpf.linux.check_ebpf([cbpf.RetConstant(1)], target="ebpf-xdp")
    except cbpf.EbpfError as error:
        return f"eBPF programs cannot be loaded: {error}"
    return None


OBSTACLE = kernel_obstacle()
on_kernel = pytest.mark.skipif(OBSTACLE is not None, reason=str(OBSTACLE))
TARGETS = tuple(HOOKS)
LARGEST_OF_XDP = 3000
"""Bytes: a test run of XDP has a packet in one page, with room before and after it."""
SO_ATTACH_BPF = 50


def check(case: Case, packets: Iterable[bytes], target: str, **options: object) -> cbpf.linux.EbpfCheck:
    return cbpf.linux.check_ebpf(case.program, packets, target=target, dialect=case.dialect, **options)  # type: ignore[arg-type]


@on_kernel
@pytest.mark.parametrize("target", TARGETS)
def test_corpus_has_the_verdicts_of_the_vm(target: str, full_length: bool) -> None:
    cases = list(corpus_cases("EN10MB"))[:: 1 if full_length else 6]
    random, packets = Random(1), 0
    for case in cases:
        result = check(case, packets_for(case, random, 12, largest=LARGEST_OF_XDP), target)
        assert not result.differences, (case, result)
        packets += result.packets
    assert packets > 6 * len(cases)


@on_kernel
@pytest.mark.fuzz
@pytest.mark.parametrize("target", TARGETS)
def test_random_programs_have_the_verdicts_of_the_vm(target: str, rounds: Rounds) -> None:
    for random in rounds(800, min_checked=0.9):
        case = random_case(random)
        result = check(case, packets_for(case, random, 24, largest=LARGEST_OF_XDP), target)
        assert not result.differences, (case, result)
        if result.packets > 8:
            rounds.checked()


@on_kernel
@pytest.mark.parametrize("target", ["ebpf-xdp", "ebpf-tc"])
def test_accepted_packets_are_dropped_on_demand(target: str, traffic: Path) -> None:
    packets = [packet.data for packet in cbpf.read_capture(traffic)]
    for accept in ("pass", "drop"):
        result = check(Case(cbpf.compile("udp port 53"), cbpf.PCAP), packets, target, accept=accept)
        assert (result.packets, result.differences) == (905, ())
    object_file = cbpf.emit("udp port 53", target=target, accept="drop")  # type: ignore[call-overload]
    hook = HOOKS[target]
    with LoadedProgram(instructions_in(object_file, hook.section), hook.program_type) as loaded:
        results = [loaded.run(packet) for packet in packets]
    assert hook.results is not None
    assert results.count(hook.results["drop"]) == cbpf.filter_capture(traffic, None, "udp port 53").packets_accepted


@on_kernel
def test_program_of_a_socket_is_attached() -> None:
    object_file = cbpf.emit(cbpf.parse("ldb [0]\nret a"), target="ebpf-socket")
    hook = HOOKS["ebpf-socket"]
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with (
        receiver,
        sender,
        LoadedProgram(instructions_in(object_file, hook.section), hook.program_type) as loaded,
    ):
        receiver.setblocking(False)
        receiver.setsockopt(socket.SOL_SOCKET, SO_ATTACH_BPF, struct.pack("i", loaded.descriptor))
        for packet in (b"\x02abc", b"\x00abc", b"\x04abc"):
            sender.send(packet)
        assert [receiver.recv(10), receiver.recv(10)] == [b"\x02a", b"\x04abc"]


@on_kernel
@pytest.mark.parametrize(
    ("word", "targets"),
    [
        ("proto", TARGETS[1:]),
        ("type", TARGETS[1:]),
        ("mark", TARGETS[1:]),
        ("rxhash", TARGETS[1:]),
        ("vlan_tci", TARGETS[1:]),
        ("vlan_avail", TARGETS[1:]),
        ("vlan_tpid", TARGETS[1:]),
        ("ifidx", TARGETS),
        ("queue", TARGETS),
        ("cpu", TARGETS),
        ("rand", TARGETS),
    ],
)
def test_metadata_of_the_hook_can_be_loaded(word: str, targets: tuple[str, ...]) -> None:
    program = cbpf.parse(f"ld #{word}\nret a")
    for target in targets:
        result = check(Case(program, cbpf.LINUX), [bytes(60)], target)
        assert not result.is_comparable
        assert "not compared with the VM: the program loads metadata" in str(result)


@on_kernel
def test_metadata_has_the_values_of_the_kernel() -> None:
    frame = bytes(12) + b"\x08\x06" + bytes(46)
    for word, expected in (("proto", 0x0806), ("vlan_avail", 0), ("mark", 0), ("type", 0)):
        object_file = cbpf.emit(cbpf.parse(f"ld #{word}\nret a"), target="ebpf-socket", dialect=cbpf.LINUX)
        hook = HOOKS["ebpf-socket"]
        with LoadedProgram(instructions_in(object_file, hook.section), hook.program_type) as loaded:
            assert loaded.run(frame) == expected, word


@on_kernel
def test_program_that_the_verifier_rejects_is_reported_with_its_log() -> None:
    invalid = struct.pack("<BBhi", 0x95, 0, 0, 0)  # exit, without a result
    with pytest.raises(cbpf.EbpfError, match=r"^eBPF: the verifier rejects the program$") as error:
        LoadedProgram(invalid, 6)
    assert "R0 !read_ok" in error.value.log
    copy = pickle.loads(pickle.dumps(error.value))
    assert (str(copy), copy.errno, copy.log) == (str(error.value), error.value.errno, error.value.log)


@on_kernel
def test_command_compares_with_the_kernel(cli: CommandLine, traffic: Path, tmp_path: Path) -> None:
    result = cli("emit", "-e", "udp port 53", "--target", "ebpf-xdp", "--check", "-r", str(traffic))
    assert result.stdout.startswith(b"loaded: ")
    assert b"905 packets: no results differ from the VM\n" in result.stdout
    target = tmp_path / "filter.o"
    cli("emit", "-e", "udp port 53", "--target", "ebpf-tc", "--check", "-w", str(target))
    assert target.read_bytes().startswith(b"\x7fELF")


@on_kernel
def test_packets_before_a_damage_are_compared(cli: CommandLine, traffic: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pcap"
    damaged.write_bytes(traffic.read_bytes()[:-5])
    result = cli("emit", "-e", "udp port 53", "--target", "ebpf-xdp", "--check", "-r", str(damaged))
    assert result.exit_code == 2
    assert b"904 packets: no results differ from the VM\n" in result.stdout
    assert result.stderr.count("\n") == 1
    assert "packet 905: " in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--check",), "--check is for the targets ebpf-xdp, ebpf-tc and ebpf-socket, not for c"),
        (("-r", "in.pcap"), "-r requires --check"),
        (("program.c",), "PROGRAM and -e EXPRESSION are mutually exclusive"),
        (("--main", "--target", "wasm"), "--main: the target wasm has no main function"),
        (("--main", "--target", "ebpf-xdp", "--check"), "--main: the target ebpf-xdp has no main function"),
        (("--name", "for", "--target", "ebpf-xdp", "--check"), "--name: 'for' is not a name for the function"),
        (("--accept", "drop"), "--accept: the target c does not drop packets"),
        (("--assembly",), "--assembly: the target c has none; it is for ebpf-xdp, ebpf-tc and ebpf-socket"),
    ],
)
def test_options_that_do_not_belong_together_are_rejected(
    cli: CommandLine, options: tuple[str, ...], message: str
) -> None:
    result = cli("emit", "-e", "arp", *options)
    assert (result.exit_code, result.stdout) == (2, b"")
    assert message in result.stderr


def test_a_program_that_the_kernel_rejects_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reject(*arguments: object, **options: object) -> None:
        raise cbpf.EbpfError(22, "eBPF: the verifier rejects the program", "log")

    monkeypatch.setattr(cbpf.linux, "check_ebpf", reject)
    target = tmp_path / "filter.o"
    done = run_here("emit", "-e", "arp", "--target", "ebpf-xdp", "--check", "-w", str(target))
    assert (done.exit_code, done.stderr) == (2, "log\ncbpf: eBPF: the verifier rejects the program\n")
    assert not target.exists()


@pytest.mark.skipif(shutil.which("llvm-mc") is None, reason="llvm-mc is not installed")
@pytest.mark.parametrize("target", TARGETS)
def test_the_assembly_is_that_of_the_object_file(target: EbpfTarget, tmp_path: Path) -> None:
    """LLVM's assembler makes the same instructions of it."""
    for case in [*corpus_cases("EN10MB")][::20]:
        text = cbpf.emit(case.program, target=target, dialect=case.dialect, assembly=True)
        source, assembled = tmp_path / "filter.s", tmp_path / "filter.o"
        source.write_text(text)
        command = ["llvm-mc", "-triple", "bpfel", "-mcpu=v3", "-filetype=obj", str(source), "-o", str(assembled)]
        subprocess.run(command, check=True)
        section = HOOKS[target].section
        emitted = cbpf.emit(case.program, target=target, dialect=case.dialect)
        assert instructions_in(assembled.read_bytes(), section) == instructions_in(emitted, section), case


def test_the_command_writes_assembly(cli: CommandLine) -> None:
    done = cli("emit", "-e", "arp", "--target", "ebpf-tc", "--assembly")
    assert done.stdout.decode() == cbpf.emit("arp", target="ebpf-tc", assembly=True)


def test_programs_whose_jumps_would_be_too_far_are_rejected() -> None:
    """LLVM would end this process."""
    expression = " or ".join(f"host 10.{number % 250}.{number // 250}.1" for number in range(6_000))
    program = cbpf.compile(expression, optimizer=None)
    rule = "target ebpf-socket: the program has .* eBPF instructions; its jumps reach at most 32,767"
    for assembly in (False, True):
        with pytest.raises(cbpf.ProgramFormatError, match=rule):
            cbpf.emit(program, target="ebpf-socket", assembly=assembly)


@pytest.mark.parametrize("target", TARGETS)
def test_programs_with_many_loads_fit_the_stack(target: EbpfTarget) -> None:
    """LLVM would end this process."""
    load = [cbpf.LoadAbsolute(1, 4), cbpf.ALUOpConstant(cbpf.ALUOp.XOR, 5)]
    assert cbpf.emit([*load * 400, cbpf.RetA()], target=target)


@pytest.mark.parametrize("target", TARGETS)
def test_instructions_have_a_greatest_size_in_ebpf(target: EbpfTarget) -> None:
    for case in corpus_cases("EN10MB"):
        size = len(instructions_in(cbpf.emit(case.program, target=target, dialect=case.dialect), HOOKS[target].section))
        assert size / INSTRUCTION_SIZE < _MOST_INSTRUCTIONS * len(case.program), case


_DROP_IN_PAYLOAD = "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x64726f70"  # "drop"
_CLIENT = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
server, _ = listener.accept()
server.settimeout(0.3)
received = []
for word in (b"pass 1", b"pass 2", b"drop 3"):
    client.sendall(word)
    try:
        received.append(server.recv(100).decode())
    except TimeoutError:
        received.append("nothing")
print(received)
"""


@on_kernel
@pytest.mark.skipif(shutil.which("tc") is None, reason="iproute2 is not installed")
def test_bytes_without_an_address_are_loaded(tmp_path: Path) -> None:
    """The kernel sends the payload of TCP from pages of their own, of which a program of tc has no addresses."""
    path, client = tmp_path / "drop.o", tmp_path / "client.py"
    path.write_bytes(cbpf.emit(_DROP_IN_PAYLOAD, target="ebpf-tc", accept="drop"))
    client.write_text(_CLIENT)
    script = (
        "ip link set lo up && tc qdisc add dev lo clsact"
        f" && tc filter add dev lo egress bpf da obj {path} sec tc && {sys.executable} {client}"
    )
    result = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert result.stdout == "['pass 1', 'pass 2', 'nothing']\n", result.stderr


@on_kernel
@pytest.mark.skipif(shutil.which("ip") is None or shutil.which("tc") is None, reason="iproute2 is not installed")
@pytest.mark.parametrize("target", ["ebpf-xdp", "ebpf-tc"])
def test_iproute2_loads_the_object_file(target: str, tmp_path: Path) -> None:
    path = tmp_path / "filter.o"
    path.write_bytes(cbpf.emit("arp", target=target))  # type: ignore[call-overload]
    attach = {
        "ebpf-xdp": f"ip link set v0 xdpgeneric obj {path} sec xdp",
        "ebpf-tc": f"tc qdisc add dev v0 clsact && tc filter add dev v0 ingress bpf da obj {path} sec tc",
    }
    shown = "ip -d link show v0 && tc filter show dev v0 ingress"
    script = f"ip link add v0 type veth peer name v1 && {attach[target]} && {shown}"
    result = subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "prog/xdp id" in result.stdout or "direct-action" in result.stdout
