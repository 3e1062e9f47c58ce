"""Profiles compiled by libseccomp, through the library pyseccomp, for comparisons with cbpf's own compiler.

The calls are those of runc: the architectures are added, then each name of each entry, in the order of the profile.
"""

import errno
import tempfile
from collections.abc import Iterable, Sequence
from functools import cache

from .._record import Record
from .._typing import Any, Final, Literal
from .._validators import one_of
from ..errors import MissingLibrary, PolicyError
from ..isa.program import Program
from .architectures import Architecture, ArchitectureName
from .comparison import ClassDifference, difference
from .policies import Policy
from .profile_format import Comparison, ProfileRule
from .profile_layers import DEFAULT_CAPABILITIES, Omission
from .profile_rules import ResolvedProfile, alternatives
from .profiles import resolve_profile, resolved_policy
from .system_calls import NAMES_REMEDY, names_available

_REMEDY: Final = "libseccomp needs pyseccomp: pip install 'cbpf[libseccomp]'"
_OPTIMIZE: Final = 8  # SCMP_FLTATR_CTL_OPTIMIZE
_check_optimization: Final = one_of(1, 2)


class LibseccompProgram(Record):
    """The program that libseccomp makes of a profile.

    Args:
        program: The program.
        architectures: The names of the architectures that the profile permits, the first is that of the machine.
        omissions: The parts of the profile that are not in the program.
        policy: The policy of the same entries, by cbpf's own compiler; None without the names of system calls.
    """

    program: Program
    architectures: tuple[str, ...]
    omissions: tuple[Omission, ...]
    policy: Policy | None

    def contradictions(self, *, timeout: float | None = 10) -> tuple[ClassDifference, ...]:
        """Return the calls about which the program decides otherwise than the profile demands.

        Old versions of libseccomp have errors, and do not know all calls of all architectures.

        Args:
            timeout: The time for the solver, in seconds; None: no limit.

        Returns:
            The classes of calls, *old* being the action that the profile demands, and *new* that of the program; () is
            a proof that the program decides about every call as cbpf's own program for the profile does.

        Raises:
            MissingLibrary: The library with the names of system calls is not installed.
            Undecided: As for `difference`.
        """
        if self.policy is None:
            raise MissingLibrary(NAMES_REMEDY)
        return difference(self.policy, self.program, dialect=self.policy.dialect, timeout=timeout)


def compile_profile(
    text: str,
    *,
    architecture: ArchitectureName | None = None,
    capabilities: Iterable[str] = DEFAULT_CAPABILITIES,
    kernel_version: str | None = None,
    optimization: Literal[1, 2] = 2,
    source: str = "",
) -> LibseccompProgram:
    """Compile a profile of a container with the libseccomp of the system, as runc does.

    Args:
        text: The profile, in JSON.
        architecture: The architecture of the machine; default: the first one that the profile lists, else that of this
            machine.
        capabilities: The capabilities of the container, with or without CAP_; default: those of Docker.
        kernel_version: The version of the kernel, such as "6.1", for `minKernel`; None: the newest one.
        optimization: The level of libseccomp's optimisation: 1 for a list, 2 for a tree.
        source: The name of the file, for messages.

    Returns:
        The program, and the parts of the profile that are not in it, with the names that the library does not know.

    Raises:
        PolicyError: The text is not a profile, or the library rejects it.
        FieldError: An argument is invalid.
        MissingLibrary: pyseccomp or libseccomp is not installed.
    """
    _check_optimization("compile_profile.optimization", optimization)
    resolved = resolve_profile(
        text, architecture=architecture, capabilities=capabilities, kernel_version=kernel_version, source=source
    )
    omissions = [*resolved.omissions]
    library = _library()
    rules = []
    for rule in resolved.rules:
        unknown = tuple(name for name in rule.names if library.resolve_syscall(library.Arch.NATIVE, name) == -1)
        if unknown:
            omissions.append(Omission(rule.place, unknown, "unknown to this libseccomp"))
        rules.append(rule._replace(names=tuple(name for name in rule.names if name not in unknown)))
    known = resolved._replace(rules=tuple(rules))
    program = compile_resolved(known, optimization)
    policy = resolved_policy(known) if names_available() else None
    return LibseccompProgram(program, tuple(each.name for each in resolved.architectures), tuple(omissions), policy)


def compile_resolved(resolved: ResolvedProfile, optimization: Literal[1, 2]) -> Program:
    """Return libseccomp's program for the entries of a profile, whose names must be known to the library."""
    library = _library()
    filter = library.SyscallFilter(resolved.default)
    filter.remove_arch(library.Arch.NATIVE)
    for each in resolved.architectures:
        try:
            filter.add_arch(_token(library, each))
        except OSError:
            raise PolicyError(f"architectures: {each.name} is unknown to this libseccomp") from None
    filter.set_attr(_OPTIMIZE, optimization)
    for rule in resolved.rules:
        for comparisons in alternatives(rule.comparisons):
            _add(library, filter, rule, comparisons)
    with tempfile.TemporaryFile() as file:
        filter.export_bpf(file)
        file.seek(0)
        return Program.from_bytes(file.read(), byte_order=resolved.architectures[0].byte_order)


def _add(library: Any, filter: Any, rule: ProfileRule, comparisons: Sequence[Comparison]) -> None:
    arguments = [_argument(library, each) for each in comparisons]
    for name in rule.names:
        try:
            filter.add_rule(rule.verdict, name, *arguments)
        except OSError as error:
            reason = errno.errorcode.get(error.errno or 0, str(error.errno))
            fact = "an entry with another action matches the same calls" if error.errno == errno.EEXIST else reason
            raise PolicyError(f"{rule.place}: {name}: libseccomp rejects the entry: {fact}") from None


def _argument(library: Any, comparison: Comparison) -> Any:
    operator = getattr(library, comparison.operator)
    if comparison.operator == "MASKED_EQ":
        return library.Arg(comparison.argument, operator, comparison.mask, comparison.value)
    return library.Arg(comparison.argument, operator, comparison.value)


def _token(library: Any, architecture: Architecture) -> int:
    """Return libseccomp's number of an architecture: AUDIT_ARCH, except for x32."""
    return getattr(library.Arch, architecture.oci.removeprefix("SCMP_ARCH_"), architecture.audit_arch)


@cache
def _library() -> Any:
    try:
        import pyseccomp
    except ImportError:
        raise MissingLibrary(_REMEDY) from None
    except (RuntimeError, OSError) as error:
        raise MissingLibrary(f"pyseccomp cannot use the library libseccomp.so.2 ({error}); install it") from None
    return pyseccomp
