// What can be opened: a link, a state in a file, a capture, and what the server of `cbpf explore` has.

import { openCapture, openSample } from "./capture.js";
import { byId } from "./dom.js";
import { editor, otherEditor } from "./editors.js";
import { fromFragment, parseState } from "./links.js";
import { forgetPacket, showPacket } from "./packets.js";
import { asText, changed, state, TABS, view } from "./state.js";
import { takeSettings } from "./settings.js";
import { chooseTab } from "./tabs.js";

const MAX_CAPTURE = 64_000_000; // bytes that are read of a capture

/** Open a file that was chosen or dropped: a state or a capture. */
export async function openFile(file) {
  const bytes = new Uint8Array(await file.slice(0, MAX_CAPTURE).arrayBuffer());
  if (file.name.endsWith(".cbpf.json")) return openState(new TextDecoder().decode(bytes), file.name);
  await openCapture(bytes, file.name);
}

function openState(text, name) {
  let given;
  try {
    given = parseState(text);
  } catch {
    byId("message").textContent = `${name}: this file is not a state of the page`;
    return;
  }
  apply(given);
}

/** Take a state of a link, a file or the server. Unknown keys and values of other types are ignored. */
function apply(given) {
  byId("message").textContent = "";
  state.text = asText(given.s, "");
  state.other = asText(given.o, "");
  takeSettings(given);
  editor.text = state.text;
  otherEditor.text = state.other;
  byId("other-part").open = Boolean(state.other);
  chooseTab(TABS.includes(given.t) ? given.t : "program");
  if (typeof given.p === "string") showPacket({ hex: given.p, wire_length: Number(given.w) || given.p.length / 2 });
  else if (!view.hasCapture) forgetPacket();
  changed("source");
  if (typeof given.c === "string") openSample(given.c, Number.isInteger(given.n) && given.n > 0 ? given.n : given.p ? 0 : 1);
}

/** Open the state of the link, or that of the server. */
export async function begin() {
  if (location.hash.length < 2) return apply(view.served.state ?? {});
  try {
    apply(await fromFragment(location.hash.slice(1)));
  } catch (error) {
    apply({});
    byId("message").textContent = `${error.message}; the page begins empty`;
  }
}
