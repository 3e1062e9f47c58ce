// The capture that is open: its packets with their verdicts, and the choice of one of them.

import { byId, counted, replace } from "./dom.js";
import { refreshTrace } from "./packets.js";
import { markCurrent, markVerdicts, showCapture } from "./panes/packet.js";
import { client } from "./questions.js";
import { changed, source, state, view } from "./state.js";

/** Ask for the verdicts on the packets of the capture, and show them. */
export async function refreshVerdicts() {
  if (!view.hasCapture) return;
  const answer = await client.ask("verdicts", { source: source() });
  if (!answer) return;
  markVerdicts(byId("capture-list"), answer.verdicts);
  const facts = answer.error ?? `${answer.accepted.toLocaleString("en")} of ${counted(answer.listed, "packet")} accepted`;
  byId("capture-facts").textContent = [facts, ...view.captureFacts].join("; ");
}

/** Read a capture, and show its first packet. */
export async function openCapture(bytes, name) {
  byId("capture-facts").textContent = `Reading ${name} …`;
  const answer = await client.open(bytes, name);
  if (!answer) return;
  view.hasCapture = !answer.error;
  view.captureFacts = [answer.has_more ? "more packets follow" : "", answer.damage ?? ""].filter(Boolean);
  if (answer.error) {
    byId("capture-facts").textContent = answer.error;
    return replace(byId("capture-list"));
  }
  showCapture(byId("capture-list"), answer.packets, choosePacket);
  view.packets = answer.packets;
  byId("capture-facts").textContent = counted(answer.packets.length, "packet");
  if (answer.packets.length) await choosePacket(1, false);
  await changed("source");
}

/** Make a packet of the capture the current one, with its link type; *asks* is whether the panes follow. */
export async function choosePacket(number, asks = true) {
  const { link_type: linkType } = view.packets[number - 1];
  state.packet = { number };
  markCurrent(byId("capture-list"), number);
  if (linkType !== state.linkType) {
    state.linkType = byId("link-type").value = linkType;
    if (asks) return changed("source");
  }
  if (asks) await refreshTrace();
}
