"""The compaction of a manifest: one part in place of many, without the rows that are out of date."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from ..errors import ArchiveError
from .libraries import load_pyarrow
from .manifest import Manifest, in_order, latest_rows
from .manifest_parts import write_part


def compact(manifest: Manifest, run: int, is_current: Callable[[str], bool] | None = None) -> int:
    """Write one part in place of all parts of a manifest, and remove these.

    The new part names those that it replaces, so the manifest is complete at each moment, also after an interruption.
    If another run compacts the manifest at the same time, nothing is lost.

    Args:
        manifest: The manifest.
        run: The number of this run.
        is_current: Returns whether the object with a path still exists; its row is left out if not. None: all exist.

    Returns:
        The number of rows that were left out because *is_current* was false.
    """
    pyarrow = load_pyarrow()
    parts = manifest.parts()
    if not parts:
        return 0
    table = latest_rows(pyarrow.concat_tables([table for part in parts for table in part.tables(None)]))
    removed = 0
    if is_current is not None:
        mask = pyarrow.array([is_current(path) for path in table["path"].to_pylist()], pyarrow.bool_())
        removed = table.num_rows - sum(mask.to_pylist())
        table = table.filter(mask)
    names = [path.rpartition("/")[2] for path in manifest.part_paths()]  # also those that a part replaces
    digest = sha256("\n".join(names).encode()).hexdigest()[:16]
    write_part(manifest.store, manifest.part_path(run, f"compact-{digest}"), in_order(table), names)
    remove_replaced(manifest)
    return removed


def remove_replaced(manifest: Manifest) -> None:
    """Remove the parts that another one replaces; one that cannot be removed is ignored by all readers."""
    replaced = {name for part in manifest.parts() for name in part.replaces}
    for path in manifest.store.names(manifest.url):
        if path.rpartition("/")[2] in replaced:
            try:
                manifest.store.remove(path)
            except ArchiveError:
                return
