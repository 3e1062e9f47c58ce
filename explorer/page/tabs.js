// The views of the program: which one is open, and what it shows.

import { choosePacket } from "./capture.js";
import { byId, counted, element, replace } from "./dom.js";
import { linkBlock, linkClauses } from "./editors.js";
import { codeAnswer } from "./emission.js";
import { markStep, showPacket } from "./packets.js";
import { makeCodePane } from "./panes/code.js";
import { searchPart, showComparison } from "./panes/compare.js";
import { showGraph } from "./panes/graph.js";
import { showProgram } from "./panes/listing.js";
import { showPasses } from "./panes/passes.js";
import { client } from "./questions.js";
import { saveLink } from "./share.js";
import { other, source, state, TABS, view } from "./state.js";

const UNLINKED = "Optimised code has no clauses: without Optimise, its blocks are linked with the expression.";
const code = makeCodePane(byId("pane-code"), () => refreshTab());

/** Show the listing of the program. */
export async function refreshProgram() {
  const answer = await client.ask("program", { source: source() });
  if (!answer || answer.error) return;
  view.program = answer;
  view.clauses = answer.clauses;
  showProgram(byId("pane-program"), answer, (clauses) => linkClauses(clauses, true));
  byId("notation").textContent = `${byId("notation").dataset.notation}, ${counted(answer.lines.length, "instruction")}`;
  markStep();
}

/** Show the view that is open. */
export async function refreshTab() {
  const pane = byId(`pane-${state.tab}`);
  const request = { source: source() };
  if (state.tab === "graph") {
    const answer = await client.ask("graph", { ...request, heat: view.hasCapture });
    if (!answer) return;
    if (answer.error) return replace(pane, element("p", {}, answer.error));
    view.blocks = answer.blocks;
    showGraph(pane, answer, linkBlock);
    if (view.program?.plain) pane.append(element("p.quiet", {}, UNLINKED));
    markStep();
  } else if (state.tab === "passes") {
    const answer = await client.ask("passes", request);
    if (answer) answer.error ? replace(pane, element("p", {}, answer.error)) : showPasses(pane, answer);
  } else if (state.tab === "code") {
    const answer = await codeAnswer(request, code.notation);
    if (answer) code.show(answer.error ? { text: "", message: answer.error } : answer);
  } else if (state.tab === "compare") {
    if (!other()) return replace(pane, element("p", {}, "Enter a second source, below the first, to compare them."));
    const answer = await client.ask("compare", { ...request, other: other() });
    if (!answer) return;
    if (answer.error) return replace(pane, element("p", {}, answer.error));
    const sources = { source: request.source, other: other() };
    showComparison(pane, answer, choosePacket, searchPart(view.served.proofs, sources, showPacket));
  }
}

/** Say that the views show an earlier program. */
export function forgetProgram() {
  view.clauses = [];
  byId("notation").textContent = `${byId("notation").dataset.notation}; the panes show the last program without errors`;
}

/** Open a view, by its name. */
export function chooseTab(name) {
  state.tab = name;
  for (const tab of TABS) {
    byId(`tab-${tab}`).setAttribute("aria-selected", String(tab === name));
    byId(`tab-${tab}`).tabIndex = tab === name ? 0 : -1;
    byId(`pane-${tab}`).hidden = tab !== name;
  }
}

/** Let clicks and arrow keys open views. */
export function makeTabs() {
  for (const name of TABS) {
    byId(`tab-${name}`).addEventListener("click", () => {
      chooseTab(name);
      saveLink();
      refreshTab();
    });
  }
  byId("tabs").addEventListener("keydown", (event) => {
    const index = TABS.indexOf(state.tab);
    const next = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const target = byId(`tab-${TABS.at(next % TABS.length)}`);
    target.focus();
    target.click();
  });
}
