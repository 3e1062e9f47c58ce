// The control-flow graph as a drawing, and as a list.

import { arrowKeys, counted, element, replace } from "../dom.js";
import { drawing } from "../parts.js";

let marked = null; // the arguments of the last `markGraph`, for parts of the drawing that are added later
let shown = []; // the blocks of the graph

/**
 * Show the graph of an answer; blocks and edges keep their numbers in data-block and data-edge.
 * @param {(block: object | null) => void} onLink Called with the block under the pointer or with the focus.
 */
export function showGraph(pane, answer, onLink) {
  marked = null;
  shown = answer.blocks;
  if (answer.svg === null) return replace(pane, element("p", {}, answer.message));
  const items = answer.blocks.map((block, number) => {
    const range = block.stop - block.start === 1 ? `${block.start}` : `${block.start}–${block.stop - 1}`;
    const runs = block.executed === null ? "" : `, executed ${counted(block.executed, "time")}`;
    const edges = block.edges
      .map(({ condition, target }) => `${condition ? `if ${condition} ` : ""}to ${answer.blocks[target].start}`)
      .join("; ");
    const fact = block.is_feasible ? "" : ", no packet comes here";
    const text = `Instructions ${range}${runs}${fact}${edges ? `: ${edges}` : ": the end"}`;
    return element("li", { "data-block": number, tabindex: number === 0 ? 0 : -1 }, text);
  });
  const list = element("ol", {}, ...items);
  const picture = drawing(answer.svg, () => marked && markGraph(pane, ...marked));
  const frame = element("div.drawing", { tabindex: 0, role: "region", "aria-label": "Control-flow graph" }, picture);
  for (const part of [frame, list]) linkBlocks(part, onLink);
  arrowKeys(list, "li");
  replace(pane, frame, element("details", {}, element("summary", {}, "The graph as a list"), list));
}

function linkBlocks(part, onLink) {
  const link = (event) => onLink(shown[event.target.closest("[data-block]")?.dataset.block] ?? null);
  part.addEventListener("mouseover", link);
  part.addEventListener("focusin", link);
  part.addEventListener("mouseleave", () => onLink(null));
  part.addEventListener("focusout", () => onLink(null));
}

/**
 * Mark the blocks that have instructions of clauses, in the drawing and in the list.
 * @param {(block: object) => (number | null)[]} clausesOf Returns the clause of each instruction of a block.
 */
export function markClausesInGraph(pane, clausesOf, clauses) {
  const isLinked = shown.map((block) => clausesOf(block).some((clause) => clauses.includes(clause)));
  for (const box of pane.querySelectorAll("[data-block]")) box.classList.toggle("linked", isLinked[box.dataset.block] === true);
}

/**
 * Mark the blocks and edges of a run up to a step, and the block of the step.
 * @param {{index: number}[]} steps The steps of the run, up to the chosen one.
 */
export function markGraph(pane, blocks, steps) {
  marked = [blocks, steps];
  const frame = pane.querySelector(".drawing");
  if (!frame) return;
  for (const group of pane.querySelectorAll(".on-path, .current")) group.classList.remove("on-path", "current");
  if (!steps.length || !blocks.length) return;
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
  const boxes = [...pane.querySelectorAll(`g[data-block="${number}"]`)];
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
