// Paper is white: print in light colours whatever the screen shows.
(() => {
  const root = document.documentElement;
  /** @type {string | undefined} */
  let shown;
  window.addEventListener("beforeprint", () => {
    shown = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    if (shown) root.dataset.theme = shown;
  });
})();
