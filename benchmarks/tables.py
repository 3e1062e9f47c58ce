"""Captures as record batches of Arrow: the columns of records, the bytes of packets, and columns of headers."""

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Final

from benchmarks import table_peers
from benchmarks.captures import Capture, synthetic_captures
from benchmarks.processes import PYTHON, WORKSPACE, output, process
from benchmarks.report import Goal, Section, at_least, at_most, table
from benchmarks.setting import Omitted, Setting
from benchmarks.timing import Contender, Cost, costs_of, paired, require_agreement

import cbpf

_COUNT: Final = 2_000_000
_FILTERED: Final = 500_000
_COUNT_FOR_LOOPS: Final = 200_000
_COUNT_FOR_SCAPY: Final = 5_000
_FILTER: Final = "tcp port 443"
_RECORD: Final = ("number", "time", "interface", "link_type", "captured", "length")
_BASE: Final = ("time", "length")
_HEADERS: Final = ("src_ip", "dst_port", "protocol", "tcp_flags", "vlan", "src_ip6", "src_mac")
_HEADING: Final = ("contender", "ms", "processor ms", "time", "processor time", "how")


def tables(setting: Setting) -> Iterator[Section]:
    """Compare batches of columns with a scan alone, which computes the verdict of a filter on each packet."""
    if not find_spec("pyarrow"):
        raise Omitted("it needs pyarrow")
    (capture,) = synthetic_captures(setting.scaled(_COUNT))
    contenders = [Contender("scan", partial(_scan, capture), f"`capture_verdicts(path, {_FILTER!r})`")]
    contenders += [
        _reading("columns of records", capture, _RECORD),
        _reading("and the bytes of packets", capture, (*_RECORD, "data")),
        _reading("two columns", capture, _BASE),
        *(_reading(f"two columns and {name}", capture, (*_BASE, name)) for name in _HEADERS),
    ]
    costs = costs_of(contenders, rounds=setting.rounds(9))
    lines = [_line(contender, costs, index) for index, contender in enumerate(contenders)]
    note = f"{capture}, in the page cache. The ratios are relative to the scan."
    yield Section("Captures as tables", _HEADING, lines, note, list(_goals(costs)))
    yield _filtered(capture, setting)
    yield _beside_others(capture, setting)


def _filtered(capture: Capture, setting: Setting) -> Section:
    """Compare a filter on columns of packets with one on ranges of one buffer that were checked in advance."""
    views = cbpf.arrow.read_table(capture.path, columns=["data"], engine="llvm")["data"].slice(0, _FILTERED)
    copied = views.cast("large_binary").combine_chunks()
    sources = {
        "ranges of one buffer": (cbpf.Packets.of(copied), "`Packets`"),
        "one chunk": (copied, "a column of the type `large_binary`"),
        "views of a mapped file": (
            views,
            "the column `data` of `read_table`: `binary_view`, batches of 65,536 packets",
        ),
    }
    vm = cbpf.VM(cbpf.compile(_FILTER), engine="llvm")
    contenders = [
        Contender(name, partial(vm.verdicts, source), f"`VM.verdicts`, {how}")
        for name, (source, how) in sources.items()
    ]
    costs = costs_of(contenders, rounds=setting.rounds(15))
    lines = [_line(contender, costs, index) for index, contender in enumerate(contenders)]
    goal = at_most("Views of a mapped file: processor time of a filter", 1.5, _ratio(costs, 2, 1), "{:.2f} times")
    note = f"`{_FILTER}` on {len(views):,} packets. The ratios are relative to the ranges."
    return Section("A filter on columns of packets", _HEADING, lines, note, [goal])


def _beside_others(capture: Capture, setting: Setting) -> Section:
    """Compare a table of some columns with those that other tools make of smaller captures, as complete processes."""
    few, some = synthetic_captures(setting.scaled(_COUNT_FOR_SCAPY), setting.scaled(_COUNT_FOR_LOOPS))
    contenders = [
        process("cbpf", _script("cbpf", capture), units=capture.packets),
        *_tshark(some),
        process("dpkt", _script("dpkt", some), units=some.packets),
        process("scapy", _script("scapy", few), units=few.packets),
        *_pcaptoparquet(some),
    ]
    _require_equal_sums(few)
    rows = paired(contenders, rounds=setting.rounds(3))
    columns = {
        "packets per second": lambda row: f"{1 / row.seconds:,.0f}",
        "relative time per packet": lambda row: f"{row.ratio:.1f}",
    }
    names = ", ".join(f"`{name}`" for name in table_peers.COLUMNS)
    note = (
        f"Complete processes, start-up included. The columns are {names}; cbpf reads {capture}, the others"
        f" {some.packets:,} packets of the same kind, scapy {few.packets:,}. tshark and pcaptoparquet write a file, and"
        " pcaptoparquet has columns of its own choice."
    )
    bounds = {"tshark": 100, "dpkt": 50}
    goals = [
        at_least(f"A table of seven columns, against {row.contender.name}", bound, row.ratio, "{:.3g} times")
        for row in rows
        if (bound := bounds.get(row.contender.name))
    ]
    return Section("Captures as tables, next to other tools", *table(rows, columns), note, goals)


def _script(tool: str, capture: Capture) -> list[str]:
    return [PYTHON, str(table_peers.__file__), tool, capture.path]


def _tshark(capture: Capture) -> list[Contender]:
    command = _tshark_command(capture)
    return [process("tshark", command, units=capture.packets)] if command else []


def _tshark_command(capture: Capture) -> list[str]:
    tshark = shutil.which("tshark")
    fields = [argument for field in table_peers.TSHARK_FIELDS for argument in ("-e", field)]
    return [tshark, "-n", "-r", capture.path, "-T", "fields", *fields] if tshark else []


def _pcaptoparquet(capture: Capture) -> list[Contender]:
    program = Path(PYTHON).with_name("pcaptoparquet")
    if not program.exists():
        return []
    command = [str(program), "-i", capture.path, "-o", str(WORKSPACE / "pcaptoparquet.parquet")]
    return [process("pcaptoparquet", command, units=capture.packets)]


def _require_equal_sums(capture: Capture) -> None:
    """Stop the benchmark unless the tools have the same numbers in their tables."""
    answers = {tool: output(_script(tool, capture)).strip() for tool in table_peers.TABLES}
    if command := _tshark_command(capture):
        answers["tshark"] = table_peers.tshark_sums(output(command))
    require_agreement(answers)


def _scan(capture: Capture) -> None:
    for _ in cbpf.capture_verdicts(capture.path, _FILTER, engine="llvm"):
        pass


def _reading(name: str, capture: Capture, columns: Sequence[str]) -> Contender:
    shown = ", ".join(map(repr, columns))
    return Contender(name, partial(_read, capture, columns), f"`read_batches(path, columns=[{shown}])`")


def _read(capture: Capture, columns: Sequence[str]) -> None:
    rows = sum(batch.num_rows for batch in cbpf.arrow.read_batches(capture.path, columns=columns, engine="llvm"))
    assert rows == capture.packets


def _goals(costs: Sequence[Sequence[Cost]]) -> Iterator[Goal]:
    yield at_most("Columns of records: processor time against the scan", 3, _ratio(costs, 1, 1), "{:.2f} times")
    yield at_most("With the bytes of packets: processor time against the scan", 3, _ratio(costs, 2, 1), "{:.2f} times")
    for index, name in enumerate(_HEADERS, 4):
        more = median((row[index].cpu_seconds - row[3].cpu_seconds) / row[0].cpu_seconds for row in costs)
        yield at_most(f"The column `{name}`: processor time against the scan", 1 / 3, more, "{:.2f} times")


def _line(contender: Contender, costs: Sequence[Sequence[Cost]], index: int) -> list[str]:
    times = (f"{median(row[index][kind] for row in costs) * 1e3:,.0f}" for kind in (0, 1))
    ratios = (f"{_ratio(costs, index, kind):.2f}" for kind in (0, 1))
    return [contender.name, *times, *ratios, contender.how]


def _ratio(costs: Sequence[Sequence[Cost]], index: int, kind: int) -> float:
    """Return the median ratio of a contender to the first one: of the time (0) or the processor time (1)."""
    return median(row[index][kind] / row[0][kind] for row in costs)
