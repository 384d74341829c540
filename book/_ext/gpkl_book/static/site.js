// A link to a place on the page: hold the place while formulas and explorables above it grow, until the reader moves.
(() => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const [visit] = performance.getEntriesByType("navigation");
  if (!target || /** @type {PerformanceNavigationTiming} */ (visit).type !== "navigate") return;
  const hold = new ResizeObserver(() => target.scrollIntoView({ behavior: "instant" }));
  hold.observe(target.closest("article") ?? document.body);
  for (const moved of ["wheel", "touchstart", "pointerdown", "keydown"])
    addEventListener(moved, () => hold.disconnect(), { once: true, passive: true });
})();

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
