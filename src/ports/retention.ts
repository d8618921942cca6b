/** Something that remembers for a while what it has seen. */
export interface Retention {
  /**
   * Forgets event ids and changes from before `eventsBeforeMs` (a repeat of them counts as new from
   * then on: platforms repeat within minutes, so two days are plenty), and items that were set aside
   * before `setAsideBeforeMs`. What is still in line stays. Goes in small steps, so that others get
   * their turn; resolves to how many things were forgotten.
   */
  prune(limits: {
    readonly eventsBeforeMs: number;
    readonly setAsideBeforeMs: number;
  }): Promise<number>;
}
