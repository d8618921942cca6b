import type { RedisDatabase } from "./database.ts";

/** What a Redis is set to that could lose what people wrote. */
export interface SafetyReport {
  /** Not to be started on: what is wrong and what to do. */
  readonly refusals: readonly string[];
  /** Works, but may lose something in a power cut. */
  readonly warnings: readonly string[];
}

const oldestVersion = [6, 2] as const;

/** Looks at the settings of the Redis; those a hosted one keeps to itself are taken to be fine. */
export async function inspectSafety(database: RedisDatabase): Promise<SafetyReport> {
  const info = toFields(String(await database.send(["INFO"])));
  const config = await readConfig(database);
  const refusals: string[] = [];
  const warnings: string[] = [];

  const version = info.get("redis_version") ?? "unknown";
  if (isOlder(version)) {
    refusals.push(`it is version ${version}; ${oldestVersion.join(".")} or newer is needed`);
  }
  if (info.get("cluster_enabled") === "1") {
    refusals.push("it is a cluster; set REDIS_URL to a Redis with one primary");
  }
  if (info.get("role") === "slave") {
    refusals.push("it is a replica and takes no writes; set REDIS_URL to the primary");
  }
  const policy = info.get("maxmemory_policy") ?? "noeviction";
  if (policy !== "noeviction") {
    refusals.push(
      `maxmemory-policy is ${policy}: it would throw away messages when memory is short; set it to noeviction`,
    );
  }
  if (info.get("aof_enabled") === "1") {
    if (config.get("appendfsync") === "no") {
      warnings.push(
        "appendfsync is no: a power cut may lose half a minute; set it to everysec (loses up to a second) or always",
      );
    }
  } else if (config.get("save") === "") {
    refusals.push(
      "it keeps nothing on disk (appendonly no, save empty): a restart would lose everything; set appendonly to yes",
    );
  } else {
    warnings.push(
      "appendonly is no: a crash of Redis loses what came since its last snapshot; set it to yes",
    );
  }
  return { refusals, warnings };
}

/** Hosted ones often refuse this command. */
async function readConfig(database: RedisDatabase): Promise<ReadonlyMap<string, string>> {
  const read = async (name: string) => {
    const reply = await database.send(["CONFIG", "GET", name]);
    return Array.isArray(reply) && reply.length === 2 ? [[name, String(reply[1])] as const] : [];
  };
  try {
    return new Map((await Promise.all([read("save"), read("appendfsync")])).flat());
  } catch {
    return new Map();
  }
}

function toFields(info: string): ReadonlyMap<string, string> {
  const pairs = info.split(/\r?\n/).flatMap((line) => {
    const at = line.indexOf(":");
    return at < 1 ? [] : [[line.slice(0, at), line.slice(at + 1)] as const];
  });
  return new Map(pairs);
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldestMajor, oldestMinor] = oldestVersion;
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
