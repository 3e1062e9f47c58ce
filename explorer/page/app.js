// The start of the page.

import { openCapture } from "./capture.js";
import { makeControls } from "./controls.js";
import { byId } from "./dom.js";
import { begin } from "./opening.js";
import { showPacket } from "./packets.js";
import { makeProofsPane } from "./panes/proofs.js";
import { client } from "./questions.js";
import { makeSettings } from "./settings.js";
import { refresh, refreshOther } from "./sources.js";
import { other, source, state, view, whenChanged } from "./state.js";
import { chooseTab, makeTabs } from "./tabs.js";

async function start() {
  whenChanged("source", refresh);
  whenChanged("other", refreshOther);
  makeTabs();
  makeSettings();
  makeControls();
  chooseTab("program");
  view.served = await fetch("served.json").then((response) => response.json());
  const sources = () => ({ source: source(), other: other() });
  const forgetProof = makeProofsPane(byId("pane-proofs"), view.served.proofs, sources, showPacket);
  for (const what of ["source", "other"]) whenChanged(what, forgetProof);
  await begin();
  const { version } = await client.ask("version", {});
  byId("version").textContent = `cbpf ${version}, in this browser`;
  if (view.served.capture !== null) {
    const response = await fetch("capture");
    const number = state.packet ? 0 : 1; // the link may have a packet
    if (response.ok) await openCapture(new Uint8Array(await response.arrayBuffer()), view.served.capture, { number });
    else byId("capture-facts").textContent = (await response.text()).trim();
  }
}

start();
