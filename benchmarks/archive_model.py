"""The cost of a pass over an archive of any size, from the figures of a small one."""

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.report import Section

BATCH_SIZE = 256e6  # bytes, the default
LISTED = 1000  # names in the answer to a request
REQUESTS = 3  # for an object: it, its version afterwards, and its output


class Inputs(NamedTuple):
    """The figures of the model.

    Args:
        seconds: The processor time of a worker for each byte of the objects, as they are stored.
        start: The processor time of the start of a process, in seconds.
        batch: The processor time of the process that distributes the batches, for each batch, in seconds.
        object_size: The size of an object in bytes.
    """

    seconds: float
    start: float
    batch: float
    object_size: float


def model(inputs: Inputs) -> Section:
    """Return the figures, and the cost of passes over 1 TB, 100 TB and 1 PB."""
    heading = ["case", "objects", "core hours", "requests", "batches", "driver hours", "hours at 1 GB/s", "at 10 GB/s"]
    rows = [list(_row(name, size, inputs)) for name, size in (("1 TB", 1e12), ("100 TB", 1e14), ("1 PB", 1e15))]
    note = (
        f"Inputs: {inputs.seconds * 1e9:.2f} s of processor time for each GB, as it is stored; {inputs.start:.2f} s for"
        f" the start of a process; {REQUESTS} requests for an object, and one for {LISTED:,} names;"
        f" {inputs.batch * 1e3:.2f} ms of the driver for a batch of {BATCH_SIZE / 1e6:.0f} MB; objects of"
        f" {inputs.object_size / 1e6:.1f} MB."
    )
    return Section("The cost of a pass over an archive", heading, rows, note)


def _row(name: str, size: float, inputs: Inputs) -> Iterator[str]:
    objects, batches = size / inputs.object_size, size / BATCH_SIZE
    yield name
    yield f"{objects:,.0f}"
    yield f"{size * inputs.seconds / 3600:,.1f}"
    yield f"{objects * (REQUESTS + 1 / LISTED) + batches:,.0f}"
    yield f"{batches:,.0f}"
    yield f"{batches * inputs.batch / 3600:,.2f}"
    yield f"{size / 1e9 / 3600:,.1f}"
    yield f"{size / 1e10 / 3600:,.1f}"
