"""Expressions for live Linux sockets: against libpcap's code for a device, and on packets in the kernel."""

from __future__ import annotations

import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest

import cbpf
from cbpf.expression.compiler import compile_for_socket
from cbpf.expression.front_end import plain_code
from cbpf.expression.names import SYSTEM_NAMES, Lookups
from cbpf.expression.target import Target
from cbpf.packet.link_types import link_type as find_link_type
from support.command_line import CommandLine
from support.equal_programs import compare, reads_unwritten_slot
from support.judges import live_libpcap, packet_socket
from support.judges.kernel import SO_ATTACH_FILTER, sock_fprog
from support.judges.packet_socket import EAST_ADDRESS, WEST_ADDRESS, Kind
from support.libpcap_differences import difference_of
from support.project import ENGINES
from support.random_filters import random_filter

Rows = list[tuple[int, int, int, int]]

needs_live_libpcap = pytest.mark.skipif(live_libpcap.available() is not None, reason=str(live_libpcap.available()))
needs_devices = pytest.mark.skipif(packet_socket.available() is not None, reason=str(packet_socket.available()))

LIVE: Final = cbpf.LINUX.replace(longest=None, longest_translated_jump=None)


def rows(program: cbpf.Program) -> Rows:
    return [(raw.op, raw.jt, raw.jf, raw.k) for raw in program]


def plain(text: str, **options: Any) -> cbpf.Program:
    return cbpf.compile(text, live=True, optimizer=None, **options)


def assert_equal(expression: str, ours: cbpf.Program, theirs: Rows | str) -> None:
    assert not isinstance(theirs, str), (expression, theirs)
    code = tuple(cbpf.RawInstruction(*row) for row in theirs)
    assert compare(tuple(ours), code, dialect=LIVE).counterexample is None, expression


# -- libpcap -------------------------------------------------------------------

SAME_AS_LIBPCAP: Final = (
    "vlan",
    "vlan 5",
    "vlan 5 and udp port 53",
    "not vlan and ip",
    "ip or vlan",
    "(ip or vlan 5) and host 192.0.2.1",
    "vlan 5 or vlan 6",
    "vlan and vlan",
    "vlan and (vlan 5 or ip)",
    "vlan and mpls and ip",
    "vlan and ether host 2:0:0:0:0:1",
    "vlan and ip6 host 2001:db8::1",
    "vlan and tcp[13] & 2 != 0",
    "vlan and ether[14] = 3",
    "vlan and stp or ipx",
    "geneve and vlan",
    "inbound",
    "outbound and vlan 5",
    "ifindex 3",
    "len > 60",
)
"""Expressions for which libpcap's code for a live Ethernet device has the same verdict on every packet."""

COOKED: Final = (
    "ip",
    "tcp port 80",
    "inbound and arp host 192.0.2.1",
    "outbound",
    "ifindex 3",
    "host 2001:db8::1",
    "less 60",
    "pppoes and ip",
    "ether proto 0x8100",
    "stp or ipx or atalk or iso",
)
"""Expressions for which libpcap attaches a program with the same verdicts to the socket of a cooked device."""


@needs_live_libpcap
def test_the_code_of_live_devices_equals_that_of_libpcap() -> None:
    for expression, theirs in zip(SAME_AS_LIBPCAP, live_libpcap.compiled(SAME_AS_LIBPCAP), strict=True):
        assert_equal(expression, plain(expression), theirs)


@needs_live_libpcap
def test_programs_for_cooked_sockets_equal_those_that_libpcap_attaches() -> None:
    attached = live_libpcap.compiled(COOKED, device="any", is_attached=True)
    for expression, theirs in zip(COOKED, attached, strict=True):
        assert_equal(expression, plain(expression, link_type="LINUX_SLL2"), theirs)


@needs_live_libpcap
def test_libpcap_reads_an_unwritten_slot_after_pppoes_and_geneve() -> None:
    """The kernel rejects these programs of libpcap, which then filters in user space; those of cbpf are valid."""
    expressions = ("vlan and pppoes and ip", "vlan and geneve and ip")
    for expression, theirs in zip(expressions, live_libpcap.compiled(expressions), strict=True):
        assert reads_unwritten_slot(tuple(cbpf.RawInstruction(*row) for row in theirs)), expression
        assert not cbpf.findings(plain(expression), dialect=cbpf.LINUX)


@needs_live_libpcap
def test_libpcap_does_not_find_the_type_of_a_removed_tag() -> None:
    (theirs,) = live_libpcap.compiled(["ether proto 0x8100"])
    frame, tag = bytes(60), cbpf.Metadata(vlan=cbpf.VlanTag(5))
    ours = cbpf.compile("ether proto 0x8100", live=True)
    verdicts = [cbpf.VM(program, dialect=cbpf.LINUX).evaluate(frame, metadata=tag) for program in (ours, theirs)]
    assert verdicts == [cbpf.DEFAULT_SNAPLEN, 0]


@needs_live_libpcap
def test_random_expressions_equal_those_of_libpcap(full_length: bool) -> None:
    texts = list(_random_expressions(2000 if full_length else 20))
    compared = 0
    for text, theirs in zip(texts, live_libpcap.compiled(texts), strict=True):
        try:
            ours = plain(text)
        except cbpf.ExpressionError:
            assert isinstance(theirs, str), text
        else:
            assert_equal(text, ours, theirs)
            compared += 1
    assert compared >= len(texts) // 4


def _random_expressions(count: int) -> Iterator[str]:
    """Yield expressions in which a VLAN tag comes first, without the primitives on which libpcap differs.

    A packet without an interface, which no packet socket receives, would make a difference to `ifindex`.
    """
    for index in range(count):
        random = Random(f"live-{index}")
        case = random_filter(random, dlt=1)
        text = f"{'vlan' if random.random() < 0.5 else 'vlan 5'} and ({case.text})"
        if difference_of(text, case.handle) is None and not any(
            word in text for word in ("geneve", "pppoes", "proto", "ifindex")
        ):
            yield text


# -- the optimiser -------------------------------------------------------------


def test_optimised_programs_equal_the_plain_ones(full_length: bool) -> None:
    pytest.importorskip("bitwuzla")
    for expression in (*SAME_AS_LIBPCAP, *SAME_AS_ON_CAPTURES)[:: 1 if full_length else 6]:
        with warnings.catch_warnings(action="ignore"):
            optimised = cbpf.compile(expression, live=True)
            assert cbpf.equivalent(optimised, plain(expression), dialect=LIVE), expression
    for expression in COOKED[:: 1 if full_length else 4]:
        optimised = cbpf.compile(expression, live=True, link_type="LINUX_SLL2")
        assert cbpf.equivalent(optimised, plain(expression, link_type="LINUX_SLL2"), dialect=LIVE), expression


@pytest.mark.parametrize("expression", ["udp port 53 and host 192.0.2.1", "tcp[13] & 2 != 0", "geneve 7 and udp"])
def test_optimised_programs_of_the_network_window_equal_the_plain_ones(expression: str) -> None:
    pytest.importorskip("bitwuzla")
    target = Target(find_link_type("RAW").dlt, cbpf.DEFAULT_SNAPLEN, socket="network")
    code = plain_code(cbpf.Expression(expression), target, Lookups(SYSTEM_NAMES)).instructions
    optimised = compile_for_socket(expression, "network")
    assert cbpf.equivalent(optimised, code, dialect=LIVE)
    assert len(optimised) < len(code)


def test_the_length_of_an_ip_header_in_the_window_is_one_load() -> None:
    loads = {str(raw.disassemble()) for raw in compile_for_socket("udp port 53", "network")}
    assert "ldx 4*([4293918720]&0xf)" in loads


# -- the kernel: packet sockets ------------------------------------------------

_UDP: Final = bytes.fromhex("45000020 00004000 40110000 c0000201 c0000202  0035 0400 000c 0000  01020304")
_ADDRESSES: Final = EAST_ADDRESS + WEST_ADDRESS

FRAMES: Final = {
    "UDP": _ADDRESSES + bytes.fromhex("0800") + _UDP,
    "VLAN 5": _ADDRESSES + bytes.fromhex("8100 0005 0800") + _UDP,
    "VLAN 5, all other bits": _ADDRESSES + bytes.fromhex("8100 f005 0800") + _UDP,
    "VLAN 0": _ADDRESSES + bytes.fromhex("8100 0000 0800") + _UDP,
    "VLAN 6 of a provider": _ADDRESSES + bytes.fromhex("88a8 0006 0800") + _UDP,
    "VLAN 5 in 100": _ADDRESSES + bytes.fromhex("88a8 0064 8100 0005 0800") + _UDP,
    "a type that Linux leaves": _ADDRESSES + bytes.fromhex("9100 0005 0800") + _UDP,
    "ARP in VLAN 5": _ADDRESSES + bytes.fromhex("8100 0005 0806") + bytes(28),
    "MPLS in VLAN 5": _ADDRESSES + bytes.fromhex("8100 0005 8847 00001140") + _UDP,
    "PPPoE in VLAN 5": _ADDRESSES + bytes.fromhex("8100 0005 8864 11000007 0022 0021") + _UDP,
}

SAME_AS_ON_CAPTURES: Final = (
    "vlan",
    "not vlan",
    "vlan 5",
    "vlan 0",
    "vlan 5 and udp port 53",
    "vlan 5 and arp",
    "vlan 100 and vlan 5 and udp port 53",
    "vlan and not vlan",
    "vlan 5 and (udp port 53 or arp)",
    "vlan and ether src host 02:00:00:00:00:01 and udp",
    "vlan and mpls 1 and ip host 192.0.2.2",
    "vlan and pppoes 7 and ip and udp",
    "vlan and ip[9] = 17 and udp[0:2] = 53",
    "ether proto 0x8100",
    "ether proto 0x88a8",
    "vlan 5 or (vlan 5 and udp)",
)
"""Expressions that accept the frames that they accept in a capture, which has every tag in the bytes."""


@needs_devices
@pytest.mark.parametrize("kind", ["raw", "outgoing"])
@pytest.mark.parametrize("expression", SAME_AS_ON_CAPTURES)
def test_live_sockets_accept_the_frames_of_captures(kind: Kind, expression: str) -> None:
    """Received frames have their tag in the metadata, sent ones in the bytes."""
    on_captures = cbpf.VM(cbpf.compile(expression))
    expected = {name for name, frame in FRAMES.items() if on_captures.run(frame)}
    assert 0 < len(expected) < len(FRAMES)
    for program in (plain(expression), cbpf.compile(expression, live=True)):
        assert _accepted(program, kind) == expected


def _accepted(program: cbpf.Program, kind: Kind) -> set[str]:
    delivered = {name: packet_socket.delivered(rows(program), frame, kind=kind) for name, frame in FRAMES.items()}
    return {name for name, length in delivered.items() if length is not None}


@needs_devices
def test_without_live_removed_tags_are_not_found() -> None:
    with pytest.warns(cbpf.ExpressionWarning, match="compile with live=True"):
        program = cbpf.compile("vlan 5 and udp port 53", dialect=cbpf.LINUX)
    assert _accepted(program, "raw") == {"VLAN 5 in 100", "a type that Linux leaves"}
    assert _accepted(program, "outgoing") == {"VLAN 5", "VLAN 5, all other bits", "a type that Linux leaves"}


@needs_devices
def test_primitives_without_vlan_see_a_received_frame_without_its_tag() -> None:
    program = cbpf.compile("udp port 53", live=True)
    assert _accepted(program, "raw") == {"UDP", "VLAN 0", "VLAN 5", "VLAN 5, all other bits", "VLAN 6 of a provider"}
    assert _accepted(program, "outgoing") == {"UDP"}


@needs_devices
def test_direction_and_interface_are_those_of_the_kernel() -> None:
    def accepts(expression: str, kind: Kind) -> bool:
        return _accepted(cbpf.compile(expression, live=True), kind) == set(FRAMES)

    assert accepts("inbound", "raw")
    assert accepts("outbound", "outgoing")
    assert not accepts("outbound", "raw")
    assert not accepts("inbound", "outgoing")
    assert accepts(f"ifindex {packet_socket.EAST_INDEX}", "raw")
    assert accepts(f"ifindex {packet_socket.WEST_INDEX}", "outgoing")
    assert not accepts(f"ifindex {packet_socket.WEST_INDEX}", "raw")


@needs_devices
@pytest.mark.parametrize("expression", ["ip", "udp port 53", "arp", "pppoes and ip", "inbound and ip host 192.0.2.1"])
def test_cooked_sockets_accept_the_packets_of_cooked_captures(expression: str) -> None:
    """A socket of type SOCK_DGRAM receives packets without their link header."""
    on_captures = cbpf.VM(cbpf.compile(expression, link_type="LINUX_SLL2"))
    live = cbpf.compile(expression, live=True, link_type="LINUX_SLL2")
    for frame in FRAMES.values():
        seen = packet_socket.view(frame, kind="datagram")
        header = seen.protocol.to_bytes(2, "big") + bytes(8) + bytes([seen.packet_type]) + bytes(9)
        delivered = packet_socket.delivered(rows(live), frame, kind="datagram")
        assert (delivered is not None) is bool(on_captures.run(header + seen.packet))


# -- the kernel: UDP, TCP and raw sockets --------------------------------------

LOOPBACK_EXPRESSIONS: Final = {
    "udp port 7777": True,
    "udp dst port 7777 and src host 127.0.0.1": True,
    "ip[9] = 17 and ip[2:2] = 32": True,
    "udp[8:4] = 0x01020304": True,
    "inbound and not outbound": True,
    "ifindex 1": True,
    "tcp": False,
    "ip6": False,
    "host 192.0.2.1": False,
    "udp[8:4] = 0": False,
    "udp src port 7777": False,
}


@needs_devices
def test_expressions_on_a_udp_socket() -> None:
    payload = bytes.fromhex("01020304")
    for expression, accepts in LOOPBACK_EXPRESSIONS.items():
        for size in (payload, payload + bytes(100)) if "ip[2:2]" not in expression else (payload,):
            delivered = packet_socket.delivered(rows(compile_for_socket(expression, "network")), size, kind="loopback")
            assert (delivered is not None) is accepts, expression


def _attach(sock: socket.socket, expression: str) -> None:
    argument, _code = sock_fprog(rows(compile_for_socket(expression, "network")))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, argument)


needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="socket filters need Linux")


@needs_linux
@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_expressions_on_a_listening_tcp_socket(family: int, address: str) -> None:
    """The first connection attempt is rejected, so the second is the first to be accepted."""
    with ExitStack() as stack:
        server, rejected, accepted = (stack.enter_context(socket.socket(family, socket.SOCK_STREAM)) for _ in range(3))
        try:
            for sock in (server, rejected, accepted):
                sock.bind((address, 0))
        except OSError as error:
            pytest.skip(f"no address {address}: {error}")
        port = accepted.getsockname()[1]
        _attach(server, f"src host {address} and tcp src port {port}")
        server.listen()
        server.settimeout(10)
        rejected.setblocking(False)
        assert rejected.connect_ex(server.getsockname()) != 0
        accepted.connect(server.getsockname())
        connection, peer = server.accept()
        assert peer[:2] == (address, port)
        with connection:
            accepted.send(b"data")
            assert connection.recv(4) == b"data"


@needs_linux
def test_expressions_on_a_raw_socket() -> None:
    experimental = 253  # an IP protocol for experiments (RFC 3692)
    with ExitStack() as stack:
        try:
            receiver, *senders = (
                stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, experimental)) for _ in range(3)
            )
        except PermissionError:
            pytest.skip("raw sockets need root")
        _attach(receiver, f"ip proto {experimental} and src host 127.0.0.3")
        receiver.settimeout(10)
        for sender, address in zip(senders, ("127.0.0.2", "127.0.0.3"), strict=True):
            sender.bind((address, 0))
            sender.sendto(address.encode(), ("127.0.0.1", 0))
        assert receiver.recv(100)[20:] == b"127.0.0.3"


def test_loads_go_through_the_window_of_the_network_header() -> None:
    """The program has the verdict of that for IP packets, wherever the packet of the socket begins."""
    header, transport = _UDP[:20], _UDP[20:]
    metadata = cbpf.Metadata(before=header, network_header=-20, device=cbpf.Device(1))
    for expression in (
        "udp port 53",
        "host 192.0.2.1",
        "ip[2:2] = 32",
        "udp[8] = 2",
        "tcp",
        "geneve",
        "ip[1044480] = 0",
    ):
        expected = cbpf.VM(cbpf.compile(expression, link_type="RAW")).run(_UDP)
        program = compile_for_socket(expression, "network")
        cbpf.verify(program, dialect=cbpf.LINUX)
        assert cbpf.VM(program, dialect=cbpf.LINUX).evaluate(transport, metadata=metadata) == expected, expression


# -- messages ------------------------------------------------------------------


def test_problems_of_live_expressions_name_the_reason() -> None:
    for expression, link_type, message in (
        ("link[0] = 1", "LINUX_SLL2", "a cooked socket receives packets without their link header"),
        ("vlan", "LINUX_SLL2", "link type LINUX_SLL2 has no VLAN tags"),
        ("vlan and protochain 6", "EN10MB", "the link header must have a fixed length"),
    ):
        with pytest.raises(cbpf.ExpressionError, match=message):
            cbpf.compile(expression, live=True, link_type=link_type)
    for expression in ("len > 5", "less 60", "ip and greater 60"):
        with pytest.raises(cbpf.ExpressionError, match="does not include all headers"):
            compile_for_socket(expression, "network")


def test_live_programs_need_the_linux_dialect_and_the_own_front_end() -> None:
    with pytest.raises(cbpf.FieldError, match="requires dialect=LINUX, not pcap"):
        cbpf.compile("vlan", live=True, dialect=cbpf.PCAP)
    with pytest.raises(cbpf.FieldError, match="'libpcap' does not support live=True"):
        cbpf.compile("vlan", live=True, frontend="libpcap")


def test_only_programs_for_sockets_warn_of_tags_in_the_bytes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for expression in ("vlan 5", "ether proto 0x8100", "ether[12:2] = 0x8100", "udp", "pppoes and ip"):
            cbpf.compile(expression)
        for expression in ("vlan 5", "ether proto 0x8100", "ether[12:2] = 0x0800", "vlan and ether[16:2] = 0x8100"):
            cbpf.compile(expression, live=True)
        for expression in ("udp", "pppoes and ip", "ether proto 0x8864", "ether[12:2] = 0x0800"):
            cbpf.compile(expression, dialect=cbpf.LINUX)


@pytest.mark.parametrize("expression", ["vlan 5 and vlan 6", "ether proto 0x8100", "ether[12:2] = 0x88a8"])
def test_programs_for_sockets_warn_of_tags_in_the_bytes(expression: str) -> None:
    rule = r"a VLAN tag is tested in the bytes.* compile with live=True \(--live\), and 'vlan' finds it"
    with pytest.warns(cbpf.ExpressionWarning, match=rule) as caught:
        cbpf.compile(expression, dialect=cbpf.LINUX)
    assert len(caught) == 1


def test_the_type_field_of_live_packets_is_not_that_of_a_tag() -> None:
    with pytest.warns(cbpf.ExpressionWarning, match="a VLAN tag is tested in the bytes.* metadata; 'vlan' finds it"):
        cbpf.compile("ether[12:2] = 0x8100", live=True)


def test_the_tag_is_loaded_as_libpcap_can_run_it() -> None:
    """libpcap's interpreter knows the extensions of the tag only in loads of one byte."""
    for program in (cbpf.compile("vlan 5", live=True), plain("vlan 5")):
        loads = {(raw.op, raw.k & 0xFFF) for raw in program if raw.k >= 0xFFFFF000}
        assert loads == {(0x30, 44), (0x30, 48)}


def test_the_command_line_compiles_for_live_sockets(cli: CommandLine) -> None:
    expected = cbpf.listing(cbpf.compile("vlan 5 and udp port 53", live=True)) + "\n"
    assert cli("compile", "--live", "vlan 5 and udp port 53") == (0, expected.encode(), "")


# -- captures, as a live socket sees them --------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_captures_as_sockets_see_them_match_the_same_expressions(engine: cbpf.EngineName, full_length: bool) -> None:
    target = BytesIO()
    cbpf.write_capture(target, FRAMES.values())
    capture = target.getvalue()
    for expression in SAME_AS_ON_CAPTURES[:: 1 if full_length else 4]:
        expected = cbpf.filter_capture(BytesIO(capture), None, expression).packets_accepted
        seen = cbpf.filter_capture(
            BytesIO(capture), None, expression, engine=engine, as_socket=True, dialect=cbpf.LINUX
        )
        assert seen.packets_accepted == expected > 0, expression


def test_captures_as_sockets_see_them_have_metadata(traffic: Path) -> None:
    """A capture without the direction of packets contains received ones, as far as `socket_view` knows."""

    def accepted(expression: str, **options: Any) -> int:
        return cbpf.filter_capture(traffic, None, expression, dialect=cbpf.LINUX, **options).packets_accepted

    assert accepted("inbound", as_socket=True) == accepted("")
    with pytest.raises(cbpf.ExpressionError, match="does not contain the direction"):
        accepted("inbound")
