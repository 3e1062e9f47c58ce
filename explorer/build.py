"""Build the explorer page, the folder cbpf_explorer/page, which is also a static website.

With the argument "all", build the documentation site as well, and copy it to cbpf_explorer/site. Run by
`./dev explorer` and `./dev docs`, with the package cbpf importable and Node.js in the path. What is fetched are the npm
packages of package-lock.json, whose checksums npm verifies.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from cbpf.explorer.core import core_archive

FOLDER: Final = Path(__file__).parent
TARGET: Final = FOLDER / "cbpf_explorer" / "page"
SITE: Final = FOLDER / "cbpf_explorer" / "site"
_LEFT_OUT: Final = ("explorer", "search.js")  # the page, which is beside the site, and the search of files
_MODULES: Final = FOLDER / "node_modules"
_PYODIDE: Final = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "pyodide-lock.json", "python_stdlib.zip")


def main() -> None:
    """Write the page, and the site if it is requested."""
    _build_page()
    if sys.argv[1:] == ["all"]:
        _build_site()


def _build_page() -> None:
    """Fetch the pinned packages, and write the page."""
    if shutil.which("npm") is None:
        sys.exit("explorer: npm is needed; install Node.js 20 or newer")
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"], cwd=FOLDER, check=True)
    shutil.rmtree(TARGET, ignore_errors=True)
    shutil.copytree(FOLDER / "page", TARGET)
    _bundle_editor()
    (TARGET / "pyodide").mkdir()
    for name in _PYODIDE:
        shutil.copyfile(_MODULES / "pyodide" / name, TARGET / "pyodide" / name)
    (TARGET / "cbpf.zip").write_bytes(core_archive())
    (TARGET / "served.json").write_text(json.dumps({"proofs": False, "llvm": False, "state": None, "capture": None}))
    (TARGET / "LICENSES.txt").write_text(_licenses())


def _build_site() -> None:
    """Write the documentation site, without the files that it does not need when `cbpf docs` serves it."""
    subprocess.run([sys.executable, "-m", "documentation.site"], cwd=FOLDER.parent, check=True)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(FOLDER.parent / "site", SITE, ignore=shutil.ignore_patterns(*_LEFT_OUT))


def _bundle_editor() -> None:
    """Write CodeMirror and the module that uses it as one file."""
    command = [_MODULES / ".bin" / "esbuild", "editor/editor.js", "--bundle", "--minify", "--format=esm"]
    command += ["--target=es2022", "--charset=utf8", "--legal-comments=none", f"--outfile={TARGET / 'editor.js'}"]
    subprocess.run([*command, "--log-level=warning"], cwd=FOLDER, check=True)


def _licenses() -> str:
    """Return the licences of everything that the page contains, with their texts."""
    parts = ["The page of cbpf is licensed as cbpf is, under BSD-3-Clause. It contains these packages."]
    lock = json.loads((FOLDER / "package-lock.json").read_text())
    for path, package in sorted(lock["packages"].items()):
        text = _MODULES.parent / path / "LICENSE"
        if path and not package.get("dev") and text.is_file():
            name = path.removeprefix("node_modules/")
            parts.append(f"{name} {package['version']}: {package['license']}\n\n{text.read_text().strip()}")
    parts += [f"{name}\n\n{path.read_text().strip()}" for name, path in _texts()]
    return f"\n\n{'=' * 80}\n".join(parts) + "\n"


def _texts() -> list[tuple[str, Path]]:
    """Return the licences whose texts the npm packages lack."""
    return [
        ("pyodide: MPL-2.0; source: https://github.com/pyodide/pyodide", FOLDER / "licenses" / "MPL-2.0.txt"),
        ("CPython, its standard library, and the libraries in it: PSF-2.0", FOLDER / "licenses" / "PSF-2.0.txt"),
    ]


if __name__ == "__main__":
    main()
