// Questions about all packets, for the solver beside the server of `cbpf explore`.

import { cancel, prove } from "../client.js";
import { counted, element, replace } from "../dom.js";
import { differenceAnswer } from "./compare.js";

const SLOT = "proofs"; // one question of the pane at a time

/**
 * Build the pane.
 * @param {boolean} isPossible Whether the server has a solver.
 * @param {() => {source: object, other: object | null}} sources
 * @param {(packet: object) => void} onPacket Called with the packet of an answer, to show it.
 * @returns {() => void} Ends the question that runs and clears its answer: a source has changed.
 */
export function makeProofsPane(pane, isPossible, sources, onPacket) {
  const result = element("div", { role: "status" });
  const forget = () => {
    cancel(SLOT);
    replace(result);
  };
  const run = async (question, extra, show) => {
    const { source, other } = sources();
    forget();
    if (question === "difference" && !other) {
      return replace(result, element("p", {}, "Enter a second source first."));
    }
    replace(result, element("p", {}, "The solver is running …"));
    const answer = await prove(question, { source, other, ...extra }, SLOT);
    if (answer) replace(result, ...(answer.error ? [element("p.error-text", {}, answer.error)] : show(answer)));
  };
  const button = (text, question, extra, show) =>
    element("button", { type: "button", disabled: !isPossible, onclick: () => run(question, extra, show) }, text);
  const found = (text, packet) => {
    if (!packet) return [element("p", {}, "No such packet exists: proved.")];
    const show = () => onPacket({ hex: packet.packet, wire_length: packet.wire_length });
    return [element("p", {}, text, " ", element("button", { type: "button", onclick: show }, "Show the packet"))];
  };
  replace(
    pane,
    element(
      "p.quiet",
      {},
      isPossible
        ? "Answers hold for every packet of up to 65,535 bytes."
        : "These need a solver: open the page with cbpf explore, and install it with pip install 'cbpf[smt]'.",
    ),
    element(
      "div.row",
      {},
      button("Do both sources accept the same packets?", "difference", {}, (answer) => differenceAnswer(answer, onPacket)),
      button("A packet that is accepted", "witness", { verdict: "accept" }, (answer) => found("This packet is accepted.", answer.witness)),
      button("A packet that is rejected", "witness", { verdict: "reject" }, (answer) => found("This packet is rejected.", answer.witness)),
      button("Dead code", "dead", {}, (answer) => [element("p", {}, deadText(answer))]),
    ),
    result,
  );
  return forget;
}

function deadText({ instructions, branches }) {
  if (!instructions.length && !branches.length) return "Every instruction and every branch is reached by some packet: proved.";
  const parts = [];
  if (instructions.length) parts.push(`No packet reaches ${counted(instructions.length, "instruction")}: ${instructions.join(", ")}.`);
  if (branches.length) parts.push(`Tests with one outcome: ${branches.map(([index, result]) => `${index} is never ${result}`).join(", ")}.`);
  return parts.join(" ");
}
