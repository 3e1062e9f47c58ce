// Long contents in parts: some of it at once, the rest after the next pictures, so that the page is never blocked.

import { element, replace } from "./dom.js";

const ROWS = 200; // in a part
const UNASKED = 500; // rows that are shown without a click
const SHAPES = 300; // of a drawing, in a part
const LINES = 200; // of a text, in a block

/**
 * Call a function for each part of a range.
 * @param {number} start
 * @param {number} end
 * @param {number} size The length of a part.
 * @param {(start: number, end: number) => boolean} show Returns whether the content is still wanted.
 */
function inParts(start, end, size, show) {
  const stop = Math.min(start + size, end);
  if (show(start, stop) && stop < end) requestAnimationFrame(() => setTimeout(inParts, 0, stop, end, size, show));
}

/**
 * Show many rows, and a button for more.
 * @param {Element} parent
 * @param {number} count The number of all rows.
 * @param {(index: number) => Element} makeRow
 * @returns {Element} The button.
 */
export function rowsWithMore(parent, count, makeRow) {
  let limit = 0;
  const show = (start, end) => {
    if (start > 0 && !parent.isConnected) return false;
    parent.append(...Array.from({ length: end - start }, (_, index) => makeRow(start + index)));
    more.textContent = `${(count - end).toLocaleString("en")} more`;
    more.hidden = end === count || end < limit;
    return true;
  };
  const showMore = () => {
    const start = limit;
    limit = Math.min(limit + UNASKED, count);
    inParts(start, limit, ROWS, show);
  };
  const more = element("button", { type: "button", onclick: showMore });
  replace(parent);
  showMore();
  return more;
}

/** Return a text as blocks of lines, of which the browser lays out only those in view. */
export function textBlocks(text) {
  const lines = text.split("\n");
  const blocks = [];
  for (let start = 0; start < lines.length; start += LINES) {
    const end = start + LINES;
    blocks.push(element("span.block", {}, lines.slice(start, end).join("\n") + (end < lines.length ? "\n" : "")));
  }
  return blocks;
}

const SHOWN = new Set(["svg", "title", "defs", "marker", "path", "g", "rect", "text"]);

/**
 * Return SVG of cbpf itself: parsed as XML, and only elements and attributes that its drawings have.
 * @param {string} text
 * @param {() => void} onPart Called after each part but the first.
 */
export function drawing(text, onPart) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  const svg = checked(root, false);
  const shapes = [...root.children];
  inParts(0, shapes.length, SHAPES, (start, end) => {
    if (start > 0 && !svg.isConnected) return false;
    svg.append(...shapes.slice(start, end).map((shape) => checked(shape, true)));
    if (start > 0) onPart();
    return true;
  });
  return svg;
}

/** Import an element of a drawing, or throw an Error if it has anything foreign. */
function checked(shape, isDeep) {
  for (const node of [shape, ...(isDeep ? shape.querySelectorAll("*") : [])]) {
    const isForeign = !SHOWN.has(node.localName) || node.getAttributeNames().some((name) => /^on|href/i.test(name));
    if (isForeign) throw new Error("the drawing cannot be shown");
  }
  return document.importNode(shape, isDeep);
}
