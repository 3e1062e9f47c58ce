"""Made-up filters of system calls of the size of those of container runtimes, in the shape that runtimes give them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from zlib import crc32

import cbpf
from cbpf.seccomp import Condition, Policy, Rule, call_names, read_profile

MAX_INSTRUCTIONS: Final = 4096
_ALLOW: Final = 0x7FFF_0000
_ERRNO: Final = 0x0005_0001
_X32_BIT: Final = 0x4000_0000
_LOW_HALF: Final = 0xFFFF_FFFF
_TESTS_PER_RETURN: Final = 100
"""The number of tests that share an instruction `ret`; the offset of a conditional jump is at most 255."""

_NAMESPACES: Final = 0x7E02_0000
_CONDITIONAL: Final[dict[str, list[list[dict[str, Any]]]]] = {
    "clone": [[{"index": 0, "op": "SCMP_CMP_MASKED_EQ", "value": _NAMESPACES, "valueTwo": 0}]],
    "personality": [
        [{"index": 0, "op": "SCMP_CMP_EQ", "value": value}] for value in (0, 8, 0x20000, 0x20008, 2**32 - 1)
    ],
    "socket": [[{"index": 0, "op": "SCMP_CMP_EQ", "value": family}] for family in (1, 2, 10, 16, 17)],
}
"""The conditions under which some calls are allowed: one of them must hold."""


def profile(version: int = 0) -> str:
    """Return a profile in JSON that allows about three quarters of the calls of x86_64, i386 and x32.

    Each other version than 0 denies some more calls, and other ones.
    """
    names = sorted({*call_names("x86_64"), *call_names("i386")} - set(_CONDITIONAL))
    allowed = [name for name in names if _number_of(name[:3]) % 4]  # related calls have related names
    if version:
        allowed = [name for name in allowed if _number_of(f"{version} {name}") % 100]
    entries: list[dict[str, Any]] = [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]
    entries += [
        {"names": [name], "action": "SCMP_ACT_ALLOW", "args": comparisons}
        for name, alternatives in _CONDITIONAL.items()
        for comparisons in alternatives
    ]
    machine = {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}
    text = {"defaultAction": "SCMP_ACT_ERRNO", "archMap": [machine], "syscalls": entries}
    return json.dumps(text, indent=1) + "\n"


def linear_filter(version: int = 0) -> cbpf.Program:
    """Return `profile` as a program of about 1,000 instructions that compares the number with one call after another.

    Libseccomp writes such programs for runtimes unless they request a binary tree.
    """
    return linear_program(read_profile(profile(version), architecture="x86_64").policy)


def _number_of(text: str) -> int:
    return crc32(text.encode())


def device_filter(calls: int = 10) -> cbpf.Program:
    """Return a filter that tests an argument of each call as browsers test the requests of `ioctl`.

    An argument that is not a number of 32 bits with a sign has a verdict of its own, a few values of its second byte
    are allowed, except for some numbers, and all others have one of five verdicts.
    """
    lines = ["ld [0]", *(f"jeq #{call}, call{call}" for call in range(calls)), "ret #0x00030001"]
    for call in range(calls):
        low, high = 16 + 8 * (call % 3), 20 + 8 * (call % 3)
        kinds = [f"jeq #{(call + 7 * index) % 256 << 8}, allow{call}" for index in range(1, 5)]
        exceptions = [f"jeq #{0x5401 + call * index}, deny{call}" for index in range(1, 4)]
        lines += [f"call{call}: ld [{high}]", f"jeq #0, low{call}", f"jne #0xffffffff, wide{call}"]
        lines += [f"ld [{low}]", f"jset #0x80000000, low{call}", f"wide{call}: ret #0x00030008"]
        lines += [f"low{call}: ld [{low}]", "and #0xff00", *kinds, f"ld [{low}]", *exceptions]
        lines += [f"ret #{0x30002 + call % 5}", f"allow{call}: ret #{_ALLOW}", f"deny{call}: ret #0x50019"]
    return cbpf.parse("\n".join(lines))


# -- programs in linear shape -----------------------------------------------------------------------------------------


def linear_program(policy: Policy) -> cbpf.Program:
    """Return the policy of a profile as a program of one test after the other.

    Each rule is for one architecture, a little-endian one, except for one that decides about all other architectures.
    The conditions of rules must be equalities of one number under a mask.
    """
    (others,) = (rule.verdict for rule in policy.rules if len(rule.architectures) > 1)
    sections: dict[int, list[Rule]] = {}
    for rule in policy.rules:
        if len(rule.architectures) == 1:
            sections.setdefault(rule.architectures[0][0], []).append(rule)
    lines = ["ld [4]"]
    for architecture, rules in sections.items():
        lines += [f"jeq #{architecture}, numbers{architecture}", f"ja others{architecture}"]
        lines += [f"numbers{architecture}: ld [0]", *_section(architecture, rules)]
        lines += [f"ret #{policy.default}", f"others{architecture}:"]
    return cbpf.parse("\n".join([*lines, f"ret #{others}"]))


def _section(architecture: int, rules: Sequence[Rule]) -> Iterator[str]:
    """Yield the tests of one architecture: calls without conditions first."""
    plain = [(number, rule.verdict) for rule in rules if not rule.conditions for number in _numbers(rule)]
    for start in range(0, len(plain), _TESTS_PER_RETURN):
        group = plain[start : start + _TESTS_PER_RETURN]
        label = f"{architecture}_{start}"
        verdicts = dict.fromkeys(verdict for _, verdict in group)
        yield from (f"jeq #{number}, ret{label}_{verdict}" for number, verdict in group)
        yield f"ja after{label}"
        yield from (f"ret{label}_{verdict}: ret #{verdict}" for verdict in verdicts)
        yield f"after{label}:"
    for index, rule in enumerate(rules):
        if rule.conditions:
            for number in _numbers(rule):
                label = f"next{architecture}_{index}_{number}"
                tests = [line for condition in rule.conditions for line in _equality(condition, label)]
                yield from (f"jneq #{number}, {label}", *tests, f"ret #{rule.verdict}", f"{label}: ld [0]")


def _numbers(rule: Rule) -> Iterator[int]:
    for low, high in rule.numbers:
        yield from range(low, high + 1)


def _equality(condition: Condition, otherwise: str) -> Iterator[str]:
    """Yield the test of both halves of an argument; it continues at a label if one differs."""
    ((mask, ((value, last),)),) = [(test.mask, test.ranges) for test in condition.alternatives]
    assert value == last
    offset = 16 + 8 * condition.operand
    for shift, word in ((32, offset + 4), (0, offset)):
        half_mask, half = mask >> shift & _LOW_HALF, value >> shift & _LOW_HALF
        if half_mask:
            yield f"ld [{word}]"
            if half_mask != _LOW_HALF:
                yield f"and #{half_mask}"
            yield f"jneq #{half}, {otherwise}"


# -- programs of the greatest length ----------------------------------------------------------------------------------


def single_bits() -> cbpf.Program:
    """Return a program of 4,096 instructions that tests the single bits of arguments, for one call after another."""
    lines = []
    for index in range((MAX_INSTRUCTIONS - 1) // 5):
        bit, word = 1 << index % 32, 16 + 4 * (index // 32 % 12)
        lines += ["ld [0]", f"jneq #{index}, next{index}", f"ld [{word}]", f"jset #{bit}, next{index}"]
        lines += [f"ret #{_ERRNO}", f"next{index}:"]
    lines += ["ld [0]"] * ((MAX_INSTRUCTIONS - 1) % 5)
    return cbpf.parse("\n".join([*lines, f"ret #{_ALLOW}"]))


def random_masks() -> cbpf.Program:
    """Return a program of 4,096 instructions that compares one argument under a thousand masks of six bits.

    Its decision diagram is too large, as far as is known in every order of the bits.
    """
    lines = []
    for index in range((MAX_INSTRUCTIONS - 1) // 4):
        positions = {_number_of(f"{index} {position}") % 32 for position in range(6)}
        mask = sum(1 << position for position in positions)
        lines += ["ld [16]", f"and #{mask}", f"jneq #{_number_of(f'{index}') & mask}, next{index}"]
        lines += [f"ret #{_ERRNO + index % 100}", f"next{index}:"]
    lines += ["ld [0]"] * ((MAX_INSTRUCTIONS - 1) % 4)
    return cbpf.parse("\n".join([*lines, f"ret #{_ALLOW}"]))
