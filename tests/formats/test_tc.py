"""The formats iptables and tc: complete commands, which the tools accept up to the limits of the formats."""

import re
import shlex
import shutil
import subprocess
from functools import cache

import pytest

import cbpf
from support.command_line import CommandLine

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
    return cbpf.Program([cbpf.RetConstant(0xFFFFFFFF)] * count)


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
    with pytest.raises(cbpf.ProgramFormatError, match=f"has no instructions; the format {name} requires at least one"):
        cbpf.render([], name)
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
    program = cbpf.compile("udp port 53", link_type="RAW", snaplen=0xFFFFFFFF, dialect=cbpf.LINUX)
    words = shlex.split(cbpf.render(program, name))
    assert words[0] == name
    assert [word for word in words if re.match(r"\d+,", word)] == [cbpf.render(program, "comma").strip()]


def test_offsets_of_ethernet_warn_in_a_rule_for_ip_packets() -> None:
    ethernet = cbpf.compile("udp port 53")
    with pytest.warns(cbpf.ProgramWarning, match="compile the expression for the link type RAW") as caught:
        cbpf.render(ethernet, "iptables")
    assert caught[0].filename == __file__
    with pytest.warns(cbpf.ProgramWarning):
        cbpf.render_bytes("udp port 53", "iptables", link_type="EN10MB")


@pytest.mark.filterwarnings("error")
def test_other_programs_do_not_warn() -> None:
    cbpf.render(cbpf.compile("udp port 53", snaplen=0xFFFFFFFF), "tc")
    cbpf.render([cbpf.RetConstant(0x10010), cbpf.RetA()], "tc")
    cbpf.render("udp port 53", "iptables")
    cbpf.render([(0x15, 0, 0, 0x800)], "iptables")  # which Linux rejects
    cbpf.render([(0x81, 0, 0, 0), (0xFFFF, 0, 0, 0x800)], "iptables")


def test_expressions_keep_the_class_of_the_command() -> None:
    """The kernel takes any verdict but 0 and 0xffffffff as the number of a class."""
    program = cbpf.compile("udp port 53", snaplen=0xFFFFFFFF)
    assert {raw.k for raw in program if raw.op == 6} == {0, 0xFFFFFFFF}
    for source in ("udp port 53", cbpf.Expression("udp port 53")):
        assert cbpf.parse(cbpf.render(source, "tc")) == program
    assert cbpf.parse(cbpf.render("udp port 53", "comma")) == cbpf.compile("udp port 53")


@pytest.mark.filterwarnings("error")
def test_expressions_are_compiled_for_the_packets_of_the_hook() -> None:
    for source in ("udp port 53", cbpf.Expression("udp port 53")):
        raw = cbpf.compile(source, link_type="RAW")
        assert cbpf.parse(cbpf.render(source, "iptables")) == cbpf.parse(cbpf.render_bytes(source, "iptables")) == raw
        assert cbpf.parse(cbpf.render(source, "comma")) == cbpf.compile(source)
        ppp = cbpf.render(source, "iptables", link_type="PPP")
        assert cbpf.parse(ppp) == cbpf.compile(source, link_type="PPP")


def test_the_command_line_compiles_for_the_packets_of_the_hook(cli: CommandLine) -> None:
    result = cli("convert", "--to", "iptables", "-e", "udp port 53")
    assert (result.exit_code, result.stderr) == (0, "")
    assert cbpf.parse(result.stdout) == cbpf.compile("udp port 53", link_type="RAW")


@pytest.mark.parametrize("verdict", [1, 0xFFFF, 0x10000, 262144])
def test_verdicts_that_are_not_classes_warn(verdict: int) -> None:
    program = cbpf.Program([cbpf.RetConstant(0x10001), cbpf.RetConstant(verdict)])
    with pytest.warns(cbpf.ProgramWarning, match=f"tc: instruction 1 returns {verdict}, which tc takes as the class"):
        cbpf.render(program, "tc")


def test_the_front_end_of_libpcap_has_no_verdict_for_tc() -> None:
    with pytest.raises(cbpf.FieldError, match="'libpcap' supports at most 2147483647"):
        cbpf.compile("arp", snaplen=0xFFFFFFFF, frontend="libpcap")
