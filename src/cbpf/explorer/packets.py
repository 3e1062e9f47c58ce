"""The panes that show packets: a capture, one packet, its trace and the reasons for its verdict."""

from __future__ import annotations

import io

import cbpf

from .._named_tuple import NamedTuple
from .._typing import Any, Final
from ..reporting.documents import trace_document, why_document
from ..reporting.packet_line import PacketPrinter
from .names import PAGE_NAMES
from .sources import BadRequest, Settings, Subject

MAX_PACKETS: Final = 1_000  # listed of a capture
_MAX_PACKET: Final = 262_144  # bytes; libpcap's maximum snapshot length
MAX_STEPS: Final = 5_000  # of a trace


class OnePacket(NamedTuple):
    """A packet as libpcap presents it to filters, its link type, and its number in the capture, from 1."""

    data: bytes
    wire_length: int
    link_type: cbpf.LinkType
    number: int = 1

    def view(self, source: Settings) -> cbpf.SocketView:
        """Return the inputs of the program of a source; of a live one, those on a packet socket of Linux."""
        if source.live:
            return cbpf.socket_view(self.data, self.link_type, self.wire_length)
        return cbpf.SocketView(self.data, self.wire_length, cbpf.Metadata())


class LoadedCapture:
    """The first packets of a capture.

    Args:
        data: The bytes of the file, or its beginning.
        name: The name of the file, for messages.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.damage = ""
        self.has_more = False
        self.packets: list[cbpf.Packet] = []
        stream = io.BytesIO(data)
        stream.name = name or "capture"
        self.reader = cbpf.read_capture(stream)
        try:
            for packet in self.reader:
                if len(self.packets) == MAX_PACKETS:
                    self.has_more = True
                    break
                self.packets.append(packet)
        except cbpf.DamagedCapture as error:
            self.damage = str(error)

    def interface(self, packet: cbpf.Packet) -> cbpf.Interface:
        """Return the interface of a packet."""
        return self.reader.interfaces[packet.interface]

    def packet(self, number: int) -> OnePacket:
        """Return the packet with a number, from 1, as a filter sees it."""
        if not 1 <= number <= len(self.packets):
            raise BadRequest(f"packet.number: the capture has no listed packet {number}")
        packet = self.packets[number - 1]
        interface = self.interface(packet)
        view = cbpf.host_view(packet.data, interface.link_type, interface.byte_order, packet.wire_length)
        return OnePacket(view.data, view.wire_length, interface.link_type, number)


def capture_pane(capture: LoadedCapture) -> dict[str, Any]:
    """Return the packets of a capture, a line of text each."""
    printer = PacketPrinter()
    packets = []
    for packet in capture.packets:
        interface = capture.interface(packet)
        line = printer.text(packet, interface)
        packets.append({"number": packet.number, "text": line, "link_type": interface.link_type.name})
    return {"packets": packets, "has_more": capture.has_more, "damage": capture.damage}


def verdicts_pane(capture: LoadedCapture, subject: Subject, source: Settings) -> dict[str, Any]:
    """Return the verdict of each listed packet; None where the filter does not fit its link type."""
    assert subject.program is not None
    given: Any = subject.program if subject.mapped is None else source.text
    optimizer: Any = "cbpf" if source.optimizes else None
    programs = cbpf.CapturePrograms(
        given,
        dialect=source.dialect,
        optimizer=optimizer,
        names=PAGE_NAMES,
        netmask=source.netmask,
        as_socket=source.live,
    )
    machines: dict[int, cbpf.VM | None] = {}
    verdicts: list[int | None] = []
    for packet in capture.packets:
        if packet.interface not in machines:
            program = programs.program(capture.reader, packet.interface)
            machines[packet.interface] = None if program is None else cbpf.VM(program, dialect=source.dialect)
        machine = machines[packet.interface]
        view = capture.packet(packet.number).view(source)
        verdicts.append(None if machine is None else _verdict(machine, view))
    return {"verdicts": verdicts, "accepted": sum(map(bool, verdicts)), "listed": len(verdicts)}


def execution_counts(capture: LoadedCapture, subject: Subject, source: Settings) -> cbpf.ExecutionCounts:
    """Return the counts of the program of a source on the listed packets.

    The program of an expression is for one link type; packets of other link types are not counted.
    """
    assert subject.program is not None
    packets = [capture.packet(packet.number) for packet in capture.packets]
    if subject.mapped is not None:
        link_type = cbpf.link_type(source.link_type)
        packets = [packet for packet in packets if packet.link_type == link_type]
    return cbpf.execution_counts(subject.program, [packet.view(source) for packet in packets], dialect=source.dialect)


def _verdict(machine: cbpf.VM, view: cbpf.SocketView) -> int:
    return machine.evaluate(view.data, metadata=view.metadata, wire_length=view.wire_length)


def one_packet(value: Any, capture: LoadedCapture | None) -> OnePacket:
    """Return the packet of a JSON value: the number of one in the capture, or hexadecimal digits.

    Raises:
        BadRequest: The value is not such an object, or the digits are not valid.
    """
    if not isinstance(value, dict):
        raise BadRequest("packet: expected an object")
    if "number" in value:
        if capture is None or not isinstance(value["number"], int):
            raise BadRequest("packet.number: expected the number of a packet of the capture")
        return capture.packet(value["number"])
    try:
        data = bytes.fromhex(str(value.get("hex", "")))
    except ValueError:
        raise BadRequest("the packet is not hexadecimal: expected pairs of the digits 0-9 and a-f") from None
    length = value.get("wire_length") or len(data)
    if len(data) > _MAX_PACKET or not isinstance(length, int) or not 0 <= length < 1 << 32:
        raise BadRequest(f"a packet has at most {_MAX_PACKET:,} bytes, and a length below 2**32")
    return OnePacket(data, length, cbpf.link_type(value.get("link_type", "EN10MB")))


def trace_pane(packet: OnePacket, program: cbpf.Program, subject: Subject, source: Settings) -> dict[str, Any]:
    """Return the document of `cbpf trace`, with at most 5,000 steps, under "why" that of `cbpf why`, and more.

    Under "captured" is the packet as it was given, and under "captured_length" its length on the wire: a packet socket
    receives other bytes.
    """
    view = packet.view(source)
    document = trace_document(
        program,
        view.data,
        number=packet.number,
        link_type=packet.link_type.name,
        wire_length=view.wire_length,
        metadata=view.metadata,
        dialect=source.dialect,
        max_steps=MAX_STEPS,
    )
    why = None if subject.mapped is None else _why(packet, source, finds_change=False)
    return document | {"why": why, "captured": packet.data.hex(), "captured_length": packet.wire_length}


def change_pane(packet: OnePacket, subject: Subject, source: Settings, *, timeout: float = 5) -> dict[str, Any]:
    """Return the document of `cbpf why`, with the smallest change of the packet that inverts the verdict.

    A change of more than one byte needs a solver; without one, "unknown" has the reason.

    Raises:
        BadRequest: The source is not an expression.
    """
    if subject.mapped is None:
        raise BadRequest("the smallest change is found for expressions, and not for programs")
    return _why(packet, source, finds_change=True, timeout=timeout)


def _why(packet: OnePacket, source: Settings, *, finds_change: bool, timeout: float | None = None) -> dict[str, Any]:
    view = packet.view(source)
    why = cbpf.explain_verdict(
        source.text,
        view.data,
        link_type=packet.link_type,
        wire_length=view.wire_length,
        metadata=view.metadata if source.live else None,
        netmask=source.netmask,
        names=PAGE_NAMES,
        finds_change=finds_change,
        timeout=timeout,
    )
    return why_document(why, number=packet.number, link_type=packet.link_type.name)
