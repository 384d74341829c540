// Runs the book's explorables on a page without a kernel: the host side of anywidget's front-end interface.
// A classic script, so that it works from file:// as well; modules come as text (window.gpklModules) and are
// imported from a Blob, as anywidget imports them.
(() => {
  /** @type {Map<string, Promise<any>>} */
  const imported = new Map();
  /** @type {{ gpklModules?: Record<string, string> }} */
  const page = Object(window);

  /** @type {(name: string) => Promise<any>} */
  async function importModule(name) {
    const known = imported.get(name);
    if (known) return known;
    const source = page.gpklModules?.[name];
    if (source === undefined) throw new Error(`no module named ${name} on this page`);
    const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
    const coming = import(url).finally(() => URL.revokeObjectURL(url));
    imported.set(name, coming);
    return coming;
  }

  // What a live kernel would keep: the state, and who listens to it.
  class Model {
    /** @type {Record<string, unknown>} */
    #state;
    /** @type {{ event: string, callback: (model: Model, value: unknown) => void }[]} */
    #listeners = [];

    /** @param {Record<string, unknown>} state */
    constructor(state) {
      this.#state = state;
    }
    /** @param {string} key */
    get(key) {
      return this.#state[key];
    }
    /** @type {(key: string | Record<string, unknown>, value?: unknown) => void} */
    set(key, value) {
      const changes = typeof key === "object" ? key : { [key]: value };
      let changed = false;
      for (const [name, next] of Object.entries(changes)) {
        if (Object.is(this.#state[name], next)) continue;
        this.#state[name] = next;
        changed = true;
        this.#tell(`change:${name}`, next);
      }
      if (changed) this.#tell("change");
    }
    save_changes() {}
    send() {}
    /** @type {(event: string, callback: (model: Model, value: unknown) => void) => void} */
    on(event, callback) {
      this.#listeners.push({ event, callback });
    }
    /** @type {(event?: string, callback?: (model: Model, value: unknown) => void) => void} */
    off(event, callback) {
      this.#listeners = this.#listeners.filter(
        (one) => (event && one.event !== event) || (callback && one.callback !== callback),
      );
    }
    /** @type {(event: string, value?: unknown) => void} */
    #tell(event, value) {
      for (const one of [...this.#listeners]) if (one.event === event) one.callback(this, value);
    }
  }

  class Explorable extends HTMLElement {
    /** @type {AbortController | null} */
    #stay = null; // aborted when the element leaves the page
    /** @type {(() => void) | null} */
    #cleanUp = null;

    async connectedCallback() {
      const stay = new AbortController();
      this.#stay = stay;
      const live = document.createElement("div");
      live.className = "gpkl-live";
      this.append(live); // before it is drawn: a module may measure
      try {
        const exported = (await importModule(this.getAttribute("module") ?? "")).default;
        const widget = typeof exported === "function" ? await exported() : exported;
        const model = new Model(JSON.parse(this.getAttribute("state") ?? "{}"));
        if (stay.signal.aborted) return;
        await widget.initialize?.({ model, signal: stay.signal });
        const cleanUp = await widget.render({ model, el: live, signal: stay.signal });
        if (stay.signal.aborted) {
          cleanUp?.();
          return;
        }
        this.#cleanUp = cleanUp;
        this.toggleAttribute("ready", true);
      } catch (error) {
        live.remove();
        const note = document.createElement("p");
        note.className = "gpkl-failed";
        note.setAttribute("role", "status");
        const { message } = /** @type {Error} */ (error);
        note.textContent = `The interactive figure failed (${message}); its picture stands in for it.`;
        this.append(note);
        console.error("gpkl-explorable", this.getAttribute("module"), error);
      }
    }

    disconnectedCallback() {
      this.#stay?.abort();
      this.#cleanUp?.();
      this.#cleanUp = null;
      this.toggleAttribute("ready", false);
      for (const added of this.querySelectorAll(":scope > .gpkl-live, :scope > .gpkl-failed")) added.remove();
    }
  }

  customElements.define("gpkl-explorable", Explorable);
})();
