// The answers that depend on the sources, asked again at each change.

import { refreshVerdicts } from "./capture.js";
import { cancel, prove } from "./client.js";
import { byId, replace } from "./dom.js";
import { otherEditor } from "./editors.js";
import { forgetEarlierPacket, refreshTrace } from "./packets.js";
import { problemItems, showProblems } from "./problems.js";
import { client } from "./questions.js";
import { saveSoon } from "./share.js";
import { other, source, view } from "./state.js";
import { forgetProgram, refreshProgram, refreshTab } from "./tabs.js";

const PAUSE = 600; // ms without a key before a solver runs

let proving = 0;

/** Ask everything that depends on the source. */
export async function refresh() {
  saveSoon();
  clearTimeout(proving);
  for (const slot of ["lint", "search", "why"]) cancel(slot);
  const checked = await client.ask("check", { source: source() });
  if (checked === null) return;
  if (checked.error) return showProblems([{ start: 0, end: 0, message: checked.error, suggestion: "" }], [], checked);
  showProblems(checked.problems, [], checked, checked.more);
  if (checked.problems.length) {
    forgetProgram();
    return forgetEarlierPacket();
  }
  await Promise.all([refreshProgram(), refreshTab(), refreshTrace(), refreshVerdicts(), refreshFindings(checked)]);
}

/** Show the findings of the linter; a little later those that need a solver, if the server has one. */
async function refreshFindings(checked) {
  const asked = source();
  const answer = await client.ask("lint", { source: asked });
  if (!answer || answer.error) return;
  showProblems([], answer.findings, checked, answer.more);
  if (!view.served.proofs || checked.notation !== "expression") return;
  clearTimeout(proving);
  proving = setTimeout(async () => {
    const proved = await prove("lint", { source: asked });
    if (!proved || proved.error || JSON.stringify(asked) !== JSON.stringify(source())) return;
    showProblems([], proved.findings, checked, proved.more);
  }, PAUSE);
}

/** Ask everything that depends on the second source. */
export async function refreshOther() {
  saveSoon();
  cancel("search");
  const checked = other() ? await client.ask("check", { source: other() }, "check-other") : { problems: [] };
  if (checked === null) return;
  const problems = (checked.problems ?? []).map((problem) => ({ ...problem, severity: "error" }));
  otherEditor.problems = problems;
  replace(byId("other-problems"), ...problemItems(problems, otherEditor, checked.more));
  await refreshTab();
}
