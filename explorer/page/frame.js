// The page in a frame, such as the output of a notebook: it is compact, has the theme of the notebook, and tells the
// window that shows it that it has begun.

if (window.parent !== window) {
  document.documentElement.classList.add("framed");
  const theme = new URLSearchParams(location.search).get("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  window.parent.postMessage("cbpf explorer", "*");
}
