"""NVIDIA's assembler of PTX, from the package nvidia-cuda-nvcc or the system."""

import importlib.util
import shutil
import subprocess
from pathlib import Path


def assembler() -> str | None:
    """Return the path of ptxas, or None."""
    found = shutil.which("ptxas")
    package = importlib.util.find_spec("nvidia") if found is None else None
    folders = [Path(folder) for folder in package.submodule_search_locations or ()] if package else []
    return found or next((str(path) for folder in folders for path in folder.glob("*/bin/ptxas")), None)


def assemble(text: str, architecture: str, folder: Path) -> str:
    """Compile PTX for an architecture, such as sm_90; return the messages, which are empty if it succeeds."""
    source = folder / "kernel.ptx"
    source.write_text(text)
    command = [str(assembler()), f"-arch={architecture}", str(source), "-o", str(folder / "kernel.cubin")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stderr if result.returncode else ""
