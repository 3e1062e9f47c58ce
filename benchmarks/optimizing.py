"""The results of optimisers: sizes, executed instructions, proofs, long lists."""

import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from statistics import geometric_mean, median
from time import perf_counter
from typing import Any, Final, NamedTuple

from benchmarks import synthetic
from benchmarks.captures import TRAFFIC
from benchmarks.corpus import CORPUS, random_expression
from benchmarks.optimizing_families import families, link_types
from benchmarks.report import Goal, Section, at_most
from benchmarks.setting import Setting
from benchmarks.timing import Contender, paired

import cbpf

_MAX_PACKET_LENGTH: Final = 262_144
# Goals for the corpus: the results of a prototype.
_MAX_INSTRUCTIONS: Final = 1258
_MAX_EXECUTED: Final = 6.01


class _Measurement(NamedTuple):
    """A filter: libpcap's unoptimised and optimised programs, cbpf's results for size and speed, and the times."""

    name: str
    plain: cbpf.Program
    libpcap: cbpf.Program
    size: cbpf.Program
    speed: cbpf.Program
    libpcap_is_exact: bool
    seconds: float
    proof_seconds: float


def optimizing(setting: Setting) -> Iterator[Section]:
    """Measure the corpus, random expressions, long expressions and long lists."""
    warnings.simplefilter("ignore", cbpf.ExpressionWarning)
    corpus = [
        _measure(str(filter), filter.program(), filter.program("libpcap"), setting.rounds(5)) for filter in CORPUS
    ]
    yield _sizes("The corpus", corpus, _corpus_goals(corpus))
    yield _executed(corpus)
    yield _engines(corpus, setting)
    yield _sizes("Random expressions", list(_random(setting.scaled(1000))), [])
    yield link_types(setting)
    yield _hosts(setting)
    yield families(setting)
    yield _lists(setting)


def _measure(name: str, plain: cbpf.Program, libpcap: cbpf.Program, rounds: int) -> _Measurement:
    times, proofs = [], []
    for _ in range(rounds):
        started = perf_counter()
        size = cbpf.optimize(plain)
        times.append(perf_counter() - started)
        started = perf_counter()
        if cbpf.difference(plain, size, longest=_MAX_PACKET_LENGTH, timeout=60) is not None:
            raise SystemExit(f"{name}: the optimised program is not equivalent")
        proofs.append(perf_counter() - started)
    exact = cbpf.difference(plain, libpcap, longest=_MAX_PACKET_LENGTH, timeout=60) is None
    speed = cbpf.optimize(plain, goal="speed")
    return _Measurement(name, plain, libpcap, size, speed, exact, median(times), median(proofs))


def _random(count: int) -> Iterator[_Measurement]:
    """Yield the first *count* expressions of a seeded stream."""
    attempt = 0
    for index in range(count):
        while True:
            text = random_expression(Random(f"benchmark {attempt}"))
            attempt += 1
            try:
                plain, libpcap = (
                    cbpf.compile(text, optimizer=optimizer, frontend="libpcap") for optimizer in (None, "libpcap")
                )
            except cbpf.ExpressionError:  # a protocol that excludes another
                continue
            yield _measure(f"{index}: {text}", plain, libpcap, 1)
            break


def _sizes(title: str, measurements: Sequence[_Measurement], goals: Sequence[Goal]) -> Section:
    exact = [measurement for measurement in measurements if measurement.libpcap_is_exact]
    rows = [
        [name, f"{total(measurements):,}", f"{total(exact):,}", equal]
        for name, total, equal in (
            ("libpcap, unoptimised", _total("plain"), ""),
            ("libpcap, optimised", _total("libpcap"), f"{len(exact):,} of {len(measurements):,}"),
            ("cbpf, size", _total("size"), f"{len(measurements):,} of {len(measurements):,}"),
            ("cbpf, speed", _total("speed"), ""),
        )
    ]
    slowest_proof = max(measurements, key=lambda measurement: measurement.proof_seconds)
    slowest = max(measurements, key=lambda measurement: measurement.seconds)
    longer = [measurement for measurement in exact if len(measurement.size) > len(measurement.libpcap)]
    optimize_ms = 1e3 * median(measurement.seconds for measurement in measurements)
    proof_ms = 1e3 * median(measurement.proof_seconds for measurement in measurements)
    note = (
        f"{len(measurements):,} expressions; exact: libpcap's result is proved equivalent to its unoptimised code, for"
        f" packets of up to {_MAX_PACKET_LENGTH:,} bytes. cbpf is longer than libpcap on {len(longer)} of these."
        f" Time to optimise: median {optimize_ms:.1f} ms, at most"
        f" {1e3 * slowest.seconds:.0f} ms. Proof: median {proof_ms:.1f} ms, at"
        f" most {1e3 * slowest_proof.proof_seconds:.0f} ms, for `{_short(slowest_proof.name)}`."
    )
    return Section(title, ["case", "instructions", "where libpcap is exact", "proved equivalent"], rows, note, goals)


def _total(field: str) -> Any:
    return lambda measurements: sum(len(getattr(measurement, field)) for measurement in measurements)


def _short(name: str) -> str:
    return name if len(name) <= 90 else f"{name[:90]}..."


def _corpus_goals(corpus: Sequence[_Measurement]) -> list[Goal]:
    longer_than_libpcap = sum(
        len(measurement.size) > len(measurement.libpcap) for measurement in corpus if measurement.libpcap_is_exact
    )
    longer_than_input = sum(len(measurement.size) > len(measurement.plain) for measurement in corpus)
    proof_ms = 1e3 * median(measurement.proof_seconds for measurement in corpus)
    return [
        at_most("The corpus, instructions", _MAX_INSTRUCTIONS, _total("size")(corpus), "{:,}"),
        at_most("Longer than an exact libpcap", 0, longer_than_libpcap, "{} filters"),
        at_most("Longer than the input", 0, longer_than_input, "{} filters"),
        at_most("Proof that the optimised program is equivalent, median", 5, proof_ms, "{:.1f} ms"),
    ]


def _executed(corpus: Sequence[_Measurement]) -> Section:
    """Count the executed instructions per packet exactly."""
    filters = [measurement for measurement in corpus if measurement.name.startswith("EN10MB")]
    with cbpf.read_capture(TRAFFIC) as capture:
        shipped = [packet.data for packet in capture]
    rows = []
    means: dict[str, float] = {}
    for name, field in (
        ("libpcap, unoptimised", "plain"),
        ("libpcap, optimised", "libpcap"),
        ("cbpf, size", "size"),
        ("cbpf, speed", "speed"),
    ):
        both_means = [_mean(filters, field, packets) for packets in (shipped, synthetic.packets(2000))]
        means[field] = both_means[0]
        longest = max(cbpf.Flow(getattr(measurement, field)).longest for measurement in filters)
        rows.append([name, *(f"{mean:.2f}" for mean in both_means), str(longest)])
    note = (
        f"The mean over {len(filters)} Ethernet expressions and the packets of the shipped capture ({len(shipped)}),"
        f" and over 2,000 synthetic ones. Against libpcap: {means['size'] / means['libpcap']:.3f} times (shipped)."
    )
    goal = at_most("Executed instructions per packet", _MAX_EXECUTED, means["size"], "{:.2f}")
    heading = ["case", "shipped capture", "synthetic packets", "longest path"]
    return Section("Executed instructions per packet", heading, rows, note, [goal])


def _mean(filters: Sequence[_Measurement], field: str, packets: Sequence[bytes]) -> float:
    counts = [cbpf.execution_counts(getattr(measurement, field), packets) for measurement in filters]
    return sum(count.mean for count in counts) / len(counts)


def _engines(corpus: Sequence[_Measurement], setting: Setting) -> Section:
    """Measure the effect of the optimiser on the engines."""
    packets = synthetic.packets(setting.scaled(3000))
    rows = []
    for engine, times in (("llvm", 10), ("python", 1)):
        batch = cbpf.Packets.of(packets * times)
        ratios = []
        for measurement in corpus:
            if measurement.name.startswith("EN10MB"):
                vms = [cbpf.VM(program, engine=engine) for program in (measurement.plain, measurement.size)]  # type: ignore[arg-type]
                runs = [Contender("", partial(vm.verdicts, batch), "") for vm in vms]
                ratios.append(paired(runs, rounds=setting.rounds(5))[1].ratio)
        rows.append([engine, f"{geometric_mean(ratios):.2f}", f"{min(ratios):.2f}", f"{max(ratios):.2f}"])
    note = (
        "Time of `verdicts` for the optimised program, relative to the unoptimised one, over the Ethernet expressions."
        " LLVM optimises as well; `cbpf filter` therefore uses unoptimised programs for machine code and for small"
        " captures."
    )
    return Section("Effect on the engines", ["case", "geometric mean", "best", "worst"], rows, note)


def host_names(count: int) -> list[str]:
    """Return *count* random IPv4 addresses."""
    random = Random(count)
    addresses = (
        (1 + int(random.random() * 223), *(int(random.random() * 256) for _ in range(3))) for _ in range(count)
    )
    return [".".join(map(str, address)) for address in addresses]


def _hosts(setting: Setting) -> Section:
    """Measure expressions of many hosts, from libpcap's code to the optimised program."""
    rows, goals = [], []
    for count, seconds in ((250, 0.3), (1000, 1.5)):
        count = setting.scaled(count)
        text = " or ".join(f"host {host}" for host in host_names(count))
        started = perf_counter()
        plain = cbpf.compile(text, optimizer=None)
        rows.append([f"{count:,} hosts: libpcap, unoptimised", *_described(plain, perf_counter() - started)])
        if count <= 250:
            started = perf_counter()
            libpcap = cbpf.compile(text, optimizer="libpcap", frontend="libpcap")
            rows.append([f"{count:,} hosts: libpcap, optimised", *_described(libpcap, perf_counter() - started)])
        for goal in ("size", "speed"):
            times = []
            for _ in range(setting.rounds(3)):
                started = perf_counter()
                program = cbpf.optimize(plain, goal=goal)
                times.append(perf_counter() - started)
            rows.append([f"{count:,} hosts: cbpf, {goal}", *_described(program, median(times))])
            goals.append(at_most(f"{count:,} hosts, {goal}", seconds, median(times), "{:.2f} s"))
        goals.append(at_most(f"{count:,} hosts, longest path for speed", 64, cbpf.Flow(program).longest, "{}"))
    note = (
        "`host A or host B or ...` with random addresses. libpcap's times are compile times; cbpf's times come in"
        " addition to that of the unoptimised code. libpcap's optimiser is omitted at 1,000 hosts because of its time."
    )
    return Section("Long expressions", ["case", "instructions", "longest path", "seconds"], rows, note, goals)


def _described(program: cbpf.Program, seconds: float) -> list[str]:
    return [f"{len(program):,}", f"{cbpf.Flow(program).longest:,}", f"{seconds:.2f}"]


def _lists(setting: Setting) -> Section:
    """Measure lists of networks that are given as `Expression.hosts`."""
    rows = []
    for count in (1_000, 10_000, 100_000):
        count = setting.scaled(count)
        networks = [f"{host.rpartition('.')[0]}.0/24" for host in host_names(count)]
        started = perf_counter()
        program = cbpf.compile(cbpf.Expression(hosts=networks))
        rows.append([f"{count:,} networks", *_described(program, perf_counter() - started)])
    note = "`compile(Expression(hosts=networks))`: the time includes reading the list, libpcap and the optimiser."
    return Section("Long lists", ["case", "instructions", "longest path", "seconds"], rows, note)
