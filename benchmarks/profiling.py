"""The verdicts of all packets, and execution counts: next to counts of accepted packets."""

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from benchmarks.captures import synthetic_captures
from benchmarks.processes import CBPF, output, script
from benchmarks.report import Section, at_most
from benchmarks.setting import Setting
from benchmarks.timing import Contender, Cost, costs_of, require_agreement

_COUNT: Final = 700_000
_FILTER: Final = "tcp"
_HEADING: Final = ("contender", "ms", "processor ms", "time", "processor time", "how")


def profiling(setting: Setting) -> Iterator[Section]:
    """Compare `cbpf run` and `cbpf stats -r` with commands that only count the packets that the filter accepts."""
    (capture,) = synthetic_captures(setting.scaled(_COUNT))
    commands = {
        "cbpf filter --count": [CBPF, "filter", "-q", "-r", capture.path, "--count", _FILTER],
        "cbpf run": [CBPF, "run", "-e", _FILTER, capture.path],
        "cbpf stats": [CBPF, "stats", "-e", _FILTER, "-r", capture.path],
    }
    if tcpdump := shutil.which("tcpdump"):
        commands["tcpdump --count"] = [tcpdump, "-r", capture.path, "--count", _FILTER]
    require_agreement({name: _accepted(name, output(command)) for name, command in commands.items()})
    contenders = [  # the lines of `cbpf run` would keep the process that reads them busy
        script(name, f"{shlex.join(command)} > /dev/null", units=capture.packets) for name, command in commands.items()
    ]
    costs = costs_of(contenders, rounds=setting.rounds(9))
    lines = [_line(contender, costs, index) for index, contender in enumerate(contenders)]
    goals = [
        at_most("`cbpf run`: processor time against `cbpf filter --count`", 3.0, _ratio(costs, 1, 1), "{:.1f} times"),
        at_most(
            "`cbpf stats -r`: processor time against `cbpf filter --count`", 2.0, _ratio(costs, 2, 1), "{:.1f} times"
        ),
    ]
    note = f"{capture}, in the page cache; `{_FILTER}`. The ratios are relative to `cbpf filter --count`."
    yield Section("Verdicts and execution counts of a capture", _HEADING, lines, note, goals)


def _accepted(name: str, text: str) -> int:
    """Return the number of packets that the filter accepts, according to the output of a contender."""
    if name == "cbpf run":
        return sum(not line.endswith(" 0") for line in text.splitlines())
    found = re.search(r"([\d,]+) (?:accepted|packets)$|^([\d,]+)$", text, re.MULTILINE)
    assert found is not None, text
    return int((found[1] or found[2]).replace(",", ""))


def _line(contender: Contender, costs: Sequence[Sequence[Cost]], index: int) -> list[str]:
    times = (f"{median(row[index][kind] for row in costs) * contender.units * 1e3:,.0f}" for kind in (0, 1))
    ratios = (f"{_ratio(costs, index, kind):.2f}" for kind in (0, 1))
    return [contender.name, *times, *ratios, contender.how]


def _ratio(costs: Sequence[Sequence[Cost]], index: int, kind: int) -> float:
    """Return the median ratio of a contender to the first one: of the time (0) or the processor time (1)."""
    return median(row[index][kind] / row[0][kind] for row in costs)
