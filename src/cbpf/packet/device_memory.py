"""Recognition of objects whose data are in the memory of a CUDA device."""

from .._typing import Any, Final

KDL_CUDA: Final = 2
_KDL_CUDA_MANAGED: Final = 13
"""The types of devices in DLPack (dlpack.h)."""


class OnDevice:
    """The base class of objects of this package whose data are in the memory of a CUDA device."""

    __slots__ = ()


def is_on_device(source: Any) -> bool:
    """Return whether the data of an object, of any library, are in the memory of a CUDA device."""
    return (
        isinstance(source, OnDevice) or hasattr(source, "__cuda_array_interface__") or dlpack_device(source) is not None
    )


def dlpack_device(source: Any) -> tuple[int, int] | None:
    """Return the type and the index of the CUDA device that has the data of an object with `__dlpack__`, or None."""
    if not hasattr(source, "__dlpack__") or not hasattr(source, "__dlpack_device__"):
        return None
    kind, index = source.__dlpack_device__()
    return (int(kind), index) if kind in (KDL_CUDA, _KDL_CUDA_MANAGED) else None
