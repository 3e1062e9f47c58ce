// The control-flow graph as a drawing, and as a list.

import { counted, drawing, element, replace } from "../dom.js";

/** Show the graph of an answer; blocks and edges keep their numbers in data-block and data-edge. */
export function showGraph(pane, answer) {
  if (answer.svg === null) return replace(pane, element("p", {}, answer.message));
  const items = answer.blocks.map((block) => {
    const range = block.stop - block.start === 1 ? `${block.start}` : `${block.start}–${block.stop - 1}`;
    const runs = block.runs === null ? "" : `, run ${counted(block.runs, "time")}`;
    const edges = block.edges.map(({ text, target }) => `${text ? `if ${text} ` : ""}to ${target}`).join("; ");
    const fact = block.is_feasible ? "" : ", no packet comes here";
    return element("li", {}, `Instructions ${range}${runs}${fact}${edges ? `: ${edges}` : ": the end"}`);
  });
  replace(
    pane,
    element("div.drawing", { tabindex: 0, role: "region", "aria-label": "Control-flow graph" }, drawing(answer.svg)),
    element("details", {}, element("summary", {}, "The graph as a list"), element("ol", {}, ...items)),
  );
}

/** Mark the blocks and edges of a run up to a step, and the block of the step. */
export function markGraph(pane, blocks, executed, current, steps) {
  const blockOf = (index) => blocks.findIndex(({ start, stop }) => start <= index && index < stop);
  const visited = new Set([...executed].map(blockOf));
  const edges = new Set();
  for (let number = 1; number < steps.length; number += 1) {
    const [from, to] = [blockOf(steps[number - 1].index), blockOf(steps[number].index)];
    if (from !== to) edges.add(`${from}-${to}`);
  }
  const now = current === null ? -1 : blockOf(current);
  for (const group of pane.querySelectorAll("[data-block]")) {
    const number = Number(group.dataset.block);
    group.classList.toggle("on-path", visited.has(number));
    group.classList.toggle("current", number === now);
  }
  for (const group of pane.querySelectorAll("[data-edge]")) group.classList.toggle("on-path", edges.has(group.dataset.edge));
}
