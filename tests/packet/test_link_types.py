"""The table of link types: names and numbers as in libpcap, in its header and on tcpdump.org."""

from __future__ import annotations

import ctypes
import re
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest

import cbpf
from cbpf.packet import link_types as link_types_module
from cbpf.packet.link_types import link_type_by_dlt, link_types
from support.captures import Record, Variant, encoded

HEADER: Final = Path("/usr/include/pcap/dlt.h")

# LINKTYPE_ names of tcpdump.org/linktypes that differ from the DLT_ name, and types that libpcap defines without a name
LINKTYPES: Final = {
    "ETHERNET": 1, "EXP_ETHERNET": 2, "IEEE802_5": 6, "ARCNET_BSD": 7, "PPP_HDLC": 50, "LANE8023": 110, "HIPPI": 111,
    "NETBSD_HDLC": 112, "HDLC": 112, "IEEE802_11_PRISM": 119, "IEEE802_11_AIRONET": 120, "IEEE802_11_RADIOTAP": 127,
    "IEEE802_11_AVS": 163, "IEEE802_15_4_WITHFCS": 195, "LAPD": 203, "PPP_WITH_DIR": 204, "C_HDLC_WITH_DIR": 205,
    "FRELAY_WITH_DIR": 206, "LAPB_WITH_DIR": 207, "I2C_LINUX": 209, "IPMB_LINUX": 209, "FLEXRAY": 210, "MOST": 211,
    "LIN": 212, "X2E_SERIAL": 213, "X2E_XORAYA": 214, "GSMTAP_UM": 217, "WIRESHARK_UPPER_PDU": 252, "LORATAP": 270,
    "SERCOS_MONITOR": 277, "ETW": 290, "NETANALYZER_NG": 291, "ZBOSS_NCP": 292, "USB_2_0_HIGH_SPEED": 295,
    "AUERSWALD_LOG": 296, "ZWAVE_TAP": 297, "SILABS_DEBUG_CHANNEL": 298, "FIRA_UCI": 299, "MDB": 300, "DECT_NR": 301,
}  # fmt: skip


@pytest.fixture(scope="module")
def libpcap() -> Any:
    for name in ("libpcap.so.1", "libpcap.so.0.8"):
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_datalink_val_to_name.restype = ctypes.c_char_p
        return library
    pytest.skip("needs the system's libpcap")


@pytest.mark.parametrize("name", LINKTYPES)
def test_linktype_names_are_known(name: str) -> None:
    for spelling in (name, name.lower(), f"LINKTYPE_{name}", f"linktype_{name.lower()}", f"DLT_{name}"):
        assert cbpf.link_type(spelling).linktype == LINKTYPES[name]


def test_names_and_numbers_are_unique() -> None:
    kinds = link_types()
    for field in ("name", "dlt", "linktype"):
        values = [getattr(kind, field) for kind in kinds]
        assert len(set(values)) == len(values)
    assert [kind.dlt for kind in kinds] == sorted(kind.dlt for kind in kinds)


def test_every_name_of_libpcap_is_known(libpcap: Any) -> None:
    count = 0
    for dlt in range(1 << 12):
        name = libpcap.pcap_datalink_val_to_name(dlt)
        if name is not None:
            assert cbpf.link_type(name.decode()).dlt == dlt
            count += 1
    assert count > 150


def test_every_name_of_the_table_has_its_number_in_libpcap(libpcap: Any) -> None:
    values = {kind: libpcap.pcap_datalink_name_to_val(kind.name.encode()) for kind in link_types()}
    known = {kind: value for kind, value in values.items() if value != -1}
    assert len(known) > 150
    assert all(kind.dlt == value for kind, value in known.items())


@pytest.mark.skipif(not HEADER.exists(), reason="needs pcap/dlt.h (Debian: libpcap-dev)")
def test_every_name_of_the_header_is_known() -> None:
    numbers: dict[str, set[int]] = {}
    for name, number in re.findall(r"^#\s*define\s+DLT_(\w+)\s+(\d+)", HEADER.read_text(), re.MULTILINE):
        numbers.setdefault(name, set()).add(int(number))  # some differ between operating systems
    for name in ("MATCHING_MIN", "MATCHING_MAX", "CLASS_NETBSD_RAWAF", "HIPPI"):  # no link types; a number of NetBSD
        numbers.pop(name)
    assert len(numbers) > 150
    for name, values in numbers.items():
        kind = cbpf.link_type(name)
        assert {kind.dlt, kind.linktype} & values, name


@pytest.mark.parametrize("name", ["LAPD", "I2C_LINUX", "ETW", "NETBSD_HDLC"])
def test_captures_of_these_types_are_described_by_name(name: str) -> None:
    info = cbpf.capture_info(BytesIO(encoded([], Variant(linktype=LINKTYPES[name]))))
    assert info.interfaces[0].interface.link_type == cbpf.link_type(name)


def test_a_number_without_a_name_is_called_by_its_number() -> None:
    assert link_type_by_dlt(1240) == cbpf.link_type(1240) == cbpf.link_type("1240") == ("1240", 1240, 1240)


def test_an_added_row_is_known_by_name_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    row = link_types_module._LinkTypeRow("MADE_UP", 4_000, 4_001, aliases=("INVENTED",), max_packet_length=2**20)
    caches = [value for value in vars(link_types_module).values() if hasattr(value, "cache_clear")]
    assert len(caches) == 4
    monkeypatch.setattr(link_types_module, "_TABLE", (*link_types_module._TABLE, row))
    for cached in caches:
        cached.cache_clear()
    try:
        kind = cbpf.LinkType("MADE_UP", 4_000, 4_001)
        found = [cbpf.link_type(name) for name in ("made_up", "LINKTYPE_INVENTED", "DLT_MADE_UP", 4_001, 4_000)]
        assert [*found, link_type_by_dlt(4_000)] == [kind] * 6
        assert kind.max_packet_length == 2**20
        capture = encoded([Record(0, 0, 300_000, bytes(300_000))], Variant(snaplen=0, linktype=4_001))
        assert cbpf.capture_info(BytesIO(capture)).interfaces[0].interface.link_type == kind
        assert [len(packet.data) for packet in cbpf.read_capture(BytesIO(capture))] == [300_000]
    finally:
        monkeypatch.undo()
        for cached in caches:
            cached.cache_clear()
