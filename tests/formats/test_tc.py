"""The formats iptables and tc: complete commands, which the tools accept up to the limits of the formats."""

import re
import shlex
import shutil
import subprocess
from functools import cache

import pytest

import cbpf

DEVICE = "ip link add eth0 type dummy 2>/dev/null || ip link add eth0 type veth peer name peer"


def run_alone(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a network namespace of its own, with a device eth0 that has a queueing discipline clsact."""
    script = f"{DEVICE}; tc qdisc add dev eth0 clsact; {script}"
    return subprocess.run(["unshare", "--net", "sh", "-c", script], capture_output=True, text=True, check=False)


@cache
def missing() -> str | None:
    for name in ("iptables", "ip", "tc", "unshare"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    result = run_alone("tc filter show dev eth0 ingress")
    return None if result.returncode == 0 else f"tc does not work here: {result.stderr.strip()[:80]}"


def returns(count: int) -> cbpf.Program:
    return cbpf.Program([cbpf.RetConstant(262144)] * count)


@pytest.mark.parametrize(
    ("name", "longest", "show"),
    [("iptables", 64, "iptables -S"), ("tc", 2039, "tc filter show dev eth0 ingress")],
)
def test_the_tools_accept_programs_up_to_the_limit(name: str, longest: int, show: str) -> None:
    """One instruction more is an error of the format, and of the tool."""
    command = cbpf.render(returns(longest), name).strip()
    assert cbpf.parse(command) == cbpf.parse(command, format=name) == returns(longest)
    with pytest.raises(cbpf.ProgramFormatError, match=rf"cannot represent {longest + 1:,} instructions; "):
        cbpf.render(returns(longest + 1), name)
    if missing() is not None:
        pytest.skip(str(missing()))
    result = run_alone(f"{command} && {show}")
    assert (result.returncode, result.stderr) == (0, "")
    assert cbpf.parse(result.stdout) == returns(longest)
    bytecode = cbpf.render(returns(longest), "comma").strip()
    longer = command.replace(bytecode, cbpf.render(returns(longest + 1), "comma").strip())
    assert run_alone(longer).returncode != 0


@pytest.mark.parametrize("name", ["iptables", "tc"])
def test_the_command_is_one_line_for_a_shell(name: str) -> None:
    program = cbpf.compile("udp port 53", link_type="RAW", dialect=cbpf.LINUX)
    words = shlex.split(cbpf.render(program, name))
    assert words[0] == name
    assert [word for word in words if re.match(r"\d+,", word)] == [cbpf.render(program, "comma").strip()]


def test_offsets_of_ethernet_warn_in_a_rule_for_ip_packets() -> None:
    ethernet = cbpf.compile("udp port 53")
    with pytest.warns(cbpf.ProgramWarning, match="compile the expression for the link type RAW") as caught:
        cbpf.render(ethernet, "iptables")
    assert caught[0].filename == __file__
    with pytest.warns(cbpf.ProgramWarning):
        cbpf.render_bytes("udp port 53", "iptables")


@pytest.mark.filterwarnings("error")
def test_other_programs_do_not_warn() -> None:
    cbpf.render(cbpf.compile("udp port 53"), "tc")
    cbpf.render("udp port 53", "iptables", link_type="RAW")
    cbpf.render([(0x15, 0, 0, 0x800)], "iptables")  # which Linux rejects
    cbpf.render([(0x81, 0, 0, 0), (0xFFFF, 0, 0, 0x800)], "iptables")
