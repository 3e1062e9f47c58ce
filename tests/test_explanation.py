"""The numbers in docs/explanation are those of the code."""

import re
from typing import Final

import pytest

import cbpf.vm
from cbpf.analysis import abstract_state, abstract_value
from cbpf.capture.native import abi, choice, codegen, scanner
from cbpf.engines.llvm import code_cache
from cbpf.expression import libpcap_front_end
from cbpf.optimizer import lift
from cbpf.proofs import limits, path_states
from support.project import ROOT

MIB: Final = 1 << 20

NUMBERS: Final = [
    ("scanning.md", f"The file is divided into windows of {scanner.WINDOW_SIZE // MIB} MiB"),
    ("scanning.md", f"up to {abi.MAX_LANES} lanes advance in turn"),
    ("scanning.md", f"After {abi.STEPS} records per lane"),
    ("scanning.md", f"in pieces of {abi.BATCH:,} ranges"),
    ("scanning.md", f"read into memory, in pieces of {scanner._READ_WINDOW_SIZE // MIB} MiB"),
    ("scanning.md", f"from which {codegen._MIN_CHAIN} plausible records follow one another"),
    ("engines.md", f"programs of more than {cbpf.vm.MAX_PYTHON_INSTRUCTIONS:,} instructions"),
    ("engines.md", f"`verdicts` with {cbpf.vm.MIN_NATIVE_BATCH:,} packets or more"),
    ("engines.md", f"files of {choice.MIN_NATIVE_SIZE // 10**6} MB or more in total"),
    ("engines.md", f"At most {code_cache._MAX_FILES} files are stored"),
    ("analysis.md", f"up to {abstract_value._MAX_VALUES} listed or excluded numbers"),
    ("analysis.md", f"({abstract_state._MAX_REMEMBERED} restricted words with"),
    ("proofs.md", f"at most {path_states._MAX_STATES} at one instruction"),
    ("proofs.md", f"more than {limits._MAX_MEMORY >> 30} GiB"),
    ("optimizer.md", f"more than {lift._MAX_STATES_PER_BLOCK} states each"),
    ("optimizer.md", f"or {lift._MAX_STATES_PER_INSTRUCTION} per instruction in total"),
    ("optimizer.md", f"({lift._MAX_STATES_OF_A_SHORT_PROGRAM:,} for a short program)"),
    ("meaning.md", f"at most {libpcap_front_end.MAX_EXPRESSION_LENGTH:,} characters"),
]


@pytest.mark.parametrize(("page", "text"), NUMBERS)
def test_numbers_are_those_of_the_code(page: str, text: str) -> None:
    assert text in re.sub(r"\s+", " ", (ROOT / "docs" / "explanation" / page).read_text())
