// The two editors, and the clauses that the first one has in common with the listings and the graph.

import { byId, element, replace } from "./dom.js";
import { createEditor } from "./editor.js";
import { markClausesInGraph } from "./panes/graph.js";
import { markClauses } from "./panes/listing.js";
import { changed, state, view } from "./state.js";

const showRefusal = (list) => (message) => replace(list, element("li.error", {}, element("strong", {}, "error: "), message));

export const editor = createEditor(byId("editor"), {
  label: "Expression or program",
  hint: "tcp port 443, or a program in any notation",
  onChange: (text) => {
    state.text = text;
    changed("source");
  },
  onRefuse: showRefusal(byId("problems")),
  onHover: (offset) => linkClauses(offset === null ? [] : clausesAt(offset), false),
});

export const otherEditor = createEditor(byId("other-editor"), {
  label: "Second source",
  hint: "tcp dst port 443",
  onChange: (text) => {
    state.other = text;
    changed("other");
  },
  onRefuse: showRefusal(byId("other-problems")),
  onHover: () => {},
});

function clausesAt(offset) {
  const index = view.clauses.findIndex(({ start, end }) => start <= offset && offset <= end);
  return index < 0 ? [] : [index];
}

/** Mark the instructions of clauses, and their text if the pointer or the focus is at an instruction. */
export function linkClauses(clauses, inSource) {
  const clauseOf = view.program?.clause ?? [];
  markClauses(byId("pane-program"), clauses);
  markClausesInGraph(byId("pane-graph"), ({ start, stop }) => clauseOf.slice(start, stop), clauses);
  if (!inSource && clauses.length) return;
  const spans = clauses.map((clause) => view.clauses[clause]).filter(Boolean);
  editor.linked = spans.map(({ start, end }) => [start, end]);
}

/** Mark the clauses of a block of the graph; optimised code has none. */
export function linkBlock(block) {
  const found = block === null ? [] : (view.program?.clause ?? []).slice(block.start, block.stop);
  linkClauses([...new Set(found.filter((clause) => clause !== null))], true);
}
