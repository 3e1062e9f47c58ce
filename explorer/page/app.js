// The start of the page.

import { openCapture } from "./capture.js";
import { makeControls } from "./controls.js";
import { byId, element, replace } from "./dom.js";
import { begin } from "./opening.js";
import { showPacket } from "./packets.js";
import { makeProofsPane } from "./panes/proofs.js";
import { client } from "./questions.js";
import { refresh, refreshOther } from "./sources.js";
import { other, source, view, whenChanged } from "./state.js";
import { chooseTab, makeTabs } from "./tabs.js";

const DIALECTS = ["pcap", "linux", "seccomp", "freebsd", "netbsd", "openbsd", "macos"];
const LINK_TYPES = ["EN10MB", "RAW", "LINUX_SLL", "LINUX_SLL2", "NULL", "IEEE802_11", "IEEE802_11_RADIO", "PPP"];

async function start() {
  whenChanged("source", refresh);
  whenChanged("other", refreshOther);
  makeTabs();
  makeControls();
  chooseTab("program");
  replace(byId("dialect"), ...DIALECTS.map((name) => element("option", { value: name }, name)));
  replace(byId("link-types"), ...LINK_TYPES.map((value) => element("option", { value })));
  view.served = await fetch("served.json").then((response) => response.json());
  makeProofsPane(byId("pane-proofs"), view.served.proofs, () => ({ source: source(), other: other() }), showPacket);
  await begin();
  const { version } = await client.ask("choices", {});
  byId("version").textContent = `cbpf ${version}, in this browser`;
  if (view.served.capture !== null) {
    const response = await fetch("capture");
    if (response.ok) await openCapture(new Uint8Array(await response.arrayBuffer()), view.served.capture);
    else byId("capture-facts").textContent = (await response.text()).trim();
  }
}

start();
