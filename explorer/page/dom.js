// Elements without markup: texts become text nodes, never HTML.

export const byId = (id) => document.getElementById(id);

/**
 * Make an element.
 * @param {string} tag Its name, with classes: "li.error".
 * @param {object} attributes Attributes; functions are event listeners ("onclick"), false and null leave one out.
 * @param {...(Node | string | null)} children
 */
export function element(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const result = document.createElement(name);
  if (classes.length) result.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") result.addEventListener(key.slice(2), value);
    else if (value === true) result.setAttribute(key, "");
    else if (value !== false && value !== null && value !== undefined) result.setAttribute(key, value);
  }
  result.append(...children.filter((child) => child !== null));
  return result;
}

export const replace = (parent, ...children) => parent.replaceChildren(...children.filter((child) => child !== null));

export const hex = (value, digits = 1) => value.toString(16).padStart(digits, "0");

export const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

/** Move the focus among rows by the arrow keys; one of them is in the order of the Tab key. */
export function arrowKeys(list, selector) {
  list.addEventListener("keydown", (event) => {
    const rows = [...list.querySelectorAll(selector)];
    const index = rows.indexOf(event.target.closest(selector));
    const steps = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: rows.length - 1 };
    const target = rows[steps[event.key]];
    if (index < 0 || !target) return;
    event.preventDefault();
    rows[index].tabIndex = -1;
    target.tabIndex = 0;
    target.focus();
  });
}
