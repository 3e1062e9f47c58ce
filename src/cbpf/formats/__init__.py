"""Every notation of a program, in and out: `parse` finds out which it is by looking, `render` writes one.

`TEXT_FORMATS` and `BYTES_FORMATS` describe them; docs/formats.md shows what each can carry.
"""

from ..errors import FieldError, ProgramFormatError
from ..isa.program import Instructions, Program
from .base import BytesFormat, TextFormat
from .registry import BYTES_FORMATS, TEXT_FORMATS
from .savefile import Savefile

__all__ = [
    "BYTES_FORMATS",
    "FORMAT_NAMES",
    "TEXT_FORMATS",
    "Savefile",
    "find_format",
    "parse",
    "render",
    "render_bytes",
]

_BYTE_ORDER_MARK = "\ufeff"
FORMAT_NAMES = tuple(sorted([*TEXT_FORMATS, *BYTES_FORMATS]))


def parse(source: str | bytes, *, format: str = "auto") -> Program:
    r"""The program that *source* describes, in any notation; by default the one that it looks like.

    Raises `ProgramFormatError` with every problem, by line and column, or with a byte offset.

    >>> parse("ldh [12]; the EtherType\nret a") == parse("2\n40 0 0 12\n22 0 0 0")
    True
    """
    if not isinstance(source, str | bytes | bytearray | memoryview):
        raise FieldError(f"parse: {source!r} is neither text nor bytes")
    data = source.encode(errors="surrogatepass") if isinstance(source, str) else bytes(source)
    chosen = find_format(data) if format == "auto" else _by_name(format)
    if isinstance(chosen, BytesFormat):
        return chosen.parse(data)
    text = source if isinstance(source, str) else _decode(data)
    return chosen.parse(text.removeprefix(_BYTE_ORDER_MARK))


def render(program: Instructions, format: str) -> str:
    """The program in a notation that is text, with a newline at its end.

    Raises `ProgramFormatError` if the notation cannot carry the program.
    """
    chosen = _by_name(format)
    if isinstance(chosen, BytesFormat):
        raise FieldError(f"render: the format {format} is bytes; use render_bytes")
    return _checked(chosen, Program(program))


def render_bytes(program: Instructions, format: str) -> bytes:
    """The program in any notation, text as UTF-8; raises as `render` does."""
    chosen, value = _by_name(format), Program(program)
    if isinstance(chosen, TextFormat):
        return _checked(chosen, value).encode()
    return chosen.render(value)


def find_format(data: bytes) -> TextFormat | BytesFormat:
    """The notation that a file's content looks like."""
    for binary in BYTES_FORMATS.values():
        if binary.recognizes(data):
            return binary
    text = data.decode(errors="replace").removeprefix(_BYTE_ORDER_MARK)
    return next(one for one in TEXT_FORMATS.values() if one.recognizes(text))


def _by_name(format: str) -> TextFormat | BytesFormat:
    chosen = TEXT_FORMATS.get(format) or BYTES_FORMATS.get(format)
    if chosen is None:
        raise FieldError(f"format: {format!r} is not one of {', '.join(FORMAT_NAMES)}")
    return chosen


def _checked(chosen: TextFormat, program: Program) -> str:
    """The program as text, unless that would not read back as the same program."""
    text = chosen.render(program)
    if chosen.is_exact:
        return text
    for index, (raw, read) in enumerate(zip(program, _read_back(chosen, text), strict=False)):
        if raw != read:
            raise ProgramFormatError(f"instruction {index}: the format {chosen.name} cannot carry {raw}")
    return text


def _read_back(chosen: TextFormat, text: str) -> list[object]:
    """The instructions of a listing; None for a line that cannot be read, and nothing behind it."""
    try:
        return list(chosen.parse(text))
    except ProgramFormatError as error:
        lines = text.splitlines()[: error.problems[0].line - 1]
        return [*(chosen.parse("\n".join(lines)) if lines else ()), None]


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProgramFormatError(f"byte {error.start}: {data[error.start]:#04x} is not UTF-8 text") from None
