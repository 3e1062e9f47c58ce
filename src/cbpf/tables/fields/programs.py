"""The programs of header columns: files of assembly, joined and assembled.

A program consists of the file of a link type, those of the headers up to the level of the column, and that of the
column. It ends with `ret a`. For packets without the column, it continues at the label `absent`, or at `no_ip` before
the IP header; where a header is truncated, a load outside of the packet returns 0.

In these files, `_N` at the end of a label is the position of the file in the program, so that a file can be part of it
several times, and WORD is the offset of the part of an address that the program returns. The scratch slots are:

| slot | contents |
|---|---|
| M[0] | the offset of the next header |
| M[1] | its EtherType, and from the end of the IP header on, its protocol number |
| M[2] | the fragment offset in any unit: 0 except in later fragments |
| M[3] | the offset of the end of the datagram; 0 in all fragments but the last one |

The programs are not optimised: the machine code of these is as fast as that of optimised ones, and takes less time to
make, since the optimiser repeats the code after a header for each of its possible offsets.
"""

from os.path import dirname

from ..._named_tuple import NamedTuple
from ..._stdlib import cache
from ..._typing import Final, Iterator
from ...formats.assembler import parse_assembly
from ...isa.instructions import RetA, RetConstant
from ...isa.program import Program
from ...packet.link_types import LinkType
from .columns import WIDTHS, Level, field
from .links import LinkHeaders, headers_of

MAX_EXTENSIONS: Final = 6
"""The number of extension headers of IPv6 that the programs follow: each kind once, and destination options twice."""

_PROTOCOL: Final = ("headers/ip_payload", *("headers/extension",) * MAX_EXTENSIONS, "headers/last_extension")
_ABSENT: Final = "absent:\n    ret #0\n"
_DIRECTORY: Final = dirname(__file__)


class FieldPrograms(NamedTuple):
    """The programs of a header column, for the packets of a link type.

    Args:
        values: The programs of its value. The verdict of one is a number, whose low-order bytes are a part of the
            value, the most significant byte first. The verdict of the last one is 0 where the column is null.
        widths: The number of these bytes for each program. Their sum is the size of the value.
        validity: The program whose verdict is 1 for packets that have the value, and 0 for those where it is null.
    """

    values: tuple[Program, ...]
    widths: tuple[int, ...]
    validity: Program


def field_programs(name: str, link_type: str | int | LinkType) -> FieldPrograms | None:
    """Return the programs of a header column for the packets of a link type.

    Args:
        name: One of `FIELD_NAMES`.
        link_type: The link type, as `cbpf.link_type` takes it.

    Returns:
        The programs, which satisfy the rules of the dialect `cbpf.PCAP`; None if packets of the link type cannot have
        the column.

    Raises:
        FieldError: The name of the column or of the link type is unknown.
    """
    level, headers = field(name).level, headers_of(link_type)
    if headers is None or not _has_level(headers, level):
        return None
    return _programs(name, headers)


@cache
def _programs(name: str, headers: LinkHeaders) -> FieldPrograms:
    row = field(name)
    parts = [*program_parts(row.level, headers), f"columns/{name}"]
    widths = WIDTHS[row.type]
    ends = [sum(widths[: index + 1]) for index in range(len(widths))]
    values = tuple(_assemble(parts, max(0, end - 4)) for end in ends)
    return FieldPrograms(values, widths, _validity(values[-1]))


def _has_level(headers: LinkHeaders, level: Level) -> bool:
    if level == "frame":
        return headers.has_addresses
    return bool(headers.tags) or level not in ("link", "type")


def program_parts(level: Level, headers: LinkHeaders) -> Iterator[str]:
    """Yield the names of the files, relative to this folder and without their suffix, up to a level."""
    steps: tuple[tuple[Level, tuple[str, ...]], ...] = (
        ("frame", ()),
        ("link", headers.link),
        ("type", headers.tags),
        ("ip", (*headers.session, "headers/ip")),
        ("protocol", _PROTOCOL),
        ("transport", ("headers/transport",)),
        ("ports", ("headers/ports",)),
    )
    for name, parts in steps:
        yield from parts
        if name == level:
            return


def _assemble(parts: list[str], word: int) -> Program:
    texts = [_text(part).replace("_N", f"_{number}") for number, part in enumerate(parts)]
    return parse_assembly("".join(texts).replace("WORD", str(word)) + _ABSENT)


@cache
def _text(part: str) -> str:
    with open(f"{_DIRECTORY}/{part}.bpf", encoding="utf-8") as file:
        return file.read()


def _validity(value: Program) -> Program:
    """Return the program that accepts the packets for which a program ends with `ret a`.

    It is made of the last part of a value. Where that is in the packet, so are the parts before it.
    """
    found, present = RetA().assemble(), RetConstant(1).assemble()
    return Program(present if instruction == found else instruction for instruction in value)
