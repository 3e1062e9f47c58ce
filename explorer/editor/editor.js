// The editor of a source: CodeMirror in a shadow root, where it adopts its style sheets. In the document it would
// insert <style> elements, which the Content-Security-Policy does not permit.

import { EditorState, StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView, keymap, lineNumbers, placeholder } from "@codemirror/view";
import { setDiagnostics, lintKeymap } from "@codemirror/lint";
import { minimalSetup } from "codemirror";

const setMarks = StateEffect.define();
const marks = StateField.define({
  create: () => Decoration.none,
  update(value, transaction) {
    let result = value.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(setMarks)) result = effect.value;
    return result;
  },
  provide: (field) => EditorView.decorations.from(field),
});

const theme = EditorView.theme({
  "&": { color: "var(--text)", backgroundColor: "var(--field)", fontSize: "0.9375rem" },
  "&.cm-focused": { outline: "none" }, // style.css marks the element around it
  ".cm-scroller": { fontFamily: "var(--mono)", minHeight: "2.75rem", maxHeight: "30vh" },
  ".cm-content": { caretColor: "var(--text)" },
  ".cm-cursor": { borderLeftColor: "var(--text)" },
  ".cm-gutters": { backgroundColor: "var(--panel)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
  ".cm-placeholder": { color: "var(--quiet)" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--selection)" },
  // Without the images of the default theme, which are data: URLs.
  ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--error) 2px" },
  ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline wavy var(--warning) 2px" },
  ".cm-lintRange-info": { backgroundImage: "none", textDecoration: "underline dotted var(--note) 2px" },
  ".cm-lintPoint::after": { borderBottomColor: "var(--error)" },
  ".cm-tooltip": { color: "var(--text)", backgroundColor: "var(--panel)", border: "1px solid var(--line)" },
  ".cm-diagnostic-error": { borderLeftColor: "var(--error)" },
  ".cm-diagnostic-warning": { borderLeftColor: "var(--warning)" },
  ".cm-diagnostic-info": { borderLeftColor: "var(--note)" },
  ".cm-linked": { backgroundColor: "var(--linked)", outline: "1px solid var(--linked-line)" },
});

const MAX_PASTED = 4_000_000; // characters, as in src/cbpf/explorer/sources.py
const LONG = 100_000; // characters; the change of a longer text is announced in a task of its own

/**
 * Create an editor.
 * @param {HTMLElement} parent The element that will contain it.
 * @param {{label: string, hint: string, onChange: (text: string) => void, onRefuse: (message: string) => void,
 *   onHover: (offset: number | null) => void}} options The accessible name, the text of an empty editor, and what is
 *   called when the text changes, when a pasted text is too long, and when the cursor or the pointer is at another offset.
 */
export function createEditor(parent, { label, hint, onChange, onRefuse, onHover }) {
  let announcing = 0;
  const announce = () => onChange(view.state.doc.toString());
  const announceChange = () => {
    clearTimeout(announcing);
    if (view.state.doc.length > LONG) announcing = setTimeout(announce);
    else announce();
  };
  const refuse = (event) => {
    const { length } = event.clipboardData?.getData("text/plain") ?? "";
    if (length <= MAX_PASTED) return false;
    const numbers = [length, MAX_PASTED].map((number) => number.toLocaleString("en"));
    onRefuse(`the pasted text has ${numbers[0]} characters; the page reads at most ${numbers[1]}; the text is unchanged`);
    event.preventDefault();
    return true;
  };
  const root = parent.attachShadow({ mode: "open" });
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      extensions: [
        minimalSetup,
        lineNumbers(),
        keymap.of(lintKeymap),
        placeholder(hint),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ "aria-label": label, spellcheck: "false", autocapitalize: "off" }),
        marks,
        theme,
        EditorView.updateListener.of((update) => {
          if (update.docChanged) announceChange();
          else if (update.selectionSet) onHover(update.state.selection.main.head);
        }),
        EditorView.domEventHandlers({
          paste: refuse,
          mousemove: (event, editor) => onHover(editor.posAtCoords({ x: event.clientX, y: event.clientY })),
          mouseleave: () => onHover(null),
        }),
      ],
    }),
  });
  const clamp = (offset) => Math.max(0, Math.min(offset, view.state.doc.length));
  return {
    get text() {
      return view.state.doc.toString();
    },
    set text(text) {
      if (text !== view.state.doc.toString()) {
        view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
      }
    },
    /** Underline problems: {start, end, severity: "error" | "warning" | "info", message}. */
    set problems(problems) {
      const diagnostics = problems.map(({ start, end, severity, message }) => ({
        from: clamp(start),
        to: Math.max(clamp(start), clamp(end)),
        severity,
        message,
      }));
      view.dispatch(setDiagnostics(view.state, diagnostics));
    },
    /** Mark the parts of the text that belong to something under the pointer: [start, end] pairs. */
    set linked(spans) {
      const ranges = spans
        .map(([start, end]) => [clamp(start), clamp(end)])
        .filter(([start, end]) => start < end)
        .sort((left, right) => left[0] - right[0])
        .map(([start, end]) => Decoration.mark({ class: "cm-linked" }).range(start, end));
      view.dispatch({ effects: setMarks.of(Decoration.set(ranges, true)) });
    },
    select(offset) {
      view.focus();
      view.dispatch({ selection: { anchor: clamp(offset) }, scrollIntoView: true });
    },
  };
}
