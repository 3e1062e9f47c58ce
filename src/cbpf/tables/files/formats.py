"""The formats of files of tables: their names, the suffixes of their files, and their default columns."""

import os

from ..._named_tuple import NamedTuple
from ..._suggestions import suggestion
from ..._typing import Any, Final, Literal, Sequence, TypeAlias
from ...capture.compression_kinds import compression_suffix
from ...capture.output import Target, file_names
from ...errors import FieldError
from ..schema import FIXED_COLUMNS

TableFormat: TypeAlias = Literal["parquet", "arrow", "arrows", "csv", "jsonl", "text"]

_ROW_COLUMNS: Final = ("number", "time", "length", "src", "src_port", "dst", "dst_port", "protocol")
_TEXT_COLUMNS: Final = ("time", "length", "src", "src_port", "dst", "dst_port")
"""The columns of aligned text by default, which fit in a terminal of 80 characters unless addresses are long."""


class FormatFacts(NamedTuple):
    """The facts about a format: its suffixes, its default columns, and whether its files can be compressed."""

    suffixes: tuple[str, ...]
    columns: Sequence[str]
    is_compressible: bool


FORMATS: Final[dict[TableFormat, FormatFacts]] = {
    "parquet": FormatFacts((".parquet", ".pq"), FIXED_COLUMNS, is_compressible=False),
    "arrow": FormatFacts((".arrow", ".feather"), FIXED_COLUMNS, is_compressible=False),
    "arrows": FormatFacts((".arrows",), FIXED_COLUMNS, is_compressible=True),
    "csv": FormatFacts((".csv",), _ROW_COLUMNS, is_compressible=True),
    "jsonl": FormatFacts((".jsonl", ".ndjson"), _ROW_COLUMNS, is_compressible=True),
    "text": FormatFacts((".txt",), _TEXT_COLUMNS, is_compressible=True),
}


def chosen_format(path: str, target: Target, format: Any) -> TableFormat:
    """Return the format that a caller names, or else that of the target's suffix; raise `FieldError` otherwise."""
    suffix = next(map(_suffix, file_names(target)), "")
    if format is None:
        format = next((name for name, facts in FORMATS.items() if suffix.lower() in facts.suffixes), None)
        if format is None:
            known = ", ".join(facts.suffixes[0] for facts in FORMATS.values())
            subject = f"the suffix {suffix!r} is not that of a table" if suffix else "the target has no suffix"
            raise FieldError(f"{path}: {subject} ({known}); name one of the formats {', '.join(FORMATS)}")
    if format not in FORMATS:
        nearest = suggestion(format, list(FORMATS)) if isinstance(format, str) else ""
        raise FieldError(f"{path}: {format!r} is not one of the formats {', '.join(FORMATS)}{nearest}")
    name: TableFormat = format
    return name


def _suffix(name: str) -> str:
    """Return the suffix of a file name before that of a compression."""
    return os.path.splitext(name.removesuffix(compression_suffix(name)))[1]
