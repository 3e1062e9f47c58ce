"""The explorer page in Chromium: its start, keys, blocks of the main thread, memory of the worker, and size."""

import gzip
import json
from collections.abc import Iterator
from statistics import median
from time import perf_counter
from typing import Final

from benchmarks import synthetic
from benchmarks.corpus import ETHERNET
from benchmarks.explorer_browser import Block, Chromium, chromium
from benchmarks.explorer_use import CAPTURE, EXPRESSION, USES
from benchmarks.processes import WORKSPACE
from benchmarks.report import Goal, Section, at_most
from benchmarks.setting import Setting

import cbpf
from cbpf.explorer.answers import Answers

_PICTURES: Final = {"program": ("check", "program"), "graph": ("check", "program", "graph")}
"""The requests that the page sends to its worker after a key, up to the one whose answer a view shows."""
_KEYS: Final = 1_000
_CAPTURES: Final = 20
_GROUPS: Final = {"pyodide": "Pyodide", "cbpf.zip": "modules of cbpf", "editor.js": "CodeMirror"}


def explorer(setting: Setting) -> Iterator[Section]:
    """Measure the page in one browser; every page is opened in a profile of its own."""
    with chromium() as browser:
        yield _start(browser, setting.rounds(5))
        yield _keys(browser, setting.rounds(5))
        yield _blocks(browser, setting.rounds(5))
        yield _memory(browser, setting)
        yield _size(browser)


def _start(browser: Chromium, rounds: int) -> Section:
    """Compare the page with one that only loads Pyodide."""
    bare, first, ratios = [], [], []
    for _ in range(rounds + 1):
        bare.append(browser.bare_load())
        with browser.opened(s=EXPRESSION) as page:
            first.append(page.first_listing())
        ratios.append(first[-1] / bare[-1])
    ratio = median(ratios[1:])
    rows = [
        ["only Pyodide", f"{median(bare[1:]):,.0f}", "1.00", "`loadPyodide` in a web worker of an empty page"],
        ["the page", f"{median(first[1:]):,.0f}", f"{ratio:.2f}", "until the listing of the expression in its link"],
    ]
    note = "From the start of the navigation, with an empty cache; the server is that of `cbpf explore`."
    goals = [
        at_most("The explorer page, until its first listing: time against Pyodide alone", 1.3, ratio, "{:.2f} times")
    ]
    return Section("Start of the explorer page", ["contender", "ms", "times", "how"], rows, note, goals)


def _keys(browser: Chromium, rounds: int) -> Section:
    """Type one character, and wait for the picture; next to it the same requests in this Python."""
    rows, goals = [], []
    for name, expression in _expressions().items():
        text = f"({expression}) or udp port 535"
        size = len(cbpf.compile(f"{text}0", optimizer=None))
        for view, questions in _PICTURES.items():
            page_times, own_times, ratios = [], [], []
            with browser.opened(s=text, t=view) as page:
                page.focus_editor("Control+End")
                for digit in range(rounds + 1):
                    page_times.append(page.key_to_picture(str(digit), f"pane-{view}"))
                    page.press("Backspace")
                    own_times.append(_native(f"{text}{digit}", questions) * 1e3)
                    ratios.append(page_times[-1] / own_times[-1])
            ratio = median(ratios[1:])
            times = [f"{median(column[1:]):.1f}" for column in (page_times, own_times)]
            rows.append([f"{name}, {view}", f"{size:,}", *times, f"{ratio:.1f}"])
            goals.append(
                at_most(f"A key in the explorer page, {name}, {view}: against CPython", 8, ratio, "{:.1f} times")
            )
    note = (
        "One character typed into the editor of a page that is open, until the listing or the graph is painted, next "
        "to the same requests in this CPython without a browser. The instructions are those of the plain code."
    )
    heading = ["case", "instructions", "ms in the page", "ms in CPython", "times"]
    return Section("From a key to the picture", heading, rows, note, goals)


def _expressions() -> dict[str, str]:
    """Return the smallest, the median and the largest expression of the corpus, by the size of their plain code."""
    ordered = sorted(ETHERNET, key=lambda expression: len(cbpf.compile(expression, optimizer=None)))
    return {"small": ordered[0], "medium": ordered[len(ordered) // 2], "large": ordered[-1]}


def _native(text: str, questions: tuple[str, ...]) -> float:
    """Return the seconds that this Python takes for the answers to requests about a text."""
    answers = Answers()
    request = json.dumps({"source": {"text": text}})
    started = perf_counter()
    for question in questions:
        answers.answer(question, request)
    return perf_counter() - started


def _blocks(browser: Chromium, rounds: int) -> Section:
    """Use the page, and measure the longest task of its main thread."""
    synthetic.write(CAPTURE, 1_000)
    blocks: dict[str, list[Block]] = {name: [] for name in ("the start", *USES)}
    for _ in range(rounds):
        with browser.opened(s=EXPRESSION) as page:
            blocks["the start"].append(page.longest_block())
            for name, (_, use) in USES.items():
                use(page)
                blocks[name].append(page.longest_block())
    processor = _task_times(browser)
    hows = {"the start": "until the first answers"} | {name: how for name, (how, _) in USES.items()}
    tasks = {name: median(task for task, _ in found) for name, found in blocks.items()}
    gaps = {name: median(gap for _, gap in found) for name, found in blocks.items()}
    rows = [[name, _task(tasks[name]), f"{gaps[name]:.0f}", processor.get(name, ""), hows[name]] for name in blocks]
    goals = [
        Goal(f"The explorer page, {name}: longest task", "at most 50 ms", f"{_task(task)} ms", task <= 50)
        for name, task in tasks.items()
    ]
    note = (
        "The longest task of the main thread, of which a browser reports those of at least 50 ms, and the longest gap "
        "between two turns of its event loop, with the 4 ms of a timer; both include the time that other processes "
        "take. One page is used in this order; the capture remains open. The processor time is that of the longest "
        "task in one more round, traced by Chromium."
    )
    heading = ["case", "task in ms", "gap in ms", "processor ms", "how"]
    return Section("Blocks of the main thread of the page", heading, rows, note, goals)


def _task(milliseconds: float) -> str:
    """Return the duration of the longest task; 0 if the browser has reported none."""
    return f"{milliseconds:.0f}" if milliseconds else "below 50"


def _task_times(browser: Chromium) -> dict[str, str]:
    """Return the processor time of the longest task of the main thread in each use."""
    longest = {}
    with browser.opened(s=EXPRESSION) as page:
        page.is_traced = True
        for name, (_, use) in USES.items():
            use(page)
            longest[name] = f"{page.longest_task():.0f}"
    return longest


def _memory(browser: Chromium, setting: Setting) -> Section:
    """Use one page for a long time."""
    keys, captures = setting.scaled(_KEYS), setting.scaled(_CAPTURES)
    large = WORKSPACE / "large.pcap"
    synthetic.write(large, 20_000)
    text = " or ".join(ETHERNET)
    with browser.opened() as page:
        heaps = {"after the start": page.heap()}
        page.focus_editor()
        after_keys = []
        for position in range(keys):
            page.page.keyboard.press("Space" if text[position % len(text)] == " " else text[position % len(text)])
            page.page.wait_for_timeout(20)
            if position + 1 in (keys // 2, keys):
                page.settle()
                after_keys.append(page.heap())
                heaps[f"after {position + 1:,} keys"] = after_keys[-1]
        after_captures = []
        for _ in range(captures):
            page.open_capture(large)
            after_captures.append(page.heap())
        heaps["after one capture"], heaps[f"after {captures} captures"] = after_captures[0], after_captures[-1]
    growths = {
        f"{keys:,} keys, against half of them": after_keys[-1] / after_keys[0],
        f"{captures} captures, against the first": after_captures[-1] / after_captures[0],
    }
    goals = [
        at_most(f"The explorer page, memory of its worker: {name}", 1.1, growth, "{:.2f} times")
        for name, growth in growths.items()
    ]
    size = large.stat().st_size / 1e6
    note = f"The WebAssembly memory, which never shrinks. A key every 20 ms; each capture has {size:.0f} MB."
    rows = [[name, f"{heap / 1e6:.1f}"] for name, heap in heaps.items()]
    return Section("Memory of Python in the page", ["case", "MB"], rows, note, goals)


def _size(browser: Chromium) -> Section:
    """List the files that the browser loads."""
    folder = WORKSPACE / "explorer"
    sizes: dict[str, list[int]] = {}
    with browser.opened(s=EXPRESSION) as page:
        names = dict.fromkeys(url.partition("#")[0].split("/", 4)[-1] or "index.html" for url in page.requests)
    for name in names:
        group = _GROUPS.get(name.partition("/")[0], "the rest")
        content = (folder / name).read_bytes()
        found = sizes.setdefault(group, [0, 0, 0])
        for column, value in enumerate((1, len(content), len(gzip.compress(content)))):
            found[column] += value
    sizes["everything"] = [sum(column) for column in zip(*sizes.values(), strict=True)]
    rows = [
        [group, f"{files}", f"{plain / 1e6:.2f}", f"{packed / 1e6:.2f}"]
        for group, (files, plain, packed) in sizes.items()
    ]
    note = (
        "The files that the browser loads at the start. `cbpf explore` serves them as they are; a website may compress "
        "them."
    )
    return Section("Size of the explorer page", ["case", "files", "MB", "MB with gzip"], rows, note)
