// The two editors, and the clauses that the first one has in common with the listings.

import { byId, element, replace } from "./dom.js";
import { createEditor } from "./editor.js";
import { markClause } from "./panes/listing.js";
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
  onHover: (offset) => linkClause(offset === null ? null : clauseAt(offset), false),
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

function clauseAt(offset) {
  const index = view.clauses.findIndex(({ start, end }) => start <= offset && offset <= end);
  return index < 0 ? null : index;
}

/** Mark the instructions of a clause, and its text if the pointer is at an instruction. */
export function linkClause(clause, inSource) {
  markClause(byId("pane-program"), clause);
  const span = clause === null ? null : view.clauses[clause];
  if (inSource || clause === null) editor.linked = span ? [[span.start, span.end]] : [];
}
