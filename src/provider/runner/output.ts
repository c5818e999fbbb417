import type { Stats } from "node:fs";
import { chmod, lstat, mkdir, opendir, rm } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../../errors.ts";

/** What an entry takes in an archive besides its content [bytes]. */
const ENTRY_BYTES = 512;

/**
 * Whether there is more below these folders than this: entries, and contents as long as they claim to be or as they
 * take on the disk. Looks no further than that, since a folder may grow faster than one can read it.
 */
export async function holdMoreThan(bytes: number, folders: readonly string[]): Promise<boolean> {
  let left = bytes;
  const pending = [...folders];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop())
    for await (const { path, stats } of walk(folder)) {
      left -= ENTRY_BYTES + Math.max(stats.size, stats.blocks * 512);
      if (left < 0) return true;
      if (stats.isDirectory()) pending.push(path);
    }
  return false;
}

/**
 * Makes a folder hold nothing but readable folders and files of its own: links, devices, sockets and files that have
 * a second name elsewhere are removed. Only once nobody writes to it any more.
 *
 * @returns the paths of what was removed
 */
export async function tidy(folder: string): Promise<string[]> {
  const stats = await lstat(folder).catch(() => undefined);
  if (!stats?.isDirectory()) {
    await empty(folder);
    return [folder];
  }
  await chmod(folder, 0o700);
  const removed: string[] = [];
  for await (const { path, stats } of walk(folder)) {
    if (stats.isDirectory()) removed.push(...(await tidy(path)));
    else if (stats.isFile() && stats.nlink === 1) await chmod(path, 0o600);
    else {
      await rm(path);
      removed.push(path);
    }
  }
  return removed;
}

/** Makes an empty folder of whatever is there. */
export async function empty(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o700 });
}

/** The entries of a folder; without those that vanish or cannot be read meanwhile. */
async function* walk(folder: string): AsyncGenerator<{ path: string; stats: Stats }> {
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
