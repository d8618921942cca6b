import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";

/** What is asked of the table: a sum by group, a filter, an order, all rows counted by two columns. */
export const questions = [
  "SELECT region, sum(amount) AS total FROM orders GROUP BY region ORDER BY total DESC",
  "SELECT date_trunc('month', day) AS month, count(*) AS n, avg(quantity) AS q FROM orders GROUP BY month ORDER BY month",
  "SELECT product, median(amount) AS m FROM orders WHERE quantity > 5 GROUP BY product ORDER BY m DESC LIMIT 10",
] as const;

/** DuckDB's limits, the same for both. */
export const limits = { memoryBytes: 512_000_000, threads: 2 } as const;

const regions = ["North", "South", "East", "West"];

/** Writes a table of orders; the same for the same number of rows. Gives its size in bytes. */
export async function writeOrders(path: string, rows: number): Promise<number> {
  const file = createWriteStream(path);
  file.write("id,day,region,product,quantity,amount\n");
  for (let from = 0; from < rows; from += 10_000) {
    const lines = Array.from({ length: Math.min(10_000, rows - from) }, (_, i) => line(from + i));
    if (!file.write(lines.join(""))) await once(file, "drain");
  }
  file.end();
  await finished(file);
  return file.bytesWritten;
}

function line(id: number): string {
  // A fixed muddle: Knuth's multiplicative hash.
  const hash = Math.imul(id + 1, 2_654_435_761) >>> 0;
  const day = new Date(Date.UTC(2025, 0, 1 + (hash % 365))).toISOString().slice(0, 10);
  const amount = ((hash >>> 8) % 100_000) / 100;
  return `${id},${day},${regions[hash % 4]},P${(hash >>> 4) % 500},${1 + ((hash >>> 6) % 9)},${amount}\n`;
}
