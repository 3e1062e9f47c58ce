"""The parts of a predicate of polars that a scan of a capture can apply: bounds of time, and conditions on columns.

polars passes a predicate as an expression, and promises nothing about its form, so that everything that is not
recognised is left out. The predicate itself is applied to the rows in any case.
"""

import json

from .._named_tuple import NamedTuple
from .._pyarrow import load_pyarrow
from .._typing import Any, Final, Iterator
from ..capture.times import TimeBounds
from ..tables.conditions import Comparison, Condition

_COMPARISONS: Final[dict[str, Comparison]] = {
    "Eq": "==",
    "NotEq": "!=",
    "Lt": "<",
    "LtEq": "<=",
    "Gt": ">",
    "GtEq": ">=",
}
_MIRRORED: Final[dict[Comparison, Comparison]] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_BETWEEN: Final[dict[str, tuple[Comparison, Comparison]]] = {
    "Both": (">=", "<="),
    "Left": (">=", "<"),
    "Right": (">", "<="),
    "None": (">", "<"),
}
_UNITS: Final = {"Nanoseconds": 1, "Microseconds": 1_000, "Milliseconds": 1_000_000}
_MISSING: Final = object()


class Pushdown(NamedTuple):
    """Conditions that all rows of a predicate fulfil."""

    bounds: TimeBounds
    conditions: tuple[Condition, ...]


NOTHING: Final = Pushdown(TimeBounds(None, None), ())


def pushdown(predicate: Any) -> Pushdown:
    """Return the conditions of a predicate that a scan can apply; *predicate* is an expression of polars or None."""
    found = [] if predicate is None else list(_conditions(_tree(predicate)))
    times = [condition for condition in found if condition.column == "time"]
    others = [condition for condition in found if condition.is_supported]
    return Pushdown(_bounds(times), tuple(others))


def _tree(predicate: Any) -> Any:
    try:
        return json.loads(predicate.meta.serialize(format="json"))
    except Exception:  # an expression that cannot be serialised, such as one with a function of Python
        return None


def _conditions(node: Any) -> Iterator[Condition]:
    """Yield the comparisons of columns with constants that the expression requires."""
    match node:
        case {"BinaryExpr": {"left": left, "op": "And" | "LogicalAnd", "right": right}}:
            yield from _conditions(left)
            yield from _conditions(right)
        case {"BinaryExpr": {"left": {"Column": str(name)}, "op": str(op), "right": right}} if op in _COMPARISONS:
            yield from _condition(name, _COMPARISONS[op], right)
        case {"BinaryExpr": {"left": left, "op": str(op), "right": {"Column": str(name)}}} if op in _COMPARISONS:
            comparison = _COMPARISONS[op]
            yield from _condition(name, _MIRRORED.get(comparison, comparison), left)
        case {
            "Function": {
                "input": [{"Column": str(name)}, low, high],
                "function": {"Boolean": {"IsBetween": {"closed": str(closed)}}},
            }
        } if closed in _BETWEEN:
            for comparison, limit in zip(_BETWEEN[closed], (low, high), strict=True):
                yield from _condition(name, comparison, limit)
        case {
            "Function": {
                "input": [{"Column": str(name)}, {"Literal": {"Scalar": {"List": [*data]}}}],
                "function": {"Boolean": {"IsIn": {"nulls_equal": False}}},
            }
        }:
            numbers = _listed(data)
            if numbers:
                yield Condition(name, "in", numbers)


def _condition(column: str, comparison: Comparison, literal: Any) -> Iterator[Condition]:
    value = _value(literal)
    if value is not _MISSING:
        yield Condition(column, comparison, value)


def _value(node: Any) -> Any:
    """Return a constant: an integer, a text, or a time in nanoseconds since 1970 (UTC)."""
    match node:
        case {"Literal": {"Scalar": {"Datetime": [int(count), str(unit), *_]}}} if unit in _UNITS:
            return count * _UNITS[unit]
        case {"Literal": {"Scalar": {"String": str(text)}}}:
            return text
        case {"Literal": {"Scalar": {**values}} | {"Dyn": {**values}}} if len(values) == 1:
            ((kind, number),) = values.items()
            is_integer = str(kind).lstrip("U").startswith("Int") and isinstance(number, int)
            return number if is_integer else _MISSING
    return _MISSING


def _listed(data: list[Any]) -> tuple[int, ...]:
    """Return the integers of a list, which is a stream of Arrow with one column; empty: it has other values."""
    pa = load_pyarrow()
    from pyarrow import ipc

    try:
        column = ipc.open_stream(bytes(data)).read_all().column(0)
    except (pa.ArrowException, ValueError, TypeError, IndexError, OSError):
        return ()
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        column = column.combine_chunks().flatten()
    return tuple(column.to_pylist()) if pa.types.is_integer(column.type) and not column.null_count else ()


def _bounds(conditions: list[Condition]) -> TimeBounds:
    """Return the narrowest bounds of times that fulfil the conditions."""
    since: list[int] = []
    until: list[int] = []
    for _, comparison, value in conditions:
        if isinstance(value, int):
            if comparison in ("==", ">=", ">"):
                since.append(value + (comparison == ">"))
            if comparison in ("==", "<=", "<"):
                until.append(value + (comparison != "<"))
    return TimeBounds(max(since, default=None), min(until, default=None))
