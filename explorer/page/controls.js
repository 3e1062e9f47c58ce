// The controls of the page that are no settings: buttons, the form of a packet, dropped files.

import { byId } from "./dom.js";
import { begin, openFile } from "./opening.js";
import { enterPacket } from "./packets.js";
import { shareLink } from "./share.js";

/** Let the controls work. */
export function makeControls() {
  byId("copy-link").addEventListener("click", shareLink);
  byId("theme").addEventListener("click", () => {
    const isDark = getComputedStyle(document.documentElement).colorScheme.includes("light dark")
      ? matchMedia("(prefers-color-scheme: dark)").matches
      : document.documentElement.dataset.theme === "dark";
    document.documentElement.dataset.theme = isDark ? "light" : "dark";
  });
  byId("capture-file").addEventListener("change", () => byId("capture-file").files[0] && openFile(byId("capture-file").files[0]));
  byId("edit-packet").addEventListener("click", () => {
    const isOpen = byId("packet-form").hidden;
    byId("packet-form").hidden = !isOpen;
    byId("edit-packet").setAttribute("aria-expanded", String(isOpen));
    if (isOpen) byId("packet-hex").focus();
  });
  byId("packet-hex").addEventListener("input", enterPacket);
  byId("wire-length").addEventListener("input", enterPacket);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) document.body.classList.remove("dropping");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
  });
  window.addEventListener("hashchange", begin);
}
