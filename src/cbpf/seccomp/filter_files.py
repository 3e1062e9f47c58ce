"""Filters in files, recognised by their content: programs, profiles of containers, and policy files."""

import re
import sys
from collections.abc import Iterable

from .._record import Record
from .._typing import TYPE_CHECKING, Final
from ..errors import PolicyError
from ..formats.conversion import parse
from ..formats.recognition import OTHER_BYTE_ORDER, has_other_byte_order
from ..formats.text_input import decode_text
from ..isa.dialects import SECCOMP, Dialect
from ..isa.opcodes import OPCODE_BY_CODE, Action, Operand
from ..isa.program import Program
from .names.architectures import ARCHITECTURES, Architecture, ArchitectureName
from .names.architectures import architecture as find_architecture
from .policies import Policy

if TYPE_CHECKING:
    from .profiles.layers import Omission

_PROFILE: Final = re.compile(rb'\s*\{.*"(?:defaultAction|syscalls|archMap)"\s*:', re.DOTALL)
_POLICY: Final = re.compile(rb"^[ \t]*(?:default[ \t]*=|\[\[[ \t]*rule[ \t]*\]\])", re.MULTILINE)
_ARCHITECTURE_OFFSET: Final = 4
_BY_WORD: Final = {row.audit_arch: row for row in ARCHITECTURES.values()}


class FilterFile(Record):
    """A filter that was read from a file.

    Args:
        filter: The program, or the policy of a profile or of a policy file.
        dialect: The dialect of the program: `SECCOMP` with the byte order of its machine.
        omissions: The parts of a profile that are not in the policy, each with the reason.
    """

    filter: Program | Policy
    dialect: Dialect
    omissions: "tuple[Omission, ...]" = ()


def read_filter(
    data: bytes,
    *,
    architecture: ArchitectureName | None = None,
    capabilities: Iterable[str] | None = None,
    kernel_version: str | None = None,
    folder: str | None = None,
    source: str = "",
) -> FilterFile:
    r"""Read a filter from the content of a file, which may be in any of these forms.

    - a program in each notation that `cbpf.parse` reads, also the bytes of struct sock_filter in the other byte order;
    - a profile of an OCI runtime, of Docker or of Podman, in JSON;
    - a policy file (TOML).

    Args:
        data: The content of the file.
        architecture: The architecture of the machine; None: that which a profile lists first, or a program tests first,
            and otherwise this machine.
        capabilities: The capabilities of the container, for the layers of a profile; None: those that Docker grants.
        kernel_version: The version of the kernel, such as "6.1", for the layers of a profile; None: the newest one.
        folder: The folder of the files that a policy file includes; None: it must not include any.
        source: The name of the file, for messages.

    Returns:
        The filter.

    Raises:
        FieldError: An argument is invalid.
        MissingLibrary: A profile or a policy file needs a library that is not installed.
        PolicyError: The profile or the policy file is invalid.
        ProgramFormatError: The file is not a program either.

    >>> read_filter(b"ld [4]\njeq #0x80000016, 0, 1\nret #0x7fff0000\nret #0").dialect.byte_order
    'big'
    """
    row = None if architecture is None else find_architecture(architecture)
    if _PROFILE.match(data):
        from .profiles.layers import DEFAULT_CAPABILITIES
        from .profiles.reading import read_profile

        held = DEFAULT_CAPABILITIES if capabilities is None else capabilities
        text = _decoded(data, source)
        profile = read_profile(text, architecture=row, capabilities=held, kernel_version=kernel_version, source=source)
        return FilterFile(profile.policy, profile.policy.dialect, profile.omissions)
    if b"\0" not in data and _POLICY.search(data):
        from .policy_files.reading import read_policy

        policy = read_policy(_decoded(data, source), folder=folder, source=source)
        return FilterFile(policy, policy.dialect)
    is_swapped = has_other_byte_order(data)
    program = parse(data, format="raw-swapped" if is_swapped else "auto")
    row = row or first_architecture(program)
    byte_order = row.byte_order if row else OTHER_BYTE_ORDER if is_swapped else sys.byteorder
    return FilterFile(program, SECCOMP.replace(byte_order=byte_order))


def _decoded(data: bytes, source: str) -> str:
    return decode_text(data, lambda message: PolicyError(": ".join(filter(None, [source, message]))))


def first_architecture(program: Program) -> Architecture | None:
    """Return the known architecture with which a program first compares the word at offset 4; None if there is none."""
    offset = None
    for raw in program:
        opcode = OPCODE_BY_CODE.get(raw.op)
        if opcode is None:
            continue
        if opcode.action is Action.LOAD_A:
            offset = raw.k if opcode.operand is Operand.ABSOLUTE else None
        is_test = opcode.action is Action.EQUAL and opcode.operand is Operand.K and offset == _ARCHITECTURE_OFFSET
        if is_test and raw.k in _BY_WORD:
            return _BY_WORD[raw.k]
    return None
