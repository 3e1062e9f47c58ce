"""The worker of the explorer page takes too long: the captures and the questions of the next worker."""

from typing import Any, Final

import pytest

from support.browser import Opener, missing_browser

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())]
_SCRIPT: Final = """async ([calls, wait]) => {
  const log = [];
  const answers = {};
  const { setTimeout: later, Worker: original } = globalThis;
  globalThis.setTimeout = (act, time) => later(act, time / 100);
  globalThis.Worker = class {
    constructor() {
      log.push("start");
      later(() => this.onmessage({ data: { id: 0, answer: "{}" } }));
    }
    postMessage({ id, question, name }) {
      log.push(question ?? name);
      const data = name?.startsWith("bad") ? { id, answer: '{"error": "damaged"}' } : { id, answer: '{"known": 1}' };
      if (!(question ?? name).startsWith("long")) later(() => this.ended || this.onmessage({ data }));
    }
    terminate() {
      this.ended = true;
    }
  };
  const { Client } = await import("./client.js");
  const client = new Client(() => {});
  for (const [kind, name] of calls) {
    if (kind === "wait") await new Promise((resolve) => later(resolve, 50));
    else {
      const asked = kind === "open" ? client.open(new Uint8Array(), name) : client.ask(name, {});
      asked.then((answer) => (answers[name] = answer === null ? "replaced" : answer.error ? "error" : "known"));
    }
  }
  await new Promise((resolve) => later(resolve, wait));
  Object.assign(globalThis, { setTimeout: later, Worker: original });
  return { log, answers };
}"""
"""Sends questions with a worker that never answers questions and captures whose names begin with "long".

Times that the client waits are shorter by a factor of 100: its limit of 20 seconds is 0.2 seconds.
"""


def _log(opened: Opener, calls: list[tuple[str, str]], wait: int = 1_000) -> dict[str, Any]:
    """Return the questions that the workers had, and the answers that the page had, after calls of a client."""
    found: dict[str, Any] = opened().page.evaluate(_SCRIPT, [calls, wait])
    return found


def test_a_capture_that_takes_too_long_is_not_opened_again(opened: Opener) -> None:
    found = _log(opened, [("open", "long.pcap"), ("ask", "trace")])
    assert found["log"] == ["start", "long.pcap", "start", "trace"]
    assert found["answers"] == {"long.pcap": "error", "trace": "known"}


def test_a_new_worker_opens_the_capture_before_the_questions_that_wait(opened: Opener) -> None:
    calls = [("open", "x.pcap"), ("wait", ""), ("ask", "long graph"), ("ask", "trace"), ("ask", "verdicts")]
    found = _log(opened, calls)
    assert found["log"] == ["start", "x.pcap", "long graph", "start", "x.pcap", "trace", "verdicts"]
    assert found["answers"] == {"x.pcap": "known", "long graph": "error", "trace": "known", "verdicts": "known"}


def test_a_capture_that_waits_for_a_new_worker_is_opened_once(opened: Opener) -> None:
    calls = [("open", "x.pcap"), ("wait", ""), ("ask", "long graph"), ("ask", "trace"), ("open", "y.pcap")]
    found = _log(opened, calls)
    assert found["log"] == ["start", "x.pcap", "long graph", "start", "y.pcap", "trace"]
    assert found["answers"]["y.pcap"] == "known"


def test_a_new_worker_opens_no_capture_that_could_not_be_read(opened: Opener) -> None:
    found = _log(opened, [("open", "bad.pcap"), ("wait", ""), ("ask", "long graph"), ("ask", "trace")])
    assert found["log"] == ["start", "bad.pcap", "long graph", "start", "trace"]
