"""Hostile input of the explorer page: markup in texts and names, corrupt captures, and very long inputs.

After each, the page answers the next key, has no element that an input contained, and its policy was not violated.
"""

import json
from pathlib import Path
from random import Random
from typing import Any, Final
from warnings import catch_warnings

import pytest

import cbpf
from cbpf.explorer.answers import Answers
from support.browser import Opener, OpenPage, missing_browser, served
from support.captures import Pcapng
from support.command_line import TRAFFIC

_SLOW: Final = pytest.mark.slow
_SKIPPED: Final = pytest.mark.skipif(bool(missing_browser()), reason=missing_browser())
IMAGE: Final = "<img src=x onerror=alert(1)>"
SCRIPT: Final = "</pre></script><script>alert(1)</script>"
LONGEST: Final = "65535\n" + "0 0 0 7\n" * 65_534 + "22 0 0 0\n"
"""The longest program, as tcpdump -ddd writes it."""

_FOREIGN: Final = """() => {
  const shadows = [...document.querySelectorAll("*")].map((item) => item.shadowRoot).filter(Boolean);
  const names = "img:not(.cm-widgetBuffer), iframe, object, embed, base, form, b, i, u, math, [onerror], [onload]";
  const found = [document, ...shadows].flatMap((root) => [...root.querySelectorAll(names)]);
  const isOurs = ({ src, textContent }) => !textContent && src.startsWith(new URL(".", document.baseURI).href);
  return [...found, ...[...document.scripts].filter((script) => !isOurs(script))].map((item) => item.outerHTML);
}"""
"""Returns the elements that the page itself never has."""


def _require_usable(page: OpenPage) -> None:
    """Require that the page answers the next key, and that no input became markup."""
    assert page.page.evaluate(_FOREIGN) == []
    page.write("arp")
    assert page.page.locator("#main-listing tr[data-index]").count() == 4
    assert page.page.evaluate(_FOREIGN) == []


@_SLOW
@_SKIPPED
def test_violations_of_the_policy_are_reported(opened: Opener) -> None:
    page = opened()
    page.page.evaluate("() => { document.body.setAttribute('style', 'color: red'); }")
    page.page.evaluate(
        "() => { document.body.append(Object.assign(document.createElement('img'), { src: 'data:,' })); }"
    )
    page.page.wait_for_timeout(200)
    assert {message.split()[1] for message in page.messages if "policy:" in message} == {"policy:"}
    assert [item.partition(" ")[0] for item in page.page.evaluate(_FOREIGN)] == ["<img"]
    page.messages.clear()


@_SLOW
@_SKIPPED
@pytest.mark.parametrize("editor", ["#editor", "#other-editor"])
def test_markup_in_sources_is_text(opened: Opener, editor: str) -> None:
    page = opened({"s": "arp", "o": "ip", "t": "compare"})
    problems = "#problems" if editor == "#editor" else "#other-problems"
    for text in (
        IMAGE,
        SCRIPT,
        "host <b>x</b>",
        "tcp or \x01",
        "(" * 3_000,
        f"ldh [12] ; {IMAGE}\nbad {SCRIPT}",
        f"{IMAGE}: ret #1",
    ):
        page.write(text, editor)
        assert page.page.locator(f"{problems} li").count() > 0
        assert page.page.evaluate(_FOREIGN) == []
    _require_usable(page)


@_SLOW
@_SKIPPED
def test_markup_in_comments_and_labels_is_text_in_all_panes(opened: Opener) -> None:
    text = f"/* {SCRIPT} */\nldh [12] ; {IMAGE}\njeq #0x806, b, img\nb: ret #1 ; <b>\nimg: ret #0 /* {IMAGE} */\n"
    page = opened({"s": text, "o": f"{text}; <i>", "p": "00" * 60})
    for name in ("program", "graph", "passes", "code", "compare", "proofs"):
        page.tab(name)
        assert page.text("#problems") == ""
        assert page.page.evaluate(_FOREIGN) == []
    _require_usable(page)


@_SLOW
@_SKIPPED
def test_markup_in_settings_is_text(opened: Opener) -> None:
    page = opened({"s": "arp", "y": IMAGE, "m": SCRIPT, "d": IMAGE, "t": SCRIPT, "g": IMAGE, "p": IMAGE, "w": IMAGE})
    assert f"netmask: '{SCRIPT}' is not an IPv4 netmask" in page.text("#problems")
    page.page.fill("#netmask", "")
    page.page.press("#netmask", "Enter")
    page.settle()
    assert IMAGE in page.text("#problems")
    page.page.fill("#link-type", "EN10MB")
    page.page.press("#link-type", "Enter")
    page.settle()
    assert "not hexadecimal" in page.text("#packet-error")
    _require_usable(page)


@_SLOW
@_SKIPPED
def test_markup_in_names_of_files_and_captures_is_text(opened: Opener) -> None:
    block = Pcapng()
    comment = (1, SCRIPT.encode())
    frame = bytes.fromhex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001") + bytes(20)
    section = block.section(options=block.options(comment, (4, IMAGE.encode())))
    interface = block.interface(options=block.options(comment, (2, IMAGE.encode()), (3, SCRIPT.encode())))
    data = section + interface + block.enhanced(frame, options=block.options(comment)) + block.enhanced(IMAGE.encode())
    page = opened({"s": "arp"})
    for name in (
        f"{IMAGE}.pcapng",
        "<b>x</b>.pcap.gz",
        "a\u202egnp.pcap",
        "line\nline.pcap",
        "x" * 10_000,
        "",
        "__proto__",
    ):
        page.drop(data, name)
        assert page.text("#capture-facts") == "1 of 2 packets accepted"
        page.drop(b"hello", name)
        assert page.page.locator("#capture-list li").count() == 0
        assert page.text("#capture-facts").count("\n") == 0
        assert page.page.evaluate(_FOREIGN) == []
    _require_usable(page)


@_SLOW
@_SKIPPED
def test_markup_in_the_name_of_the_capture_of_the_command_is_text(opened: Opener) -> None:
    with served({"state": {"s": "arp"}, "capture": f"{IMAGE}.pcap"}, TRAFFIC) as server:
        page = opened(server.url)
        page.page.wait_for_selector("#capture-list li[aria-current=true]")
        page.settle()
        _require_usable(page)


def _damaged(choose: Random, data: bytes) -> bytes:
    """Return a capture with changed, removed or inserted bytes, mostly at its beginning."""
    changed = bytearray(data)
    for _ in range(choose.randint(1, 12)):
        at = int(len(changed) * choose.random() ** 4)
        kind = choose.randrange(4)
        if kind == 0:
            changed[at : at + choose.randint(1, 40)] = b""
        elif kind == 1:
            changed[at:at] = choose.randbytes(choose.randint(1, 40))
        else:
            changed[at : at + 4] = choose.choice((bytes(4), b"\xff" * 4, choose.randbytes(4)))
    return bytes(changed)


def test_corrupt_captures_have_an_answer_in_one_line() -> None:
    choose = Random(19)
    data = Path(TRAFFIC).read_bytes()[:60_000]
    asked = json.dumps({"source": {"text": "tcp or arp"}})
    opened = damaged = 0
    for _ in range(300):
        page = Answers()
        answer = json.loads(page.open_capture(_damaged(choose, data), "x.pcap"))
        assert "\n" not in answer.get("error", answer.get("damage", ""))
        if "error" not in answer:
            opened += 1
            damaged += bool(answer["damage"])
            with catch_warnings(action="ignore", category=cbpf.ExpressionWarning):
                verdicts = json.loads(page.answer("verdicts", asked))
            assert len(verdicts["verdicts"]) == len(answer["packets"])
    assert opened > 100
    assert damaged > 50


@_SLOW
@_SKIPPED
def test_corrupt_captures_leave_the_page_usable(opened: Opener) -> None:
    choose = Random(20)
    page = opened({"s": "arp"})
    data = Path(TRAFFIC).read_bytes()
    for content, name in (
        (b"hello", "note.txt"),
        (b"", "empty"),
        (data[:5_000], "cut.pcap"),
        (b"\x1f\x8b" + data, "x.gz"),
    ):
        page.drop(content, name)
        assert f"{name}: " in page.text("#capture-facts")
    for number in range(15):
        page.drop(_damaged(choose, data[:60_000]), f"{number}.pcap")
        assert page.text("#capture-facts") != ""
        assert page.text("#capture-facts").count("\n") == 0
    _require_usable(page)
    page.drop(data, "traffic.pcap")
    assert "905 packets accepted" in page.text("#capture-facts")


@_SLOW
@_SKIPPED
def test_ten_megabytes_in_each_field_leave_the_page_usable(opened: Opener) -> None:
    page = opened({"s": "arp", "o": "ip"})
    page.paste("tcp or " * 1_500_000)
    assert "10,500,000 characters" in page.text("#problems")
    _require_usable(page)
    page.page.click("#edit-packet")
    enter = """([id, text, count, type]) => {
      document.getElementById(id).value = text.repeat(count);
      document.getElementById(id).dispatchEvent(new Event(type));
    }"""
    page.page.evaluate(enter, ["packet-hex", "00 ", 3_400_000, "input"])
    page.settle()
    assert "a packet has at most 262,144 bytes" in page.text("#packet-error")
    page.page.evaluate(enter, ["packet-hex", "", 1, "input"])
    _require_usable(page)
    for field, text in (("netmask", "255."), ("link-type", "<b>"), ("snaplen", "9")):
        page.page.evaluate(enter, [field, text, 10_000_000 // len(text), "change"])
        page.settle()
        page.page.evaluate(enter, [field, "", 1, "change"])
        page.settle()
        _require_usable(page)


@_SLOW
@_SKIPPED
def test_the_longest_program_is_shown_in_all_panes(opened: Opener) -> None:
    page = opened({"o": "arp", "O": 0, "p": "00" * 60})
    page.paste(LONGEST)
    assert "65,535 instructions" in page.text("#notation")
    assert page.page.locator("#main-listing tr[data-index]").count() == 500
    for name, expected in (
        ("graph", "draws at most"),
        ("passes", "shows the passes of at most"),
        ("code", "65535"),
        ("compare", "ret"),
        ("proofs", ""),
    ):
        page.tab(name)
        assert expected in page.text(f"#pane-{name}")
    page.page.click("#optimize")
    page.settle()
    page.tab("program")
    assert page.page.locator("#main-listing tr[data-index]").count() > 0
    _require_usable(page)


@_SLOW
@_SKIPPED
@pytest.mark.parametrize(
    "text",
    [
        "ldh [12]\n" + f"bad {IMAGE}\n" * 20_000,
        "st M[77]\n" * 60_000 + "ret a\n",
        " or ".join(["tcp prot 80"] * 5_000),
        " or ".join(["tcp[0] = 0x100"] * 2_000),
        "\n".join(["jeq #1, 0, 0"] * 9_000 + ["ret a"]),
    ],
    ids=["unknown instructions", "rejected instructions", "unknown keywords", "findings", "constant tests"],
)
def test_thousands_of_problems_are_listed_in_part(opened: Opener, text: str) -> None:
    page = opened({"s": "ip", "O": 0})
    page.paste(text)
    assert 0 < page.page.locator("#problems li").count() <= 60
    assert page.page.evaluate(_FOREIGN) == []
    page.page.click("#problems li button:text('Show') >> nth=0")
    _require_usable(page)


@_SLOW
@_SKIPPED
def test_keys_while_a_long_question_runs_are_answered(opened: Opener) -> None:
    """The question of each pane that waits is the newest one."""
    page = opened({"s": "ip", "O": 0, "t": "graph"})
    page.paste("\n".join(["jeq #1, 1, 0\nld #7"] * 900 + ["ret a"]))
    for number in range(20):
        page.write(f"tcp port {number}")
    assert page.page.locator("#pane-graph svg").count() == 1
    page.tab("program")
    _require_usable(page)


def _listed(page: OpenPage) -> list[Any]:
    return page.texts("#main-listing tr[data-index]")


@_SLOW
@_SKIPPED
def test_names_of_objects_are_texts_in_states(opened: Opener) -> None:
    for name in ("__proto__", "constructor", "toString"):
        page = opened(
            {"s": name, "t": name, "d": name, "g": name, "y": name, "c": name, "n": 1, "__proto__": {"s": "x"}}
        )
        assert page.page.locator("#problems li").count() > 0
        page.page.fill("#link-type", "EN10MB")
        page.page.press("#link-type", "Enter")
        page.settle()
        _require_usable(page)
        assert len(_listed(page)) == len(cbpf.compile("arp"))
