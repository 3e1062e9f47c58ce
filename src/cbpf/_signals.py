"""The module `signal`, without the enumerations of its constants, which would import `enum`.

In CPython, `signal` wraps the functions of the builtin module `_signal`; here, constants and results are plain numbers.
"""

from ._typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal as signal
else:
    import _signal as signal  # noqa: F401
