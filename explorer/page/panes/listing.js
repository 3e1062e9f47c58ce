// Listings of programs, with the clause of each instruction; linked both ways with the text of the expression.

import { arrowKeys, counted, element, replace } from "../dom.js";
import { rowsWithMore } from "../parts.js";

/** What is marked in the listings; rows that are added later are marked as well. */
const marked = { clauses: new Set(), executed: new Set(), current: null };

function markRow(row, hasPath) {
  row.classList.toggle("linked", marked.clauses.has(row.dataset.clause));
  if (!hasPath) return;
  const index = Number(row.dataset.index);
  row.classList.toggle("on-path", marked.executed.has(index));
  row.classList.toggle("current", index === marked.current);
}

/**
 * Make the table of a listing.
 * @param {string} caption
 * @param {{lines: string[], clause: (number | null)[] | null}} listing
 * @param {{text: string}[]} clauses
 * @param {{dead?: Set<number>, loads?: Map<number, string>, hasPath?: boolean, onLink?: (clauses: number[]) => void}}
 *   options Instructions that no packet runs, the bytes of loads, whether the path of the packet is marked, and what is
 *   called with the clause under the pointer, as a list.
 */
export function listingTable(
  caption,
  listing,
  clauses,
  { dead = new Set(), loads = new Map(), hasPath = false, onLink } = {},
) {
  const body = element("tbody");
  const hasClauses = listing.clause !== null;
  const makeRow = (index) => {
    const clause = hasClauses ? listing.clause[index] : null;
    const isFirst = clause !== null && (index === 0 || listing.clause[index - 1] !== clause);
    const row = element(
      "tr",
      { "data-index": index, tabindex: index === 0 ? 0 : -1 },
      element("th", { scope: "row" }, String(index).padStart(3, "0")),
      element("td", { title: loads.has(index) ? `loads bytes ${loads.get(index)}` : null }, listing.lines[index]),
      hasClauses ? element("td.clause", {}, clause === null ? "" : isFirst ? clauses[clause].text : "│") : null,
    );
    if (clause !== null) row.dataset.clause = clause;
    if (dead.has(index)) {
      row.classList.add("dead");
      row.append(element("td.fact", {}, "no packet runs this"));
    }
    markRow(row, hasPath);
    return row;
  };
  const more = rowsWithMore(body, listing.lines.length, makeRow);
  const clauseOf = (event) => event.target.closest?.("tr")?.dataset.clause;
  const link = (event) => onLink?.(clauseOf(event) === undefined ? [] : [Number(clauseOf(event))]);
  body.addEventListener("mouseover", link);
  body.addEventListener("focusin", link);
  body.addEventListener("mouseleave", () => onLink?.([]));
  body.addEventListener("focusout", () => onLink?.([]));
  arrowKeys(body, "tr");
  const head = element(
    "thead",
    {},
    element(
      "tr",
      {},
      element("th", { scope: "col" }, "#"),
      element("th", { scope: "col" }, "instruction"),
      hasClauses ? element("th", { scope: "col" }, "clause") : null,
    ),
  );
  return element("div", {}, element("h3", {}, caption), element("table.code", { "aria-label": caption }, head, body), more);
}

/** Show the program, and beside it the plain code of an expression if the optimiser has changed it. */
export function showProgram(pane, answer, onLink) {
  const dead = new Set(answer.unreachable);
  const loads = new Map(answer.loads.map(({ index, text }) => [index, text]));
  const path = answer.shortest === answer.longest ? `${answer.longest}` : `${answer.shortest}–${answer.longest}`;
  const size = `${counted(answer.lines.length, "instruction")}, ${path} on a path`;
  const main = listingTable(answer.plain ? `Optimised: ${size}` : size, answer, answer.clauses, {
    dead,
    loads,
    hasPath: true,
    onLink,
  });
  main.id = "main-listing";
  if (!answer.plain) return replace(pane, element("div.listings", {}, main));
  const caption = `Plain code with its clauses: ${counted(answer.plain.lines.length, "instruction")}`;
  replace(pane, element("div.listings", {}, main, listingTable(caption, answer.plain, answer.clauses, { onLink })));
}

/** Mark the instructions of clauses, in every listing. */
export function markClauses(pane, clauses) {
  marked.clauses = new Set(clauses.map(String));
  markRows(pane);
}

/** Mark the instructions that ran up to a step, and the one of the step. */
export function markPath(pane, executed, current) {
  Object.assign(marked, { executed, current });
  markRows(pane);
}

function markRows(pane) {
  const main = pane.querySelector("#main-listing");
  for (const row of pane.querySelectorAll("tr[data-index]")) markRow(row, main?.contains(row));
}
