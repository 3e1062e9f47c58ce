"""The targets of `cbpf emit`: sizes, and nanoseconds per packet next to the engine llvm and the kernel's own filter."""

import ctypes
import json
import shutil
import socket
import subprocess
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any, Final, NamedTuple

from benchmarks.captures import TRAFFIC, packets_of
from benchmarks.corpus import ETHERNET
from benchmarks.hot import ROW, rows_of
from benchmarks.processes import WORKSPACE
from benchmarks.report import Section
from benchmarks.setting import Omitted, Setting

import cbpf
from cbpf.backends.ebpf.elf import instructions_in
from cbpf.backends.ebpf.hooks import HOOKS
from cbpf.engines.llvm.context import default_context
from cbpf.linux.bpf_calls import LoadedProgram

_NODE: Final = """
const fs = require("fs"), { modules, packets, rounds } = JSON.parse(fs.readFileSync(0));
const rows = packets.map(text => Buffer.from(text, "hex"));
console.log(JSON.stringify(modules.map(text => {
  const { memory, filter } = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(text, "hex"))).exports;
  const bytes = new Uint8Array(memory.buffer), places = [];
  let end = 0, sum = 0;
  for (const row of rows) {
    if (end + row.length > bytes.length) memory.grow(4);
    new Uint8Array(memory.buffer).set(row, end); places.push([end, row.length]); end += row.length;
  }
  const run = () => { for (const [place, size] of places) sum += filter(place, size, size); };
  for (let i = 0; i < 20; i++) run();
  const begin = process.hrtime.bigint();
  for (let i = 0; i < rounds; i++) run();
  return Number(process.hrtime.bigint() - begin) / rounds / places.length;
})));
"""
_REPETITIONS: Final = 20_000
_DROPPED: Final = [cbpf.RetConstant(0)]


class _Result(NamedTuple):
    """The sizes and times of a target: a size for each filter, and nanoseconds per packet."""

    name: str
    size: str
    nanoseconds: list[float]
    how: str


def emitting(setting: Setting) -> Iterator[Section]:
    """Measure all targets that run on this machine, on the packets of the shipped capture."""
    with cbpf.read_capture(TRAFFIC) as capture:
        packets = packets_of([(packet.data, packet.wire_length) for packet in capture])
    measured = _Measured(packets, [cbpf.compile(expression) for expression in ETHERNET], setting)
    results = [measured.engine(), measured.c(), measured.wasm(), *measured.kernel()]
    rows = [
        [result.name, result.size, f"{mean(result.nanoseconds):.1f}", result.how]
        for result in results
        if result is not None
    ]
    note = (
        f"Means over the {len(ETHERNET)} Ethernet expressions of `tests/corpus/filters.txt` and the {len(packets):,}"
        " packets of the shipped capture, which are in the processor's cache. Programs of the kernel: the time of a"
        " program less that of `ret #0`, by BPF_PROG_TEST_RUN; the classic one by datagrams that it drops."
    )
    heading = ["case", "size per classic instruction", "ns per packet", "how"]
    yield Section("Programs for other targets", heading, rows, note)


class _Measured:
    """The measurements of programs on packets."""

    def __init__(self, packets: cbpf.Packets, programs: list[cbpf.Program], setting: Setting) -> None:
        self._programs = programs
        self._rounds = setting.rounds(7)
        self._times = setting.scaled(200)
        self._buffer = ctypes.create_string_buffer(bytes(packets.buffer), len(packets.buffer))
        self._rows = rows_of(packets, ctypes.addressof(self._buffer))
        self._packets = [bytes(packet) for packet in packets]
        self._address = ctypes.addressof(ctypes.c_char.from_buffer(self._rows))
        self._count = len(self._rows) // ROW.size
        self._verdicts = array("I", bytes(4 * self._count))
        self._library: Any = self._compiled()

    def _compiled(self) -> Any:
        """Return the library of the functions in C, with the loops."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise Omitted("it needs a C compiler, cc")
        sources = [str(Path(__file__).with_name("emitted.c"))]
        for index, program in enumerate(self._programs):
            path = WORKSPACE / f"emitted{index}.c"
            path.write_text(cbpf.emit(program, name=f"f{index}"))
            sources.append(str(path))
        library = str(WORKSPACE / "emitted.so")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, *sources], check=True)
        return ctypes.CDLL(library)

    def engine(self) -> _Result:
        """Measure the machine code of the engine llvm."""
        context = default_context()
        arguments = self._address, self._count, self._verdicts.buffer_info()[0], ctypes.byref(context)
        times = [
            self._time(partial(cbpf.VM(program, engine="llvm").native_match, *arguments)) for program in self._programs
        ]
        return _Result("cbpf, llvm engine", "", times, '`VM(program, engine="llvm")`')

    def c(self) -> _Result:
        """Measure the functions in C."""
        verdicts = ctypes.c_void_p(self._verdicts.buffer_info()[0])
        arguments = ctypes.c_void_p(self._address), ctypes.c_uint64(self._count), verdicts
        functions = [getattr(self._library, f"f{index}") for index in range(len(self._programs))]
        runs = [partial(self._library.loop, function, *arguments) for function in functions]
        lines = [cbpf.emit(program).count(";\n") / len(program) for program in self._programs]
        return _Result("c", f"{mean(lines):.1f} statements", list(map(self._time, runs)), "`cbpf emit`, `cc -O2`")

    def wasm(self) -> _Result | None:
        """Measure the WebAssembly modules in Node.js."""
        node = shutil.which("node")
        if node is None:
            return None
        modules = [cbpf.emit(program, target="wasm") for program in self._programs]
        request = {
            "modules": [module.hex() for module in modules],
            "packets": [packet.hex() for packet in self._packets],
            "rounds": self._times,
        }
        command = [node, "-e", _NODE]
        result = subprocess.run(command, input=json.dumps(request), text=True, capture_output=True, check=True)
        sizes = [len(module) / len(program) for module, program in zip(modules, self._programs, strict=True)]
        return _Result("wasm", f"{mean(sizes):.0f} bytes", json.loads(result.stdout), "`--target wasm`, Node.js")

    def kernel(self) -> Iterator[_Result | None]:
        """Measure the programs of the kernel."""
        yield self._classic()
        for target in HOOKS:
            try:
                none = self._test_run(_DROPPED, target)[1]
                pairs = [self._test_run(program, target) for program in self._programs]
            except cbpf.EbpfError:
                return
            sizes = [size / len(program) for (size, _), program in zip(pairs, self._programs, strict=True)]
            times = [time - none for _, time in pairs]
            yield _Result(target, f"{mean(sizes):.1f} instructions", times, f"`--target {target}`")

    def _test_run(self, program: Any, target: Any) -> tuple[int, float]:
        """Return the number of eBPF instructions, and the mean time of a run in nanoseconds."""
        hook = HOOKS[target]
        code = instructions_in(cbpf.emit(program, target=target), hook.section)
        with LoadedProgram(code, hook.program_type) as loaded:
            before = b"" if hook.results else bytes(14)
            chosen = self._packets[:: max(1, len(self._packets) // 40)]
            times = [loaded.time(before + packet, _REPETITIONS) for packet in chosen]
        return loaded.instructions, mean([time for time in times if time is not None])

    def _classic(self) -> _Result:
        """Measure classic programs on a socket: all packets are dropped, since each `ret` returns 0."""
        receiver, sender = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with receiver, sender:
            send = partial(self._library.send_all, sender.fileno(), ctypes.c_void_p(self._address), self._count)
            times = []
            for program in map(_dropping, self._programs):
                differences = []
                for _ in range(self._rounds):
                    none, some = (self._sending(receiver, send, each) for each in (_DROPPED, program))
                    differences.append(some - none)
                times.append(median(differences))
        return _Result("kernel, classic", "1 instruction", times, "SO_ATTACH_FILTER")

    def _sending(self, receiver: socket.socket, send: Callable[[], object], program: Any) -> float:
        """Return the nanoseconds per datagram that a filter drops."""
        cbpf.linux.attach(receiver, program)
        begin = perf_counter()
        for _ in range(self._times // 4 or 1):
            send()
        return (perf_counter() - begin) / (self._times // 4 or 1) / self._count * 1e9

    def _time(self, run: Callable[[], object]) -> float:
        """Return the nanoseconds per packet of a run over all packets, the median over the rounds."""
        rounds = []
        for _ in range(self._rounds):
            begin = perf_counter()
            for _ in range(self._times):
                run()
            rounds.append((perf_counter() - begin) / self._times / self._count * 1e9)
        return median(rounds)


def _dropping(program: cbpf.Program) -> list[cbpf.Instruction]:
    """Return a program with the verdict 0 for every packet, and the tests of another one."""
    returns = (cbpf.RetConstant, cbpf.RetA)
    return [cbpf.RetConstant(0) if isinstance(each, returns) else each for each in program.instructions]
