"""The documentation site of the distribution cbpf-explorer, with the explorer page in its folder explorer."""

from __future__ import annotations

import base64
import hashlib
import re

from .._typing import Final
from .files import PAGE_POLICY, Folder, ServedFile
from .page import Page

PAGE_FOLDER: Final = "explorer/"
SAMPLES: Final = {"traffic.pcap": "../assets/traffic.pcap"}
"""The captures of the examples: the paths from the explorer page, by the names in links."""
_SCRIPT: Final = re.compile(rb"<script(?P<attributes>[^>]*)>(?P<text>.*?)</script>", re.DOTALL)
_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'{0}",
        "worker-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the script of the theme sets attributes named style
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The Content-Security-Policy of the pages of the site, with a place for the hashes of their own scripts."""


class Site:
    """The files of the site.

    Args:
        folder: The folder of the site, without the explorer page.
        page: The explorer page.
    """

    page_path = PAGE_FOLDER

    def __init__(self, folder: str, page: Page) -> None:
        self._folder = Folder(folder)
        self._page = page

    def file(self, name: str) -> ServedFile | None:
        """Return the file with a name such as "tutorial.html", or None if there is none."""
        if name.startswith(PAGE_FOLDER):
            page = self._page.file(name.removeprefix(PAGE_FOLDER) or "index.html")
            return None if page is None else page._replace(policy=f"{PAGE_POLICY}; frame-ancestors 'self'")
        file = self._folder.file(name)
        return None if file is None else file._replace(policy=_policy(file))


def _policy(file: ServedFile) -> str:
    """Return the policy of a file, which permits the scripts that the page itself contains."""
    hashes = ""
    if file.content_type.startswith("text/html"):
        texts = [script["text"] for script in _SCRIPT.finditer(file.data) if b"src=" not in script["attributes"]]
        digests = sorted({base64.b64encode(hashlib.sha256(text).digest()).decode() for text in texts})
        hashes = "".join(f" 'sha256-{digest}'" for digest in digests)
    return _POLICY.format(hashes)
