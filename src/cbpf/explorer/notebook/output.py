"""The output of a cell in a notebook: the program and its graph, and above them the page, once it has answered."""

from __future__ import annotations

import html
import json

from ..._typing import Final

_MESSAGE: Final = "cbpf explorer"
"""The message of a page that has begun (frame.js) to the window that shows it."""
_PATIENCE: Final = 8_000  # ms in which a page begins
_SCRIPT: Final = """
(() => {
  const { id, url, height, notebook, message, patience } = FACTS;
  const box = (document.currentScript ?? document.getElementById(id)).parentElement;
  const [note, content] = ["p", "details"].map((name) => box.querySelector(name));
  const config = document.getElementById("jupyter-config-data");
  const isHere = notebook ? location.origin === notebook : /^(localhost|127\\.0\\.0\\.1)$/.test(location.hostname);
  const explain = () => {
    if (!config) return;
    const base = new URL(JSON.parse(config.textContent).baseUrl ?? "/", location.href).href;
    note.textContent = "The interactive page cannot be reached from this browser: its kernel has ended, or runs on "
      + "another machine. With the extension jupyter-server-proxy in the environment of the notebook server, pass "
      + `notebook_url="${base}" to cbpf.explore.`;
  };
  if (!isHere) return explain();
  const frame = document.createElement("iframe");
  const theme = { true: "light", false: "dark" }[document.body.dataset.jpThemeLight];
  frame.src = theme ? `${url}?theme=${theme}` : url;
  frame.title = "cbpf explorer";
  frame.allow = "clipboard-write";
  if (!notebook) frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-downloads allow-popups");
  frame.style.cssText = "display: block; box-sizing: border-box; width: 100%; height: 0; border: 0";
  const timer = setTimeout(explain, patience);
  const begin = ({ data, source }) => {
    if (source !== frame.contentWindow || data !== message) return;
    clearTimeout(timer);
    removeEventListener("message", begin);
    note.textContent = "";
    frame.style.cssText += `; height: ${height}px; border: 1px solid #8888; resize: vertical`;
    content.open = false;
  };
  addEventListener("message", begin);
  box.prepend(frame);
})();
"""
"""The frame is shown when the page in it has begun. Where it does not, such as after the end of the kernel, the program
remains. On other sites than that of the notebook, such as those of exported notebooks, nothing is requested."""


def page_output(content: str, note: str = "") -> str:
    """Return the output without the interactive page.

    Args:
        content: The HTML of the program.
        note: A text for people, such as the reason why the interactive page is absent.
    """
    return f"<div><p>{html.escape(note)}</p>{content}</div>"


def frame_output(content: str, url: str, *, height: int, notebook: str) -> str:
    """Return the output with the interactive page.

    Args:
        content: The HTML of the program, which is shown where the page cannot be.
        url: The link to the page.
        height: The height of the page in pixels.
        notebook: The origin of the notebook; empty: one on this machine.
    """
    identifier = f"cbpf-{url.rstrip('/').rpartition('/')[2]}"
    facts = {"url": url, "height": height, "notebook": notebook, "id": identifier}
    facts |= {"message": _MESSAGE, "patience": _PATIENCE}
    script = _SCRIPT.replace("FACTS", json.dumps(facts).replace("<", "\\u003c"))
    return f'<div><p></p>{content}<script id="{identifier}">{script}</script></div>'
