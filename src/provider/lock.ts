import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { messageOf, NeuraError } from "../errors.ts";
import { openDatabase } from "../sqlite.ts";

/**
 * Lets one process at a time work in `directory`. The lock is the operating system's on an open file, so it ends
 * with the process, however that ends; `node.pid` beside it only tells people who has it.
 *
 * Error: `provider.locked`. Resolves to what releases it.
 */
export async function lockDirectory(directory: string): Promise<() => void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const pidFile = join(directory, "node.pid");
  const database = await openDatabase(join(directory, "node.lock"));
  try {
    database.exec("PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    if (!/locked|busy/i.test(messageOf(error))) throw error;
    const holder = await readFile(pidFile, "utf8").catch(() => "unknown");
    throw new NeuraError("provider.locked", `Another node works in ${directory}: process ${holder.trim()}.`, {
      next: "Stop that one first: two nodes with one key would spoil each other's transactions.",
    });
  }
  await writeFile(pidFile, `${process.pid}\n`);
  return () => database.close();
}
