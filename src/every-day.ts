const dayMs = 24 * 60 * 60 * 1_000;
const firstMs = 60_000;

/** Soon after the start, then once a day; the function it gives ends that. */
export function everyDay(work: () => Promise<unknown>): () => void {
  const first = setTimeout(work, firstMs).unref();
  const next = setInterval(work, dayMs).unref();
  return () => {
    clearTimeout(first);
    clearInterval(next);
  };
}
