"""Drawings of programs, as graphviz, XML parsers and people read them; execution counts; summaries of programs."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from itertools import combinations, pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

import cbpf
from cbpf.analysis.profile import edge_counts
from cbpf.drawing.layout import assign_ranks, lay_out
from support import random_programs
from support.corpus_filters import ETHERNET
from support.project import Rounds

GROWING = [
    "arp",
    "tcp port 443",
    " or ".join(f"host 192.0.2.{number}" for number in range(1, 9)),
    "(ip or ip6) and (tcp port 443 or udp port 53 or tcp port 22) and not net 10.1.0.0/16",
    max(ETHERNET, key=len),
]
UNREACHABLE = "ja 2\nld #1\njeq #1,0,0\nld #5\njeq #5,0,1\nret a\nret #0"
SVG = "{http://www.w3.org/2000/svg}"
CHARACTER_WIDTH = 7.3  # pixels
FAST_LAYOUT = ("-Gnslimit=1", "-Gmclimit=0.1", "-Gsplines=line")  # only the syntax of the text is tested


class Rectangle(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: "Rectangle") -> bool:
        return (
            self.left < other.right - 0.2
            and other.left < self.right - 0.2
            and self.top < other.bottom - 0.2
            and other.top < self.bottom - 0.2
        )


def counts_of(program: cbpf.Program, traffic: Path) -> cbpf.ExecutionCounts:
    with cbpf.read_capture(traffic) as capture:
        return cbpf.execution_counts(program, capture)


def drawing(program: cbpf.Program, counts: cbpf.ExecutionCounts | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(cbpf.graph(program, counts=counts).svg())


def boxes_of(root: ElementTree.Element) -> list[Rectangle]:
    boxes = []
    for rect in root.iterfind(f"{SVG}g[@data-block]/{SVG}rect"):
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        boxes.append(Rectangle(x, y, x + width, y + height))
    return boxes


def text_rectangle(text: ElementTree.Element) -> Rectangle:
    x, y, width = float(text.attrib["x"]), float(text.attrib["y"]), len(text.text or "") * CHARACTER_WIDTH
    left = x - width if text.get("text-anchor") == "end" else x
    return Rectangle(left, y - 10, left + width, y + 3)


def edge_labels(root: ElementTree.Element) -> list[ElementTree.Element]:
    return [text for group in root.iter(f"{SVG}g") if "data-edge" in group.attrib for text in group.iter(f"{SVG}text")]


@pytest.mark.parametrize("is_counted", [False, True])
@pytest.mark.parametrize("expression", GROWING, ids=lambda text: text[:20])
def test_boxes_and_labels_do_not_overlap(expression: str, is_counted: bool, traffic: Path) -> None:
    program = cbpf.compile(expression)
    root = drawing(program, counts_of(program, traffic) if is_counted else None)
    boxes, labels = boxes_of(root), [text_rectangle(text) for text in edge_labels(root)]
    assert len(boxes) >= len(cbpf.Flow(program).blocks)
    for first, second in combinations([*boxes, *labels], 2):
        assert not first.overlaps(second), (first, second)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for rectangle in [*boxes, *labels]:
        assert min(rectangle) >= 0
        assert rectangle.right <= width
        assert rectangle.bottom <= height
    for group in root.iter(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        if rect is not None:
            right = float(rect.attrib["x"]) + float(rect.attrib["width"])
            assert all(text_rectangle(text).right <= right for text in group.iter(f"{SVG}text"))


@pytest.mark.parametrize("expression", GROWING, ids=lambda text: text[:20])
def test_svg_contains_all_instructions_edges_and_verdicts(expression: str) -> None:
    program = cbpf.compile(expression)
    flow, root = cbpf.Flow(program), drawing(program)
    shown: dict[int, set[tuple[str, ...]]] = {}
    for group in root.iter(f"{SVG}g"):
        if "data-block" in group.attrib:
            lines = tuple(text.text or "" for text in group.iter(f"{SVG}text"))
            shown.setdefault(int(group.attrib["data-block"]), set()).add(lines)
    assert set(shown) == {block.number for block in flow.blocks}
    for block in flow.blocks:
        for lines in shown[block.number]:
            indices = [int(line.split()[0]) for line in lines if re.match(r"\d+ [a-z]", line)]
            assert indices == list(range(block.start, block.stop))
            if len(block.edges) == 2:
                assert f"{block.edges[0].condition} ?" in lines
            elif not block.edges:
                assert lines[-1] == ("accept" if program[block.start].k else "reject")
    drawn = Counter(group.attrib["data-edge"] for group in root.iter(f"{SVG}g") if "data-edge" in group.attrib)
    edges = [edge for block in flow.blocks for edge in block.edges]
    assert drawn == Counter(f"{edge.source}-{edge.target}" for edge in edges)
    tooltips = Counter(title.text for path in root.iter(f"{SVG}path") for title in path.iter(f"{SVG}title"))
    assert tooltips == Counter(edge.condition for edge in edges)
    assert Counter(label.text for label in edge_labels(root)) == Counter(str(edge.outcome).lower() for edge in edges)
    colors = {(label.text, label.attrib["fill"]) for label in edge_labels(root)}
    assert len({color for _, color in colors}) == len(colors) == 2


@pytest.mark.parametrize("expression", GROWING, ids=lambda text: text[:20])
def test_graphviz_parses_dot(expression: str, traffic: Path) -> None:
    if shutil.which("dot") is None:
        pytest.skip("graphviz's dot is not installed (Debian: graphviz)")
    program = cbpf.compile(expression)
    flow, counts = cbpf.Flow(program), counts_of(program, traffic)
    for text in (cbpf.graph(program).dot(), cbpf.graph(program, counts=counts).dot()):
        result = subprocess.run(
            ["dot", "-Tplain", *FAST_LAYOUT], input=text, capture_output=True, text=True, check=True
        )
        assert result.stderr == ""
        rows = [line.split(" ") for line in result.stdout.splitlines()]
        assert {row[1] for row in rows if row[0] == "node"} == {f"b{block.number}" for block in flow.blocks}
        edges = Counter((row[1], row[2]) for row in rows if row[0] == "edge")
        assert edges == Counter((f"b{edge.source}", f"b{edge.target}") for block in flow.blocks for edge in block.edges)


def test_dot_and_mermaid_of_a_small_program() -> None:
    program = cbpf.parse("ldb [0]\nlsh #4\njgt #255,0,1\nret a\nret #0")
    counts = cbpf.execution_counts(program, [b"\x10", b"\x01", b""])
    dot = cbpf.graph(program, counts=counts).dot()
    assert r'b0 [label="3 runs, 100%\l0 ldb [0]\l1 lsh #4\l2 jgt #0xff\l[0:1] << 4 > 0xff ?\l"' in dot
    assert 'b0 -> b1 [label="true 50% (1)"' in dot
    mermaid = cbpf.graph(program, counts=counts).mermaid().splitlines()
    assert mermaid[0] == "flowchart TD"
    assert mermaid[1] == (
        '    b0["3 runs, 100%<br>0 ldb [0]<br>1 lsh #35;4<br>2 jgt #35;0xff<br>[0:1] #lt;#lt; 4 #gt; 0xff ?"]'
    )
    assert '    b0 -- "false 50% (1)" --> b2' in mermaid
    assert "<" not in cbpf.graph(program).mermaid().replace("<br>", "")


def test_unreachable_and_infeasible_blocks_are_marked() -> None:
    program = cbpf.parse(UNREACHABLE)
    root = drawing(program)
    remarks = {
        group.attrib["data-block"]: [text.text for text in group.iter(f"{SVG}text")][-1]
        for group in root.iter(f"{SVG}g")
        if "data-block" in group.attrib
    }
    assert remarks["1"] == "unreachable"
    assert remarks["4"] == "infeasible"
    dashed = [rect for rect in root.iter(f"{SVG}rect") if "stroke-dasharray" in rect.attrib]
    assert len(dashed) == sum(not block.is_feasible for block in cbpf.Flow(program).blocks)
    mermaid = cbpf.graph(program).mermaid()
    assert '-. "false" .->' in mermaid
    assert "-.->" in mermaid
    assert 'style="rounded,filled,dashed"' in cbpf.graph(program).dot()
    if shutil.which("dot") is not None:
        subprocess.run(["dot", "-Tsvg"], input=cbpf.graph(program).dot().encode(), capture_output=True, check=True)


@pytest.mark.parametrize(
    ("source", "dialect", "verdict"),
    [
        ("ret #0", cbpf.PCAP, "reject"),
        ("ret #1", cbpf.PCAP, "accept"),
        ("ldb [0]\nret a", cbpf.PCAP, "accept or reject"),
        ("ldb [0]\nor #1\nret a", cbpf.PCAP, "accept"),
        ("ldb [0]\nand #0\nret a", cbpf.PCAP, "reject"),
        ("ret #0x7fff0000", cbpf.SECCOMP, "ALLOW"),
        ("ret #0x7ffc0000", cbpf.SECCOMP, "LOG"),
        ("ret #0x50001", cbpf.SECCOMP, "ERRNO 1"),
        ("ret #0", cbpf.SECCOMP, "KILL_THREAD"),
        ("ret #0x80000000", cbpf.SECCOMP, "KILL_PROCESS"),
        ("ld [0]\nand #0xf\nor #0x50000\nret a", cbpf.SECCOMP, "ERRNO"),
        ("ld [0]\nret a", cbpf.SECCOMP, "allow or deny"),
        ("ld [0x80000000]\nret a", cbpf.PCAP, "ret is infeasible"),
    ],
)
def test_verdicts_are_shown_as_text(source: str, dialect: cbpf.Dialect, verdict: str) -> None:
    root = ElementTree.fromstring(cbpf.graph(cbpf.parse(source), dialect=dialect).svg())
    assert [text.text for text in root.iter(f"{SVG}text")][-1] == verdict


def test_operands_that_tcpdump_omits_are_shown() -> None:
    program = cbpf.parse("ldx len\nld len\nld vlan_avail\ntax\nja 0\nret a")
    texts = [text.text for text in drawing(program).iter(f"{SVG}text")]
    assert texts[:5] == ["0 ldx #pktlen", "1 ld #pktlen", "2 ld [vlanp]", "3 tax", "4 ja 5"]
    assert texts[5:] == ["5 ret a", "accept or reject"]


def test_long_blocks_are_abbreviated() -> None:
    lines = [
        text.text or "" for text in drawing(cbpf.Program([(0, 0, 0, 1)] * 100 + [(6, 0, 0, 0)])).iter(f"{SVG}text")
    ]
    assert lines[19:22] == ["19 ld #0x1", "... 77 more", "97 ld #0x1"]
    assert len(lines) == 26


def test_long_edges_end_in_stubs_that_name_the_target() -> None:
    length = 3000
    rows = [(0x15, 200, 0, 1) if index < length - 202 else (0x15, 0, 0, 1) for index in range(length)]
    root = drawing(cbpf.Program([*rows, (6, 0, 0, 0)]))
    assert any(text.text == "to 201" for text in root.iter(f"{SVG}text"))
    assert len(edge_labels(root)) > length


def test_counts_and_percentages_are_shown(traffic: Path) -> None:
    program = cbpf.compile("arp")
    counts = counts_of(program, traffic)
    root = drawing(program, counts)
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "905 runs, 100%" in texts
    assert "18 runs, 2%" in texts
    assert {"true 2%", "false 98%"} <= set(texts)
    fills = [rect.attrib["fill"] for rect in root.iterfind(f"{SVG}g[@data-block]/{SVG}rect")]
    assert fills[0] == "#ff9944"
    assert len(set(fills)) == 3
    assert [group.attrib["data-heat"] for group in root.iterfind(f"{SVG}g[@data-heat]")] == ["10", "0", "10"]
    empty = cbpf.execution_counts(program, [])
    assert (empty.packets, empty.mean, empty.maximum) == (0, 0.0, 0)
    assert "0 runs, 0%" in [text.text for text in drawing(program, empty).iter(f"{SVG}text")]


def test_shares_near_0_and_100_percent_are_not_rounded_to_them() -> None:
    program = cbpf.parse("ldb [0]\njeq #1,0,1\nret #1\nret #0")
    counts = cbpf.execution_counts(program, [b"\1"] + [b"\2"] * 4999)
    labels = {label.text for label in edge_labels(drawing(program, counts))}
    assert labels == {"true <0.1%", "false >99.9%"}


def test_svg_styles_are_attributes() -> None:
    """A style sheet would also apply to the rest of a page that contains the SVG, such as a notebook."""
    root = drawing(cbpf.compile("arp"))
    assert not list(root.iter(f"{SVG}style"))
    assert "monospace" in root.attrib["font-family"]
    edges = [group for group in root.iter(f"{SVG}g") if "data-edge" in group.attrib]
    assert edges
    assert all(path.attrib["fill"] == "none" for group in edges for path in group.iter(f"{SVG}path"))


def test_notebooks_display_a_graph() -> None:
    graph = cbpf.graph(cbpf.compile("arp"))
    assert graph._repr_svg_() == graph.svg()
    assert graph == cbpf.graph(cbpf.compile("arp"))
    assert repr(graph) == "<Graph of 4 instructions in 3 blocks>"


def test_invalid_arguments_are_rejected() -> None:
    program = cbpf.compile("arp")
    with pytest.raises(cbpf.VerificationError):
        cbpf.graph(program, dialect=cbpf.SECCOMP)
    with pytest.raises(cbpf.FieldError, match="counts: those of a program with 1 instructions; this one has 4"):
        cbpf.graph(program, counts=cbpf.execution_counts(cbpf.parse("ret #1"), []))
    with pytest.raises(cbpf.FieldError, match=r"counts: expected ExecutionCounts, got \{\}"):
        cbpf.graph(program, counts={})  # type: ignore[arg-type]
    for packets in (b"packet", 5, [5], ["text"]):
        with pytest.raises(cbpf.PacketError):
            cbpf.execution_counts(program, packets)
    with pytest.raises(cbpf.VerificationError):
        cbpf.execution_counts(program, [], dialect=cbpf.SECCOMP)


@pytest.mark.fuzz
def test_boxes_and_edges_of_random_graphs_do_not_overlap(rounds: Rounds) -> None:
    for random in rounds(150):
        count = 2 + int(random.random() * 40)
        edges = sorted({_random_edge(random, count) for _ in range(int(random.random() * 2 * count))})
        sizes = [(20 + random.random() * 200, 20 + random.random() * 100) for _ in range(count)]
        outer_sizes = [(width + random.random() * 50, height) for width, height in sizes]
        layout = lay_out(outer_sizes, sizes, edges)
        ranks = assign_ranks(count, edges)
        assert all(ranks[source] < ranks[target] for source, target in edges)
        boxes = [
            Rectangle(x, y, x + width, y + height) for (x, y), (width, height) in zip(layout.boxes, sizes, strict=True)
        ]
        for first, second in combinations(boxes, 2):
            assert not first.overlaps(second)
        for (source, target), route in zip(edges, layout.routes, strict=True):
            _check_route(route, boxes, source, target)


def _random_edge(random: Random, count: int) -> tuple[int, int]:
    source = int(random.random() * (count - 1))
    return source, source + 1 + int(random.random() * min(count - source - 1, 12))


def _check_route(route: list[tuple[float, float]], boxes: list[Rectangle], source: int, target: int) -> None:
    assert route[0][1] == pytest.approx(boxes[source].bottom)
    assert route[-1][1] == pytest.approx(boxes[target].top)
    for box, (x, _) in ((boxes[source], route[0]), (boxes[target], route[-1])):
        assert box.left <= x <= box.right
    for (x, y), (next_x, next_y) in pairwise(route):
        assert y <= next_y
        passed = Rectangle(min(x, next_x) - 1, y, max(x, next_x) + 1, next_y)
        assert not any(passed.overlaps(box) for box in boxes)


def _random_case(random: Random) -> tuple[cbpf.Program, cbpf.Dialect, list[Any]]:
    while True:
        dialect = cbpf.LINUX if random.random() < 0.5 else cbpf.PCAP
        program = cbpf.Program(random_programs.plausible(random))
        if not cbpf.findings(program, dialect=dialect):
            return program, dialect, [random_programs.packet(random) for _ in range(5)]


@pytest.mark.fuzz
def test_counts_match_traces(rounds: Rounds) -> None:
    for random in rounds(400):
        program, dialect, packets = _random_case(random)
        lengths = [int(random.random() * 2**32) for _ in packets]
        vm, flow = cbpf.VM(program, dialect=dialect), cbpf.Flow(program, dialect=dialect)
        executed, taken, edges, maximum = Counter[int](), Counter[int](), Counter[tuple[int, int]](), 0
        for data, length in zip(packets, lengths, strict=True):
            steps = list(vm.trace(data, wire_length=length))
            executed.update(step.index for step in steps)
            taken.update(
                step.index for step in steps if step.taken and program[step.index].jt != program[step.index].jf
            )
            visited = [flow.block_at(step.index) for step in steps]
            edges.update((source.number, target.number) for source, target in pairwise(visited) if source is not target)
            maximum = max(maximum, len(steps))
        records = [cbpf.Packet(1, 0, length, data) for data, length in zip(packets, lengths, strict=True)]
        counts = cbpf.execution_counts(program, records, dialect=dialect)
        assert counts.executed == tuple(executed[index] for index in range(len(program)))
        assert counts.taken == tuple(taken[index] for index in range(len(program)))
        assert (counts.packets, counts.maximum) == (len(packets), maximum)
        verdicts = [vm.evaluate(packet.data, wire_length=packet.wire_length) for packet in records]
        assert counts.accepted == sum(verdict != 0 for verdict in verdicts)
        assert {edge: count for edge, count in edge_counts(flow, counts).items() if count} == dict(edges)


def test_long_programs_are_counted_without_compiling() -> None:
    rows = [(0x30, 0, 0, 0)] + [(0x15, 0, 1, index) for index in range(25_000)] + [(0x06, 0, 0, 1)] * 2
    packets = [b"", b"\0", b"\1"]
    long, short = (cbpf.execution_counts(some, packets) for some in (rows, [*rows[:1000], *rows[-2:]]))
    assert (long.packets, long.accepted, long.executed[:2], long.taken[:3]) == (3, 2, (3, 2), (0, 1, 0))
    assert (short.executed[:900], short.taken[:900]) == (long.executed[:900], long.taken[:900])


def test_counts_accept_every_source_of_packets(traffic: Path) -> None:
    program = cbpf.parse("ld len\njeq #60,0,1\nret #1\nret #0")
    data = [packet.data for packet in cbpf.read_capture(traffic)]
    plain = cbpf.execution_counts(program, data)
    with cbpf.read_capture(traffic) as capture:
        assert cbpf.execution_counts(program, cbpf.Packets.of(data)) == plain
        assert cbpf.execution_counts(program, iter(data)) == plain
        wire = cbpf.execution_counts(program, cbpf.read_capture(traffic))
        assert cbpf.execution_counts(program, capture.packets()) == wire
    assert plain.packets == wire.packets == 905
    marked = cbpf.parse("ld mark\njeq #7,0,1\nret #1\nret #0")
    views = [cbpf.SocketView(b"", 0, cbpf.Metadata(mark=mark)) for mark in (7, 8, 7)]
    assert cbpf.execution_counts(marked, views, dialect=cbpf.LINUX).executed == (3, 3, 2, 1)


def test_program_info_summarises_a_program() -> None:
    program = cbpf.parse(UNREACHABLE)
    info = cbpf.program_info(program)
    assert (info.instructions, info.blocks) == (7, len(cbpf.Flow(program).blocks))
    assert (info.unreachable, info.infeasible) == ((1, 2), (6,))
    assert (info.shortest, info.longest, info.bytes_inspected) == (4, 4, 0)
    assert dict(info.opcodes) == {"ret": 2, "jeq": 2, "ld": 2, "ja": 1}
    assert info.accepted_by == tuple(cbpf.DIALECTS)
    info = cbpf.program_info(cbpf.parse("ldx #1\nldb [x + 2]\nst M[1]\nld len\nret a"))
    assert info.as_dict()["loads"] == [
        {"index": 1, "header": "packet", "first": 3, "last": 3, "size": 1, "base": None},
    ]
    others = tuple(name for name in cbpf.DIALECTS if name != "seccomp")
    assert (info.slots_written, info.as_dict()["extensions"], info.accepted_by) == ((1,), ["len"], others)
    with pytest.raises(cbpf.VerificationError):
        cbpf.program_info(cbpf.parse("ld #1"))
