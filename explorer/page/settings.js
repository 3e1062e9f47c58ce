// The settings of the sources: link type, dialect, and those of `cbpf compile`.

import { byId, element, replace } from "./dom.js";
import { enterPacket } from "./packets.js";
import { asText, changed, state } from "./state.js";

const DIALECTS = ["pcap", "linux", "seccomp", "freebsd", "netbsd", "openbsd", "macos"];
const GOALS = ["size", "speed"];
const LINK_TYPES = ["EN10MB", "RAW", "LINUX_SLL", "LINUX_SLL2", "NULL", "IEEE802_11", "IEEE802_11_RADIO", "PPP"];
const MAX_SNAPLEN = 2 ** 32 - 1; // bytes

const isLength = (value) => Number.isInteger(value) && value >= 0 && value <= MAX_SNAPLEN;

/** Fill the lists of values, and let the controls change the settings. */
export function makeSettings() {
  replace(byId("dialect"), ...DIALECTS.map((name) => element("option", { value: name }, name)));
  replace(byId("link-types"), ...LINK_TYPES.map((value) => element("option", { value })));
  onChange("link-type", ({ value }) => {
    state.linkType = value.trim() || "EN10MB";
    if (state.packet?.hex) enterPacket();
  });
  onChange("dialect", ({ value }) => {
    state.dialect = value;
    if (value !== "linux") state.live = false;
  });
  onChange("optimize", ({ checked }) => (state.optimize = checked));
  onChange("snaplen", (input) => {
    const length = Number(input.value);
    input.setCustomValidity(isLength(length) ? "" : `A snapshot length is a whole number from 0 to ${MAX_SNAPLEN}`);
    if (input.reportValidity()) state.snaplen = length;
  });
  onChange("netmask", ({ value }) => (state.netmask = value.trim()));
  onChange("goal", ({ value }) => (state.goal = value));
  onChange("live", ({ checked }) => {
    state.live = checked;
    if (checked) state.dialect = "linux";
  });
}

function onChange(name, take) {
  byId(name).addEventListener("change", () => {
    take(byId(name));
    if (byId(name).validity.valid) showSettings();
    changed("source");
  });
}

/** Take the settings of a link. */
export function takeSettings({ y, d, O, S, m, g, L }) {
  state.linkType = asText(y, "EN10MB");
  state.dialect = DIALECTS.includes(d) ? d : "pcap";
  state.optimize = O !== 0;
  state.snaplen = isLength(S) ? S : 0;
  state.netmask = asText(m, "");
  state.goal = GOALS.includes(g) ? g : "size";
  state.live = L === 1;
  showSettings();
  byId("more-settings").open = Boolean(state.snaplen || state.netmask || state.live || state.goal !== "size");
}

/** Show the settings in their controls. */
export function showSettings() {
  byId("link-type").value = state.linkType;
  byId("dialect").value = state.dialect;
  byId("optimize").checked = state.optimize;
  byId("snaplen").value = state.snaplen || "";
  byId("netmask").value = state.netmask;
  byId("goal").value = state.goal;
  byId("live").checked = state.live;
}
