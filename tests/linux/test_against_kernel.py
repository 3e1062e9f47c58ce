"""Random programs that are attached by cbpf and by the live kernel: verdict of the checker, errno, memory, length."""

import errno
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import cbpf
from cbpf.linux import attach
from cbpf.linux.charges import charge, translated_length
from cbpf.linux.socket_options import option_memory
from support import random_programs
from support.judges import kernel
from support.project import ENGINES, Rounds

pytestmark = [
    pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available())),
    pytest.mark.skipif(charge(cbpf.parse("ret #0")) is None, reason="the sizes of this machine's code are not known"),
]

Rows = list[tuple[int, int, int, int]]
Pair = tuple[socket.socket, socket.socket]
LIMIT = Path("/proc/sys/net/core/optmem_max")


@pytest.fixture
def pair() -> Iterator[Pair]:
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.setblocking(False)
        yield receiver, sender


def attach_errno(sock: socket.socket, program: Rows) -> int:
    """Return the errno of a program that is attached by cbpf; 0 without an error."""
    try:
        attach(sock, program, discard_queued=False)
    except cbpf.VerificationError:
        return errno.EINVAL
    except cbpf.SocketError as error:
        return error.errno or -1
    return 0


def raw_errno(sock: socket.socket, program: Rows) -> int:
    """Return the errno of a program that is attached by the system call alone."""
    argument, _code = kernel.sock_fprog(program)
    try:
        sock.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_FILTER, argument)
    except OSError as error:
        return error.errno or -1
    return 0


def delivered(pair: Pair, packet: bytes) -> int | None:
    """Send a packet; return the number of delivered bytes, None if the filter rejects it."""
    receiver, sender = pair
    sender.send(packet)
    try:
        return len(receiver.recv(1 << 16))
    except BlockingIOError:
        return None


@pytest.mark.fuzz
def test_random_programs(pair: Pair, rounds: Rounds, full_length: bool) -> None:
    """In `./dev test` 1,000 programs, with --all 20,000; of every 50th the 32-bit verdict of each engine."""
    for number, random in enumerate(rounds(20_000 if full_length else 8_000, min_checked=0.6)):
        program, packet = random_programs.any_kind(random), random_programs.packet(random)
        expected = kernel.attach_errno(program)
        assert attach_errno(pair[0], program) == expected, program
        if expected:
            continue
        rounds.checked()
        assert charge(cbpf.Program(program)) == option_memory(pair[0].fileno()), program
        verdict = cbpf.VM(program, dialect=cbpf.LINUX, engine="interpreter").run(packet)
        assert (delivered(pair, packet) or 0) == min(verdict, len(packet)), (program, packet.hex())
        if number % 50 == 0:
            expected_verdict = kernel.verdict(program, packet)
            for engine in ENGINES:
                verdict = cbpf.VM(program, dialect=cbpf.LINUX, engine=engine).run(packet)
                assert verdict == expected_verdict, (engine, program, packet.hex())


FILLERS = {
    "ldb [0]": (0x30, 0, 0, 0),
    "ld [1]": (0x20, 0, 0, 1),
    "ldb [x + 1]": (0x50, 0, 0, 1),
    "ldx msh": (0xB1, 0, 0, 1),
    "div x": (0x3C, 0, 0, 0),
    "ld rand": (0x20, 0, 0, 0xFFFFF038),
}


def repeated(filler: tuple[int, int, int, int], count: int) -> Rows:
    return [filler] * count + [(6, 0, 0, 1)]


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS)
def test_the_largest_program_is_that_of_the_kernel(filler: tuple[int, int, int, int]) -> None:
    """The largest number of instructions that fits a new socket, found by the sizes, and confirmed by the kernel."""
    header = (charge(cbpf.parse("ret #0")) or 0) - 8 * translated_length(cbpf.parse("ret #0"))
    room = (int(LIMIT.read_text()) - 1 - header) // 8
    base = translated_length(cbpf.Program(repeated(filler, 1)))
    step = translated_length(cbpf.Program(repeated(filler, 2))) - base
    largest = min(1 + (room - base) // step, 4095)
    for count in (largest, largest + 1):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            expected = kernel.attach_errno(repeated(filler, count))
            assert attach_errno(sock, repeated(filler, count)) == expected == (0 if count == largest else errno.ENOMEM)


@pytest.mark.fuzz
def test_large_programs_replace_each_other_as_in_the_kernel(rounds: Rounds) -> None:
    """The present filter is charged until the next one is attached, which therefore may not fit."""
    for random in rounds(16):
        ours, theirs = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
        with ours, theirs:
            errors = set()
            for _ in range(20):
                program = repeated(random.choice(list(FILLERS.values())), random.randrange(1, 1400))
                expected = raw_errno(theirs, program)
                assert attach_errno(ours, program) == expected
                errors.add(expected)
            assert errors <= {0, errno.ENOMEM}


def test_a_replacement_that_does_not_fit_beside_the_present_filter_is_explained(pair: Pair) -> None:
    loads = [cbpf.Program(repeated((0x30, 0, 0, 0), count)) for count in (700, 701)]
    attach(pair[0], loads[0])
    with pytest.raises(cbpf.SocketError, match=r"are in use; .*: detach the present filter, shorten") as caught:
        attach(pair[0], loads[1], discard_queued=False)
    assert caught.value.errno == errno.ENOMEM
    needed = int(str(caught.value).rsplit(" ", 1)[1])
    assert needed == (charge(loads[0]) or 0) + (charge(loads[1]) or 0) + 1
    attach(pair[0], loads[1])  # reject-all replaces the present filter first, so this one fits


def test_memory_of_other_options_counts(pair: Pair) -> None:
    """Memberships of multicast groups are charged against the same limit."""
    program = repeated((0x30, 0, 0, 0), 1363)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for number in range(3):
            group = socket.inet_aton(f"224.0.1.{number + 1}") + socket.inet_aton("127.0.0.1")
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
        assert option_memory(sock.fileno()) > 0
        expected = raw_errno(sock, program)
        assert attach_errno(sock, program) == expected == errno.ENOMEM
