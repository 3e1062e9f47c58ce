// The control-flow graph as a drawing, and as a list.

import { counted, element, replace } from "../dom.js";
import { drawing } from "../parts.js";

let marked = null; // the arguments of the last `markGraph`, for parts of the drawing that are added later

/** Show the graph of an answer; blocks and edges keep their numbers in data-block and data-edge. */
export function showGraph(pane, answer) {
  marked = null;
  if (answer.svg === null) return replace(pane, element("p", {}, answer.message));
  const items = answer.blocks.map((block) => {
    const range = block.stop - block.start === 1 ? `${block.start}` : `${block.start}–${block.stop - 1}`;
    const runs = block.executed === null ? "" : `, executed ${counted(block.executed, "time")}`;
    const edges = block.edges
      .map(({ condition, target }) => `${condition ? `if ${condition} ` : ""}to ${answer.blocks[target].start}`)
      .join("; ");
    const fact = block.is_feasible ? "" : ", no packet comes here";
    return element("li", {}, `Instructions ${range}${runs}${fact}${edges ? `: ${edges}` : ": the end"}`);
  });
  const picture = drawing(answer.svg, () => marked && markGraph(pane, ...marked));
  replace(
    pane,
    element("div.drawing", { tabindex: 0, role: "region", "aria-label": "Control-flow graph" }, picture),
    element("details", {}, element("summary", {}, "The graph as a list"), element("ol", {}, ...items)),
  );
}

/**
 * Mark the blocks and edges of a run up to a step, and the block of the step.
 * @param {{index: number}[]} steps The steps of the run, up to the chosen one.
 */
export function markGraph(pane, blocks, steps) {
  marked = [blocks, steps];
  const frame = pane.querySelector(".drawing");
  if (!frame || !steps.length || !blocks.length) return;
  for (const group of pane.querySelectorAll(".on-path, .current")) group.classList.remove("on-path", "current");
  const blockOf = (index) => blocks.findIndex(({ start, stop }) => start <= index && index < stop);
  let number = blockOf(steps[0].index);
  let box = boxAt(pane, number, []);
  box?.classList.add("on-path");
  for (const { index } of steps.slice(1)) {
    const next = blockOf(index);
    if (next === number) continue;
    const edges = [...pane.querySelectorAll(`[data-edge="${number}-${next}"]`)];
    box = boxAt(pane, next, edges);
    for (const group of [...edges, box]) group?.classList.add("on-path");
    number = next;
  }
  box?.classList.add("current");
  if (box && !pane.hidden) scrollTo(frame, box.querySelector("rect"));
}

/** Return the box of a block; one that is drawn once for each edge, at the end of one of the edges. */
function boxAt(pane, number, edges) {
  const boxes = [...pane.querySelectorAll(`[data-block="${number}"]`)];
  const ends = edges.map((edge) => edge.querySelector("path").getAttribute("d").match(/[\d.]+/g).map(Number).slice(-2));
  const isEnd = (box) => {
    const { x, y, width } = place(box.querySelector("rect"));
    return ends.some(([endX, endY]) => x <= endX && endX <= x + width && Math.abs(endY - y) < 4);
  };
  return boxes.find(isEnd) ?? boxes[0] ?? null;
}

const place = (rect) => Object.fromEntries(["x", "y", "width", "height"].map((name) => [name, Number(rect.getAttribute(name))]));

function scrollTo(frame, rect) {
  const { x, y, width, height } = place(rect);
  frame.scrollTo(x + width / 2 - frame.clientWidth / 2, y + height / 2 - frame.clientHeight / 2);
}
