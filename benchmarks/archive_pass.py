"""A pass over a folder of captures: python archive_pass.py HOW SOURCE TARGET EXPRESSION BATCH [SCHEDULER].

HOW is "loop" for a loop over `filter_capture`, "here" for one process, "processes" for two, or "dask" for a scheduler;
BATCH is the number of bytes of a batch.
The output is the duration of the pass in seconds, without the imports. "empty" distributes batches without work to two
processes; the output is the processor time of this process for each, in seconds.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import cbpf

_BATCHES = 1000


def driver_seconds() -> float:
    """Return the processor time of this process for each batch that it distributes."""
    from cbpf.archive.execution import Execution, run

    results = run(len, ["batch"] * _BATCHES, Execution(workers=2))
    next(results)
    started = process_time()
    for _ in results:
        pass
    return (process_time() - started) / _BATCHES


def main() -> None:
    """Run one pass, without receipts of an earlier one."""
    how, source, target, expression, batch, *scheduler = sys.argv[1:]
    if how == "empty":
        print(driver_seconds())
        return
    if how == "loop":
        for path in sorted(Path(source).iterdir()):
            cbpf.filter_capture(path, Path(target) / path.name.removesuffix(".zst"), expression)
        return
    from cbpf import archive

    if how == "dask" and find_spec("distributed"):
        import distributed  # noqa: F401
    started = perf_counter()
    options: dict[str, dict[str, Any]] = {
        "here": {},
        "processes": {"workers": 2},
        "dask": {"scheduler": scheduler[0] if scheduler else None},
    }
    report = archive.filter(source, target, expression, compress="none", batch_size=int(batch), **options[how])
    if not report.is_complete or report.unchanged:
        raise SystemExit(str(report))
    print(perf_counter() - started)


if __name__ == "__main__":
    main()
