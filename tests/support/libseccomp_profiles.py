"""Profiles that cbpf and libseccomp compile: random ones, and real ones without names that a library lacks."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

import cbpf
from cbpf.seccomp import ARCHITECTURES, Policy, call_names, read_profile
from cbpf.seccomp.names.multiplexers import IPC_CALLS, SOCKET_CALLS
from cbpf.seccomp.profiles.format import Comparison
from cbpf.seccomp.profiles.rules import ResolvedProfile
from support.random_choices import below, chance, pick

OPERATORS: Final = ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ")
VALUES: Final = (0, 1, 2, 5, 6, 2**32 - 1, 2**32, 2**32 + 5, 2**63, 2**64 - 1)
NAMES: Final = ("read", "socket", "connect", "semget", "shmat")
MULTIPLEXED: Final = {**SOCKET_CALLS, **IPC_CALLS}
_RETURN: Final = 0x06
_X32_BIT: Final = 0x4000_0000


def resolved(text: str, architecture: str) -> ResolvedProfile:
    return read_profile(text, architecture=architecture).resolved


def without_unknown_names(library: Any, profile: ResolvedProfile) -> ResolvedProfile:
    """Return a profile without the calls whose numbers the library does not have, on any of its architectures."""

    def is_known(name: str) -> bool:
        return library.resolve_syscall(library.Arch.NATIVE, name) != -1 and all(
            number(each.name, name) == call_names(each).get(name) for each in profile.architectures
        )

    def number(architecture: str, name: str) -> int | None:
        row = ARCHITECTURES[architecture]
        token = getattr(library.Arch, row.oci.removeprefix("SCMP_ARCH_"), row.audit_arch)
        found = library.resolve_syscall(token, name)
        if found < 0:  # the call does not exist, or the library's number represents socketcall or ipc
            return call_names(row).get(name) if name in MULTIPLEXED else None
        return found | _X32_BIT if architecture == "x32" else int(found)

    rules = (rule._replace(names=tuple(filter(is_known, rule.names))) for rule in profile.rules)
    return profile._replace(rules=tuple(rule for rule in rules if rule.names))


def with_correct_verdicts(program: cbpf.Program, policy: Policy) -> cbpf.Program:
    """Return a program of libseccomp 2.5.4 without its error in verdicts of big-endian programs: swapped bytes."""
    verdicts = {policy.default, *(rule.verdict for rule in policy.rules)}

    def corrected(instruction: cbpf.RawInstruction) -> cbpf.RawInstruction:
        swapped = int.from_bytes(instruction.k.to_bytes(4, "big"), "little")
        is_wrong = instruction.op == _RETURN and instruction.k not in verdicts and swapped in verdicts
        return instruction._replace(k=swapped) if is_wrong else instruction

    return cbpf.Program(map(corrected, program))


def random_profile(random: Random) -> str:
    """Return a profile with one action, whose entries have at most one condition on each argument."""
    syscalls = []
    for _ in range(1 + below(random, 4)):
        arguments = []
        for index in range(6):
            if chance(random, 0.25):
                operator = f"SCMP_CMP_{pick(random, OPERATORS)}"
                values = {"value": pick(random, VALUES), "valueTwo": pick(random, VALUES)}
                arguments.append({"index": index, "op": operator, **values})
        names = sorted({pick(random, NAMES) for _ in range(1 + below(random, 2))})
        syscalls.append({"names": names, "action": "SCMP_ACT_ALLOW", "args": arguments})
    syscalls.append({"names": ["getpid"], "action": "SCMP_ACT_ALLOW"})  # of one entry, the library may load no number
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": syscalls})


def meaning(profile: ResolvedProfile, architecture: str, record: bytes) -> int:
    """Return the verdict of a profile with one action: whether all comparisons of an entry hold for a call."""
    row = ARCHITECTURES[architecture]
    words = [int.from_bytes(record[at : at + 4], row.byte_order) for at in (0, 4)]
    assert words[1] == row.audit_arch
    arguments = [int.from_bytes(record[at : at + 8], row.byte_order) for at in range(16, 64, 8)]
    for rule in profile.rules:
        for name in rule.names:
            comparisons = list(rule.comparisons)
            is_call = words[0] == call_names(row).get(name)
            if name in MULTIPLEXED:
                multiplexer = "socketcall" if name in SOCKET_CALLS else "ipc"
                if words[0] == call_names(row).get(multiplexer):
                    is_call = arguments[0] % 2**32 == MULTIPLEXED[name]
                    comparisons = [each for each in comparisons if each.argument != 0]
            if is_call and all(_holds(arguments[each.argument], each, row.bits) for each in comparisons):
                return rule.verdict
    return profile.default


def _holds(value: int, comparison: Comparison, bits: int) -> bool:
    left = value % 2**bits & comparison.mask
    right = comparison.value & comparison.mask & (2**bits - 1)
    outcomes: dict[str, bool] = {
        "NE": left != right,
        "LT": left < right,
        "LE": left <= right,
        "EQ": left == right,
        "GE": left >= right,
        "GT": left > right,
        "MASKED_EQ": left == right,
    }
    return outcomes[comparison.operator]
