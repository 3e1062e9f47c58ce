"""The architectures of system calls: one row each.

A filter reads the architecture of a call as AUDIT_ARCH, and its number as the register holds it. Two tables of numbers
can share an AUDIT_ARCH; then their numbers differ (x86_64 and x32).

Sources: linux/audit.h, linux/elf-em.h, asm/unistd.h of each architecture, kernel/seccomp.c.
"""

from collections.abc import Mapping
from types import MappingProxyType

from ..._record import Record
from ..._suggestions import suggestion
from ..._typing import Final, Literal, TypeAlias
from ...errors import FieldError
from ...isa.dialects import SECCOMP, Dialect

_64_BITS: Final = 0x8000_0000  # __AUDIT_ARCH_64BIT
_X32_BIT: Final = 0x4000_0000  # __X32_SYSCALL_BIT
_EM_MIPS: Final = 8


class Architecture(Record):
    """An architecture, as far as the filters of system calls are concerned.

    Args:
        name: The name, as `uname -m` prints it where there is one.
        audit_arch: The word at offset 4 of struct seccomp_data.
        byte_order: The byte order of the machine, and of struct seccomp_data.
        bits: The size of a pointer and of a C `long`, 32 or 64.
        number_base: The number of the first system call: 0x40000000 for x32, 4000 to 6000 for mips.
        oci: The name in OCI profiles, such as "SCMP_ARCH_X86_64".
        go: The name in Go and in the profiles of Docker and Podman, such as "amd64".
        table: The name of its table in the library system-calls.
        unfiltered: The numbers of system calls that Linux runs without a filter.

    >>> ARCHITECTURES["s390x"].audit_arch, ARCHITECTURES["s390x"].dialect.byte_order
    (2147483670, 'big')
    """

    name: str
    audit_arch: int
    byte_order: Literal["little", "big"]
    bits: Literal[32, 64]
    oci: str
    go: str
    table: str
    number_base: int = 0
    unfiltered: tuple[int, ...] = ()

    @property
    def register_bits(self) -> int:
        """The size of the registers of arguments: 64 bits also for x32 and n32, whose pointers have 32 bits."""
        return 64 if self.audit_arch & _64_BITS else 32

    @property
    def enosys(self) -> int:
        """The errno ENOSYS, by which libraries recognise that a kernel lacks a system call (asm/errno.h)."""
        return 89 if self.audit_arch & 0xFFFF == _EM_MIPS else 38

    @property
    def dialect(self) -> Dialect:
        """The dialect of its filters: `SECCOMP` with its byte order."""
        return SECCOMP if self.byte_order == SECCOMP.byte_order else SECCOMP.replace(byte_order=self.byte_order)


_TABLE: Final = (
    # uretprobe and uprobe, which the kernel itself places in programs
    Architecture("x86_64", 0xC000003E, "little", 64, "SCMP_ARCH_X86_64", "amd64", "x86_64", unfiltered=(335, 336)),
    Architecture("x32", 0xC000003E, "little", 32, "SCMP_ARCH_X32", "amd64p32", "x32", _X32_BIT),
    Architecture("i386", 0x40000003, "little", 32, "SCMP_ARCH_X86", "386", "i386"),
    Architecture("aarch64", 0xC00000B7, "little", 64, "SCMP_ARCH_AARCH64", "arm64", "arm64"),
    Architecture("arm", 0x40000028, "little", 32, "SCMP_ARCH_ARM", "arm", "arm"),
    Architecture("riscv64", 0xC00000F3, "little", 64, "SCMP_ARCH_RISCV64", "riscv64", "riscv64"),
    Architecture("loongarch64", 0xC0000102, "little", 64, "SCMP_ARCH_LOONGARCH64", "loong64", "loongarch64"),
    Architecture("s390x", 0x80000016, "big", 64, "SCMP_ARCH_S390X", "s390x", "s390x"),
    Architecture("s390", 0x00000016, "big", 32, "SCMP_ARCH_S390", "s390", "s390"),
    Architecture("ppc64le", 0xC0000015, "little", 64, "SCMP_ARCH_PPC64LE", "ppc64le", "powerpc64"),
    Architecture("ppc64", 0x80000015, "big", 64, "SCMP_ARCH_PPC64", "ppc64", "powerpc64"),
    Architecture("ppc", 0x00000014, "big", 32, "SCMP_ARCH_PPC", "ppc", "powerpc"),
    Architecture("mips", 0x00000008, "big", 32, "SCMP_ARCH_MIPS", "mips", "mipso32", 4000),
    Architecture("mipsel", 0x40000008, "little", 32, "SCMP_ARCH_MIPSEL", "mipsle", "mipso32", 4000),
    Architecture("mips64", 0x80000008, "big", 64, "SCMP_ARCH_MIPS64", "mips64", "mips64", 5000),
    Architecture("mipsel64", 0xC0000008, "little", 64, "SCMP_ARCH_MIPSEL64", "mips64le", "mips64", 5000),
    Architecture("mips64n32", 0xA0000008, "big", 32, "SCMP_ARCH_MIPS64N32", "mips64p32", "mips64n32", 6000),
    Architecture("mipsel64n32", 0xE0000008, "little", 32, "SCMP_ARCH_MIPSEL64N32", "mips64p32le", "mips64n32", 6000),
)

ARCHITECTURES: Final[Mapping[str, Architecture]] = MappingProxyType({row.name: row for row in _TABLE})
"""The architectures by name. The mapping is read-only."""

ArchitectureName: TypeAlias = str | Architecture
"""An architecture as an argument: a row of `ARCHITECTURES`, or its name, that of OCI profiles, or that of Go."""

_BY_ANY_NAME: Final = {
    **{row.go: row for row in _TABLE},
    **{row.oci.lower(): row for row in _TABLE},
    "mips64el": ARCHITECTURES["mipsel64"],
    "x86": ARCHITECTURES["i386"],
    **ARCHITECTURES,
}

_OCI_PREFIX: Final = "SCMP_ARCH_"
_OCI_NAMES: Final = tuple(row.oci for row in _TABLE)


def architecture(name: ArchitectureName) -> Architecture:
    """Return an architecture by its name.

    Args:
        name: The name, as in `ARCHITECTURES`, in OCI profiles (SCMP_ARCH_X86_64) or in Go (amd64), in upper or lower
            case; or the architecture itself, which is returned.

    Returns:
        The architecture.

    Raises:
        FieldError: The architecture is unknown; the message has the nearest name.

    >>> architecture("SCMP_ARCH_ARM").name, architecture("amd64").name
    ('arm', 'x86_64')
    """
    if isinstance(name, Architecture):
        return name
    if not isinstance(name, str):
        raise FieldError(f"architecture: {name!r} is not a name")
    if row := _BY_ANY_NAME.get(name.lower()):
        return row
    is_oci = name.upper().startswith(_OCI_PREFIX)
    near = suggestion(name.upper(), _OCI_NAMES) if is_oci else suggestion(name.lower(), _BY_ANY_NAME)
    hint = near or f"; known are {', '.join(ARCHITECTURES)}"
    raise FieldError(f"architecture: unknown architecture {name!r}{hint}")


def architecture_of(audit_arch: int, number: int = 0) -> Architecture | None:
    """Return the architecture of a system call.

    Args:
        audit_arch: The word at offset 4 of struct seccomp_data, AUDIT_ARCH of linux/audit.h.
        number: The number of the call: on x86_64, those with bit 30 set belong to x32.

    Returns:
        The architecture; None if no row of `ARCHITECTURES` has this AUDIT_ARCH.

    >>> architecture_of(0xC000003E, 1).name, architecture_of(0xC000003E, 0x40000001).name
    ('x86_64', 'x32')
    """
    rows = [row for row in _TABLE if row.audit_arch == audit_arch]
    matching = [row for row in rows if row.number_base & number & _X32_BIT and number < 2 * _X32_BIT]
    return next(iter(matching or rows), None)
