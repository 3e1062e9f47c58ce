"""Policy files in their canonical form: the same comments and the same meaning."""

import pytest

import cbpf
from cbpf.seccomp import format_policy, read_policy

pytest.importorskip("tomlkit", reason="policies are formatted by tomlkit")
pytest.importorskip("system_calls", reason="names of system calls need system-calls")

TEXT = """\
# The head.
default = "ERRNO"     # as Docker does
architectures=["amd64",'SCMP_ARCH_X86']
other-architectures = "KILL_PROCESS"

[groups]   # of calls
io = ["read","write"]

# The first rule.
[[rule]]
calls = [ "socket",  "connect", 435, "440..442" ]
if = "arg0   ==  AF_ALG or >40"   # a family
action = "trap(0x3)"

[[rule]]
calls = [
  "getpid", # stays
  "gettid",
]
action = 'allow'

[[rule]]
calls = ["accept", "accept4", "access", "bind", "brk", "close", "dup", "dup2", "dup3", "execve", "exit", "fork", "@io"]
architectures = ["amd64"]
action = "0x7ffc0000"
"""

FORMATTED = """\
# The head.
default = "errno(EPERM)"     # as Docker does
architectures=["x86_64", "i386"]
other-architectures = "kill_process"

[groups]   # of calls
io = ["read", "write"]

# The first rule.
[[rule]]
calls = ["socket", "connect", 435, "440..442"]
if = "arg0 = AF_ALG or > 40"   # a family
action = "trap(3)"

[[rule]]
calls = [
  "getpid", # stays
  "gettid",
]
action = "allow"

[[rule]]
calls = [
    "accept", "accept4", "access", "bind", "brk", "close", "dup", "dup2", "dup3", "execve", "exit",
    "fork", "@io",
]
architectures = ["x86_64"]
action = "log"
"""


def test_the_canonical_form() -> None:
    assert format_policy(TEXT) == FORMATTED
    assert format_policy(FORMATTED) == FORMATTED
    assert read_policy(FORMATTED) == read_policy(TEXT)


def test_included_files_are_not_read() -> None:
    text = 'include = ["base.toml"]\n[[rule]]\ncalls = ["@of-base"]\naction = "ALLOW"\n'
    assert format_policy(text) == text.replace("ALLOW", "allow")


def test_invalid_policies() -> None:
    with pytest.raises(
        cbpf.PolicyError, match=r"^p\.toml: rule 1 \(line 1\): unknown key 'call'; did you mean 'calls'\?$"
    ):
        format_policy("[[rule]]\ncall = 1", source="p.toml")
    with pytest.raises(cbpf.PolicyError, match=r"^p\.toml: line 1, column 1: "):
        format_policy("=", source="p.toml")
