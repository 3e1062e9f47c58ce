"""Decompress a file by the Python interface of the library that cbpf uses, and discard the output."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

_INPUT_SIZE: Final = 1 << 18
_MAX_OUTPUT_SIZE: Final = 1 << 20


def _decompressor(kind: str) -> Any:
    if kind == "gz":
        isal = import_module("isal.igzip_lib")
        return isal.IgzipDecompressor(flag=isal.DECOMP_GZIP)
    if kind == "lz4":
        return import_module("lz4.frame").LZ4FrameDecompressor()
    try:
        zstd = import_module("compression.zstd")
    except ImportError:
        zstd = import_module("backports.zstd")
    return zstd.ZstdDecompressor()


def main(path: Path) -> None:
    """Decompress one stream."""
    decompressor = _decompressor(path.suffix[1:])
    with path.open("rb", buffering=0) as file:
        was_full = False
        while not decompressor.eof:
            data = file.read(_INPUT_SIZE) if decompressor.needs_input and not was_full else b""
            was_full = len(decompressor.decompress(data, _MAX_OUTPUT_SIZE)) == _MAX_OUTPUT_SIZE


if __name__ == "__main__":
    main(Path(sys.argv[1]))
