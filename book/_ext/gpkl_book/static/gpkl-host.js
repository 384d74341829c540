// Runs the book's explorables on a page without a kernel: the host side of anywidget's front-end interface.
// A classic script, so that it works from file:// as well; modules come as text (window.gpklModules) and are
// imported from a Blob, as anywidget imports them.
(() => {
  "use strict";
  const imported = new Map();

  function importModule(name) {
    if (!imported.has(name)) {
      const source = window.gpklModules?.[name];
      if (source === undefined) return Promise.reject(new Error(`no module named ${name} on this page`));
      const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      imported.set(name, import(url).finally(() => URL.revokeObjectURL(url)));
    }
    return imported.get(name);
  }

  // What a live kernel would keep: the state, and who listens to it.
  class Model {
    #state;
    #listeners = [];

    constructor(state) {
      this.#state = state;
    }
    get(key) {
      return this.#state[key];
    }
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
    on(event, callback) {
      this.#listeners.push({ event, callback });
    }
    off(event, callback) {
      this.#listeners = this.#listeners.filter(
        (one) => (event && one.event !== event) || (callback && one.callback !== callback),
      );
    }
    #tell(event, value) {
      for (const one of [...this.#listeners]) if (one.event === event) one.callback(this, value);
    }
  }

  class Explorable extends HTMLElement {
    #stay = null; // aborted when the element leaves the page
    #cleanUp = null;

    async connectedCallback() {
      const stay = (this.#stay = new AbortController());
      const live = document.createElement("div");
      live.className = "gpkl-live";
      this.append(live); // before it is drawn: a module may measure
      try {
        const exported = (await importModule(this.getAttribute("module"))).default;
        const widget = typeof exported === "function" ? await exported() : exported;
        const model = new Model(JSON.parse(this.getAttribute("state")));
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
        note.textContent = `The interactive figure failed (${error.message}); its picture stands in for it.`;
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
