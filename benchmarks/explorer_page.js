// What the benchmark measures inside the explorer page, by performance.now(). It runs before the scripts of the page.

let longestTask = 0; // ms of the tasks of the main thread that take more than 50 ms
const noteTasks = (entries) => (longestTask = Math.max(longestTask, ...entries.map(({ duration }) => duration)));
const observer = new PerformanceObserver((list) => noteTasks(list.getEntries()));
observer.observe({ type: "longtask", buffered: true });

let longest = 0; // ms between two turns of the event loop
let last = performance.now();

const turn = () => {
  const now = performance.now();
  longest = Math.max(longest, now - last);
  last = now;
  setTimeout(turn); // browsers delay a nested timer by 4 ms
};
turn();

/** Return the time at which the current changes have been painted. */
const painted = () =>
  new Promise((resolve) => {
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => resolve(performance.now());
      port2.postMessage(null);
    });
  });

/** Return the time at which the next content of a pane is painted, once a condition holds. */
const nextPicture = (pane, isAwaited = () => true) =>
  new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no picture")), 60_000);
    const observer = new MutationObserver(() => {
      if (!isAwaited()) return;
      observer.disconnect();
      resolve(painted());
    });
    observer.observe(pane, { childList: true });
  });

globalThis.benchmark = {
  firstListing: null, // ms after the start of the navigation
  picture: null, // a promise of the ms from a key to a picture

  /** Forget the longest task of the main thread, and the longest gap of its event loop. */
  begin() {
    observer.takeRecords();
    longestTask = 0;
    longest = 0;
    last = performance.now();
  },

  /** Return the longest task since `begin`, 0 if it is below 50, and the longest gap, in milliseconds. */
  longest() {
    noteTasks(observer.takeRecords());
    return [longestTask, longest];
  },

  /** Measure from the next key until a pane with new content is painted. */
  awaitKey(id) {
    let start = null;
    document.addEventListener("keydown", ({ timeStamp }) => (start = timeStamp), { capture: true, once: true });
    benchmark.picture = nextPicture(document.getElementById(id), () => start !== null).then((time) => time - start);
  },

  /** Keep an event that pastes a text, for `paste`. */
  copy(text) {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", text);
    benchmark.pasting = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  },

  paste: () => document.getElementById("editor").shadowRoot.querySelector(".cm-content").dispatchEvent(benchmark.pasting),
};

document.addEventListener("readystatechange", () => {
  const pane = document.getElementById("pane-program");
  if (pane && benchmark.firstListing === null) {
    benchmark.firstListing = 0;
    nextPicture(pane).then((time) => (benchmark.firstListing = time));
  }
});
