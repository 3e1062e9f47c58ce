"""The WebAssembly target: run by wasmtime and by Node.js, and compared with the interpreter."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

import cbpf
from support.emitted import Case, corpus_cases, packets_for, random_case
from support.project import Rounds

pytest.importorskip("llvmlite", reason="WebAssembly needs llvmlite")

PACKETS = 24
LARGEST = 200_000
_NODE = """
const fs = require("fs");
const { modules, runs } = JSON.parse(fs.readFileSync(0));
const filters = modules.map(text => new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(text, "hex"))).exports);
console.log(JSON.stringify(runs.map(([index, packet, wire]) => {
  const { memory, filter } = filters[index], bytes = Buffer.from(packet, "hex");
  const address = memory.buffer.byteLength - bytes.length;
  new Uint8Array(memory.buffer).set(bytes, address);
  return filter(address, bytes.length, wire) >>> 0;
})));
"""

Run = tuple[int, bytes, int]


def module(case: Case) -> bytes:
    return cbpf.emit(case.program, target="wasm", dialect=case.dialect)


def runs_of(cases: Sequence[Case], random: Random) -> list[Run]:
    """Return the runs of programs; each packet ends with the memory, so that a read beyond it would be a trap."""
    return [
        (index, packet, len(packet) + random.choice([0, 100]))
        for index, case in enumerate(cases)
        for packet in packets_for(case, random, PACKETS, largest=LARGEST if index == 0 else 4000)
    ]


def expected(cases: Sequence[Case], runs: Sequence[Run]) -> list[int]:
    return [cases[index].verdict(packet, wire) for index, packet, wire in runs]


def verdicts_of_wasmtime(cases: Sequence[Case], runs: Sequence[Run]) -> list[int]:
    wasmtime: Any = pytest.importorskip("wasmtime", reason="wasmtime is not installed; ./dev test --all installs it")
    engine = wasmtime.Engine()
    instances = []
    for case in cases:
        store = wasmtime.Store(engine)
        exports = wasmtime.Instance(store, wasmtime.Module(engine, module(case)), []).exports(store)
        instances.append((store, exports["memory"], exports["filter"]))
    verdicts = []
    for index, packet, wire in runs:
        store, memory, filter = instances[index]
        address = memory.data_len(store) - len(packet)
        if packet:
            memory.write(store, packet, address)
        verdicts.append(filter(store, address, len(packet), wire) & 0xFFFF_FFFF)
    return verdicts


def test_corpus_has_the_verdicts_of_the_interpreter(full_length: bool) -> None:
    cases = list(corpus_cases())[:: 1 if full_length else 12]
    runs = runs_of(cases, Random(1))
    assert verdicts_of_wasmtime(cases, runs) == expected(cases, runs)


@pytest.mark.fuzz
def test_random_programs_have_the_verdicts_of_the_interpreter(rounds: Rounds) -> None:
    for random in rounds(16):
        cases = [random_case(random) for _ in range(50)]
        runs = runs_of(cases, random)
        assert verdicts_of_wasmtime(cases, runs) == expected(cases, runs)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_node_has_the_verdicts_of_the_interpreter(full_length: bool) -> None:
    random = Random(2)
    cases = [*list(corpus_cases())[:: 4 if full_length else 24], *(random_case(random) for _ in range(40))]
    runs = runs_of(cases, random)
    rows = [(index, packet.hex(), wire) for index, packet, wire in runs]
    request = json.dumps({"modules": [module(case).hex() for case in cases], "runs": rows})
    result = subprocess.run(["node", "-e", _NODE], input=request, capture_output=True, text=True, check=True)
    assert json.loads(result.stdout) == expected(cases, runs)


def test_module_has_a_memory_and_the_named_function(tmp_path: Path) -> None:
    content = cbpf.emit("arp", target="wasm", name="is_arp")
    assert content.startswith(b"\0asm\1\0\0\0")
    assert b"\x06memory\x02\x00" in content
    assert b"\x06is_arp\x00\x00" in content
