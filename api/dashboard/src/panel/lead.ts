// Leads the reader to a part of the page, while the parts above it still grow.

/** As long as the first answers may take. */
const PATIENCE_MS = 5_000;

/** Returns what ends it; the reader ends it too, by moving. */
export function leadTo(element: HTMLElement): () => void {
  const show = () => element.scrollIntoView({ block: "center" });
  const observer = new ResizeObserver(show);
  observer.observe(document.body);
  const end = () => observer.disconnect();
  const moves = ["wheel", "pointerdown", "keydown", "touchmove"];
  for (const move of moves) addEventListener(move, end, { once: true, passive: true });
  const timer = setTimeout(end, PATIENCE_MS);
  return () => {
    clearTimeout(timer);
    end();
    for (const move of moves) removeEventListener(move, end);
  };
}
