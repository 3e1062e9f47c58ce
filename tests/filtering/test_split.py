"""split_capture: several filters in one pass, each with its own target, and a target for the rejected packets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Final, cast, get_args

import pytest

import cbpf
from support.captures import NANOSECONDS, TRAFFIC, Pcapng, Record, Variant, as_pcapng, decoded, encoded
from support.sample_captures import ARP, PLAIN, RECORDS, Broken, names
from support.sample_pcapng import FRAME, PACKET, without_blocks

pytestmark = pytest.mark.filterwarnings("ignore::cbpf.ExpressionWarning")  # arp, on link types that have none

TRAFFIC_RECORDS: Final = decoded(TRAFFIC.read_bytes())
EXPRESSIONS: Final = ("tcp", "udp port 53", "arp", "greater 200", "less 1", "ip and not tcp")  # some overlap


@pytest.fixture(params=get_args(cbpf.EngineName))
def engine(request: pytest.FixtureRequest) -> Any:
    """Return each engine, and "auto"."""
    return request.param


def filtered(source: bytes | list[bytes], filter: Any, **options: Any) -> tuple[bytes, tuple[int, ...]]:
    """Return the output of filter_capture for one filter, and its counts."""
    target = BytesIO()
    sources = [BytesIO(capture) for capture in (source if isinstance(source, list) else [source])]
    try:
        summary: cbpf.Summary | None = cbpf.filter_capture(sources, target, filter, engine="python", **options)
    except cbpf.DamagedCapture as damage:
        summary = damage.summary
    assert summary is not None
    return target.getvalue(), summary[:4]


def split(source: Any, expressions: Any, **options: Any) -> tuple[list[bytes], list[tuple[int, ...]]]:
    """Return the output of each route and of the rest, and their counts."""
    targets = [BytesIO() for _ in range(len(expressions) + 1)]
    sources = [BytesIO(capture) for capture in (source if isinstance(source, list) else [source])]
    routes = list(zip(expressions, targets, strict=False))
    summaries = cbpf.split_capture(sources, routes, rest=targets[-1], **options)
    return [target.getvalue() for target in targets], [summary[:4] for summary in summaries]


def rest_of(source: bytes | list[bytes], expressions: tuple[str, ...]) -> tuple[bytes, tuple[int, ...]]:
    """Return the packets that all expressions reject; a negation would reject truncated packets too."""
    return filtered(source, " or ".join(f"({expression})" for expression in expressions), invert=True)


# Routes


CAPTURES: Final = {
    "pcap": TRAFFIC.read_bytes(),
    "pcap version 2.2": encoded(TRAFFIC_RECORDS, Variant(">", NANOSECONDS, (2, 2), snaplen=400)),
    "pcapng": as_pcapng(TRAFFIC_RECORDS),
    "no packets": encoded([]),
}


@pytest.mark.parametrize("name", CAPTURES)
def test_each_route_has_the_output_of_its_filter_alone(name: str, engine: Any) -> None:
    capture = CAPTURES[name]
    outputs, counts = split(capture, EXPRESSIONS, engine=engine)
    expected = [*(filtered(capture, expression) for expression in EXPRESSIONS), rest_of(capture, EXPRESSIONS)]
    assert outputs == [output for output, _ in expected]
    assert counts == [count for _, count in expected]


def test_a_packet_is_copied_to_every_route_that_accepts_it(engine: Any) -> None:
    (arp, broadcast, everything, rest), counts = split(PLAIN, ("arp", "broadcast", ""), engine=engine)
    assert arp == broadcast == encoded(ARP)
    assert everything == PLAIN
    assert rest == encoded([])
    assert [count[1] for count in counts] == [1, 1, 4, 0]


def test_one_route_equals_a_filter_and_its_inverse(engine: Any) -> None:
    outputs, counts = split(CAPTURES["pcap"], ("tcp",), engine=engine)
    accepted, rejected = filtered(CAPTURES["pcap"], "tcp"), filtered(CAPTURES["pcap"], "tcp", invert=True)
    assert outputs == [accepted[0], rejected[0]]
    assert counts == [accepted[1], rejected[1]]


def test_a_filter_may_occur_in_two_routes(engine: Any) -> None:
    (first, second, rest), _ = split(PLAIN, ("arp", "arp"), engine=engine)
    assert first == second == encoded(ARP)
    assert rest == encoded(RECORDS[:3])


@pytest.mark.slow
def test_many_routes_are_filtered_in_one_pass() -> None:
    """One route for each of 300 lengths, and a rest."""
    filters = [cbpf.parse(f"ld #len\njeq #{length},0,1\nret #1\nret #0") for length in range(60, 360)]
    (outputs, counts), other = (split(CAPTURES["pcap"], filters, engine=engine) for engine in ("python", "llvm"))
    assert (outputs, counts) == other
    assert sum(count[1] for count in counts) == len(TRAFFIC_RECORDS)
    assert counts[-1][1] < 850


# Types of filters and routes


def test_routes_may_be_a_mapping_or_pairs(engine: Any) -> None:
    results = []
    for make in (dict, list, tuple, iter):
        targets = [BytesIO(), BytesIO()]
        routes = make([("arp", targets[0]), ("greater 1000", targets[1])])
        cbpf.split_capture(BytesIO(PLAIN), cast(Any, routes), engine=engine)
        results.append([target.getvalue() for target in targets])
    assert results == [[encoded(ARP), encoded(RECORDS[2:3])]] * 4


def test_filters_of_all_types_are_supported(engine: Any) -> None:
    program = cbpf.compile("arp")
    machines = [cbpf.VM(program, engine="python"), cbpf.VM(program, engine="llvm")]
    savefile = cbpf.Savefile(program, link_type=1, snaplen=262_144)
    outputs, _ = split(PLAIN, ["arp", program, list(program), savefile, *machines], engine=engine)
    assert outputs == [encoded(ARP)] * 6 + [encoded(RECORDS[:3])]


def test_targets_may_be_none(engine: Any) -> None:
    summaries = cbpf.split_capture(BytesIO(PLAIN), [("arp", None), ("greater 1000", os.devnull)], engine=engine)
    assert [summary[:4] for summary in summaries] == [(4, 1, 2124, 64), (4, 1, 2124, 2000), (4, 2, 2124, 60)]


def test_all_summaries_cover_the_same_packets() -> None:
    summaries = cbpf.split_capture(BytesIO(PLAIN), {"arp": None, "ip": None})
    assert len({(summary.packets_seen, summary.bytes_seen) for summary in summaries}) == 1
    assert all(summary.seconds > 0 for summary in summaries)


def test_targets_may_be_paths(engine: Any, tmp_path: Path) -> None:
    targets: list[Any] = [tmp_path / "arp.pcap", str(tmp_path / "long.pcap"), tmp_path / "rest.pcap"]
    Path(targets[1]).write_bytes(b"what was there")
    cbpf.split_capture(TRAFFIC, [("arp", targets[0]), ("greater 1000", targets[1])], rest=targets[2], engine=engine)
    expressions = ("arp", "greater 1000", "not arp and not greater 1000")
    assert [Path(target).read_bytes() for target in targets] == [
        filtered(CAPTURES["pcap"], expression)[0] for expression in expressions
    ]
    assert names(tmp_path) == ["arp.pcap", "long.pcap", "rest.pcap"]


def test_the_source_may_be_a_target(engine: Any, tmp_path: Path) -> None:
    source, other = tmp_path / "in.pcap", tmp_path / "other.pcap"
    source.write_bytes(PLAIN)
    cbpf.split_capture(source, {"arp": other}, rest=source, engine=engine)
    assert (other.read_bytes(), source.read_bytes()) == (encoded(ARP), encoded(RECORDS[:3]))


# Captures of several kinds


def of_several_link_types(build: Pcapng) -> list[bytes]:
    """The packets are blocks 4, 6 and 7."""
    return [
        build.section(),
        build.block(0x0BAD, b"any custom block"),
        build.interface(),
        build.interface(linktype=101),
        build.enhanced(FRAME, options=build.options((1, b"who has?"))),
        build.block(4, bytes(4)),
        build.enhanced(PACKET, interface=1),
        build.simple(bytes(60)),
        build.block(5, bytes(12)),
    ]


@pytest.mark.parametrize("order", "<>")
def test_several_link_types_are_filtered(order: str, engine: Any) -> None:
    """Blocks without a packet are copied to every output, so each is a complete capture."""
    blocks = of_several_link_types(Pcapng(order))
    outputs, counts = split(b"".join(blocks), ("arp", "ip"), engine=engine)
    assert outputs == [without_blocks(blocks, 6, 7), without_blocks(blocks, 4, 7), without_blocks(blocks, 4, 6)]
    assert [count[:2] for count in counts] == [(3, 1)] * 3


def test_outputs_are_converted_to_pcap(engine: Any) -> None:
    """Each output, including the rest, has the link type of its first packet."""
    blocks = of_several_link_types(Pcapng())
    outputs, _ = split(b"".join(blocks), ("arp", "ip"), engine=engine, container="pcap")
    frame, packet, other = (Record(0, 0, len(data), data) for data in (FRAME, PACKET, bytes(60)))
    assert outputs == [encoded([frame]), encoded([packet], Variant(linktype=101)), encoded([other])]


def test_a_pcap_of_two_link_types_is_rejected(engine: Any, tmp_path: Path) -> None:
    capture = b"".join(of_several_link_types(Pcapng()))
    with pytest.raises(cbpf.CaptureError, match="packet 2: link type RAW is not EN10MB"):
        cbpf.split_capture(
            BytesIO(capture),
            {"less 20": tmp_path / "short.pcap", "": tmp_path / "all.pcap"},
            engine=engine,
            container="pcap",
        )
    assert names(tmp_path) == []


def test_outputs_are_converted_to_pcapng(engine: Any) -> None:
    outputs, _ = split(PLAIN, ("arp", "greater 1000"), engine=engine, container="pcapng")
    expected = [filtered(PLAIN, expression, container="pcapng")[0] for expression in ("arp", "greater 1000")]
    assert outputs[:2] == expected
    assert [len(list(cbpf.read_capture(BytesIO(output)))) for output in outputs] == [1, 1, 2]


def test_sources_of_different_layouts_are_joined(engine: Any) -> None:
    """All records are encoded again for a header that suits all sources."""
    sources = [encoded(RECORDS), encoded(RECORDS, Variant(">", NANOSECONDS)), encoded(RECORDS, Variant(snaplen=60))]
    outputs, counts = split(sources, ("arp", "greater 1000"), engine=engine)
    expected = [filtered(sources, "arp"), filtered(sources, "greater 1000"), rest_of(sources, ("arp", "greater 1000"))]
    assert outputs == [output for output, _ in expected]
    assert counts == [count for _, count in expected]
    assert [count[1] for count in counts] == [3, 3, 6]


def test_as_socket_applies_to_every_filter(engine: Any) -> None:
    program = cbpf.parse("ld proto\njeq #0x806,0,1\nret #1\nret #0")
    outputs, _ = split(PLAIN, (program,), engine=engine, dialect=cbpf.LINUX, as_socket=True)
    assert outputs == [encoded(ARP), encoded(RECORDS[:3])]


@pytest.mark.parametrize("size", [1_000_000, 20_000_000])
def test_auto_equals_the_other_engines(size: int) -> None:
    """The engine "auto" may select machine code, and a filter may have its own engine."""
    capture = encoded(TRAFFIC_RECORDS * (size // len(CAPTURES["pcap"]) + 1))
    machine = cbpf.VM(cbpf.compile("udp"), engine="python")
    expected = split(capture, ("tcp", "udp"), engine="python")
    assert split(capture, ("tcp", "udp")) == expected
    assert split(capture, ("tcp", machine)) == expected
    assert split(capture, ("tcp", cbpf.VM(machine.program, engine="llvm"))) == expected


def test_progress_reaches_the_size_of_the_source(engine: Any) -> None:
    recorded: list[int] = []
    cbpf.split_capture(TRAFFIC, {"arp": None}, engine=engine, progress=recorded.append)
    assert recorded
    assert max(recorded) == TRAFFIC.stat().st_size


# Damage


@pytest.mark.parametrize("name", ["pcap", "pcapng"])
def test_packets_before_damage_are_in_all_outputs(name: str, engine: Any, tmp_path: Path) -> None:
    capture = CAPTURES[name][:-1]
    paths = [tmp_path / "tcp", tmp_path / "udp", tmp_path / "rest"]
    with pytest.raises(cbpf.DamagedCapture, match=r"packet 905: \d+ of its \d+ bytes are present") as damage:
        cbpf.split_capture(BytesIO(capture), {"tcp": paths[0], "udp": paths[1]}, rest=paths[2], engine=engine)
    expected = [filtered(capture, expression) for expression in ("tcp", "udp", "not tcp and not udp")]
    assert [path.read_bytes() for path in paths] == [output for output, _ in expected]
    assert [summary[:4] for summary in damage.value.summaries] == [count for _, count in expected]
    assert damage.value.summary == damage.value.summaries[0]
    assert sum(summary.packets_accepted for summary in damage.value.summaries) == 904


def test_sources_after_a_damaged_one_are_filtered(engine: Any) -> None:
    targets = [BytesIO(), BytesIO()]
    sources = [BytesIO(PLAIN[:-1]), BytesIO(PLAIN), BytesIO(PLAIN[:-2])]
    with pytest.raises(cbpf.DamagedCapture, match=r"packet 4.*; .*packet 4") as damage:
        cbpf.split_capture(sources, [("arp", targets[0])], rest=targets[1], engine=engine)
    assert [target.getvalue() for target in targets] == [encoded(ARP), encoded(RECORDS[:3] * 3)]
    assert [summary[:2] for summary in damage.value.summaries] == [(10, 1), (10, 9)]


def test_a_damaged_source_that_is_a_target_is_unchanged(engine: Any, tmp_path: Path) -> None:
    """The other outputs are written."""
    source, other = tmp_path / "in.pcap", tmp_path / "other.pcap"
    source.write_bytes(PLAIN[:-1])
    with pytest.raises(cbpf.DamagedCapture):
        cbpf.split_capture(source, {"greater 1000": other}, rest=source, engine=engine)
    assert source.read_bytes() == PLAIN[:-1]
    assert other.read_bytes() == encoded(RECORDS[2:3])
    assert names(tmp_path) == ["in.pcap", "other.pcap"]


def test_filter_capture_reports_its_summary_with_damage() -> None:
    with pytest.raises(cbpf.DamagedCapture) as damage:
        cbpf.filter_capture(BytesIO(PLAIN[:-1]), None, "")
    assert damage.value.summaries == (damage.value.summary,)


# Errors leave files unchanged


def routes_of(folder: Path) -> Iterator[tuple[str, Path]]:
    yield "arp", folder / "arp.pcap"
    yield "greater 1000", folder / "long.pcap"


def test_empty_routes_are_rejected() -> None:
    empty: list[Any] = [{}, [], iter(())]
    for routes in empty:
        with pytest.raises(cbpf.FieldError, match=r"split_capture\.routes: is empty"):
            cbpf.split_capture(BytesIO(PLAIN), routes)


def test_routes_are_pairs() -> None:
    for routes, fact in (
        (5, "5 is not iterable"),
        ("tcp", "'t' is not a pair"),
        ([("tcp", None, 1)], ".* is not a pair"),
    ):
        with pytest.raises(cbpf.FieldError, match=rf"^split_capture\.routes: {fact}"):
            cbpf.split_capture(BytesIO(PLAIN), cast(Any, routes))


@pytest.mark.parametrize("same", ["in.pcap", "./in.pcap", "link.pcap", "folder/../in.pcap"])
def test_routes_to_one_file_are_rejected(same: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("link.pcap").symlink_to("in.pcap")
    Path("in.pcap").write_bytes(b"what was there")
    for first, second, rest in ((same, tmp_path / "in.pcap", None), (same, "other", "in.pcap"), ("a", "in.pcap", same)):
        with pytest.raises(
            cbpf.CaptureError, match=r"pcap: is the target of two routes; each route requires a target of its own"
        ):
            cbpf.split_capture(TRAFFIC, [("arp", first), ("ip", second)], rest=rest)
    assert names(tmp_path) == ["folder", "in.pcap", "link.pcap"]
    assert Path("in.pcap").read_bytes() == b"what was there"


def test_routes_to_one_stream_are_rejected() -> None:
    target = BytesIO()
    with pytest.raises(cbpf.CaptureError, match="target of two routes"):
        cbpf.split_capture(TRAFFIC, {"arp": target}, rest=target)
    with pytest.raises(cbpf.CaptureError, match="standard output: is the target of two routes"):
        cbpf.split_capture(TRAFFIC, {"arp": "-", "ip": "-"})


@pytest.mark.parametrize("null", [os.devnull, None])
def test_routes_may_share_the_null_device(null: Any) -> None:
    summaries = cbpf.split_capture(TRAFFIC, [("tcp", null), ("tcp", null)], rest=null)
    assert [summary.packets_accepted for summary in summaries] == [480, 480, 425]


def test_the_null_device_may_be_a_path_object() -> None:
    null = Path(os.devnull)
    assert cbpf.split_capture(TRAFFIC, [("tcp", null), ("tcp", null)])[0].packets_accepted == 480


# Sources, options and errors; each error is detected before the first write
INVALID_ARGUMENTS: Final[dict[str, tuple[bytes, dict[str, Any], type[BaseException]]]] = {
    "container": (PLAIN, {"container": "zip"}, cbpf.FieldError),
    "no capture": (b"hello, world" * 9, {}, cbpf.CaptureError),
    "unsupported version": (PLAIN[:4] + b"\1" + PLAIN[5:], {}, cbpf.CaptureError),
}


@pytest.mark.parametrize("name", INVALID_ARGUMENTS)
def test_invalid_arguments_leave_no_file(name: str, engine: Any, tmp_path: Path) -> None:
    data, options, error = INVALID_ARGUMENTS[name]
    with pytest.raises(error):
        cbpf.split_capture(BytesIO(data), routes_of(tmp_path), rest=tmp_path / "rest", engine=engine, **options)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("filter", "error"),
    [
        ("no such word", cbpf.ExpressionError),
        ("inbound", cbpf.ExpressionError),
        ([cbpf.RetA(), cbpf.Jump(9)], cbpf.VerificationError),
        (cbpf.Savefile(cbpf.compile("arp"), link_type=12, snaplen=262_144), cbpf.CaptureError),
        (b"arp", cbpf.FieldError),
    ],
    ids=["invalid expression", "live device only", "invalid program", "of another link type", "bytes"],
)
def test_invalid_filters_leave_no_file(filter: Any, error: type[BaseException], engine: Any, tmp_path: Path) -> None:
    """The position of the filter is irrelevant; the message contains the expression."""
    for routes in ([("arp", tmp_path / "arp"), (filter, tmp_path / "bad")], [(filter, tmp_path / "bad")]):
        with pytest.raises(error):
            cbpf.split_capture(BytesIO(PLAIN), routes, rest=tmp_path / "rest", engine=engine)
        assert names(tmp_path) == []


@pytest.mark.parametrize("bad", ["missing/out.pcap", "folder", ""])
def test_an_unwritable_target_leaves_the_others_unchanged(bad: str, engine: Any, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "arp").write_bytes(b"what was there")
    routes = [("arp", tmp_path / "arp"), ("ip", bad and tmp_path / bad)]
    with pytest.raises(cbpf.CaptureError):
        cbpf.split_capture(BytesIO(PLAIN), routes, rest=tmp_path / "rest", engine=engine)
    assert names(tmp_path) == ["arp", "folder"]
    assert (tmp_path / "arp").read_bytes() == b"what was there"


@pytest.mark.parametrize("cause", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_failures_during_a_run_leave_files_unchanged(cause: BaseException, engine: Any, tmp_path: Path) -> None:
    (tmp_path / "arp.pcap").write_bytes(b"what was there")
    with pytest.raises((cbpf.CaptureError, KeyboardInterrupt)) as failure:
        cbpf.split_capture(
            cast(BinaryIO, Broken(PLAIN, cause)), routes_of(tmp_path), rest=tmp_path / "r", engine=engine
        )
    assert not isinstance(failure.value, cbpf.DamagedCapture)
    assert names(tmp_path) == ["arp.pcap"]
    assert (tmp_path / "arp.pcap").read_bytes() == b"what was there"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_of_one_target_leaves_no_file(engine: Any, tmp_path: Path) -> None:
    with pytest.raises(cbpf.CaptureError, match=r"^/dev/full: No space left on device$"):
        cbpf.split_capture(
            TRAFFIC, {"tcp": tmp_path / "a", "udp": Path("/dev/full")}, rest=tmp_path / "b", engine=engine
        )
    assert names(tmp_path) == []
