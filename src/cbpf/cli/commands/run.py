"""cbpf run: print the verdict of a program on each packet of a capture."""

from __future__ import annotations

from operator import add

import cbpf

from ..._named_tuple import NamedTuple
from ..._typing import TYPE_CHECKING, Any, Final
from ..declarations import argument, subcommand
from ..options import (
    as_socket_option,
    dialect_option,
    engine_option,
    expression_option,
    new_json_option,
)
from ..packets import filter_and_capture
from ..streams import echo
from ..tcpdump_options import TCPDUMP_OPTIONS
from ..values import FILE

if TYPE_CHECKING:
    from array import array


class _LineForm(NamedTuple):
    """The parts of a line around the number of the packet and the verdict."""

    start: str
    middle: str
    end: str


_TEXT: Final = _LineForm("", " ", "\n")
_JSON: Final = _LineForm('{"number": ', ', "verdict": ', "}\n")

_FIRST_NUMBERS: Final = [str(number) for number in range(1000)]
_LAST_DIGITS: Final = [f"{number:03}" for number in range(1000)]


@subcommand("run", "Print the verdict of a program on each packet.", foreign_options=TCPDUMP_OPTIONS)
@argument("arguments", required=False, multiple=True, metavar="PROGRAM CAPTURE", kind=FILE)
@expression_option
@dialect_option
@engine_option
@as_socket_option
@new_json_option("packet")
def command(
    arguments: tuple[str, ...],
    expression: str | None,
    dialect: cbpf.Dialect,
    engine: Any,
    as_socket: bool,
    as_json: bool,
) -> None:
    """Print a line for each packet of CAPTURE: the packet's number, from 1, and the verdict of PROGRAM.

    A verdict of 0 rejects the packet, and any other accepts it. With -e EXPRESSION, the only argument is CAPTURE.

    \b
      cbpf run filter.c in.pcap
      cbpf run -e 'udp port 53' in.pcap
    """
    program, capture = filter_and_capture(arguments, expression)
    form = _JSON if as_json else _TEXT
    first = 1
    for verdicts in cbpf.capture_verdicts(capture, program, engine=engine, dialect=dialect, as_socket=as_socket):
        echo(_lines(first, verdicts, form), nl=False)
        first += len(verdicts)


def _lines(first: int, verdicts: array[int], form: _LineForm = _TEXT) -> str:
    """Return a line for each packet: its number, from *first* on, and its verdict.

    The numbers are joined by their thousands, which takes half the time of formatting each line.
    """
    ends = _LineEnds(form)
    blocks, done = [], 0
    while done < len(verdicts):
        thousands, begin = divmod(first + done, 1000)
        block = verdicts[done : done + 1000 - begin]
        prefix, numbers = (str(thousands), _LAST_DIGITS) if thousands else ("", _FIRST_NUMBERS)
        lines = map(add, numbers[begin : begin + len(block)], map(ends.__getitem__, block))
        prefix = form.start + prefix
        blocks.append(prefix + prefix.join(lines))
        done += len(block)
    return "".join(blocks)


class _LineEnds(dict[int, str]):
    """The end of a line by verdict."""

    def __init__(self, form: _LineForm) -> None:
        self._form = form

    def __missing__(self, verdict: int) -> str:
        end = self[verdict] = f"{self._form.middle}{verdict}{self._form.end}"
        return end
