// The program after each pass of the optimiser, with the lines that it removed and added.

import { counted, element, replace } from "../dom.js";
import { rowsWithMore } from "../parts.js";

const KINDS = { "+": ["tr.changed", "+", "added"], "-": ["tr.removed", "−", "removed"], "": ["tr", "", null] };

/** Show the stages of the answer to the question "passes". */
export function showPasses(pane, answer) {
  if (answer.message) return replace(pane, element("p", {}, answer.message));
  const stages = answer.stages.map((stage, number) => {
    const change = stage.change === 0 ? "" : ` (${stage.change > 0 ? "+" : "−"}${Math.abs(stage.change)})`;
    const title = `${stage.name}: ${counted(stage.size, "instruction")}${change}, longest path ${stage.longest}`;
    const details = element("details", {}, element("summary", {}, title));
    const show = () => details.childElementCount > 1 || details.append(...stageTable(title, stage.changes));
    details.addEventListener("toggle", () => details.open && show());
    if (number === answer.stages.length - 1) {
      details.open = true;
      show();
    }
    return details;
  });
  const note =
    answer.stages.length > 1
      ? element("p.quiet", {}, "+ marks the lines that a pass adds, and − those that it removes; targets of jumps do not count.")
      : element("p", {}, "No pass of the optimiser changes this program.");
  replace(pane, note, ...stages);
}

/** Return the table of a listing with its changes, and a button for more. */
function stageTable(title, changes) {
  const body = element("tbody");
  let index = 0;
  const more = rowsWithMore(body, changes.length, (row) => {
    const [sign, line] = changes[row];
    const [tag, mark, word] = KINDS[sign];
    const number = sign === "-" ? "" : String(index++).padStart(3, "0");
    const cells = [element("td", { "aria-label": word }, mark), element("td", {}, line)];
    const head = number ? element("th", { scope: "row" }, number) : element("td");
    return element(tag, {}, head, ...cells);
  });
  return [element("table.code", { "aria-label": title }, body), more];
}
