// The capture that is open: its packets with their verdicts, and the choice of one of them.

import { byId, counted, replace } from "./dom.js";
import { forgetPacket, refreshTrace } from "./packets.js";
import { markCurrent, markVerdicts, showCapture } from "./panes/packet.js";
import { client } from "./questions.js";
import { saveSoon } from "./share.js";
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

/**
 * Read a capture, and show one of its packets.
 * @param {Uint8Array} bytes Its bytes.
 * @param {string} name Its name.
 * @param {object} options The number of the packet, from 1, or 0 for the current packet; whether the link has the name.
 */
export async function openCapture(bytes, name, { number = 1, isSample = false } = {}) {
  state.sample = isSample ? name : "";
  byId("capture-facts").textContent = `Reading ${name} …`;
  const answer = await client.open(bytes, name);
  if (!answer) return;
  view.hasCapture = !answer.error;
  view.packets = answer.packets ?? [];
  view.captureFacts = [answer.has_more ? "more packets follow" : "", answer.damage ?? ""].filter(Boolean);
  if (answer.error) {
    state.sample = "";
    byId("capture-facts").textContent = answer.error;
    replace(byId("capture-list"));
    if (state.packet?.number) forgetPacket();
    return changed("source");
  }
  showCapture(byId("capture-list"), answer.packets, choosePacket);
  byId("capture-facts").textContent = counted(answer.packets.length, "packet");
  if (answer.packets.length && number) await choosePacket(Math.min(number, answer.packets.length), false);
  else if (state.packet?.number) forgetPacket(); // of the capture before
  await changed("source");
  if (state.packet?.number) markCurrent(byId("capture-list"), state.packet.number); // the list has its height now
}

/**
 * Open a capture of the site that has the page, by its name; other names are ignored. The link then has the name.
 * @param {string} name Its name.
 * @param {number} number The number of the packet, as of openCapture.
 */
export async function openSample(name, number) {
  const samples = view.served.samples ?? {};
  if (!Object.hasOwn(samples, name)) return;
  if (state.sample === name && view.hasCapture) return number && choosePacket(Math.min(number, view.packets.length));
  const response = await fetch(samples[name]);
  if (!response.ok) return (byId("capture-facts").textContent = `${name}: the site has no such capture`);
  await openCapture(new Uint8Array(await response.arrayBuffer()), name, { number, isSample: true });
}

/** Make a packet of the capture the current one, with its link type; *asks* is whether the panes follow. */
export async function choosePacket(number, asks = true) {
  const chosen = view.packets[number - 1];
  if (!chosen) return; // a pane shows an earlier capture
  const { link_type: linkType } = chosen;
  state.packet = { number };
  saveSoon();
  markCurrent(byId("capture-list"), number);
  if (linkType !== state.linkType) {
    state.linkType = byId("link-type").value = linkType;
    if (asks) return changed("source");
  }
  if (asks) await refreshTrace();
}
