// The program in other notations, the passes of the optimiser, and two programs side by side.

import { counted, element, replace } from "../dom.js";
import { rowsWithMore, textBlocks } from "../parts.js";

export const NOTATIONS = [
  ["function", "C (a function, as cbpf emit)"],
  ["c", "tcpdump -dd (an array of C)"],
  ["decimal", "tcpdump -ddd (decimal)"],
  ["tcpdump", "tcpdump -d (a listing)"],
  ["asm", "Assembly (bpf_asm)"],
  ["iptables", "iptables"],
  ["tc", "tc"],
  ["python", "Python"],
  ["go", "Go"],
  ["json", "JSON"],
  ["hex", "Hexadecimal"],
];

/** Build the pane once; the text is set by `showCode`. */
export function makeCodePane(pane, onChoose) {
  const choices = NOTATIONS.map(([value, text]) => element("option", { value }, text));
  const select = element("select", { id: "notation-choice", onchange: () => onChoose(select.value) }, ...choices);
  const text = element("pre", { tabindex: 0, "aria-label": "Program in the chosen notation" });
  const note = element("span.quiet", { role: "status" });
  const copy = element("button", { type: "button", onclick: () => copyText(text.textContent, note) }, "Copy");
  replace(pane, element("div.row", {}, element("label", {}, "Notation ", select), copy, note), text);
  return {
    get notation() {
      return select.value;
    },
    show(answer) {
      note.textContent = answer.message ?? "";
      replace(text, ...textBlocks(answer.text));
    },
  };
}

export async function copyText(text, note) {
  try {
    await navigator.clipboard.writeText(text);
    note.textContent = "Copied";
  } catch {
    note.textContent = "The browser does not permit copying; select the text instead";
  }
}

/** Show the program after each pass of the optimiser. */
export function showPasses(pane, answer) {
  if (answer.message) return replace(pane, element("p", {}, answer.message));
  const stages = answer.stages.map((stage, number) => {
    const change = stage.change === 0 ? "" : ` (${stage.change > 0 ? "+" : "−"}${Math.abs(stage.change)})`;
    const title = `${stage.name}: ${counted(stage.size, "instruction")}${change}, longest path ${stage.longest}`;
    const before = answer.stages[number - 1] ?? stage;
    const details = element("details", {}, element("summary", {}, title));
    const show = () => details.childElementCount > 1 || details.append(...stageTable(title, stage.lines, before.lines));
    details.addEventListener("toggle", () => details.open && show());
    if (number === answer.stages.length - 1) {
      details.open = true;
      show();
    }
    return details;
  });
  const note = answer.stages.length > 1 ? null : element("p", {}, "No pass of the optimiser changes this program.");
  replace(pane, ...stages, note);
}

/** Return the table of a listing, in which lines that another one lacks are marked, and a button for more. */
function stageTable(title, lines, otherLines) {
  const before = new Set(otherLines);
  const body = element("tbody");
  const makeRow = (index) => {
    const line = lines[index];
    const isOld = before.has(line);
    const number = element("th", { scope: "row" }, String(index).padStart(3, "0"));
    return element(isOld ? "tr" : "tr.changed", {}, number, element("td", {}, line), element("td", {}, isOld ? "" : "new"));
  };
  const more = rowsWithMore(body, lines.length, makeRow);
  return [element("table.code", { "aria-label": title }, body), more];
}

/** Show two programs side by side, and the packets of the capture on which they differ. */
export function showComparison(pane, answer, onPacket) {
  const body = element("tbody");
  const more = rowsWithMore(body, answer.rows.length, (index) => {
    const [left, right] = answer.rows[index];
    const content = (line) => line?.replace(/^\(\d+\) /, "").replace(/ +jt .*$/, "");
    const isEqual = content(left) === content(right);
    return element(
      isEqual ? "tr" : "tr.changed",
      {},
      element("td", {}, left ?? ""),
      element("td", {}, isEqual ? "" : left === null ? "+" : right === null ? "−" : "≠"),
      element("td", {}, right ?? ""),
    );
  });
  const head = ["first", "", "second"].map((text) => element("th", { scope: "col" }, text));
  const one = (accepts) => (answer.packets ?? []).filter(({ left, right }) => (accepts === 0 ? left : right));
  const facts = !answer.packets
    ? "Open a capture to see the packets on which they differ."
    : answer.packets.length
      ? `They differ on ${counted(answer.packets.length, "packet")} of the capture.`
      : "They agree on all listed packets of the capture.";
  replace(
    pane,
    element("p", {}, facts),
    packetRow("Only the first accepts", one(0), onPacket),
    packetRow("Only the second accepts", one(1), onPacket),
    element(
      "table.code",
      { "aria-label": "Both programs" },
      element("thead", {}, element("tr", {}, ...head)),
      body,
    ),
    more,
  );
}

/** Return the numbers of packets, as buttons that choose them. */
function packetRow(text, packets, onPacket) {
  if (!packets.length) return null;
  const buttons = packets
    .slice(0, 12)
    .map(({ number }) =>
      element("button", { type: "button", "aria-label": `Packet ${number}`, onclick: () => onPacket(number) }, String(number)),
    );
  const rest = packets.length > buttons.length ? ` and ${(packets.length - buttons.length).toLocaleString("en")} more` : null;
  return element("p.row", {}, `${text}: `, ...buttons, rest);
}
