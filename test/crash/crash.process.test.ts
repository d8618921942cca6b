import { describeCrashes } from "./crash-table.ts";
import { CrashWorld } from "./crash-world.ts";

describeCrashes("a data file", async () => new CrashWorld());
