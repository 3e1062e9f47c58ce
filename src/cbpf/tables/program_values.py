"""The verdicts of programs as the values of a column."""

import sys
from array import array

from .._typing import Any, Final, Sequence
from .arrays import column_of
from .libraries import load_compute, load_pyarrow

WORDS: Final = {"bool": 1, "uint8": 1, "uint16": 1, "uint32": 1, "binary6": 2, "binary16": 4}
"""The number of programs whose verdicts are a value, for each type of a column."""


def value_type(type: str) -> Any:
    """Return a type of `WORDS` as that of pyarrow."""
    pa = load_pyarrow()
    return pa.binary(value_width(type)) if type.startswith("binary") else pa.type_for_alias(type)


def value_width(type: str) -> int:
    """Return the number of bytes of a value of a column of headers."""
    return int(type.removeprefix("binary")) if type.startswith("binary") else int(type.removeprefix("uint")) // 8


def value_array(type: str, words: Sequence[Any], present: Any) -> Any:
    """Return the values of a column.

    Args:
        type: Its type, one of `WORDS`.
        words: An array of uint32 for each program: the low-order bytes of the verdicts are the value, the most
            significant byte first.
        present: A Boolean array with 0 for each packet without a value.

    Returns:
        The array.
    """
    pc = load_compute()
    if type.startswith("binary"):
        data = load_pyarrow().py_buffer(_joined(words, value_width(type)))
    elif type == "bool":
        data = pc.not_equal(words[0], 0).buffers()[1]
    else:
        data = pc.cast(words[0], type, safe=False).buffers()[1]
    return _with_nulls(type, data, present)


def stored_values(type: str, count: int, values: bytearray, present: bytearray) -> Any:
    """Return the values of a column from their memory, and from a bitmap: whether each packet has a value."""
    pa = load_pyarrow()
    flags = pa.Array.from_buffers(pa.bool_(), count, [None, pa.py_buffer(present)])
    return _with_nulls(type, pa.py_buffer(values), flags)


def _with_nulls(type: str, data: Any, present: Any) -> Any:
    bitmap = None if present.true_count == len(present) else present.buffers()[1]
    return load_pyarrow().Array.from_buffers(value_type(type), len(present), [bitmap, data])


def _joined(words: Sequence[Any], width: int) -> memoryview:
    """Return the bytes of all values: the words of each in big-endian order, the last of them as far as it fits."""
    joined = memoryview(bytearray(len(words[0]) * width)).cast("H")
    step, position = width // 2, 0
    for word in words:
        swapped = array("I", column_of("I", word))
        if sys.byteorder == "little":
            swapped.byteswap()
        halves = memoryview(swapped).cast("B").cast("H")
        for first in (0, 1) if position + 2 <= step else (1,):
            joined[position::step] = halves[first::2]
            position += 1
    return joined
