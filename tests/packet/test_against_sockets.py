"""Programs on live AF_PACKET, UDP and AF_UNIX sockets: metadata, and the bytes before the packet."""

import os
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any

import pytest

import cbpf
from cbpf.packet.metadata import Device, VlanTag
from support import random_frames, random_programs
from support.judges import kernel, packet_socket
from support.judges.packet_socket import PACKET_KINDS, Kind, View, view
from support.project import ENGINES, Rounds

Rows = list[tuple[int, int, int, int]]

pytestmark = pytest.mark.skipif(packet_socket.available() is not None, reason=str(packet_socket.available()))
needs_unix = pytest.mark.skipif(kernel.available() is not None, reason=str(kernel.available()))

KINDS: tuple[Kind, ...] = (*PACKET_KINDS, "loopback")
QUEUE, HASH, CPU, RAND = 24, 32, 36, 56
LOAD_LENGTH = (0x80, 0, 0, 0)
RETURN_A = (0x16, 0, 0, 0)
LINK, NETWORK = 0xFFE00000, 0xFFF00000

EAST, WEST = packet_socket.EAST_ADDRESS, packet_socket.WEST_ADDRESS
IPV4 = bytes.fromhex("45000020 00004000 40110000 0a000001 0a000002  0035 0035 000c 0000  01020304")
# Netlink attributes: at 0 type 1, which contains type 2; at 12 type 3 with both flags; at 20 an invalid length.
ATTRIBUTES = bytes.fromhex("0c00 0100  0800 0200 aaaaaaaa  0800 03c0 bbbbbbbb  0300 0400") + bytes(8)

FRAMES = {
    "to this host": EAST + WEST + b"\x08\x00" + IPV4,
    "broadcast": b"\xff" * 6 + WEST + b"\x08\x06" + bytes(28),
    "multicast": bytes.fromhex("01005e000001") + WEST + b"\x08\x00" + IPV4,
    "to another host": WEST + EAST + b"\x86\xdd" + bytes(60),
    "LLC": EAST + WEST + b"\x00\x20" + bytes(32),
    "raw 802.3": EAST + WEST + b"\x00\x20\xff\xff" + bytes(30),
    "VLAN 5": EAST + WEST + bytes.fromhex("8100 0005 0800") + IPV4,
    "VLAN 0": EAST + WEST + bytes.fromhex("8100 0000 0800") + IPV4,
    "every bit of a tag": b"\xff" * 6 + WEST + bytes.fromhex("88a8 ffff 0800") + IPV4,
    "QinQ": EAST + WEST + bytes.fromhex("88a8 6064 8100 0005 0800") + IPV4,
    "VLAN of LLC": EAST + WEST + bytes.fromhex("8100 2005 0020") + bytes(32),
    "netlink attributes": EAST + WEST + b"\x90\x00" + ATTRIBUTES,
    "header only": EAST + WEST + b"\x90\x00",
}


def extension(number: int, code: int = 0x20) -> tuple[int, int, int, int]:
    return (code, 0, 0, 0xFFFFF000 + number)


def seen_by(packet: bytes, kind: Kind) -> View:
    """Return the socket's view of a packet that is sent: a frame, or the payload of a loopback datagram."""
    return view(packet_socket.loopback_frame(packet) if kind == "loopback" else packet, kind=kind)


def metadata(seen: View, **more: Any) -> cbpf.Metadata:
    return cbpf.Metadata(
        protocol=seen.protocol,
        packet_type=seen.packet_type,
        device=Device(seen.device, seen.hardware_type),
        mark=packet_socket.MARK,
        vlan=VlanTag(seen.vlan[1], seen.vlan[0]) if seen.vlan else None,
        network_header=seen.network_header,
        link_header=seen.link_header,
        before=seen.memory[: seen.before],
        **more,
    )


def kernel_fields(packet: bytes, kind: Kind, program: Rows) -> dict[str, int]:
    """Return the metadata that only the kernel has, the flow hash and the queue, if *program* loads them."""
    extensions = {"hash": HASH, "queue": QUEUE}
    return {
        name: packet_socket.verdict([extension(number), RETURN_A], packet, kind=kind)
        for name, number in extensions.items()
        if loads(program, number)
    }


def loads(program: Rows, number: int) -> bool:
    """Return whether the program loads extension *number*."""
    return any(code in (0x20, 0x28, 0x30) and k == 0xFFFFF000 + number for code, _jt, _jf, k in program)


def is_stable(program: Rows, kind: Kind) -> bool:
    """Return whether the verdict is the same each time: the driver chooses the queue of an outgoing frame."""
    return not (kind.startswith("outgoing") and loads(program, QUEUE))


@lru_cache(maxsize=10_000)
def compiled(program: tuple[tuple[int, int, int, int], ...], engine: cbpf.EngineName) -> cbpf.VM:
    """Return the VM of a program, compiled once for all packets and kinds of sockets."""
    return cbpf.VM(program, dialect=cbpf.LINUX, engine=engine)


def engines_at(index: int, full_length: bool) -> tuple[Any, ...]:
    """Return the engines of one of many programs: without --all, LLVM compiles, for milliseconds, every fourth."""
    return ENGINES if full_length or index % 4 == 0 else tuple(engine for engine in ENGINES if engine != "llvm")


def assert_same(program: Rows, packet: bytes, kind: Kind, engines: tuple[Any, ...] = ENGINES) -> int:
    expected = packet_socket.verdict(program, packet, kind=kind)
    seen = seen_by(packet, kind)
    fields = metadata(seen, **kernel_fields(packet, kind, program))
    for engine in engines:
        vm = compiled(tuple(program), engine)
        assert vm.evaluate(seen.packet, metadata=fields) == expected, (kind, engine, program, packet.hex())
    return expected


def packets(kind: Kind) -> list[bytes]:
    return [b"x", b"a datagram", ATTRIBUTES] if kind == "loopback" else list(FRAMES.values())


@pytest.mark.parametrize("kind", KINDS)
def test_every_extension(kind: Kind) -> None:
    for number in random_programs.PREDICTABLE:
        for packet in packets(kind):
            if not is_stable([extension(number)], kind):
                continue
            for code in (0x20, 0x28, 0x30):
                assert_same([extension(number, code), RETURN_A], packet, kind)
            assert_same([(0, 0, 0, 0), (1, 0, 0, 3), extension(number), RETURN_A], packet, kind)
            assert_same([(0, 0, 0, 0xDEADBEEF), (1, 0, 0, 0xFFFF), extension(number), RETURN_A], packet, kind)


@needs_unix
@pytest.mark.parametrize("number", random_programs.PREDICTABLE)
def test_every_extension_on_a_unix_socket(number: int) -> None:
    for packet in (b"x", b"a datagram", ATTRIBUTES):
        for a, x in ((0, 0), (0, 1), (0, 2), (0, 3), (21, 40), (0xDEADBEEF, 0xFFFF)):
            program: Rows = [(0, 0, 0, a), (1, 0, 0, x), extension(number), RETURN_A]
            expected = kernel.verdict(program, packet)
            for engine in ENGINES:
                vm = compiled(tuple(program), engine)
                assert vm.evaluate(packet, metadata=cbpf.Metadata()) == expected == vm.run(packet), (number, a, x)


@pytest.mark.parametrize(("kind", "start"), [("raw", 14), ("datagram", 0), ("loopback", 8)])
def test_netlink_attributes(kind: Kind, start: int, full_length: bool) -> None:
    packet = ATTRIBUTES if kind == "loopback" else FRAMES["netlink attributes"]
    offsets = {}
    for number in (12, 16):
        for a in range(start + len(ATTRIBUTES) + 1):
            for x in (0, 1, 2, 3, 4, 0xC003):
                program: Rows = [(0, 0, 0, a), (1, 0, 0, x), extension(number), RETURN_A]
                engines = engines_at(0 if x in (1, 2, 3) else a, full_length)  # the types of the attributes
                offsets[number, a - start, x] = assert_same(program, packet, kind, engines) - start
    assert [offsets[12, 0, x] for x in (1, 3)] == [0, 12]
    assert offsets[16, 0, 2] == 4


def test_packet_types() -> None:
    def packet_type(frame: bytes, kind: Kind = "raw") -> int:
        return packet_socket.verdict([extension(4), RETURN_A], frame, kind=kind)

    names = ("to this host", "broadcast", "multicast", "to another host")
    assert [packet_type(FRAMES[name]) for name in names] == [0, 1, 2, 3]
    assert {packet_type(frame, "outgoing") for frame in FRAMES.values()} == {4}


@pytest.fixture
def one_cpu() -> Iterator[int]:
    """Pin this process to the last CPU that it may use, and return the number of the CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    yield max(before)
    os.sched_setaffinity(0, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_cpu_number(kind: Kind, one_cpu: int) -> None:
    program: Rows = [extension(CPU), (0x04, 0, 0, 1), RETURN_A]
    packet = packets(kind)[0] + bytes(20)
    assert packet_socket.verdict(program, packet, kind=kind) == one_cpu + 1
    fields = metadata(seen_by(packet, kind), cpu=one_cpu)
    assert cbpf.VM(program, dialect=cbpf.LINUX).evaluate(packet, metadata=fields) == one_cpu + 1


@pytest.mark.parametrize("kind", KINDS)
def test_random_numbers(kind: Kind) -> None:
    """All 32 values of five bits occur, in the kernel and in the VM."""
    program: Rows = [extension(RAND), (0x54, 0, 0, 31), (0x04, 0, 0, 9), RETURN_A]
    packet = FRAMES["to this host"] + bytes(20)
    assert len({packet_socket.delivered(program, packet, kind=kind) for _ in range(2000)}) == 32
    vm = cbpf.VM(program, dialect=cbpf.LINUX)
    assert len({vm.run(packet) for _ in range(2000)}) == 32


def test_the_flow_hash() -> None:
    """All packets of a flow have the same hash of 32 bits; `kernel_fields` relies on that."""
    program: Rows = [extension(HASH), RETURN_A]
    flows = [FRAMES["to this host"][:30] + bytes((number,)) + FRAMES["to this host"][31:] for number in range(40)]
    hashes = [packet_socket.verdict(program, flow) for flow in flows]
    assert hashes == [packet_socket.verdict(program, flow + b"more") for flow in flows]
    assert len(set(hashes)) == 40
    assert max(hashes) >= 1 << 31
    assert {packet_socket.verdict([extension(QUEUE), RETURN_A], flow) for flow in flows} == {0, 1}


@pytest.mark.parametrize("kind", KINDS)
def test_lengths_and_headers(kind: Kind, full_length: bool) -> None:
    """Load from each offset in and around each window, absolutely and by X + k."""
    for packet in packets(kind)[::4]:
        seen = seen_by(packet, kind)
        assert assert_same([LOAD_LENGTH, RETURN_A], packet, kind) == len(seen.packet)
        for offset in range(-2, len(seen.memory) + 3):
            for index, base in enumerate((0, LINK, NETWORK)):
                engines = engines_at(offset + index, full_length)
                assert_same([(1, 0, 0, base), (0x50, 0, 0, offset & 0xFFFFFFFF), RETURN_A], packet, kind, engines)
                for code in (0x20, 0x28, 0x30) if base + offset >= 0 else ():
                    assert_same([(code, 0, 0, base + offset), RETURN_A], packet, kind, engines)


def with_windows(random: Random, program: Rows) -> Rows:
    """Return *program* with about half of its loads moved into a header window, near its start."""
    rows = list(program)
    for index, (code, jt, jf, k) in enumerate(rows):
        is_load = code in (*random_programs.LOAD_ABSOLUTE, *random_programs.LOAD_INDIRECT, 0xB1)
        if is_load and k < 0xFFFFF000 and random.random() < 0.5:
            base = random_frames.pick(random, (LINK, LINK, NETWORK))
            rows[index] = code, jt, jf, base + int(random.random() * 70)
    return rows


@pytest.mark.fuzz
def test_random_programs_on_random_frames(rounds: Rounds) -> None:
    for random in rounds(1500, min_checked=0.8):
        program = with_windows(random, random_programs.plausible(random))
        frame = random_frames.frame(random)[:200]
        kind = random_frames.pick(random, PACKET_KINDS)
        # Some frames get another flow hash each time.
        is_usable = random_frames.is_sendable(frame) and is_stable(program, kind) and not loads(program, HASH)
        if is_usable and not cbpf.findings(program, dialect=cbpf.LINUX):
            rounds.checked()
            assert_same(program, frame, kind)


@pytest.mark.fuzz
def test_random_programs_on_datagrams(rounds: Rounds) -> None:
    for random in rounds(600, min_checked=0.9):
        program = with_windows(random, random_programs.plausible(random))
        if not cbpf.findings(program, dialect=cbpf.LINUX):
            rounds.checked()
            assert_same(program, random_programs.packet(random) or b"x", "loopback")
