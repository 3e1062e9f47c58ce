"""Profiles of containers as policies: profiles of OCI runtimes, and those of Docker and Podman with their layers."""

import platform
from collections.abc import Iterable

from ..._record import Record
from ...errors import FieldError, MissingLibrary, PolicyError
from ..names.architectures import ARCHITECTURES, Architecture, ArchitectureName
from ..names.architectures import architecture as architecture_named
from ..names.system_calls import NAMES_REMEDY, names_available
from ..policies import Policy
from .format import Profile, kernel_version, parse_profile
from .layers import (
    DEFAULT_CAPABILITIES,
    ContainerTarget,
    Omission,
    architectures_of,
    capability,
    resolve,
)
from .rules import ResolvedProfile, rules_of_profile, unknown_names


class ProfilePolicy(Record):
    """The policy of a profile, for one machine.

    Args:
        policy: The policy.
        architectures: The names of the architectures that the profile permits, the first is that of the machine.
        omissions: The parts of the profile that are not in the policy.
        resolved: The entries of the profile that are used on this machine, for other compilers.
    """

    policy: Policy
    architectures: tuple[str, ...]
    omissions: tuple[Omission, ...]
    resolved: ResolvedProfile


def read_profile(
    text: str,
    *,
    architecture: ArchitectureName | None = None,
    capabilities: Iterable[str] = DEFAULT_CAPABILITIES,
    kernel_version: str | None = None,
    enosys: bool = False,
    source: str = "",
) -> ProfilePolicy:
    r"""Return the policy of a profile of a container: of OCI runtimes, or with the layers of Docker and Podman.

    Args:
        text: The profile, in JSON.
        architecture: The architecture of the machine; default: the first one that the profile lists, else that of this
            machine.
        capabilities: The capabilities of the container, with or without CAP_; default: those of Docker.
        kernel_version: The version of the kernel, such as "6.1", for `minKernel`; None: the newest one.
        enosys: Whether numbers above the highest one that the profile names give ENOSYS, as runc adds to profiles.
        source: The name of the file, for messages.

    Returns:
        The policy, the architectures, and the parts of the profile that are not in the policy, each with the reason.

    Raises:
        PolicyError: The text is not a profile; the message has the place.
        FieldError: An architecture, a capability or the version of the kernel is unknown.
        MissingLibrary: The library with the names of system calls is not installed.

    >>> profile = '''{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
    ...     {"names": ["getpid", "reboot"], "action": "SCMP_ACT_ALLOW"},
    ...     {"names": ["read"], "action": "SCMP_ACT_ERRNO"}]}'''
    >>> result = read_profile(profile)
    >>> result.policy.action(0xC000003E, 39).name
    'ALLOW'
    >>> print(*result.omissions, sep="\n")
    syscalls[1]: read: has the default action
    """
    if not names_available():
        raise MissingLibrary(NAMES_REMEDY)
    profile = parse_profile(text, source)
    held = frozenset(capability("capabilities", each) for each in capabilities)
    kernel = None if kernel_version is None else _kernel(kernel_version)
    resolved = _resolved(profile, ContainerTarget(_main_architecture(profile, architecture), held, kernel), source)
    names = tuple(each.name for each in resolved.architectures)
    omissions = (*resolved.omissions, *unknown_names(resolved))
    return ProfilePolicy(resolved_policy(resolved, enosys=enosys), names, omissions, resolved)


def _resolved(profile: Profile, container: ContainerTarget, source: str) -> ResolvedProfile:
    """Return the entries of a profile that are used for a container."""
    main = container.architecture
    architectures = architectures_of(profile, main)
    for other in architectures:
        if other.byte_order != main.byte_order:
            fact = f"{other.name} is {other.byte_order}-endian, {main.name} is {main.byte_order}-endian"
            raise PolicyError(f"{source}: " * bool(source) + f"architectures: {fact}; a filter has one byte order")
    used, omissions = resolve(profile, container)
    ignored = [Omission(place, (), reason) for place, reason in profile.ignored]
    rules = tuple(rule for rule in used if rule.verdict != profile.default)
    named = frozenset(name for rule in used for name in rule.names)
    skipped = [rule for rule in used if rule.verdict == profile.default]
    omissions += [Omission(rule.place, rule.names, "has the default action") for rule in skipped]
    return ResolvedProfile(profile.default, architectures, rules, named, (*ignored, *omissions))


def resolved_policy(profile: ResolvedProfile, *, enosys: bool = False) -> Policy:
    """Return the policy of the entries of a profile, which needs the names of system calls."""
    return Policy(tuple(rules_of_profile(profile, enosys)), profile.default, profile.architectures[0].byte_order)


def _kernel(version: str) -> tuple[int, int]:
    return kernel_version("kernel_version", version)


def _main_architecture(profile: Profile, architecture: ArchitectureName | None) -> Architecture:
    if architecture is not None:
        return architecture_named(architecture)
    if profile.architectures:
        return profile.architectures[0]
    try:
        return architecture_named(platform.machine())
    except FieldError:
        return ARCHITECTURES["x86_64"]
