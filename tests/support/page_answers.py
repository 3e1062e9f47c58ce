"""The answers of the explorer page, as its web worker requests them."""

import json
from typing import Any

from cbpf.explorer.answers import Answers


def source(text: str, **settings: Any) -> dict[str, Any]:
    """Return a source as the page sends it."""
    return {"text": text, **settings}


def ask(question: str, text: str = "tcp port 443 or arp", *, page: Answers | None = None, **request: Any) -> Any:
    """Return the answer to a question about a text; "settings" are the others of its source."""
    given = {"source": source(text, **request.pop("settings", {})), **request}
    return json.loads((page or Answers()).answer(question, json.dumps(given)))
