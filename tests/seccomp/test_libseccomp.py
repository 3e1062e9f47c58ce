"""Profiles compiled by libseccomp: equal by proof to those that cbpf compiles, where the library is correct."""

import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest

import cbpf
from cbpf.seccomp import compile_profile, read_profile
from cbpf.seccomp.profiles.libseccomp import compile_resolved
from cbpf.seccomp.profiles.reading import resolved_policy
from support.libseccomp_profiles import (
    OPERATORS,
    meaning,
    random_profile,
    resolved,
    with_correct_verdicts,
    without_unknown_names,
)
from support.project import Rounds

pytest.importorskip("system_calls", reason="names of system calls need system-calls")
pytest.importorskip("bitwuzla", reason="proofs need bitwuzla")


@pytest.fixture(scope="module")
def library() -> Any:
    try:
        import pyseccomp
    except (ImportError, RuntimeError, OSError) as error:  # without libseccomp, the import of pyseccomp fails
        pytest.skip(f"comparisons need pyseccomp: {error}")
    return pyseccomp


FILTERS = os.environ.get("CBPF_SECCOMP_FILTERS", "")
"""A folder with profiles of Docker and Podman."""

REAL_ARCHITECTURES = (
    *("x86_64", "i386", "x32", "aarch64", "arm", "riscv64", "s390x", "s390", "ppc64le", "ppc64", "ppc", "mips"),
    *("mipsel", "mips64", "mipsel64", "mips64n32", "mipsel64n32"),
)


def check_equal(library: Any, text: str, architecture: str, optimization: Literal[1, 2]) -> None:
    profile = without_unknown_names(library, resolved(text, architecture))
    policy = resolved_policy(profile)
    theirs = with_correct_verdicts(compile_resolved(profile, optimization), policy)
    dialect = cbpf.SECCOMP.replace(byte_order=policy.byte_order)
    assert cbpf.difference(theirs, policy.program(), dialect=dialect, timeout=120) is None


def entry(name: str, **parts: Any) -> dict[str, Any]:
    return {"names": [name], "action": "SCMP_ACT_ALLOW"} | parts


ACTIONS = ("KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP", "ERRNO", "TRACE", "ALLOW", "LOG", "NOTIFY")


@pytest.mark.parametrize("optimization", [1, 2])
@pytest.mark.parametrize(
    ("architecture", "others"),
    [
        ("x86_64", ["X86", "X32"]),
        pytest.param("x86_64", [], marks=pytest.mark.slow),
        pytest.param("i386", [], marks=pytest.mark.slow),
        ("s390x", ["S390"]),
        pytest.param("ppc64le", [], marks=pytest.mark.slow),
    ],
)
def test_all_operators_and_actions(
    library: Any, architecture: str, others: list[str], optimization: Literal[1, 2]
) -> None:
    names = ("read", "write", "open", "close", "fcntl", "ioctl", "socket")
    syscalls = [
        entry(name, args=[{"index": 1, "op": f"SCMP_CMP_{operator}", "value": 2**32 + 5, "valueTwo": 4}])
        for name, operator in zip(names, OPERATORS, strict=True)
    ]
    calls = ("getpid", "getuid", "getgid", "gettid", "getppid", "sync", "pause", "umask", "kill")
    syscalls += [
        entry(name, action=f"SCMP_ACT_{action}", errnoRet=7) for name, action in zip(calls, ACTIONS, strict=True)
    ]
    syscalls.append(entry("semget", args=[{"index": 2, "op": "SCMP_CMP_GT", "value": 5}]))
    text = {
        "defaultAction": "SCMP_ACT_ERRNO",
        "archMap": [{"architecture": f"{architecture}", "subArchitectures": [f"SCMP_ARCH_{each}" for each in others]}],
        "syscalls": syscalls,
    }
    check_equal(library, json.dumps(text), architecture, optimization)


@pytest.mark.fuzz
def test_random_profiles(library: Any, rounds: Rounds) -> None:
    """Where the programs differ, the library contradicts the profile, and cbpf does not."""
    equal = 0
    for random in rounds(40):
        architecture = ("x86_64", "i386", "aarch64", "ppc64le")[int(random.random() * 4)]
        profile = resolved(random_profile(random), architecture)
        policy = resolved_policy(profile)
        theirs = compile_resolved(profile, 2)
        found = cbpf.difference(theirs, policy.program(), dialect=cbpf.SECCOMP)
        equal += found is None
        if found is not None:
            assert meaning(profile, architecture, found.packet) == found.right_verdict
            assert found.left_verdict != found.right_verdict
    assert equal


@pytest.mark.slow
@pytest.mark.skipif(not FILTERS, reason="CBPF_SECCOMP_FILTERS is not set")
@pytest.mark.parametrize("architecture", REAL_ARCHITECTURES)
def test_real_profiles(library: Any, architecture: str) -> None:
    paths = sorted(Path(FILTERS).glob("*.json"))
    texts = [text for path in paths if "defaultAction" in (text := path.read_text())]
    assert texts
    for text in texts:
        for optimization in (1, 2):
            check_equal(library, text, architecture, optimization)


@pytest.mark.skipif(not FILTERS, reason="CBPF_SECCOMP_FILTERS is not set")
def test_dockers_policy_is_short() -> None:
    """At most 250 instructions, and 24 on the longest path; libseccomp needs 1,246 and 24, or 1,001 and 613."""
    for path in sorted(Path(FILTERS).glob("docker-*.json")):
        program = read_profile(path.read_text(), architecture="x86_64").policy.program()
        assert len(program) <= 250
        assert cbpf.program_info(program, dialect=cbpf.SECCOMP).longest <= 24


def test_what_the_library_does_not_know_is_reported(library: Any) -> None:
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [entry("read"), entry("getpidd")]})
    result = compile_profile(read_profile(text, architecture="x86_64"))
    assert [str(each) for each in result.omissions] == ["syscalls[1]: getpidd: unknown to this libseccomp"]
    assert cbpf.VM(result.program, dialect=cbpf.SECCOMP).run(bytes([0, 0, 0, 0, 0x3E, 0, 0, 0xC0]) + bytes(56))
    assert result.contradictions() == ()  # the policy lacks it as well


def test_what_the_library_rejects_is_an_error(library: Any) -> None:
    arguments = [{"index": 0, "op": "SCMP_CMP_EQ", "value": 5}]
    twice = [entry("read", args=arguments), entry("read", args=arguments, action="SCMP_ACT_TRAP")]
    text = json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": twice})
    fact = r"syscalls\[1\]: read: libseccomp rejects the entry: an entry with another action matches the same calls"
    profile = read_profile(text, architecture="x86_64")
    with pytest.raises(cbpf.PolicyError, match=fact):
        compile_profile(profile)
    with pytest.raises(cbpf.FieldError, match=r"compile_profile\.optimization: 3 is not one of 1, 2"):
        compile_profile(profile, optimization=3)  # type: ignore[arg-type]
