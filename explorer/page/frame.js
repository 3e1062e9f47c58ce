// The page in a frame, such as the output of a notebook: it is compact, and tells the window that shows it that it has begun.

if (window.parent !== window) {
  document.documentElement.classList.add("framed");
  window.parent.postMessage("cbpf explorer", "*");
}
