import type { Stats } from "node:fs";
import { chmod, lstat, mkdir, opendir, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../errors.ts";

/** What an entry takes in an archive besides its content [bytes]. */
const ENTRY_BYTES = 512;

/** What is below a folder: contents as long as they claim to be or as they take on the disk, and their entries [bytes]. */
export async function bytesBelow(folder: string): Promise<number> {
  let bytes = 0;
  for await (const { path, stats } of walk(folder)) {
    bytes += ENTRY_BYTES;
    if (stats.isFile()) bytes += Math.max(stats.size, stats.blocks * 512);
    else if (stats.isDirectory()) bytes += await bytesBelow(path);
  }
  return bytes;
}

/**
 * Makes a folder hold nothing but readable folders and files of its own: links, devices, sockets and files that have
 * a second name are removed. Only once nobody writes to it any more.
 *
 * @returns what was removed, and why
 */
export async function tidy(folder: string): Promise<string[]> {
  const stats = await lstat(folder).catch(() => undefined);
  if (!stats?.isDirectory()) {
    await rm(folder, { force: true });
    await mkdir(folder, { mode: 0o700 });
    return stats ? [`${folder}: is no folder`] : [];
  }
  await chmod(folder, 0o700);
  const removed: string[] = [];
  for await (const { path, stats } of walk(folder)) {
    if (stats.isDirectory()) removed.push(...(await tidy(path)));
    else if (stats.isFile() && stats.nlink === 1) await chmod(path, 0o600);
    else {
      await rm(path);
      removed.push(
        `${path}: ${stats.isFile() ? "has a second name elsewhere" : "is neither a file nor a folder"}`,
      );
    }
  }
  return removed;
}

/** The entries of a folder; without those that vanish or cannot be read meanwhile. */
async function* walk(
  folder: string,
): AsyncGenerator<{ path: string; stats: Stats }> {
  const entries = await opendir(folder).catch(unlessGone);
  if (!entries) return;
  for await (const { name } of entries) {
    const path = join(folder, name);
    const stats = await lstat(path).catch(unlessGone);
    if (stats) yield { path, stats };
  }
}

function unlessGone(error: unknown): undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return undefined;
  throw new Error(`The output cannot be read: ${messageOf(error)}.`, { cause: error });
}
