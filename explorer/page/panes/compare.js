// Two programs side by side, the packets of the capture on which they differ, and one of all packets.

import { prove } from "../client.js";
import { counted, element, replace } from "../dom.js";
import { rowsWithMore } from "../parts.js";

/** Return the answer to the question "difference" as elements, with a button that shows its packet; none for null. */
export function differenceAnswer(answer, onPacket) {
  if (!answer) return []; // the sources have changed
  if (answer.error) return [element("p.error-text", {}, answer.error)];
  const { difference } = answer;
  if (difference === null) return [element("p", {}, "They accept the same packets: proved.")];
  const text = `Only the ${difference.left_verdict ? "first" : "second"} accepts this packet.`;
  const show = () => onPacket({ hex: difference.packet, wire_length: difference.wire_length });
  return [element("p", {}, text, " ", element("button", { type: "button", onclick: show }, "Show the packet"))];
}

/**
 * Show two programs side by side, and the packets of the capture on which they differ.
 * @param {object} answer The answer to the question "compare".
 * @param {(number: number) => void} onNumber Called with the number of a packet of the capture, to show it.
 * @param {HTMLElement} search The part that searches among all packets.
 */
export function showComparison(pane, answer, onNumber, search) {
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
    packetRow("Only the first accepts", one(0), onNumber),
    packetRow("Only the second accepts", one(1), onNumber),
    search,
    element(
      "table.code",
      { "aria-label": "Both programs" },
      element("thead", {}, element("tr", {}, ...head)),
      body,
    ),
    more,
  );
}

/**
 * Return the part that searches for a packet on which two sources differ, among all packets.
 * @param {boolean} isPossible Whether the server has a solver.
 * @param {{source: object, other: object}} sources
 * @param {(packet: object) => void} onPacket Called with a packet, to show it.
 */
export function searchPart(isPossible, sources, onPacket) {
  if (!isPossible) {
    const text = "A search among all packets needs a solver: open the page with cbpf explore, and install cbpf[smt].";
    return element("p.quiet", {}, text);
  }
  const result = element("div", { role: "status" });
  const find = async () => {
    replace(result, element("p", {}, "The solver is running …"));
    replace(result, ...differenceAnswer(await prove("difference", sources, "search"), onPacket));
  };
  return element("div", {}, element("button", { type: "button", onclick: find }, "Find a packet on which they differ"), result);
}

/** Return the numbers of packets, as buttons that choose them. */
function packetRow(text, packets, onNumber) {
  if (!packets.length) return null;
  const buttons = packets
    .slice(0, 12)
    .map(({ number }) =>
      element("button", { type: "button", "aria-label": `Packet ${number}`, onclick: () => onNumber(number) }, String(number)),
    );
  const rest = packets.length > buttons.length ? ` and ${(packets.length - buttons.length).toLocaleString("en")} more` : null;
  return element("p.row", {}, `${text}: `, ...buttons, rest);
}
