"""Programs as text and bytes: `parse` recognises and reads every format, `render` and `render_bytes` write one.

`registry` has the table of formats; docs/formats.md lists the programs that each format can represent.
"""

from .._options import FORMAT_NAMES
from ..errors import FieldError, ProgramFormatError
from ..isa.program import Instructions, Program
from .base import BytesFormat, TextFormat
from .registry import BYTES_FORMATS, TEXT_FORMATS

_BYTE_ORDER_MARK = "\ufeff"


def parse(source: str | bytes, *, format: str = "auto") -> Program:
    r"""Parse a program in any format.

    Args:
        source: The text or bytes. Bytes of a text format are UTF-8; a byte order mark is ignored.
        format: A name of `FORMAT_NAMES`, or "auto" to recognise the format by its content.

    Returns:
        The program, which need not be valid in any dialect.

    Raises:
        FieldError: *source* is neither text nor bytes, or *format* is unknown.
        ProgramFormatError: *source* does not contain a program; the message gives line and column or the byte offset,
            and `problems` all problems of assembly text.

    >>> parse("ldh [12]; the EtherType\nret a") == parse("2\n40 0 0 12\n22 0 0 0")
    True
    """
    if not isinstance(source, str | bytes | bytearray | memoryview):
        raise FieldError(f"parse: {source!r} is neither text nor bytes")
    data = source.encode(errors="surrogatepass") if isinstance(source, str) else bytes(source)
    selected = find_format(data) if format == "auto" else _format_named(format)
    if isinstance(selected, BytesFormat):
        return selected.parse(data)
    text = source if isinstance(source, str) else _decode(data)
    return selected.parse(text.removeprefix(_BYTE_ORDER_MARK))


def render(program: Instructions, format: str) -> str:
    """Write a program in a text format.

    Args:
        program: A program, or its instructions.
        format: The name of a text format, from `FORMAT_NAMES`.

    Returns:
        The text, which ends with a newline.

    Raises:
        FieldError: *format* is unknown, or is not text.
        ProgramFormatError: The format cannot represent the program.
    """
    selected = _format_named(format)
    if isinstance(selected, BytesFormat):
        raise FieldError(f"render: the format {format} is bytes; use render_bytes")
    return _render_text(selected, Program(program))


def render_bytes(program: Instructions, format: str) -> bytes:
    """Write a program in any format.

    Args:
        program: A program, or its instructions.
        format: A name of `FORMAT_NAMES`.

    Returns:
        The bytes; the UTF-8 encoding of a text format.

    Raises:
        FieldError: *format* is unknown.
        ProgramFormatError: The format cannot represent the program.
    """
    selected, value = _format_named(format), Program(program)
    if isinstance(selected, TextFormat):
        return _render_text(selected, value).encode()
    return selected.render(value)


def find_format(data: bytes) -> TextFormat | BytesFormat:
    """Return the format that the content of a file looks like; assembly if it looks like no other."""
    for candidate in BYTES_FORMATS.values():
        if candidate.recognizes(data):
            return candidate
    text = data.decode(errors="replace").removeprefix(_BYTE_ORDER_MARK)
    return next(candidate for candidate in TEXT_FORMATS.values() if candidate.recognizes(text))


def _format_named(name: str) -> TextFormat | BytesFormat:
    selected = TEXT_FORMATS.get(name) or BYTES_FORMATS.get(name)
    if selected is None:
        raise FieldError(f"format: {name!r} is not one of {', '.join(FORMAT_NAMES)}")
    return selected


def _render_text(selected: TextFormat, program: Program) -> str:
    """Return the program as text; raise `ProgramFormatError` unless parsing the text returns the same program."""
    text = selected.render(program)
    if selected.is_exact:
        return text
    for index, (raw, parsed) in enumerate(zip(program, _parse_listing(selected, text), strict=False)):
        if raw != parsed:
            raise ProgramFormatError(f"instruction {index}: the format {selected.name} cannot represent {raw}")
    return text


def _parse_listing(selected: TextFormat, text: str) -> list[object]:
    """Return the instructions of a listing; a None replaces the first that cannot be parsed, and ends them."""
    try:
        return list(selected.parse(text))
    except ProgramFormatError as error:
        lines = text.splitlines()[: error.problems[0].line - 1]
        return [*(selected.parse("\n".join(lines)) if lines else ()), None]


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ProgramFormatError(f"byte {error.start}: {data[error.start]:#04x} is not UTF-8 text") from None
