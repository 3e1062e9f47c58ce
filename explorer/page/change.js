// The smallest change of the packet that inverts the verdict of the expression.

import { prove } from "./client.js";
import { element, hex, replace } from "./dom.js";
import { client } from "./questions.js";
import { source, state, view } from "./state.js";

const PREDICATES = {
  true: "is true",
  false: "is false",
  "not evaluated": "is not evaluated",
  "bytes missing": "needs bytes that are missing",
  "division by zero": "divides by zero",
};

/**
 * Return the part of the page that finds the change.
 * @param {object} trace The answer to the question "trace".
 * @param {(packet: object) => void} onPacket Called with the changed packet, to show it.
 */
export function changePart(trace, onPacket) {
  if (!trace.why) return null; // of a program
  const result = element("div", { role: "status" });
  const find = async () => {
    replace(result, element("p", {}, "Searching for the smallest change …"));
    const answer = await smallest(trace);
    replace(result, ...(answer ? shown(answer, trace, onPacket) : []));
  };
  const button = element("button", { type: "button", id: "find-change", onclick: find }, "Smallest change");
  return element("div.change", {}, button, result);
}

/** Return the answer of the worker; that of the server if a solver is needed and the server has one; null if it is obsolete. */
async function smallest(trace) {
  const asked = source();
  const answer = await client.ask("change", { source: asked, packet: state.packet });
  if (!answer || answer.error || !answer.unknown || !view.served.proofs) return answer;
  const packet = { hex: trace.captured, wire_length: trace.captured_length, link_type: trace.link_type };
  return prove("why", { source: asked, packet });
}

function shown(answer, trace, onPacket) {
  if (answer.error) return [element("p.error-text", {}, answer.error)];
  if (answer.unknown) {
    const advice = view.served.proofs ? "" : "; open the page with cbpf explore where the solver is installed";
    return [element("p", {}, `Not known: ${answer.unknown}${advice}.`)];
  }
  if (!answer.change) return [element("p", {}, "No change of the bytes inverts the verdict.")];
  const { packet, changes, is_smallest: isSmallest } = answer.change;
  const limit = isSmallest ? "" : " (time was too short to prove that it is the smallest one)";
  const apply = () => onPacket({ hex: packet, wire_length: answer.wire_length });
  return [
    element("p", {}, `This change inverts the verdict${limit}:`),
    element("ul", {}, ...sequences(changes).map((sequence) => element("li", {}, changeText(sequence)))),
    trace.captured === trace.packet
      ? element("button", { type: "button", onclick: apply }, "Apply to the packet")
      : element("p.quiet", {}, "It is a change of the packet as a socket receives it."),
  ];
}

/** Return the changes of consecutive bytes that have the same effects, as lists. */
function sequences(changes) {
  const found = [];
  for (const change of changes) {
    const last = found.at(-1)?.at(-1);
    const isNext = last?.offset === change.offset - 1 && JSON.stringify(last.parts) === JSON.stringify(change.parts);
    if (isNext) found.at(-1).push(change);
    else found.push([change]);
  }
  return found;
}

function changeText(sequence) {
  const [first, last] = [sequence[0], sequence.at(-1)];
  const place = first === last ? `byte ${first.offset}` : `bytes ${first.offset}–${last.offset}`;
  const digits = (name) => sequence.map((change) => hex(change[name], 2)).join(" ");
  const effects = first.parts.map(({ text, outcome }) => `'${text}' ${PREDICATES[outcome]}`).join("; ");
  return `${place}: ${digits("old")} → ${digits("new")}${effects ? `, then ${effects}` : ""}`;
}
