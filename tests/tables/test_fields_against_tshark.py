"""Header columns have the values that `tshark -T fields` prints, on built packets and on real captures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest

import cbpf
from cbpf.tables.fields.links import LINKS
from support.captures import TRAFFIC, Pcapng
from support.field_values import Value, values_of
from support.header_frames import frames
from support.judges import tshark
from support.real_captures import parameters_of, real_captures

pytestmark = pytest.mark.skipif(tshark.available() is not None, reason=str(tshark.available()))

DIFFERENCES: Final = {
    ("LINKTYPE_IPV4_invalid.pcap", "ip_version"): (1, "tshark reads IPv6 where the link type announces IPv4"),
    ("bigtcp-ipv6-geneve-ipv4.pcap", "src_port"): (1, "tshark takes the IPv6 length 0 literally: no payload"),
    ("bigtcp-ipv6-geneve-ipv4.pcap", "dst_port"): (1, "the same"),
    ("icmpv6-length-zero.pcapng", "icmp_type"): (1, "the same"),
    ("ipv6-next-header-oobr-1.pcap", "protocol"): (1, "tshark prints the number of a header that is not in the packet"),
    ("kday4.pcap", "payload_length"): (1, "tshark reduces an IP length that exceeds the length on the wire"),
}
"""The number of cells of a capture in which a column differs from tshark, and the reason."""


def compared(capture: Path) -> Iterator[tuple[str, Value, Value]]:
    """Yield the name of the column, the value, and that of tshark for each packet of a capture."""
    with cbpf.CaptureReader(capture) as reader:
        packets: list[cbpf.Packet] = []
        with suppress(cbpf.DamagedCapture):
            packets.extend(reader)
        link_types = [interface.link_type.name for interface in reader.interfaces]
    judged = tshark.packets(capture)
    assert len(packets) == len(judged)
    for packet, judgement in zip(packets, judged, strict=True):
        values = values_of(link_types[packet.interface], packet.data)
        yield from ((name, values[name], judgement.fields[name]) for name in values.keys() & judgement.fields.keys())


def differences(capture: Path) -> dict[str, int]:
    return dict(Counter(name for name, value, judged in compared(capture) if value != judged))


def test_values_of_all_link_types_are_those_of_tshark(tmp_path: Path) -> None:
    capture, pcapng = tmp_path / "all.pcapng", Pcapng()
    blocks = [pcapng.section(), *(pcapng.interface(cbpf.link_type(name).linktype) for name in LINKS)]
    for index, name in enumerate(LINKS):
        blocks += [pcapng.enhanced(packet, interface=index) for packet in frames(name)]
    capture.write_bytes(b"".join(blocks))
    cells = [*compared(capture)]
    assert [cell for cell in cells if cell[1] != cell[2]] == []
    found = {name for name, value, _ in cells if value is not None}
    assert found == set(values_of("EN10MB", b"")), "a column without a value was not compared"


def test_values_of_traffic_are_those_of_tshark() -> None:
    assert differences(TRAFFIC) == {}


@pytest.mark.slow
@pytest.mark.parametrize("capture", parameters_of(real_captures("*.pcap*")))
def test_values_of_real_captures_are_those_of_tshark(capture: Path) -> None:
    expected = {name: count for (file, name), (count, _) in DIFFERENCES.items() if file == capture.name}
    with cbpf.CaptureReader(capture) as reader:
        reader.look_ahead()
        if not {interface.link_type.name for interface in reader.interfaces} & LINKS.keys():
            pytest.skip("header columns do not support the link types of this capture")
    assert differences(capture) == expected
