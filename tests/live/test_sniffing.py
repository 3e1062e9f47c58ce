"""Live capture on a pair of devices in a namespace: packets, filters, the end of a capture, and its errors."""

import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path

import pytest

import cbpf
import cbpf.live.sniffing
from cbpf.live.libpcap_handle import LibpcapHandle
from support import namespaces
from support.live_frames import ARP, TAGGED, UDP
from support.namespaces import EAST, WEST, ip
from support.project import Rounds
from support.traffic import KINDS, accepts, flood, kind_of, number_of

BLOCK_TIME = 0.02
NOBODY = 65534

Send = Callable[..., None]


@contextmanager
def later(action: Callable[[], object]) -> Iterator[None]:
    """Run an action in another thread while the block waits."""
    timer = threading.Timer(BLOCK_TIME, action)
    timer.start()
    yield
    timer.join()


# -- packets -------------------------------------------------------------------


def test_packets_have_times_and_both_lengths(send: Send) -> None:
    with cbpf.sniff(EAST, snaplen=50, block_time=BLOCK_TIME, count=3) as sniffer:
        send(ARP, UDP, UDP)
        packets = list(sniffer)
        assert [packet.number for packet in packets] == [1, 2, 3]
        assert [packet.data for packet in packets] == [ARP[:50], UDP, UDP]
        assert [packet.wire_length for packet in packets] == [60, 50, 50]
        assert 1_700_000_000 < packets[0].time <= packets[1].time < 1 << 32
        assert sniffer.interface[:2] == (cbpf.link_type("EN10MB"), 50)
        assert (sniffer.interface.name, sniffer.link_type.name, sniffer.packets_captured) == (EAST, "EN10MB", 3)
    assert sniffer.statistics() == (3, 0, 0)
    assert sniffer.dropped == 0


def test_times_have_the_requested_precision(send: Send) -> None:
    with cbpf.sniff(EAST, block_time=BLOCK_TIME, count=20, nanoseconds=False) as sniffer:
        send(*[ARP] * 20)
        assert {packet.time_ns % 1000 for packet in sniffer} == {0}


ARP_PROGRAM = cbpf.parse("ldh [12]\njne #0x806, drop\nret #20\ndrop: ret #0")
FILTERS = [
    ("", [ARP, UDP, TAGGED]),
    ("arp", [ARP]),
    ("vlan 100 and udp port 53", [TAGGED]),
    ("udp", [UDP, TAGGED]),  # Linux has removed the tag
    (cbpf.Expression("udp", ports=[53]), [UDP, TAGGED]),
    (ARP_PROGRAM, [ARP[:20]]),
    ("inbound", [ARP, UDP, TAGGED]),
    ("outbound or ifindex 1", []),
    (cbpf.parse("ld proto\nret a"), [ARP, UDP, TAGGED]),
]


@pytest.mark.parametrize("immediate", [False, True])
@pytest.mark.parametrize(("accept", "accepted"), FILTERS)
def test_filters_select_packets(send: Send, accept: cbpf.Program | str, accepted: list[bytes], immediate: bool) -> None:
    with cbpf.sniff(EAST, accept, block_time=BLOCK_TIME, immediate=immediate) as sniffer:
        send(ARP, UDP, TAGGED)
        sniffer.stop()
        assert [packet.data for packet in sniffer] == accepted


def test_views_have_the_metadata_that_the_kernel_removed(send: Send) -> None:
    with cbpf.sniff(EAST, "vlan", block_time=BLOCK_TIME, count=1) as sniffer:
        send(TAGGED)
        view = sniffer.view(next(sniffer))
        assert (view.data, view.wire_length) == (UDP, len(UDP))
        assert view.metadata.vlan == cbpf.VlanTag(0x6064)


def test_the_interface_any_has_directions(send: Send) -> None:
    with cbpf.sniff("any", "udp", block_time=BLOCK_TIME, count=2) as sniffer:
        assert sniffer.link_type.name == "LINUX_SLL2"
        send(UDP)
        metadata = [sniffer.view(packet).metadata for packet in sniffer]
        assert sorted(item.packet_type for item in metadata) == [0, 4]
        indices = {item.device.index for item in metadata if item.device}
        assert indices == {socket.if_nametoindex(name) for name in (EAST, WEST)}


@pytest.mark.parametrize(("direction", "count"), [("both", 1), ("in", 0), ("out", 1)])
def test_directions_select_packets(send: Send, direction: cbpf.CaptureDirection, count: int) -> None:
    with cbpf.sniff(WEST, direction=direction, block_time=BLOCK_TIME) as sniffer:
        send(UDP)
        sniffer.stop()
        assert len(list(sniffer)) == count


# -- changes of the filter -----------------------------------------------------


def test_packets_read_before_a_change_are_filtered_again(send: Send) -> None:
    with cbpf.sniff(EAST, block_time=BLOCK_TIME) as sniffer:
        send(ARP, UDP, ARP, TAGGED, UDP)
        assert next(sniffer).data == ARP  # the others have been read with it
        sniffer.set_filter("udp or vlan")
        send(ARP, UDP)
        sniffer.stop()
        assert [packet.data for packet in sniffer] == [UDP, TAGGED, UDP, UDP]


def test_an_invalid_filter_leaves_the_present_one(send: Send) -> None:
    with cbpf.sniff(EAST, "arp", block_time=BLOCK_TIME) as sniffer:
        with pytest.raises(cbpf.ExpressionError, match="column 5"):
            sniffer.set_filter("tcp prot 80")
        with pytest.raises(cbpf.VerificationError, match="shift"):
            sniffer.set_filter([(0x64, 0, 0, 32), (6, 0, 0, 1)])
        too_long = [(0x30, 0, 0, 0)] * 2000 + [(6, 0, 0, 1)]
        with pytest.raises(cbpf.CbpfError, match=r"^east: the program takes .*optmem_max"):
            sniffer.set_filter(too_long)
        send(ARP, UDP)
        sniffer.stop()
        assert [packet.data for packet in sniffer] == [ARP]


@pytest.mark.fuzz
def test_no_forbidden_packet_follows_a_change_under_load(namespace: None, rounds: Rounds, full_length: bool) -> None:
    """In `./dev test` 20 changes, with --all 1,000."""
    with cbpf.sniff(EAST, accepts(KINDS[0]), block_time=0.001, buffer_size=1 << 19) as sniffer, flood() as sending:
        sending.wait()
        next(sniffer)
        for number, _ in enumerate(rounds(1000 if full_length else 160)):
            kind = KINDS[number % 2]
            sniffer.set_filter(accepts(kind))
            sent = sending.sent
            for packet in sniffer:
                assert kind_of(packet.data) == kind
                if number_of(packet.data) > sent:
                    break


@pytest.mark.fuzz
def test_a_filter_with_extensions_begins_at_once_under_load(namespace: None, rounds: Rounds) -> None:
    with cbpf.sniff(EAST, "", block_time=0.01) as sniffer, flood() as sending:
        sending.wait()
        next(sniffer)
        for number, _ in enumerate(rounds(12)):
            kind = KINDS[number % 2]
            sniffer.set_filter([*cbpf.parse("ld type\njeq #0,1,0\nret #0"), *accepts(kind)])
            sent = sending.sent
            numbers = []
            for packet in sniffer:
                assert kind_of(packet.data) == kind
                numbers.append(number_of(packet.data))
                if numbers[-1] > sent + 100:
                    break
            wanted = [item for item in range(sent + 1, numbers[-1] + 1) if KINDS[item % 2] == kind]
            assert [item for item in numbers if item > sent] == wanted or sniffer.dropped


@pytest.mark.fuzz
def test_a_change_loses_no_packet_that_both_filters_accept(namespace: None, rounds: Rounds) -> None:
    with cbpf.sniff(EAST, accepts(KINDS[0]), block_time=0.01, buffer_size=1 << 26) as sniffer, flood() as sending:
        sending.wait()
        numbers: list[int] = []
        for number, _ in enumerate(rounds(20)):
            sniffer.set_filter(accepts(KINDS[0]) if number % 2 else "")
            sent = sending.sent
            for packet in sniffer:
                if kind_of(packet.data) == KINDS[0]:
                    numbers.append(number_of(packet.data))
                    if numbers[-1] > sent:
                        break
        assert numbers == list(range(numbers[0], numbers[-1] + 1, len(KINDS))) or sniffer.dropped


TYPE_TEST = cbpf.parse("ld type\nret #-1")  # a program that only the kernel can run


@pytest.mark.parametrize("changes", [("arp", TYPE_TEST), (TYPE_TEST, "arp", TYPE_TEST), (TYPE_TEST, "arp", "udp")])
def test_filters_that_change_within_a_block_follow_each_other(
    send: Send, changes: tuple[cbpf.Program | str, ...]
) -> None:
    with cbpf.sniff(EAST, block_time=0.2) as sniffer:
        for change in changes:
            send(ARP)
            sniffer.set_filter(change)
        send(UDP)
        sniffer.stop()
        assert [packet.data for packet in sniffer] == [UDP]


@pytest.mark.parametrize(("direction", "accepted"), [("in", [ARP]), ("out", [UDP])])
def test_packets_of_the_other_direction_do_not_count(
    send: Send, direction: cbpf.CaptureDirection, accepted: list[bytes]
) -> None:
    """Otherwise, as many packets after a change would be taken for earlier ones."""
    with cbpf.sniff(WEST, direction=direction, block_time=BLOCK_TIME) as sniffer, namespaces.sending_at(EAST) as back:
        for _ in range(5):
            (send if direction == "in" else back)(UDP)
        sniffer.set_filter(TYPE_TEST)
        back(ARP)
        send(UDP)
        sniffer.stop()
        assert [packet.data for packet in sniffer] == accepted
        assert sniffer.statistics().received == 1


def test_a_packet_of_the_loopback_interface_is_captured_once(namespace: None) -> None:
    with cbpf.sniff("lo", "udp port 53", block_time=BLOCK_TIME) as sniffer:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.sendto(b"question", ("127.0.0.1", 53))
        sniffer.stop()
        assert len(list(sniffer)) == sniffer.statistics().received == 1


def test_another_thread_changes_the_filter_under_load(namespace: None) -> None:
    with cbpf.sniff(EAST, accepts(KINDS[0]), block_time=0.001) as sniffer, flood() as sending:
        sending.wait()

        def change() -> None:
            for kind in KINDS * 3:
                sniffer.set_filter(accepts(kind))

        changes = threading.Thread(target=change)
        changes.start()
        changes.join(0.001)
        while changes.is_alive():
            next(sniffer)
        sent = sending.sent
        later = (kind_of(packet.data) for packet in sniffer if number_of(packet.data) > sent)
        assert set(islice(later, 1000)) == {KINDS[1]}


# -- the end -------------------------------------------------------------------


def test_stopping_loses_no_packet_that_had_arrived(send: Send) -> None:
    with cbpf.sniff(EAST, block_time=0.3) as sniffer:
        send(*[UDP] * 100)
        sniffer.stop()
        send(ARP)  # arrives before the iteration notices
        packets = [packet.data for packet in sniffer]
        assert packets[:100] == [UDP] * 100
        assert sniffer.statistics().received == len(packets)


def test_a_capture_without_packets_can_be_stopped_before_its_first_step(namespace: None) -> None:
    with cbpf.sniff(EAST, block_time=BLOCK_TIME) as sniffer:
        sniffer.stop()
        assert list(sniffer) == []


def test_a_capture_ends_after_its_duration(namespace: None) -> None:
    with cbpf.sniff(EAST, duration=BLOCK_TIME, block_time=BLOCK_TIME) as sniffer:
        assert list(sniffer) == []


@pytest.mark.parametrize("end", [cbpf.Sniffer.stop, cbpf.Sniffer.close])
def test_another_thread_ends_the_capture(namespace: None, end: Callable[[cbpf.Sniffer], None]) -> None:
    with cbpf.sniff(EAST, block_time=BLOCK_TIME) as sniffer, later(lambda: end(sniffer)):
        assert list(sniffer) == []


def test_a_closed_capture_has_its_counts(send: Send) -> None:
    sniffer = cbpf.sniff(EAST, block_time=BLOCK_TIME)
    send(ARP)
    sniffer.close()
    sniffer.close()
    assert sniffer.statistics().received == 1
    for use in (sniffer.stream, lambda: sniffer.set_filter("arp"), lambda: sniffer.record("x"), lambda: next(sniffer)):
        with pytest.raises(cbpf.CaptureError, match=r"^east: the capture is closed$"):
            use()


def test_bytes_of_a_closed_capture_that_were_written_remain(send: Send) -> None:
    """Another thread may read them when the capture is closed."""
    with cbpf.sniff(EAST, block_time=BLOCK_TIME) as sniffer:
        stream = sniffer.stream()
        header = stream.read(24)
        send(UDP, ARP)
        first = stream.read(16 + 10)
    packets = cbpf.read_capture(BytesIO(header + first + stream.read()))
    assert next(iter(packets)).data == UDP
    assert stream.read(1) == b""


def test_no_descriptor_remains(namespace: None) -> None:
    before = os.listdir("/proc/self/fd")
    with cbpf.sniff(EAST, count=1), pytest.raises(cbpf.CaptureError):
        cbpf.sniff("nowhere")
    with pytest.raises(cbpf.ExpressionError):
        cbpf.sniff(EAST, "tcp prot 80")
    assert os.listdir("/proc/self/fd") == before


def test_counters_may_exceed_32_bits(namespace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with cbpf.sniff(EAST) as sniffer:
        handle: LibpcapHandle = sniffer._loop.handle
        counts = iter([0xFFFF_FFF0, 0x10, 0x8000_0000, 0x10])

        class Library:
            @staticmethod
            def pcap_stats(_: object, counters: object) -> int:
                counters._obj.received = next(counts)  # type: ignore[attr-defined]
                return 0

        with monkeypatch.context() as patch:
            patch.setattr(handle, "_library", Library)
            totals = [sniffer.statistics().received for _ in range(4)]
        assert totals == [0xFFFF_FFF0, 0x1_0000_0010, 0x1_8000_0000, 0x2_0000_0010]


# -- errors --------------------------------------------------------------------

FLAGS = ("promiscuous", "monitor", "nanoseconds", "immediate")


@pytest.mark.parametrize(
    ("interface", "options", "message"),
    [
        ("nowhere", {}, "nowhere: there is no such interface; cbpf capture -D lists them"),
        ("x" * 40, {}, f"{'x' * 40}: there is no such interface; cbpf capture -D lists them"),
        ("", {}, "interface: there is no such interface; cbpf capture -D lists them"),
        ("lo", {"monitor": True}, "lo: the interface has no monitor mode; only wireless interfaces may have one"),
        (EAST, {"link_type": "RAW"}, "east: the interface has no packets of link type RAW"),
        (EAST, {"clock": "soon"}, "clock: 'soon' is not a type of time stamps; pcap-tstamp(7) lists them"),
        (EAST, {"clock": "adapter"}, "east: the interface has no time stamps of type adapter"),
        (EAST, {"direction": "up"}, "sniff.direction: 'up' is not one of 'both', 'in', 'out'"),
        (EAST, {"snaplen": 0}, "sniff.snaplen: 0 is not a snapshot length (1..262144)"),
        (EAST, {"count": 0}, "sniff.count: 0 is not a number of packets (1..9223372036854775807)"),
        (EAST, {"duration": 0}, "sniff.duration: 0 is not a number of seconds above 0"),
        (EAST, {"filter": []}, "filter: a program without instructions cannot be attached"),
        (5, {}, "sniff.interface: 5 is not text"),
        (EAST, {"filter": 5}, "program: 5 is neither a sequence of instructions nor an expression"),
        (EAST, {"snaplen": "1"}, "sniff.snaplen: '1' is not an integer"),
        (EAST, {"link_type": 1.5}, "link type: 1.5 is not an integer"),
        (EAST, {"block_time": None}, "sniff.block_time: None is not a number of seconds above 0"),
        (EAST, {"clock": 5}, "sniff.clock: 5 is not text"),
        *((EAST, {name: 1}, f"sniff.{name}: 1 is neither True nor False") for name in FLAGS),
    ],
)
def test_errors_are_one_line(namespace: None, interface: str, options: dict[str, object], message: str) -> None:
    with pytest.raises(cbpf.CbpfError) as caught:
        cbpf.sniff(interface, **options)  # type: ignore[arg-type]
    assert str(caught.value) == message


METHODS: list[tuple[Callable[[cbpf.Sniffer], object], str]] = [
    (lambda sniffer: sniffer.view(None), "view.packet: None is not a Packet"),  # type: ignore[arg-type]
    (lambda sniffer: sniffer.set_filter(None), "program: None is neither a sequence"),  # type: ignore[arg-type]
    (lambda sniffer: sniffer.record(None), "target: None is not a path"),  # type: ignore[arg-type]
    (lambda sniffer: sniffer.record("x", container="x"), "container: 'x' is not one of"),  # type: ignore[arg-type]
    (lambda sniffer: sniffer.record("x", compress="x"), "compress: 'x'"),
    (lambda sniffer: sniffer.record("x", rotation=5), "rotation: 5 is not"),  # type: ignore[arg-type]
    (lambda sniffer: sniffer.split(None), "split.routes: None is not"),  # type: ignore[arg-type]
    (lambda sniffer: sniffer.split({"": "x"}, rest=5), "target: 5 is not a path"),  # type: ignore[arg-type]
    (lambda _: cbpf.Sniffer(None, None), "Sniffer.loop: None is not the loop of a capture"),  # type: ignore[arg-type]
]


def test_arguments_of_methods_are_checked(namespace: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with cbpf.sniff(EAST) as sniffer:
        for use, message in METHODS:
            with pytest.raises(cbpf.CbpfError) as caught:
                use(sniffer)
            assert message in str(caught.value)
            assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_an_interface_may_be_down_or_vanish(namespace: None) -> None:
    with namespaces.veth_pair():
        ip(f"link set {EAST} down")
        with pytest.raises(cbpf.CaptureError, match=r"^east: the interface is down; enable it first"):
            cbpf.sniff(EAST)
        ip(f"link set {EAST} up")
        vanished = pytest.raises(cbpf.CaptureError, match=r"^east: The interface disappeared$")
        with cbpf.sniff(EAST) as sniffer, later(lambda: ip(f"link delete {EAST}")), vanished:
            list(sniffer)


def test_missing_privileges_are_reported(namespace: None, monkeypatch: pytest.MonkeyPatch) -> None:
    # The child may be unable to read the modules of this environment.
    monkeypatch.setattr(cbpf.live.sniffing, "prepare_reader", lambda: None)
    with pytest.raises(cbpf.CaptureError):
        cbpf.sniff("nowhere")  # imports everything, also for an error
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child uses no lock of another thread
        child = os.fork()
    if child == 0:
        os.setuid(NOBODY)
        try:
            cbpf.sniff(EAST)
        except cbpf.CaptureError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with open(reader, encoding="utf-8") as file:
        assert file.read().startswith("east: permission denied; capturing requires root")


def test_interfaces_are_listed(namespace: None) -> None:
    interfaces = {interface.name: interface for interface in cbpf.network_interfaces()}
    assert {EAST, WEST, "lo", "any"} <= set(interfaces)
    assert (interfaces[EAST].is_up, interfaces[EAST].is_loopback, interfaces["lo"].is_loopback) == (True, False, True)
    assert "127.0.0.1" in map(str, interfaces["lo"].addresses)
