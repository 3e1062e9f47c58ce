"""Programs as commands that create a rule of iptables, or a filter of tc."""

from .._typing import Final
from ..errors import ProgramFormatError
from ..isa.instructions import RetConstant
from ..isa.program import Program
from .numeric import render_comma

_LONGEST_IPTABLES: Final = 64  # XT_BPF_MAX_NUM_INSTR (linux/netfilter/xt_bpf.h)
_LONGEST_TC: Final = 2039
"""The most instructions that the tool sends with a classid: a message of iproute2 has 16,384 bytes."""

MATCH_OF_TC: Final = 0xFFFF_FFFF
"""The verdict for which tc takes the class of the command; any other one but 0 is the number of a class."""


def render_iptables(program: Program) -> str:
    """Return the command that appends a rule with the program; the chain and the target are examples."""
    _check_length(program, "iptables", _LONGEST_IPTABLES, f"a rule has at most {_LONGEST_IPTABLES}")
    return f"iptables -A INPUT -m bpf --bytecode '{_bytecode(program)}' -j ACCEPT\n"


def render_tc(program: Program) -> str:
    """Return the command that adds a filter with the program; the device and the class are examples."""
    _check_length(program, "tc", _LONGEST_TC, f"tc sends at most {_LONGEST_TC:,}")
    return f"tc filter add dev eth0 ingress bpf bytecode '{_bytecode(program)}' classid 1:1\n"


def verdict_without_class(program: Program) -> tuple[int, int] | None:
    """Return the first instruction that returns a number to tc that is not that of a class, and the number.

    None: there is none. The number of a class has a major and a minor number, each with 16 bits and not 0.
    """
    for index, instruction in enumerate(program.instructions):
        if isinstance(instruction, RetConstant):
            verdict = instruction.val
            if verdict and not (verdict >> 16 and verdict & 0xFFFF):
                return index, verdict
    return None


def _bytecode(program: Program) -> str:
    return render_comma(program).strip()


def _check_length(program: Program, name: str, longest: int, rule: str) -> None:
    if not program:
        raise ProgramFormatError(f"program: has no instructions; the format {name} requires at least one")
    if len(program) > longest:
        fact = f"program: the format {name} cannot represent {len(program):,} instructions"
        raise ProgramFormatError(f"{fact}; {rule}")
