"""The targets llvm, object and ptx: linked by a C compiler, and run. tests/engines/test_ptx.py runs kernels."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest

import cbpf
from support.emitted import corpus_cases, packets_for, random_case

pytest.importorskip("llvmlite", reason="these targets need llvmlite")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")
def test_object_files_have_the_verdicts_of_the_interpreter(tmp_path: Path, full_length: bool) -> None:
    random = Random(1)
    cases = [
        *list(corpus_cases())[:: 1 if full_length else 16],
        *(random_case(random) for _ in range(800 if full_length else 40)),
    ]
    paths = []
    for index, case in enumerate(cases):
        paths.append(tmp_path / f"{index}.o")
        paths[-1].write_bytes(cbpf.emit(case.program, target="object", dialect=case.dialect, name=f"f{index}"))
    subprocess.run(["gcc", "-shared", *paths, "-o", tmp_path / "filters.so"], check=True)
    library = ctypes.CDLL(str(tmp_path / "filters.so"))
    for index, case in enumerate(cases):
        function = getattr(library, f"f{index}")
        function.argtypes, function.restype = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t), ctypes.c_uint32
        for packet in packets_for(case, random, 12, largest=4000):
            wire = len(packet) + 7
            assert function(packet, len(packet), wire) == case.verdict(packet, wire), (case, packet.hex())


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_clang_compiles_the_module(tmp_path: Path) -> None:
    source = tmp_path / "filter.ll"
    source.write_text(cbpf.emit("tcp port 443", target="llvm", name="https"))
    result = subprocess.run(
        ["clang", "-Wno-override-module", "-O1", "-shared", "-fPIC", source, "-o", tmp_path / "filter.so"],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode and "expected" in result.stderr:
        pytest.skip("this clang is older than the LLVM of llvmlite, and cannot read its text")
    assert result.returncode == 0, result.stderr
    function = ctypes.CDLL(str(tmp_path / "filter.so")).https
    function.restype = ctypes.c_uint32
    assert function(bytes(60), 60, 60) == 0


def test_ptx_is_one_kernel_with_documented_parameters() -> None:
    text = cbpf.emit("arp", target="ptx", name="is_arp")
    assert text.count(".entry") == 1
    assert ".visible .entry is_arp(" in text
    assert ".target sm_80" in text
    assert text.count(".param .u64") == 6
