// The trace of a program on a packet: steps in both directions, registers and loads, the outcomes of clauses.

import { element, hex, replace } from "../dom.js";

const MAX_ROWS = 200; // of the table: those around the chosen step

const WORDS = {
  true: "true",
  false: "false",
  "not evaluated": "not evaluated",
  "bytes missing": "bytes are missing",
  "division by zero": "division by zero",
};

/**
 * Show a trace.
 * @param {object} trace The answer to the question "trace".
 * @param {string[]} lines The listing of the program.
 * @param {(step: number) => void} onStep Called with the number of a step when it is chosen.
 */
export function showTrace(pane, trace, lines, onStep) {
  const { steps } = trace;
  const last = steps.length - 1;
  const slider = element("input", {
    type: "range",
    min: 0,
    max: Math.max(last, 0),
    value: last,
    "aria-label": "Step",
    oninput: () => onStep(Number(slider.value)),
  });
  const move = (text, label, target) =>
    element("button", { type: "button", "aria-label": label, title: label, onclick: () => onStep(target()) }, text);
  const at = () => Number(slider.value);
  const controls = element(
    "div.row",
    {},
    move("First", "First step", () => 0),
    move("Back", "Back one step", () => Math.max(at() - 1, 0)),
    slider,
    move("Next", "Next step", () => Math.min(at() + 1, last)),
    move("Last", "Last step", () => last),
  );
  const makeRow = (number) =>
    element(
      "tr",
      { "data-step": number, "aria-rowindex": number + 1, onclick: () => onStep(number) },
      element("th", { scope: "row" }, String(number + 1)),
      element("td", {}, `${listed(steps[number].index)} ${(lines[steps[number].index] ?? "").replace(/ +jt .*$/, "")}`),
      element("td", {}, `A=${hex(steps[number].a, 8)} X=${hex(steps[number].x, 8)}`),
      element("td", {}, event(steps[number], steps[number - 1])),
    );
  const body = element("tbody");
  let firstRow = 0;
  const showRows = (number) => {
    if (body.hasChildNodes() && firstRow <= number && number < firstRow + MAX_ROWS) return;
    firstRow = Math.max(0, Math.min(number - MAX_ROWS / 2, steps.length - MAX_ROWS));
    const shown = steps.slice(firstRow, firstRow + MAX_ROWS);
    replace(body, ...shown.map((_, index) => makeRow(firstRow + index)));
  };
  const table = element("table.code", { "aria-label": "Steps", "aria-rowcount": steps.length }, body);
  const registers = element("p.registers", { role: "status" });
  const isCut = steps.length > 0 && steps.at(-1).verdict === null;
  const cut = isCut ? element("p.quiet", {}, `The first ${steps.length.toLocaleString("en")} steps.`) : null;
  replace(
    pane,
    element("p.verdict", { role: "status" }, `This program ${trace.meaning}`),
    trace.why ? outcomes(trace.why) : null,
    steps.length ? controls : null,
    registers,
    element("div.scroll", { tabindex: 0, role: "region", "aria-label": "Steps of the trace" }, table),
    cut,
  );
  return {
    /** Show the state after a step. */
    select(number) {
      showRows(number);
      slider.value = number;
      const step = steps[number];
      slider.setAttribute("aria-valuetext", `step ${number + 1} of ${steps.length}, instruction ${step.index}`);
      const values = [
        `step ${number + 1} of ${steps.length}`,
        `A = ${word(step.a)}`,
        `X = ${word(step.x)}`,
        ...step.scratch.flatMap((value, slot) => (value === 0 ? [] : [`M[${slot}] = ${word(value)}`])),
        event(step, steps[number - 1]),
      ];
      replace(registers, ...values.filter(Boolean).map((text) => element("span", {}, text)));
      for (const row of table.querySelectorAll("tr.current")) row.classList.remove("current");
      const row = table.querySelector(`tr[data-step="${number}"]`);
      row?.classList.add("current");
      if (row) {
        const box = table.parentElement;
        const top = row.offsetTop - box.clientHeight / 2;
        box.scrollTop = Math.max(top, 0);
      }
    },
  };
}

const listed = (index) => String(index).padStart(3, "0");

const word = (value) => `${value} (0x${hex(value)})`;

/** Return the effects of a step as text: the load, the store, the jump and the verdict. */
function event({ fetched, taken, next_index: next, verdict, scratch }, before) {
  const parts = [];
  if (fetched) {
    const { position, size, value } = fetched;
    const place = size === 1 ? `byte ${position}` : `bytes ${position}–${position + size - 1}`;
    parts.push(`${place}: ${value === null ? "past the end" : hex(value, 2 * size)}`);
  }
  scratch.forEach((value, slot) => {
    if (value !== (before?.scratch[slot] ?? 0)) parts.push(`M[${slot}] = ${value}`);
  });
  if (taken !== null) parts.push(`${taken}, to ${next}`);
  if (verdict !== null) parts.push(`verdict ${verdict}`);
  return parts.join("; ");
}

/** Return the clauses of the expression with their outcomes; the one that decided is marked. */
function outcomes(why) {
  const items = why.parts.map((part, number) => {
    const isDeciding = number === why.deciding;
    const sign = part.outcome === "true" ? "✓" : part.outcome === "false" ? "✗" : "–";
    const text = `${sign} ${part.text}: ${WORDS[part.outcome]}${isDeciding ? " (decides)" : ""}`;
    const classes = [isDeciding ? "deciding" : "", part.depth ? `depth-${Math.min(part.depth, 6)}` : ""];
    return element(["li", ...classes.filter(Boolean)].join("."), {}, text);
  });
  return element("ul.outcomes", { "aria-label": "Clauses of the expression" }, ...items.slice(0, 500));
}
