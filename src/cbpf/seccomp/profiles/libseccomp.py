"""Profiles compiled by libseccomp, through the library pyseccomp, for comparisons with cbpf's own compiler.

The calls are those of runc: the architectures are added, then each name of each entry, in the order of the profile.
"""

import errno
import tempfile
from collections.abc import Sequence
from functools import cache

from ..._record import Record
from ..._typing import Any, Final, Literal
from ..._validators import one_of
from ...errors import MissingLibrary, PolicyError
from ...isa.program import Program
from ..comparison import ClassDifference, difference
from ..names.architectures import Architecture
from ..policies import Policy
from .format import Comparison, ProfileRule
from .layers import Omission
from .reading import ProfilePolicy, resolved_policy
from .rules import ResolvedProfile, alternatives

_REMEDY: Final = "libseccomp needs pyseccomp: pip install 'cbpf[libseccomp]'"
_OPTIMIZE: Final = 8  # SCMP_FLTATR_CTL_OPTIMIZE
_check_optimization: Final = one_of(1, 2)


class LibseccompProgram(Record):
    """The program that libseccomp makes of a profile.

    Args:
        program: The program.
        architectures: The names of the architectures that the profile permits, the first is that of the machine.
        omissions: The parts of the profile that are not in the program.
        policy: The policy of the same entries.
    """

    program: Program
    architectures: tuple[str, ...]
    omissions: tuple[Omission, ...]
    policy: Policy

    def contradictions(self, *, timeout: float | None = 10) -> tuple[ClassDifference, ...]:
        """Return the calls about which the program decides otherwise than the profile demands.

        Old versions of libseccomp have errors, and do not know all calls of all architectures.

        Args:
            timeout: The time for the solver, in seconds; None: no limit.

        Returns:
            The classes of calls, *old* being the action that the profile demands, and *new* that of the program; () is
            a proof that the program decides about every call as cbpf's own program for the profile does.

        Raises:
            Undecided: As for `difference`.
        """
        return difference(self.policy, self.program, dialect=self.policy.dialect, timeout=timeout)


def compile_profile(profile: ProfilePolicy, *, optimization: Literal[1, 2] = 2) -> LibseccompProgram:
    """Compile a profile of a container with the libseccomp of the system, as runc does.

    Args:
        profile: The profile, for one machine, as `read_profile` returns it; ENOSYS for numbers beyond it is not part of
            libseccomp's program.
        optimization: The level of libseccomp's optimisation: 1 for a list, 2 for a tree.

    Returns:
        The program, and the parts of the profile that are not in it, with the names that the library does not know.

    Raises:
        FieldError: *optimization* is neither 1 nor 2.
        MissingLibrary: pyseccomp or libseccomp is not installed.
        PolicyError: The library rejects the profile.
    """
    _check_optimization("compile_profile.optimization", optimization)
    library = _library()
    omissions = [*profile.resolved.omissions]
    rules = []
    for rule in profile.resolved.rules:
        unknown = tuple(name for name in rule.names if library.resolve_syscall(library.Arch.NATIVE, name) == -1)
        if unknown:
            omissions.append(Omission(rule.place, unknown, "unknown to this libseccomp"))
        rules.append(rule._replace(names=tuple(name for name in rule.names if name not in unknown)))
    known = profile.resolved._replace(rules=tuple(rules))
    program = compile_resolved(known, optimization)
    return LibseccompProgram(program, profile.architectures, tuple(omissions), resolved_policy(known))


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
