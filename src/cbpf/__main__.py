"""The entry point of the command `cbpf` and of `python -m cbpf`.

Until `cli` is imported, signals have their default action, which ends the process without a traceback: nothing has
been written yet.
"""

import gc
import os
import sys

TYPE_CHECKING = False  # `typing` would take longer to import than the rest of this module
if TYPE_CHECKING:
    from collections.abc import Callable

_GC_THRESHOLD = 100_000  # allocations; with the default, the garbage collector traverses all imports repeatedly


def main() -> None:
    """Import the command line and run it."""
    gc.set_threshold(_GC_THRESHOLD)
    try:
        run = _import_command_line()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:  # a limit of memory, or a damaged installation
        if os.environ.get("CBPF_DEBUG", "0") != "0":
            raise
        fact = " ".join(f"{type(error).__name__}: {error}".split())
        print(f"cbpf: cannot start: {fact}; set CBPF_DEBUG=1 for the traceback", file=sys.stderr)
        sys.exit(2)
    try:
        run()
    finally:
        gc.freeze()  # the last collection, at exit, would traverse all modules


def _import_command_line() -> "Callable[[], None]":
    from ._signals import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main

    return main


if __name__ == "__main__":
    main()
