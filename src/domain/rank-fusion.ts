/** Softens how much the first places count; the value of the method's authors (Cormack et al., SIGIR 2009). */
const smoothing = 60;

/**
 * One ranking of several, by reciprocal rank fusion: what stands high in any of them stands high, what
 * stands in several higher. Scores of different kinds need not be comparable.
 */
export function fuseRankings<T>(rankings: readonly (readonly T[])[]): readonly T[] {
  const scores = new Map<T, number>();
  for (const ranking of rankings) {
    for (const [place, item] of ranking.entries()) {
      scores.set(item, (scores.get(item) ?? 0) + 1 / (smoothing + place + 1));
    }
  }
  return [...scores].sort(([, a], [, b]) => b - a).map(([item]) => item);
}
