"""A pass over a folder of captures: python archive_pass.py HOW SOURCE TARGET EXPRESSION [SCHEDULER].

HOW is "loop" for a loop over `filter_capture`, "here" for one process, "processes" for two, or "dask" for a scheduler.
"""

import sys
from pathlib import Path
from typing import Any

import cbpf


def main() -> None:
    """Run one pass, without receipts of an earlier one."""
    how, source, target, expression, *scheduler = sys.argv[1:]
    if how == "loop":
        for path in sorted(Path(source).iterdir()):
            cbpf.filter_capture(path, Path(target) / path.name.removesuffix(".zst"), expression)
        return
    from cbpf import archive

    options: dict[str, dict[str, Any]] = {
        "here": {},
        "processes": {"workers": 2},
        "dask": {"scheduler": scheduler[0] if scheduler else None},
    }
    report = archive.filter(source, target, expression, compress="none", batch_size=25_000_000, **options[how])
    if not report.is_complete or report.unchanged:
        raise SystemExit(str(report))


if __name__ == "__main__":
    main()
