// Paper is white: print in light colours whatever the screen shows.
(() => {
  "use strict";
  const root = document.documentElement;
  let shown = null;
  window.addEventListener("beforeprint", () => {
    shown = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", () => {
    if (shown) root.dataset.theme = shown;
  });
})();
