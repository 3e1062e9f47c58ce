// The current packet: its bytes, the trace of the program on it, and the chosen step in all panes.

import { changePart } from "./change.js";
import { byId, element, replace } from "./dom.js";
import { markGraph } from "./panes/graph.js";
import { markPath } from "./panes/listing.js";
import { markBytes, markCurrent, showBytes } from "./panes/packet.js";
import { showTrace } from "./panes/trace.js";
import { client } from "./questions.js";
import { saveSoon } from "./share.js";
import { source, state, view } from "./state.js";

/** Ask for the trace of the program on the current packet, and show it. */
export async function refreshTrace() {
  const { packet } = state;
  if (packet === null) return forgetSteps("Open a capture, or enter the bytes of a packet.");
  const answer = await client.ask("trace", { source: source(), packet });
  if (!answer || packet !== state.packet) return;
  byId("packet-error").textContent = answer.error && answer.error !== "the source has errors" ? answer.error : "";
  if (answer.error) return forgetEarlierPacket();
  view.steps = answer.steps;
  view.traced = { packet, hex: answer.captured, wire_length: answer.captured_length };
  saveSoon();
  const lines = view.program?.lines.length ? view.program.lines : [];
  showBytes(byId("packet-bytes"), answer, chooseStep);
  view.trace = showTrace(byId("trace"), answer, lines, chooseStep);
  const change = changePart(answer, showPacket);
  if (change) byId("trace").append(change);
  chooseStep(answer.steps.length - 1);
}

/** Clear the panes if they show an earlier packet than the current one, which has no trace. */
export function forgetEarlierPacket() {
  if (state.packet && view.traced?.packet !== state.packet) forgetSteps("The source or the packet has an error.");
}

function forgetSteps(reason) {
  view.steps = [];
  view.traced = null;
  replace(byId("packet-bytes"));
  replace(byId("trace"), element("p.quiet", {}, reason));
  markPath(byId("pane-program"), new Set(), -1);
  if (state.tab === "graph") markGraph(byId("pane-graph"), view.blocks, []);
}

function chooseStep(number) {
  view.step = number;
  markStep();
}

/** Show the chosen step in all panes. */
export function markStep() {
  const step = view.steps[view.step];
  if (!step) return;
  const taken = view.steps.slice(0, view.step + 1);
  view.trace.select(view.step);
  markBytes(byId("packet-bytes"), step.fetched);
  markPath(byId("pane-program"), new Set(taken.map(({ index }) => index)), step.index);
  if (state.tab === "graph") markGraph(byId("pane-graph"), view.blocks, taken);
}

/** Take the packet that is in the form. */
export function enterPacket() {
  const digits = byId("packet-hex").value.replace(/0x|[\s:,]/gi, "");
  const length = Number(byId("wire-length").value);
  state.packet = digits ? { hex: digits, link_type: state.linkType, ...(length > 0 ? { wire_length: length } : {}) } : null;
  markCurrent(byId("capture-list"), 0);
  saveSoon();
  refreshTrace();
}

/** Begin without a packet. */
export function forgetPacket() {
  byId("packet-hex").value = byId("wire-length").value = "";
  state.packet = null;
  byId("packet-error").textContent = "";
  refreshTrace();
}

/** Write a packet into the form, and take it. */
export function showPacket({ hex, wire_length: length }) {
  byId("packet-form").hidden = false;
  byId("edit-packet").setAttribute("aria-expanded", "true");
  byId("packet-hex").value = hex.replace(/../g, "$& ").trim();
  byId("wire-length").value = length === hex.length / 2 ? "" : length;
  enterPacket();
}
