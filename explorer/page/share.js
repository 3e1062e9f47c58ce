// The link of the page, and the file of a state that is too large for a link.

import { byId, element } from "./dom.js";
import { toFragment } from "./links.js";
import { copyText } from "./panes/code.js";
import { state, view } from "./state.js";

const MAX_LINKED = 4_000; // hexadecimal digits of a packet in a link

let saving = 0;

function linkState() {
  const { text, other: second, linkType, dialect, optimize, snaplen, netmask, goal, live, tab, packet, sample } = state;
  const result = { s: text };
  if (second) result.o = second;
  if (linkType !== "EN10MB") result.y = linkType;
  if (dialect !== "pcap") result.d = dialect;
  if (!optimize) result.O = 0;
  if (snaplen) result.S = snaplen;
  if (netmask) result.m = netmask;
  if (goal !== "size") result.g = goal;
  if (live) result.L = 1;
  if (tab !== "program") result.t = tab;
  if (sample) result.c = sample;
  if (sample && packet?.number) result.n = packet.number;
  const traced = view.traced?.packet === packet ? view.traced : {}; // of an earlier packet if this one has no trace
  const { hex, wire_length: length } = packet?.hex ? packet : traced;
  if (packet && hex && hex.length <= MAX_LINKED) {
    result.p = hex;
    if (length && length !== hex.length / 2) result.w = length;
  }
  return result;
}

/** Write the state into the address of the page, a moment after the last change. */
export function saveSoon() {
  clearTimeout(saving);
  saving = setTimeout(saveLink, 300);
}

export async function saveLink() {
  const fragment = await toFragment(linkState());
  history.replaceState(null, "", fragment === null ? location.pathname : `#${fragment}`);
  byId("copy-link").textContent = fragment === null ? "Download state" : "Copy link";
}

/** Copy the link, or download the state if it is too large for a link. */
export async function shareLink() {
  await saveLink();
  if (byId("copy-link").textContent === "Copy link") return copyText(location.href, byId("status"));
  const blob = new Blob([JSON.stringify(linkState())], { type: "application/json" });
  const link = element("a", { href: URL.createObjectURL(blob), download: "explorer.cbpf.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
