import { DuckDBInstance } from "@duckdb/node-api";
import { serve, startedWith } from "../child.ts";
import { limits } from "./questions.ts";

/**
 * DuckDB doing the same work alone: a process that is there already reads the file into a new
 * database, types guessed from its first rows, and answers. Nothing is copied, locked, watched or cut.
 */
const { path } = startedWith<{ readonly path: string }>();

serve(
  {},
  {
    async answer(sql: string): Promise<number> {
      const instance = await DuckDBInstance.create(":memory:", {
        memory_limit: `${limits.memoryBytes / 1e6}MB`,
        threads: String(limits.threads),
      });
      const connection = await instance.connect();
      await connection.run(`CREATE TABLE orders AS SELECT * FROM read_csv('${path}')`);
      const { currentRowCount } = await connection.runAndReadAll(sql);
      connection.closeSync();
      instance.closeSync();
      return currentRowCount;
    },
  },
);
