"""The entry point of the command `cbpf` and of `python -m cbpf`.

Until `cli` is imported, signals have their default action, which ends the process without a traceback: nothing has
been written yet.
"""

import sys

TYPE_CHECKING = False  # `typing` would take longer to import than the rest of this module
if TYPE_CHECKING:
    from collections.abc import Callable


def main() -> None:
    """Import the command line and run it."""
    try:
        run = _import_command_line()
    except KeyboardInterrupt:
        sys.exit(130)
    except MemoryError:
        sys.exit("cbpf: out of memory")
    run()


def _import_command_line() -> "Callable[[], None]":
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main

    return main


if __name__ == "__main__":
    main()
