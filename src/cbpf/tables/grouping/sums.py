"""The packets and bytes of each group: exact up to a number of groups, then by the algorithm Space-Saving.

Rows are grouped by pyarrow, batch by batch. The sums of batches are added to the totals when they have as many rows, so
that each row is grouped a small number of times.

If there are more groups than the limit then, those with the largest estimates remain, and the others are forgotten.
The estimate of a group is its sum since it was last added, plus its error: the number of packets that it may have had
before that. A group that is added again has the error E, the largest estimate that was ever forgotten. So the number of
packets of a group is between its sum and its estimate, and E is the limit for a group that is forgotten.

This is the algorithm of Metwally, Agrawal and El Abbadi ("Efficient computation of frequent and top-k elements in data
streams", ICDT 2005) for batches, as Agarwal et al. merge its summaries ("Mergeable summaries", PODS 2012). E is at most
N / (k + 1) after N packets with k groups: packets add N in total to the differences between the estimates and E, and
each time that E grows by d, the differences of k + 1 groups decrease by d. The same holds for bytes if they are the
measure; the errors of the other measure are bounds as well, but without this limit.
"""

from ..._typing import Any, Final, Sequence
from ..libraries import load_compute, load_pyarrow
from .groups import Measure

MEASURES: Final[tuple[Measure, ...]] = ("packets", "bytes")
_ERRORS: Final = {"packets": "packets_error", "bytes": "bytes_error"}
_MIN_PENDING: Final = 1 << 17
"""The number of rows of sums of batches that are collected at least, where the limit allows it."""


class GroupSums:
    """The sums of groups with equal values of the columns *keys*, up to *limit* of them, the largest by *measure*."""

    def __init__(self, keys: Sequence[str], measure: Measure, limit: int) -> None:
        self._names = [f"key{index}" for index in range(len(keys))]  # another name could be that of a sum
        self._keys = keys
        self._measure = measure
        self._limit = limit
        self._totals: Any = None
        self._pending: list[Any] = []
        self._pending_rows = 0
        self.sums: dict[Measure, int] = dict.fromkeys(MEASURES, 0)
        """The sums over all packets."""
        self.errors: dict[Measure, int] = dict.fromkeys(MEASURES, 0)
        """The largest estimates that were forgotten; 0 as long as no group was."""
        self.is_exact = True

    def add(self, batch: Any) -> None:
        """Add the packets of a batch, which has the columns of the keys, and "length"."""
        pa = load_pyarrow()
        keys = [_groupable(batch[name]) for name in self._keys]
        table = pa.table([*keys, batch["length"]], names=[*self._names, "length"])
        grouped = table.group_by(self._names, use_threads=False).aggregate([([], "count_all"), ("length", "sum")])
        sums = [grouped["count_all"].cast(pa.int64()), grouped["length_sum"].cast(pa.int64())]
        unknown = pa.nulls(len(grouped), pa.int64())  # the error of a group that has no total
        arrays = [*(grouped[name] for name in self._names), *sums, unknown, unknown]
        self._pending.append(pa.table(arrays, names=[*self._names, *MEASURES, *_ERRORS.values()]))
        self._pending_rows += len(grouped)
        self.sums["packets"] += batch.num_rows
        self.sums["bytes"] += load_compute().sum(sums[1]).as_py() or 0
        known = 0 if self._totals is None else len(self._totals)
        if self._pending_rows >= max(known // 2, min(self._limit, _MIN_PENDING)):
            self._merge()

    def _merge(self) -> None:
        """Add the sums of batches to the totals."""
        pa, pc = load_pyarrow(), load_compute()
        if not self._pending:
            return
        parts = self._pending if self._totals is None else [self._totals, *self._pending]
        self._pending, self._pending_rows, self._totals = [], 0, None
        aggregations = [*((name, "sum") for name in MEASURES), *((name, "max") for name in _ERRORS.values())]
        together = pa.concat_tables(parts)
        del parts
        merged = together.group_by(self._names, use_threads=False).aggregate(aggregations)
        del together
        arrays = [merged[name] for name in self._names]
        arrays += [merged[f"{name}_sum"] for name in MEASURES]
        arrays += [pc.fill_null(merged[f"{_ERRORS[name]}_max"], self.errors[name]) for name in MEASURES]
        self._totals = pa.table(arrays, names=[*self._names, *MEASURES, *_ERRORS.values()])
        if len(self._totals) > self._limit:
            self._forget()

    def _forget(self) -> None:
        """Keep the groups with the largest estimates."""
        pc = load_compute()
        estimates = {name: pc.add(self._totals[name], self._totals[_ERRORS[name]]) for name in MEASURES}
        surplus = len(self._totals) - self._limit
        order = pc.partition_nth_indices(estimates[self._measure].combine_chunks(), pivot=surplus)  # wrong for chunks
        forgotten = order[:surplus]
        for name in MEASURES:
            self.errors[name] = max(self.errors[name], pc.max(estimates[name].take(forgotten)).as_py())
        self._totals = self._totals.take(order[surplus:]).combine_chunks()
        self.is_exact = False

    def largest(self, count: int) -> tuple[Any, int]:
        """Return the *count* largest groups as a table with the names of the keys, and the number of groups."""
        self._merge()
        totals = self._totals
        if totals is None:
            return None, 0
        second = next(name for name in MEASURES if name != self._measure)
        order = [(self._measure, "descending"), (second, "descending"), *((name, "ascending") for name in self._names)]
        chosen = totals.take(load_compute().sort_indices(totals, order)[:count])
        columns = [*self._keys, *("#" + name for name in chosen.column_names[len(self._keys) :])]
        return chosen.rename_columns(columns), len(totals)


def _groupable(column: Any) -> Any:
    """Return a column as values that pyarrow can group and sort."""
    pa = load_pyarrow()
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
