"""The objects that a manifest already describes, in 17 bytes each."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from .._typing import Any
from .digests import digest
from .libraries import load_pyarrow
from .manifest import Manifest


def digest_of(text: str) -> int:
    """Return 64 bits of a hash of a text."""
    return int.from_bytes(digest(text, 8), "little")


class KnownObjects:
    """The objects of a manifest, with the version that was indexed of each, and whether a listing has shown them.

    Paths and versions are numbers of 64 bits each. A pair of both that is not in the manifest is found in it with a
    probability of 2**-128 times the number of objects.
    """

    def __init__(self, manifest: Manifest) -> None:
        pyarrow, compute = load_pyarrow(), load_pyarrow("pyarrow.compute")
        paths, etags = _digests(manifest)
        table = pyarrow.table({"path": paths, "run": pyarrow.array(range(len(paths)), pyarrow.uint64()), "etag": etags})
        order = compute.sort_indices(table, sort_keys=[("path", "ascending"), ("run", "ascending")])
        ordered = table.take(order).combine_chunks()
        self._paths, self._etags = (_numbers(ordered[name]) for name in ("path", "etag"))
        self._seen = bytearray(len(self._paths))
        self.stale = 0
        """The number of rows that are out of date, as far as `is_unchanged` has shown."""

    def __len__(self) -> int:
        return len(self._paths)

    def is_unchanged(self, path: str, etag: str) -> bool:
        """Return whether the manifest has the row of an object that exists with this version."""
        index = self._index(path)
        if index is None:
            return False
        self._seen[index] = True
        is_same = self._etags[index] == digest_of(etag)
        self.stale += not is_same
        return is_same

    def was_seen(self, path: str) -> bool:
        """Return whether `is_unchanged` was called for a path, or the manifest did not have it."""
        index = self._index(path)
        return index is None or bool(self._seen[index])

    def unseen_paths(self, manifest: Manifest) -> Iterator[str]:
        """Yield the paths in the manifest for which `is_unchanged` was not called."""
        if all(self._seen):
            return
        for part in manifest.parts():
            for table in part.tables(None, ("path",)):
                yield from (path for path in table["path"].to_pylist() if not self.was_seen(path))

    def _index(self, path: str) -> int | None:
        """Return the index of the latest row of a path, or None."""
        number = digest_of(path)
        index = bisect_right(self._paths, number) - 1
        return index if index >= 0 and self._paths[index] == number else None


def _digests(manifest: Manifest) -> tuple[Any, Any]:
    """Return the numbers of the paths and versions in a manifest, in the order of the runs."""
    pyarrow = load_pyarrow()
    columns: tuple[list[Any], list[Any]] = ([], [])
    for part in manifest.parts():
        for table in part.tables(None, ("path", "etag")):
            for chunks, name in zip(columns, ("path", "etag"), strict=True):
                chunks.append(pyarrow.array(map(digest_of, table[name].to_pylist()), pyarrow.uint64()))
    paths, etags = (pyarrow.chunked_array(chunks, pyarrow.uint64()) for chunks in columns)
    return paths, etags


def _numbers(column: Any) -> memoryview:
    chunk = load_pyarrow().concat_arrays(column.chunks) if column.num_chunks else None
    return memoryview(b"") if chunk is None else memoryview(chunk.buffers()[1])[: 8 * len(chunk)].cast("B").cast("Q")
