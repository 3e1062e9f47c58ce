"""Build the documentation site, with links from its examples to the explorer page, and the page itself.

Run by `./dev docs`. The explorer page is a part of the site, the folder `explorer`, if it has been built.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from cbpf.explorer.site import PAGE_FOLDER, SAMPLES
from documentation.try_it.pages import with_links

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "explorer" / "cbpf_explorer" / "page"
_NOT_FOUND: Final = "404.html"  # a server shows it at any depth, so that it has no relative links
_LICENSES: Final = ROOT / "explorer" / "licenses"


def main() -> None:
    """Build the site in the folder `site`."""
    site = build(ROOT)
    if not add_page(site, PAGE):
        print("docs: the explorer page, to which examples link, is missing; ./dev docs builds it", file=sys.stderr)


def build(folder: Path) -> Path:
    """Build the site of the sources in a folder.

    Args:
        folder: A folder with zensical.toml and the folders that it names.

    Returns:
        The folder of the site, without the explorer page.

    Raises:
        subprocess.CalledProcessError: zensical has found an error in the sources, and has printed it.
    """
    subprocess.run([sys.executable, "-m", "zensical", "build", "--strict", "--clean"], cwd=folder, check=True)
    site = folder / "site"
    for path in sorted(site.rglob("*.html")):
        if path.name != _NOT_FOUND:
            page = path.read_text()
            linked = with_links(page, "../" * (len(path.relative_to(site).parts) - 1))
            if linked != page:
                path.write_text(linked)
    (site / "LICENSES.txt").write_text(licenses())
    return site


def add_page(site: Path, page: Path) -> bool:
    """Copy the explorer page into the site; return whether it has been built."""
    if not (page / "index.html").is_file():
        return False
    target = site / PAGE_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(page, target)
    facts = {**json.loads((page / "served.json").read_text()), "samples": SAMPLES}
    (target / "served.json").write_text(json.dumps(facts))
    return True


def licenses() -> str:
    """Return the licences of the parts of the site that are not cbpf's: the theme, its scripts and its icons."""
    spec = find_spec("zensical")
    assert spec is not None
    assert spec.origin is not None
    templates = Path(spec.origin).parent / "templates"
    files = distribution("zensical").files or ()
    (project,) = (file for file in files if str(file.parent).endswith(".dist-info/licenses"))
    texts = {
        "zensical, which makes the site": Path(project.locate()),
        f"zensical {distribution('zensical').version}, the theme, with the libraries in its script": (
            templates / "assets" / "javascripts" / "LICENSE"
        ),
        "Lucide, icons": templates / ".icons" / "lucide" / "LICENSE",
        "Material Design Icons": templates / ".icons" / "material" / "LICENSE",
        "iframe-worker, a script": ROOT / "docs" / "assets" / "javascripts" / "iframe-worker.LICENSE.txt",
        "The text of Apache-2.0": _LICENSES / "Apache-2.0.txt",
        "The text of the licence of the W3C": _LICENSES / "W3C.txt",
    }
    parts = ["The documentation of cbpf is licensed as cbpf is, under BSD-3-Clause. Its site contains these parts."]
    parts += [f"{name}\n\n{path.read_text().strip()}" for name, path in texts.items()]
    return f"\n\n{'=' * 80}\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
