"""Filters that are attached to sockets, read back, detached and locked, on the live kernel."""

import asyncio
import ctypes
import errno
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import cbpf
from cbpf.linux import FilteredSocket, attach, detach, filter_of, lock
from support.judges import kernel
from support.project import uncovered_environment
from support.sockets import skip_without_tcp_filters

pytestmark = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))

ALL = cbpf.parse("ret #65535")
NOTHING = cbpf.parse("ret #0")
STARTS_WITH_A = cbpf.parse("ldb [0]\njeq #0x41,0,1\nret #65535\nret #0")
LOADS_700 = cbpf.Program([cbpf.LoadAbsolute(0, 1)] * 700 + [cbpf.RetConstant(9)])
Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A receiver and a sender of datagrams."""
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.setblocking(False)
        yield receiver, sender


def received(receiver: socket.socket) -> list[bytes]:
    """Return the packets in the queue of a non-blocking socket."""
    packets = []
    while True:
        try:
            packets.append(receiver.recv(1 << 16))
        except BlockingIOError:
            return packets


def attach_raw(sock: socket.socket, program: cbpf.Program) -> None:
    """Attach a program as the kernel does it, without any other step."""
    argument, _code = kernel.sock_fprog([tuple(raw) for raw in program])  # type: ignore[misc]
    sock.setsockopt(socket.SOL_SOCKET, kernel.SO_ATTACH_FILTER, argument)


# -- attach --------------------------------------------------------------------


def test_the_filter_decides_from_the_first_packet(pair: Pair) -> None:
    receiver, sender = pair
    for message in (b"before", b"A before"):
        sender.send(message)
    attach(receiver, STARTS_WITH_A)
    assert received(receiver) == []
    for message in (b"beta", b"Alpha", b""):
        sender.send(message)
    assert received(receiver) == [b"Alpha"]


def test_a_filter_replaces_another_without_a_gap(pair: Pair) -> None:
    receiver, sender = pair
    attach(receiver, ALL)
    sender.send(b"accepted by the first filter")
    attach(receiver, STARTS_WITH_A)
    assert received(receiver) == []
    assert filter_of(receiver) == STARTS_WITH_A


def test_the_queue_is_left_alone_if_the_caller_says_so(pair: Pair) -> None:
    receiver, sender = pair
    sender.send(b"before")
    attach(receiver, STARTS_WITH_A, discard_queued=False)
    sender.send(b"after")
    assert received(receiver) == [b"before"]


def test_empty_packets_and_passed_descriptors_are_discarded(pair: Pair) -> None:
    receiver, sender = pair
    read_end, write_end = os.pipe()
    sender.send(b"")
    socket.send_fds(sender, [b"descriptor"], [write_end])
    os.close(write_end)
    sender.send(b"")
    attach(receiver, ALL)
    assert received(receiver) == []
    assert os.read(read_end, 1) == b""  # the last descriptor of the pipe was closed with its packet
    os.close(read_end)


def test_messages_of_waiting_senders_are_discarded() -> None:
    """A sender that waits for room in the queue has passed the old filter: its message is queued when it is woken."""
    with ExitStack() as stack:
        receiver, sender = (stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) for _ in range(2))
        receiver.bind("")  # an unused abstract address
        receiver.setblocking(False)
        sender.connect(receiver.getsockname())
        sender.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sender.send(b"in the queue")
        sender.setblocking(True)
        waiting = [threading.Thread(target=sender.send, args=(b"waiting",)) for _ in range(3)]
        for thread in waiting:
            thread.start()
        for _ in range(50):  # until the threads wait
            time.sleep(0.001)
        attach(receiver, NOTHING)
        for thread in waiting:
            thread.join()
        assert received(receiver) == []


@pytest.mark.parametrize("closed", [False, True])
def test_records_of_a_connection_are_discarded_up_to_its_end(closed: bool) -> None:
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with receiver, sender:
        receiver.setblocking(False)
        for record in (b"one", b"", b"two", b""):
            sender.send(record)
        if closed:
            sender.close()
        attach(receiver, STARTS_WITH_A)
        if closed:
            assert receiver.recv(10) == b""  # the end, and not a record
        else:
            assert received(receiver) == []


def test_pending_errors_do_not_keep_packets() -> None:
    """An ICMP error is reported by one call of recv, and the packets in the queue by the calls after it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind(("127.0.0.1", 0))
            receiver.connect(sender.getsockname())
            sender.sendto(b"before", receiver.getsockname())
        receiver.send(b"to a closed port")
        attach(receiver, STARTS_WITH_A)
        receiver.setblocking(False)
        assert received(receiver) == []


STREAMS: dict[str, Callable[[], Pair]] = {
    "unix": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM),
    "tcp": lambda: connection()[:2],
}


def connection(program: cbpf.Program | None = None) -> tuple[socket.socket, socket.socket, socket.socket]:
    """Return the accepted and the connecting end of a TCP connection, and the listener, which has a filter."""
    skip_without_tcp_filters()
    listener = socket.create_server(("127.0.0.1", 0))
    if program is not None:
        attach(listener, program, lock=True)
    client = socket.create_connection(listener.getsockname())
    return listener.accept()[0], client, listener


@pytest.mark.parametrize("make", STREAMS.values(), ids=STREAMS)
@pytest.mark.filterwarnings("ignore::cbpf.ProgramWarning")
def test_nothing_is_discarded_on_streams(make: Callable[[], Pair]) -> None:
    receiver, sender = make()
    with receiver, sender:
        sender.sendall(b"data of the connection")
        with pytest.raises(cbpf.FieldError, match="would destroy data of the connection"):
            attach(receiver, NOTHING, discard_queued=True)
        assert filter_of(receiver) is None
        attach(receiver, ALL)
        assert receiver.recv(100) == b"data of the connection"


def test_accepted_sockets_inherit_the_filter_and_its_lock() -> None:
    accepted, client, listener = connection(ALL)
    with accepted, client, listener:
        assert filter_of(accepted) == filter_of(listener) == ALL
        with pytest.raises(cbpf.SocketError, match="the filter is locked"):
            detach(accepted)
        assert filter_of(client) is None


def test_a_filter_of_a_unix_stream_warns_since_it_never_runs() -> None:
    receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with receiver, sender, pytest.warns(cbpf.ProgramWarning, match="never runs it") as caught:
        attach(receiver, NOTHING)
    assert caught[0].filename == __file__


@pytest.mark.parametrize("timeout", [None, 0.0, 5.0])
def test_blocking_mode_and_timeout_stay(pair: Pair, timeout: float | None) -> None:
    receiver, sender = pair
    receiver.settimeout(timeout)
    before = os.get_blocking(receiver.fileno())
    sender.send(b"before")
    attach(receiver, ALL)
    assert (receiver.gettimeout(), os.get_blocking(receiver.fileno())) == (timeout, before)


def test_sockets_of_an_event_loop_can_be_filtered_while_they_are_used() -> None:
    class Receiver(asyncio.DatagramProtocol):
        def __init__(self) -> None:
            self.messages: asyncio.Queue[bytes] = asyncio.Queue()

        def datagram_received(self, data: bytes, addr: object) -> None:
            self.messages.put_nowait(data)

    async def main() -> list[bytes]:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
        with pytest.raises(cbpf.FieldError, match=r'has no descriptor; pass its get_extra_info\("socket"\)$'):
            attach(transport, ALL)  # type: ignore[arg-type]
        sock = transport.get_extra_info("socket")
        attach(sock, cbpf.parse("ldb [8]\njeq #0x41,0,1\nret #65535\nret #0"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for message in (b"beta", b"Alpha", b"gamma", b"Aleph"):
                sender.sendto(message, sock.getsockname())
        messages = [await protocol.messages.get() for _ in range(2)]
        transport.close()
        return messages

    assert asyncio.run(main()) == [b"Alpha", b"Aleph"]


def test_an_unprivileged_process_can_attach() -> None:
    """In a child that gives up its rights, as far as it has any, after it has imported all modules.

    A recent kernel permits filters of TCP sockets with CAP_NET_ADMIN only, and the error must not name a lock.
    """
    code = (
        "import os, socket, cbpf\n"
        "from contextlib import suppress\n"
        "receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "cbpf.linux.attach(receiver, [cbpf.RetConstant(1)])\n"
        "with suppress(PermissionError): os.setuid(65534)\n"
        "cbpf.linux.attach(receiver, [cbpf.RetConstant(2)], lock=True)\n"
        "sender.send(b'packet')\n"
        "print(receiver.recv(10))\n"
        "try: cbpf.linux.attach(socket.socket(), 'tcp')\n"
        "except cbpf.SocketError as error: assert 'CAP_NET_ADMIN' in str(error), error"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("b'pa'\n", "")


@cache
def strace_is_missing() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    result = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True, check=False)
    return None if result.returncode == 0 else f"strace does not work here: {result.stderr.strip()[:80]}"


@pytest.mark.skipif(strace_is_missing() is not None, reason=str(strace_is_missing()))
def test_strace_shows_the_programs_that_the_kernel_gets(tmp_path: Path) -> None:
    """First the one that measures the header of a translation, then the one that rejects everything."""
    code = (
        "import cbpf, socket\n"
        "receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "cbpf.linux.attach(receiver, cbpf.compile('arp'))\n"
    )
    trace = tmp_path / "trace"
    options = ("-f", "-v", "-e", "trace=setsockopt", "-o", str(trace))
    subprocess.run(["strace", *options, sys.executable, "-c", code], check=True, env=uncovered_environment())
    lines = [line for line in trace.read_text().splitlines() if "SO_ATTACH_FILTER" in line]
    assert [cbpf.parse(line) for line in lines] == [NOTHING, NOTHING, cbpf.compile("arp")]
    assert all(line.endswith(") = 0") for line in lines)


# -- read back, detach, lock ---------------------------------------------------


@pytest.mark.parametrize("length", [1, 2, 255, 256, 1300, 4090])
def test_programs_of_any_size_are_read_back(pair: Pair, length: int) -> None:
    program = cbpf.Program([*[cbpf.LoadConstant(cbpf.Register.A, 7)] * (length - 1), (6, 1, 2, 0x80000000)])
    attach(pair[0], program)
    assert filter_of(pair[0]) == program


def test_sockets_without_a_filter_have_none(pair: Pair) -> None:
    assert filter_of(pair[0]) is None
    attach(pair[0], ALL)
    detach(pair[0])
    assert filter_of(pair[0]) is None
    pair[1].send(b"packet")
    assert received(pair[0]) == [b"packet"]


def test_a_lock_is_permanent_and_can_be_read_through(pair: Pair) -> None:
    receiver, sender = pair
    attach(receiver, STARTS_WITH_A, lock=True)
    lock(receiver)
    sender.send(b"Alpha")
    changes: list[Callable[[], None]] = [lambda: attach(receiver, ALL), lambda: detach(receiver)]
    for change in changes:
        with pytest.raises(cbpf.SocketError, match="SO_LOCK_FILTER cannot be undone") as caught:
            change()
        assert caught.value.errno == errno.EPERM
    assert filter_of(receiver) == STARTS_WITH_A
    assert received(receiver) == [b"Alpha"]  # the rejected attach has discarded nothing


def test_a_socket_without_a_filter_can_be_locked(pair: Pair) -> None:
    lock(pair[0])
    with pytest.raises(cbpf.SocketError, match="the filter is locked"):
        attach(pair[0], ALL)
    assert filter_of(pair[0]) is None


def test_reading_survives_concurrent_replacements(pair: Pair) -> None:
    programs = [ALL, LOADS_700]
    stop = threading.Event()

    def replace() -> None:
        while not stop.is_set():
            for program in programs:
                attach_raw(pair[0], program)

    attach_raw(pair[0], ALL)
    thread = threading.Thread(target=replace)
    thread.start()
    try:
        assert all(filter_of(pair[0]) in programs for _ in range(300))
    finally:
        stop.set()
        thread.join()


# -- bad input -----------------------------------------------------------------


def closed_socket() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.close()
    return sock


def closed_descriptor() -> Any:
    """Return a socket object whose descriptor somebody else has closed."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    number = sock.detach()
    os.close(number)

    class Stale:
        def fileno(self) -> int:
            return number

    return Stale()


def closed_file() -> Any:
    with open(os.devnull) as file:
        return file


def open_file() -> Any:
    return open(os.devnull)


class Silent:
    def fileno(self) -> str:
        return "3"


class Huge:
    def fileno(self) -> int:
        return 1 << 70


NOT_SOCKETS: dict[str, tuple[Callable[[], Any], str]] = {
    "closed": (closed_socket, "is closed; pass an open socket"),
    "closed descriptor": (closed_descriptor, "is closed; pass an open socket"),
    "closed file": (closed_file, "is closed; pass an open socket"),
    "a file": (open_file, "is not a socket"),
    "a number": (lambda: 3, "3 is a number; pass the socket object, not its descriptor"),
    "text": (lambda: "socket", "has no descriptor; pass an object with fileno"),
    "None": (lambda: None, "None has no descriptor"),
    "a class": (lambda: socket.socket, "has no descriptor"),
    "no number": (Silent, "is not a number"),
    "a number beyond an int": (Huge, "is closed; pass an open socket"),
}


@pytest.mark.parametrize(("make", "message"), NOT_SOCKETS.values(), ids=NOT_SOCKETS)
def test_other_objects_in_place_of_a_socket_are_named(make: Callable[[], Any], message: str) -> None:
    value = make()
    functions: list[Callable[[Any], object]] = [lambda sock: attach(sock, ALL), detach, lock, filter_of]
    with ExitStack() as stack:
        if hasattr(value, "close") and not isinstance(value, type):
            stack.callback(value.close)
        for function in functions:
            with pytest.raises(cbpf.FieldError, match=message) as caught:
                function(value)
            assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{"lock": None}, {"lock": 1}, {"discard_queued": "no"}])
def test_options_are_true_or_false(pair: Pair, options: Any) -> None:
    with pytest.raises(cbpf.FieldError, match="is neither True nor False"):
        attach(pair[0], ALL, **options)
    assert filter_of(pair[0]) is None


def test_detaching_needs_a_filter(pair: Pair) -> None:
    with pytest.raises(cbpf.SocketError, match="no filter is attached") as caught:
        detach(pair[0])
    assert caught.value.errno == errno.ENOENT
    assert str(caught.value).startswith(f"socket {pair[0].fileno()} (AF_UNIX, SOCK_DGRAM): ")


@pytest.mark.parametrize(
    ("program", "error", "message"),
    [
        ([], cbpf.VerificationError, "has no instructions"),
        ([cbpf.RetConstant(1)] * 4097, cbpf.VerificationError, "accepts at most 4096"),
        ([cbpf.LoadAbsolute(0xFFFFF001, 4), cbpf.RetA()], cbpf.VerificationError, "undefined extension"),
        ([cbpf.RawInstruction(0xFFFF, 0, 0, 0)], cbpf.VerificationError, r"is undefined.*\(and 1 more\)"),
        ([(6, 0, 0)], cbpf.FieldError, "neither an instruction nor four numbers"),
        (b"\6\0\0\0\1\0\0\0", cbpf.FieldError, "got bytes"),
        (None, cbpf.FieldError, "neither a sequence of instructions nor an expression"),
        ("udp port 53", cbpf.ExpressionError, "which expressions do not describe; pass a program"),
        ([cbpf.LoadAbsolute(0, 1)] * 4000 + [cbpf.RetA()], cbpf.SocketError, "384,"),
    ],
)
def test_a_rejected_program_changes_nothing(pair: Pair, program: Any, error: type[Exception], message: str) -> None:
    receiver, sender = pair
    attach(receiver, STARTS_WITH_A)
    sender.send(b"Alpha")
    with pytest.raises(error, match=message) as caught:
        attach(receiver, program)
    assert "\n" not in str(caught.value)
    assert filter_of(receiver) == STARTS_WITH_A
    assert received(receiver) == [b"Alpha"]


def test_the_previous_filter_returns_if_the_kernel_refuses_the_new_one(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel may reject programs for reasons of its own: here, one that the verifier would have found."""
    monkeypatch.setattr("cbpf.linux.programs.verify", lambda program, dialect: None)
    unverified = cbpf.Program([(6, 0, 0, 1), (0x87, 0, 0, 0)])
    for previous in (None, STARTS_WITH_A):
        if previous is not None:
            attach(pair[0], previous)
        with pytest.raises(cbpf.SocketError, match="the kernel rejects the program") as caught:
            attach(pair[0], unverified)
        assert caught.value.errno == errno.EINVAL
        assert filter_of(pair[0]) == previous


def test_the_kernel_decides_on_machines_whose_sizes_are_not_known(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sizes of translations and the number of membarrier(2) are known for some machines only."""
    monkeypatch.setattr("cbpf.linux.charges._header_size", lambda: None)
    monkeypatch.setattr("cbpf.linux.queues._MEMBARRIER", {})
    receiver, sender = pair
    sender.send(b"A before")
    attach(receiver, STARTS_WITH_A)
    sender.send(b"Alpha")
    assert received(receiver) == [b"Alpha"]
    with pytest.raises(cbpf.SocketError, match="the kernel has no memory for the program") as caught:
        attach(receiver, [cbpf.LoadAbsolute(0, 1)] * 4000 + [cbpf.RetA()])
    assert caught.value.errno == errno.ENOMEM
    assert filter_of(receiver) == STARTS_WITH_A


def load_ebpf() -> int:
    """Return the descriptor of an eBPF socket filter that returns 0; raise OSError without the rights."""
    library = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xB7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"BSD")
    attributes = struct.pack("IIQQ104x", 1, 2, ctypes.addressof(code), ctypes.addressof(licence))
    descriptor = int(library.syscall(321, 5, attributes, len(attributes)))  # bpf(BPF_PROG_LOAD) on x86-64
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return descriptor


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the test has the system calls of x86-64")
def test_ebpf_programs_can_be_replaced_but_not_read(pair: Pair) -> None:
    try:
        descriptor = load_ebpf()
    except OSError as error:
        pytest.skip(f"this process cannot load eBPF programs: {error}")
    pair[0].setsockopt(socket.SOL_SOCKET, 50, descriptor)  # SO_ATTACH_BPF
    os.close(descriptor)
    calls: list[Callable[[], object]] = [lambda: filter_of(pair[0]), lambda: attach(pair[0], ALL)]
    for call in calls:
        with pytest.raises(cbpf.SocketError, match="only classic programs can be read or put back"):
            call()
    attach(pair[0], ALL, discard_queued=False)
    assert filter_of(pair[0]) == ALL


def test_the_previous_filter_returns_after_an_interruption(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(target: object) -> None:
        raise KeyboardInterrupt

    attach(pair[0], STARTS_WITH_A)
    monkeypatch.setattr("cbpf.linux.filters.discard", interrupted)
    with pytest.raises(KeyboardInterrupt):
        attach(pair[0], ALL)
    assert filter_of(pair[0]) == STARTS_WITH_A


def test_ports_of_go_can_set_filters(pair: Pair) -> None:
    connection = FilteredSocket(pair[0])
    assert isinstance(connection, cbpf.Setter)
    connection.set_bpf(cbpf.assemble([cbpf.RetConstant(3)]))
    pair[1].send(b"packet")
    assert connection.socket.recv(10) == b"pac"
    assert connection.fileno() == pair[0].fileno()


def test_other_systems_are_refused_in_one_line(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(cbpf.CbpfError, match="not supported here: it needs Linux, and this is darwin"):
        attach(pair[0], ALL)


# -- offsets of another hook ---------------------------------------------------

ETHERNET = cbpf.compile("udp port 53", dialect=cbpf.LINUX)
IP = cbpf.compile("udp port 53", link_type="RAW", dialect=cbpf.LINUX)


@pytest.mark.parametrize(
    ("family", "kind", "program", "warns"),
    [
        (socket.AF_INET, socket.SOCK_DGRAM, ETHERNET, True),
        (socket.AF_INET6, socket.SOCK_STREAM, ETHERNET, True),
        (socket.AF_INET, socket.SOCK_DGRAM, IP, False),
        (socket.AF_UNIX, socket.SOCK_DGRAM, ETHERNET, False),
        (socket.AF_INET, socket.SOCK_DGRAM, cbpf.parse("ldh [12]\njeq #53,0,1\nret #9\nret #0"), False),
        (socket.AF_INET, socket.SOCK_DGRAM, "udp port 53", False),
    ],
)
def test_offsets_of_ethernet_warn_at_hooks_without_it(
    family: int, kind: int, program: cbpf.Program | str, warns: bool
) -> None:
    if kind == socket.SOCK_STREAM:
        skip_without_tcp_filters()
    with socket.socket(family, kind) as sock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attach(sock, program)
        assert filter_of(sock) is not None
        assert [warning.category for warning in caught] == [cbpf.ProgramWarning] * warns
        if warns:
            assert "tests the EtherType of an Ethernet header" in str(caught[0].message)
            assert caught[0].filename == __file__
