/** The conversations that may have something to do, each once, in the order they got ready. */
export class ReadyLine {
  readonly #members = new Set<string>();
  #keys: string[] = [];
  #head = 0;

  push(key: string): void {
    if (this.#members.has(key)) return;
    this.#members.add(key);
    this.#keys.push(key);
  }

  shift(): string | undefined {
    const key = this.#keys[this.#head];
    if (key === undefined) return undefined;
    this.#head += 1;
    this.#members.delete(key);
    if (this.#head * 2 > this.#keys.length) {
      this.#keys = this.#keys.slice(this.#head);
      this.#head = 0;
    }
    return key;
  }
}
