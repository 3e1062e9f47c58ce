"""The instructions of an object file."""

import struct
from collections.abc import Iterator

from ..._named_tuple import NamedTuple
from ..._typing import Final

INSTRUCTION_SIZE: Final = 8
"""The size of an eBPF instruction in bytes; a load of a 64-bit constant counts as two."""

_SECTION_TABLE: Final = struct.Struct("<40xQ10xHHH")  # the header of a file: e_shoff, e_shentsize, e_shnum, e_shstrndx
_SECTION: Final = struct.Struct("<II8x8xQQ")  # sh_name, sh_type, sh_offset, sh_size


class _Section(NamedTuple):
    """A section of an object file: the position of its name in that of the names, and its content."""

    name: int
    content: bytes


def instructions_in(object_file: bytes, section: str) -> bytes:
    """Return the instructions in a section of an object file of 64 bits, little-endian (ELF)."""
    *_, names_index = _SECTION_TABLE.unpack_from(object_file)
    sections = list(_sections(object_file))
    names = sections[names_index].content
    return next(each.content for each in sections if names[each.name :].startswith(section.encode() + b"\0"))


def _sections(object_file: bytes) -> Iterator[_Section]:
    table, size, count, _ = _SECTION_TABLE.unpack_from(object_file)
    for index in range(count):
        name, _, offset, length = _SECTION.unpack_from(object_file, table + index * size)
        yield _Section(name, object_file[offset : offset + length])
