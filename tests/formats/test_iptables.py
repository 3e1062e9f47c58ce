"""The comma format compared with iptables -m bpf --bytecode, in a network namespace of its own."""

import re
import shutil
import subprocess
from functools import cache

import pytest

import cbpf

MAX_INSTRUCTIONS = 64  # XT_BPF_MAX_NUM_INSTR (linux/netfilter/xt_bpf.h)


def _iptables(bytecode: str) -> subprocess.CompletedProcess[str]:
    """Add a rule and print the rules; the rule is removed with the namespace."""
    script = 'iptables -A INPUT -m bpf --bytecode "$1" -j ACCEPT && iptables-save'
    command = ["unshare", "--net", "sh", "-c", script, "sh", bytecode]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@cache
def _missing() -> str | None:
    for name in ("iptables", "unshare"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    result = _iptables("1,6 0 0 1")
    return None if result.returncode == 0 else f"iptables -m bpf does not work here: {result.stderr.strip()[:80]}"


@pytest.mark.parametrize("expression", ["ip", "tcp port 443", "host 192.0.2.7", "icmp and ip[8] = 1", "len > 100", ""])
def test_iptables_accepts_and_prints_the_comma_format(expression: str) -> None:
    if _missing() is not None:
        pytest.skip(str(_missing()))
    program = cbpf.compile(expression, link_type="RAW")
    assert len(program) <= MAX_INSTRUCTIONS
    result = _iptables(cbpf.render(program, "comma").strip())
    assert (result.returncode, result.stderr) == (0, "")
    (bytecode,) = re.findall(r'--bytecode "([^"]*)"', result.stdout)
    assert cbpf.parse(bytecode) == program


@pytest.mark.parametrize("bytecode", ["2,6 0 0 1", "1,6 0 0", "x,6 0 0 1"])
def test_iptables_and_the_parser_reject_the_same_bytecode(bytecode: str) -> None:
    with pytest.raises(cbpf.ProgramFormatError):
        cbpf.parse(bytecode, format="comma")
    if _missing() is not None:
        pytest.skip(str(_missing()))
    assert _iptables(bytecode).returncode != 0
