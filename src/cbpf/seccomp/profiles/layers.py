"""The layers of Docker's and Podman's profiles, resolved for an architecture, capabilities and a kernel."""

from collections.abc import Iterable, Iterator

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Final
from ...errors import FieldError
from ..names.architectures import Architecture
from .format import Layer, Profile, ProfileRule

_ALL: Final = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
"""
_OF_DOCKER: Final = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL
AUDIT_WRITE
"""

CAPABILITIES: Final = tuple(f"CAP_{name}" for name in _ALL.split())
"""The capabilities, in the order of their numbers (linux/capability.h)."""

DEFAULT_CAPABILITIES: Final = tuple(f"CAP_{name}" for name in _OF_DOCKER.split())
"""The capabilities that Docker gives a container."""


class Omission(NamedTuple):
    """A part of a profile that is not in the policy.

    Args:
        place: The position in the profile, such as "syscalls[3]".
        names: The names of the calls that it is about.
        reason: The reason, such as "requires CAP_SYS_ADMIN".
    """

    place: str
    names: tuple[str, ...]
    reason: str

    def __str__(self) -> str:
        names = ", ".join([*self.names[:3], *["..."] * (len(self.names) > 3)])
        return ": ".join(filter(None, [self.place, names, self.reason]))


class ContainerTarget(NamedTuple):
    """The container for which a profile is resolved; the kernel is its two numbers, None for the newest one."""

    architecture: Architecture
    capabilities: frozenset[str]
    kernel: tuple[int, int] | None


def capability(path: str, name: object) -> str:
    """Return the name of a capability, for a name with or without CAP_, in upper or lower case.

    >>> capability("cap", "sys_admin")
    'CAP_SYS_ADMIN'
    """
    if not isinstance(name, str):
        raise FieldError(f"{path}: {name!r} is not the name of a capability")
    full = f"CAP_{name.upper().removeprefix('CAP_')}"
    if full in CAPABILITIES:
        return full
    hint = (
        suggestion(name.upper().removeprefix("CAP_"), _ALL.split())
        or "; an example is CAP_SYS_ADMIN (linux/capability.h)"
    )
    raise FieldError(f"{path}: {name!r} is not the name of a capability{hint}")


def architectures_of(profile: Profile, main: Architecture) -> tuple[Architecture, ...]:
    """Return the architectures of a profile on a machine: first that of the machine, as runc adds it."""
    listed = list(profile.architectures)
    for entry, others in profile.architecture_map:
        if entry == main:
            listed = [*others]
            break
    return tuple(dict.fromkeys([main, *listed]))


def resolve(profile: Profile, container: ContainerTarget) -> tuple[list[ProfileRule], list[Omission]]:
    """Return the rules that are left for a container, and those that are not used, each with the reason."""
    used: list[ProfileRule] = []
    omitted: list[Omission] = []
    for rule in profile.rules:
        omitted += [Omission(place, (), reason) for place, reason in _unknown_capabilities(rule)]
        reason = next(_reasons(rule, container), None)
        if reason is None:
            used.append(rule)
        else:
            omitted.append(Omission(rule.place, rule.names, reason))
    return used, omitted


def _unknown_capabilities(rule: ProfileRule) -> Iterator[tuple[str, str]]:
    """Yield the place of each capability that does not exist, and a reason; runtimes ignore it."""
    for key, layer in (("includes", rule.includes), ("excludes", rule.excludes)):
        for name in layer.capabilities:
            if name not in CAPABILITIES:
                yield f"{rule.place}.{key}.caps", f"unknown capability {name!r}{suggestion(name, CAPABILITIES)}"


def _reasons(rule: ProfileRule, container: ContainerTarget) -> Iterator[str]:
    """Yield the reasons for which a rule is not used, those of `excludes` first."""
    excluded, required = rule.excludes, rule.includes
    if container.architecture in excluded.architectures:
        yield f"not for {container.architecture.name}"
    if held := [name for name in excluded.capabilities if name in container.capabilities]:
        yield f"not with {_joined(held)}"
    if excluded.kernel and _is_at_least(container, excluded):
        yield f"not for Linux {_version(excluded)} and later"
    if required.architectures and container.architecture not in required.architectures:
        yield f"only for {_joined(each.name for each in required.architectures)}"
    if missing := [name for name in required.capabilities if name not in container.capabilities]:
        yield f"only with {_joined(missing)}"
    if required.kernel and not _is_at_least(container, required):
        yield f"only for Linux {_version(required)} and later"


def _is_at_least(container: ContainerTarget, layer: Layer) -> bool:
    return container.kernel is None or layer.kernel is None or container.kernel >= layer.kernel


def _version(layer: Layer) -> str:
    return ".".join(map(str, layer.kernel or ()))


def _joined(words: Iterable[str]) -> str:
    return ", ".join(words)
