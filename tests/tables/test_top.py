"""`top`: exact groups, compared with tshark and duckdb, and the bounds of approximate ones."""

from __future__ import annotations

import io
import random
import re
import subprocess
from collections import Counter
from typing import Any, Final

import pytest

import cbpf
from support.captures import TRAFFIC, Variant, encoded
from support.judges import tshark
from support.sample_captures import RECORDS

pa = pytest.importorskip("pyarrow", reason="tables need pyarrow; ./dev test --all installs it")

ALL: Final = 10_000
TCP: Final = 6


def as_counts(groups: cbpf.arrow.TopGroups) -> dict[tuple[Any, ...], tuple[int, int]]:
    return {group.key: (group.packets, group.bytes) for group in groups.groups}


def expected_counts(columns: list[str], **options: Any) -> dict[tuple[Any, ...], tuple[int, int]]:
    """Return the groups of a table, by a loop over its rows."""
    packets: Counter[tuple[Any, ...]] = Counter()
    sizes: Counter[tuple[Any, ...]] = Counter()
    for row in cbpf.arrow.read_table(TRAFFIC, columns=[*columns, "length"], **options).to_pylist():
        key = tuple(row[name] for name in columns)
        packets[key] += 1
        sizes[key] += row["length"]
    return {key: (packets[key], sizes[key]) for key in packets}


@pytest.mark.parametrize(
    "columns", [["dst_port"], ["protocol", "ttl"], ["link_type", "dns"], ["tcp_flags", "ip_version", "vlan"]]
)
@pytest.mark.parametrize("sort", ["packets", "bytes"])
def test_groups_are_those_of_the_rows(columns: list[str], sort: Any) -> None:
    define = {"dns": "port 53"} if "dns" in columns else None
    groups = cbpf.arrow.top(TRAFFIC, columns, count=ALL, sort=sort, define=define)
    expected = expected_counts(columns, define=define)
    assert as_counts(groups) == expected
    assert (groups.packets, groups.bytes, groups.group_count) == (905, 309_055, len(expected))
    assert groups.is_exact
    order = [(group.packets, group.bytes) for group in groups.groups]
    assert order == sorted(order, key=lambda pair: pair if sort == "packets" else pair[::-1], reverse=True)
    few = cbpf.arrow.top(TRAFFIC, columns, count=3, sort=sort, define=define)
    assert few == groups.replace(groups=groups.groups[:3])


def test_the_key_length_is_also_the_measure() -> None:
    groups = cbpf.arrow.top(TRAFFIC, "length", count=ALL)
    lengths = Counter(packet.wire_length for packet in cbpf.read_capture(TRAFFIC))
    assert as_counts(groups) == {(length,): (count, length * count) for length, count in lengths.items()}


@pytest.mark.skipif(tshark.available() is not None, reason=str(tshark.available()))
def test_groups_of_addresses_are_the_conversations_of_tshark() -> None:
    """tshark counts all headers of IP in a packet, and reads MPLS, so packets with VXLAN or MPLS are left out."""
    groups = cbpf.arrow.top(TRAFFIC, ["src", "dst", "protocol"], count=ALL)
    counts = {group.key[:2]: group.packets for group in groups.groups if group.key[2] == TCP}
    for version, mark in (("ip", "."), ("ipv6", ":")):
        command = ["tshark", "-n", "-r", str(TRAFFIC), "-q", "-z", f"conv,{version},tcp && !vxlan && !mpls"]
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        expected = {}
        for line in output.splitlines():
            if found := re.match(r"(\S+)\s+<-> (\S+)\s+(\d+) [\d,]+ \S+\s+(\d+) [\d,]+ \S+", line):
                left, right, received, sent = found.groups()
                expected[frozenset((left, right))] = {(right, left): int(received), (left, right): int(sent)}
        directions = {key: count for pair in expected.values() for key, count in pair.items() if count}
        assert directions
        assert {key: count for key, count in counts.items() if mark in key[0]} == directions


def test_groups_are_those_of_duckdb() -> None:
    duckdb = pytest.importorskip("duckdb", reason="needs duckdb; ./dev test --all installs it")
    packets = cbpf.arrow.read_batches(TRAFFIC, columns=["src_ip", "dst_port", "length"], filter="ip")  # noqa: F841
    query = "select dst_port, count(*), sum(length) from packets group by all order by 3 desc, 2 desc, 1 limit 10"
    expected = duckdb.sql(query).fetchall()
    groups = cbpf.arrow.top(TRAFFIC, "dst_port", count=10, sort="bytes", filter="ip")
    assert [(*group.key, group.packets, group.bytes) for group in groups.groups] == expected


def test_values_are_text_numbers_and_none() -> None:
    groups = cbpf.arrow.top(TRAFFIC, ["src", "src_mac", "link_type", "dns"], count=ALL, define={"dns": "port 53"})
    keys = [group.key for group in groups.groups]
    assert ("192.0.2.7", "02:00:00:00:00:01", "EN10MB", True) in keys
    assert any(key[0] is not None and ":" in key[0] for key in keys)
    assert any(key[0] is None for key in keys)


def streams(seed: int) -> list[list[tuple[int, int]]]:
    """Return batches of packets, each with a group and a length: a few groups are frequent, most occur once."""
    choose = random.Random(seed)
    kinds = [lambda: choose.randrange(8), lambda: choose.randrange(5_000), lambda: int(choose.expovariate(0.01))]
    shift = choose.randrange(3)
    return [
        [(kinds[(choose.randrange(3) + shift * (index > 20)) % 3](), choose.randrange(60, 1515)) for _ in range(200)]
        for index in range(40)
    ]


@pytest.mark.parametrize("measure", ["packets", "bytes"])
@pytest.mark.parametrize("limit", [1, 7, 30, 500])
@pytest.mark.parametrize("seed", range(3))
def test_approximate_sums_are_within_their_bounds(measure: Any, limit: int, seed: int) -> None:
    from cbpf.tables.grouping.sums import GroupSums

    sums = GroupSums(["key"], measure, limit)
    true = {"packets": Counter[int](), "bytes": Counter[int]()}
    for batch in streams(seed):
        for key, length in batch:
            true["packets"][key] += 1
            true["bytes"][key] += length
        keys, lengths = zip(*batch, strict=True)
        sums.add(pa.record_batch({"key": pa.array(keys, "uint32"), "length": pa.array(lengths, "uint32")}))
    table, count = sums.largest(ALL)
    assert count == limit
    assert not sums.is_exact
    kept = table["key"].to_pylist()
    for name in ("packets", "bytes"):
        lows, errors = table[f"#{name}"].to_pylist(), table[f"#{name}_error"].to_pylist()
        for key, low, error in zip(kept, lows, errors, strict=True):
            assert low <= true[name][key] <= low + error
        assert max(errors) <= sums.errors[name]
        assert max(value for key, value in true[name].items() if key not in kept) <= sums.errors[name]
        assert sums.sums[name] == true[name].total()
    bound = true[measure].total() // (limit + 1)
    assert sums.errors[measure] <= bound
    assert {key for key, value in true[measure].items() if value > bound} <= set(kept)


def test_the_bound_of_the_other_measure_never_decreases() -> None:
    """A group of few packets with many bytes is forgotten first, and then one of more packets with few bytes."""
    from cbpf.tables.grouping.sums import GroupSums

    sums = GroupSums(["key"], "packets", 1)
    for keys, length in (([1], 60_000), ([2] * 2, 60), ([3] * 10, 60)):
        lengths = pa.array([length] * len(keys), "uint32")
        sums.add(pa.record_batch({"key": pa.array(keys, "uint32"), "length": lengths}))
    table, _ = sums.largest(1)
    assert table["key"].to_pylist() == [3]
    assert sums.errors["packets"] >= 2
    assert sums.errors["bytes"] >= 60_000


def test_the_groups_that_are_counted_do_not_exceed_the_limit() -> None:
    """Sums of batches are collected up to the limit, too, so that memory is bounded."""
    from cbpf.tables.grouping.sums import GroupSums

    sums, most = GroupSums(["key"], "packets", 1_000), 0
    for start in range(0, 100_000, 500):
        keys = pa.array(range(start, start + 500), "uint32")
        sums.add(pa.record_batch({"key": keys, "length": keys}))
        known = 0 if sums._totals is None else len(sums._totals)
        most = max(most, known + sum(map(len, sums._pending)))
    assert most <= 2_500


def test_the_text_states_that_numbers_are_approximate() -> None:
    exact = str(cbpf.arrow.top(TRAFFIC, ["src", "dst"], count=1))
    assert exact.endswith("\n\n905 packets, 309,055 bytes, 64 groups")
    assert "up to" not in exact
    groups = cbpf.arrow.top(TRAFFIC, ["src", "dst"], count=1, max_groups=63)
    text = str(groups)
    assert "more than 63 groups\napproximate (Space-Saving): " in text
    assert f"has at most {groups.packets_error:,}\n(never more than 905 / 64 = 14)" in text
    assert text.splitlines()[0].split() == ["src", "dst", "packets", "up", "to", "%", "bytes", "up", "to", "%"]
    assert max(map(len, text.splitlines()[2:])) <= 100
    by_bytes = str(cbpf.arrow.top(TRAFFIC, ["src", "dst"], count=1, max_groups=63, sort="bytes"))
    assert "(never more than 309,055 / 64 = 4,828)" in by_bytes


def test_a_table_of_ipv4_fits_80_characters() -> None:
    assert max(map(len, str(cbpf.arrow.top(TRAFFIC, ["src", "dst"], filter="ip")).splitlines())) <= 80


def test_no_packets_make_no_groups() -> None:
    groups = cbpf.arrow.top(TRAFFIC, ["src", "dst"], filter="sctp and port 1")
    assert (groups.groups, groups.group_count, groups.packets) == ((), 0, 0)
    assert str(groups) == "src  dst  packets  %  bytes  %\n\n0 packets, 0 bytes, 0 groups"


def test_a_damaged_capture_is_reported_in_the_result() -> None:
    groups = cbpf.arrow.top(io.BytesIO(TRAFFIC.read_bytes()[:100_000]), "protocol")
    assert groups.packets == 364
    assert groups.damage is not None
    assert "packet 365" in groups.damage


@pytest.mark.parametrize(
    ("by", "options", "message"),
    [
        ([], {}, "by: is empty; name at least one column"),
        (["src", "dts"], {}, "by: 'dts' is not a column; did you mean 'dst'?"),
        (["data"], {}, "by: the column 'data' makes no groups; name columns of headers"),
        (["src", "src"], {}, "by: 'src' occurs twice"),
        (["src"], {"define": {"dst": "udp"}}, "define: 'dst' is a column of every table; choose another name"),
        (["src"], {"sort": "size"}, "sort: 'size' is not "),
        (["src"], {"count": 0}, "count: 0 is not a number of groups (1..2147483647)"),
        (["src"], {"max_groups": 0}, "max_groups: 0 is not a number of groups (1..2147483647)"),
    ],
)
def test_other_arguments_are_errors(by: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(cbpf.FieldError) as raised:
        cbpf.arrow.top(TRAFFIC, by, **options)
    assert str(raised.value).startswith(f"top.{message}")


def test_a_column_that_the_link_type_lacks_is_an_error() -> None:
    usb = encoded(RECORDS[:1], Variant(linktype=249))
    with pytest.raises(cbpf.CaptureError, match="packets of the link type USBPCAP have no column 'dst_port'"):
        cbpf.arrow.top(io.BytesIO(usb), "dst_port")
