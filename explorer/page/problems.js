// Errors and findings of the sources: underlined in the editors, and listed below them.

import { byId, element, replace } from "./dom.js";
import { editor } from "./editors.js";
import { showPacket } from "./packets.js";

/**
 * Show the errors of the first source, the warnings of its answer, and the findings of the linter and the analysis.
 * @param {number} more The number of errors and findings that the answers leave out.
 */
export function showProblems(problems, findings, checked, more = 0) {
  const errors = problems.map((problem) => ({ ...problem, severity: "error" }));
  const found = findings.map((finding) => ({ ...finding, message: `${finding.fact}; ${finding.rule}` }));
  const warned = (checked.warnings ?? []).map((message) => ({ start: 0, end: 0, message, severity: "warning" }));
  const shown = [...errors, ...warned, ...found];
  const severities = { error: "error", warning: "warning", note: "info" };
  editor.problems = shown.map((problem) => ({ ...problem, severity: severities[problem.severity] ?? "info" }));
  replace(byId("problems"), ...problemItems(shown, editor, more));
  byId("notation").dataset.notation = checked.notation === "program" ? "A program" : "An expression";
}

const MAX_LISTED = 50; // errors and findings

/** Return errors and findings as items of a list; all of them are underlined, but the *more* that are not given. */
export function problemItems(problems, target, more = 0) {
  const items = problems.slice(0, MAX_LISTED).map((problem) => problemItem(problem, target));
  const rest = problems.length - items.length + more;
  return rest ? [...items, element("li.note", {}, `and ${rest.toLocaleString("en")} more`)] : items;
}

/** Return an error or a finding as an item of a list, with buttons for its place and its remedy. */
function problemItem(problem, target) {
  const { start, message, severity, suggestion, identifier, is_equivalent: isEquivalent, packet } = problem;
  const go = element("button", { type: "button", onclick: () => target.select(start) }, "Show");
  const rewrite = suggestion
    ? element(
        "button",
        { type: "button", title: suggestion, onclick: () => (target.text = suggestion) },
        `${isEquivalent ? "Shorten" : "Write"}: ${suggestion.slice(0, 80)}`,
      )
    : null;
  const show = packet
    ? element(
        "button",
        { type: "button", onclick: () => showPacket({ hex: packet, wire_length: problem.wire_length }) },
        "Show a packet that makes a difference",
      )
    : null;
  const name = identifier ? ` [${identifier}]` : "";
  return element(`li.${severity}`, {}, element("strong", {}, `${severity}: `), `${message}${name} `, go, " ", rewrite, " ", show);
}
