"""Programs as text and bytes: `parse` recognises and reads every format, `render` and `render_bytes` write one.

`registry` has the table of formats; docs/reference/formats.md lists the programs that each format can represent.
"""

from .._span import Span
from ..errors import FieldError, Problem, ProgramFormatError
from ..isa.program import Instructions, Program
from .assembler import parse_assembly
from .base import BytesFormat, TextFormat
from .lexer import looks_like_assembly
from .names import FORMAT_NAMES
from .recognition import foreign_format, has_other_byte_order, looks_like_source, undefined_opcodes
from .registry import BYTES_FORMATS, TEXT_FORMATS
from .text_input import decode_text, has_byte_order_mark, normal_text, original_offsets, without_surroundings

_MANY_PROBLEMS = 3
_NOT_A_PROGRAM = "not a program in a known notation; as assembly"
_NOT_ASSEMBLY = "not assembly, but similar to source code, which cbpf convert reads"


def parse(source: str | bytes, *, format: str = "auto") -> Program:
    r"""Parse a program in any format.

    Args:
        source: The text or bytes. Bytes of a text format are UTF-8, or UTF-16 with a byte order mark.
        format: A name of `FORMAT_NAMES`, or "auto" to recognise the format by its content.

    Returns:
        The program, which need not be valid in any dialect.

    Raises:
        FieldError: *source* is neither text nor bytes, or *format* is unknown.
        ProgramFormatError: *source* does not contain a program; the message gives line and column or the byte offset,
            and `problems` all problems of a text.

    >>> parse("ldh [12]; the EtherType\nret a") == parse("2\n40 0 0 12\n22 0 0 0")
    True
    """
    if not isinstance(source, str | bytes | bytearray | memoryview):
        raise FieldError(f"parse: {source!r} is neither text nor bytes")
    data = source.encode(errors="surrogatepass") if isinstance(source, str) else bytes(source)
    if format == "auto":
        return _parse_unknown(source, data)
    selected = format_named(format)
    if isinstance(selected, BytesFormat):
        return selected.parse(data)
    text = _text(source, data)
    if selected.parse is parse_assembly and looks_like_source(text):
        return _parse_assembly(text, _NOT_ASSEMBLY)
    return selected.parse(text)


def instruction_spans(source: str, *, format: str = "auto") -> tuple[Span, ...]:
    r"""Return the place of each instruction in the text of a program, to show findings beside it.

    Args:
        source: The text, in which `parse` finds a program.
        format: A name of `FORMAT_NAMES`, or "auto" to recognise the format by its content.

    Returns:
        For each instruction the offsets of its first character and of the one after its last, without labels and
        commas. Instructions of a macro have the place of its name. Empty if the format has no places: hex dumps,
        strings of bytes, and formats that are bytes.

    Raises:
        FieldError: *source* is not text, or *format* is unknown.
        ProgramFormatError: *source* does not contain a program.

    >>> text = "start: ldh [12]\nret a"
    >>> [text[start:end] for start, end in instruction_spans(text)]
    ['ldh [12]', 'ret a']
    """
    if not isinstance(source, str):
        raise FieldError(f"instruction_spans: {source!r} is not text")
    program = parse(source, format=format)
    selected = find_format(source.encode(errors="surrogatepass")) if format == "auto" else format_named(format)
    if isinstance(selected, BytesFormat) or selected.locate is None:
        return ()
    text = normal_text(source)
    spans = selected.locate(without_surroundings(text) if format == "auto" else text)
    if len(spans) != len(program):
        return ()
    if len(text) == len(source):
        return tuple(spans)
    offsets = original_offsets(source)
    return tuple(Span(offsets[start], offsets[end]) for start, end in spans)


def _parse_unknown(source: object, data: bytes) -> Program:
    """Parse *data* in the format that its content looks like; *source* is the text, if the caller passed text."""
    foreign = foreign_format(data)
    if foreign is not None:
        raise ProgramFormatError(f"byte 0: not a program: this is {foreign}")
    selected = find_format(data)
    if isinstance(selected, BytesFormat):
        if selected.name == "raw" and has_other_byte_order(data):
            advice = "read them as format raw-swapped (cbpf convert --from raw-swapped)"
            raise ProgramFormatError(f"byte 0: the instructions are in the other byte order; {advice}")
        program = selected.parse(data)
        if selected.name == "raw":
            _check_opcodes(program)
        return program
    text = without_surroundings(_text(source, data))
    program = selected.parse(text) if selected.name != "asm" else _parse_assembly(text, _NOT_A_PROGRAM)
    if selected.name == "hex" and has_other_byte_order(bytes(program)):
        fact = "the instructions are in the other byte order; convert them to bytes, and read these as raw-swapped"
        raise ProgramFormatError(f"byte 0: {fact}")
    return program


def _check_opcodes(program: Program) -> None:
    """Raise an error for bytes that hardly look like instructions: most of their opcodes are undefined."""
    undefined = undefined_opcodes(program)
    if undefined > _MANY_PROBLEMS and 2 * undefined > len(program):
        fact = f"not a program: {undefined:,} of {len(program):,} instructions have an undefined opcode"
        advice = "cbpf convert --from raw reads it nevertheless"
        raise ProgramFormatError(f"byte 0: {fact}; {advice}")


def _parse_assembly(text: str, fact: str) -> Program:
    """Parse assembly; if hardly a line is an instruction, report one problem that begins with *fact*."""
    try:
        return parse_assembly(text)
    except ProgramFormatError as error:
        line_count = sum(bool(line.strip()) for line in text.split("\n"))
        if looks_like_assembly(text) and not _MANY_PROBLEMS < len(error.problems) > line_count * 3 // 4:
            raise
        first = error.problems[0]
        message = f"{fact}: {first.message}"
        raise ProgramFormatError([Problem(first.line, first.column, message, first.excerpt)]) from None


def _text(source: object, data: bytes) -> str:
    return normal_text(source) if isinstance(source, str) else decode_text(data, ProgramFormatError)


def render(program: Instructions, format: str) -> str:
    """Write a program in a text format."""
    selected = format_named(format)
    if isinstance(selected, BytesFormat):
        raise FieldError(f"render: the format {format} is bytes; use render_bytes")
    return _render_text(selected, Program(program))


def render_bytes(program: Instructions, format: str) -> bytes:
    """Write a program in any format."""
    selected, value = format_named(format), Program(program)
    if isinstance(selected, TextFormat):
        return _render_text(selected, value).encode()
    return selected.render(value)


def find_format(data: bytes) -> TextFormat | BytesFormat:
    """Return the format that the content of a file looks like; assembly if it looks like no other."""
    if not has_byte_order_mark(data):
        for candidate in BYTES_FORMATS.values():
            if candidate.recognizes(data):
                return candidate
    text = data.decode(errors="replace") if not has_byte_order_mark(data) else decode_text(data, ProgramFormatError)
    text = without_surroundings(normal_text(text))
    return next(candidate for candidate in TEXT_FORMATS.values() if candidate.recognizes(text))


def format_named(name: str) -> TextFormat | BytesFormat:
    """Return the format with a name; raise `FieldError` if there is none."""
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
