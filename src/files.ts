import { randomUUID } from "node:crypto";
import { link, open, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Writes a new file that nobody else can read. However the process or the machine ends, the file is there whole or not
 * at all, and it is there once this has resolved to `true`. `false`: there is one already, which stays as it is.
 */
export async function createPrivateFile(path: string, text: string): Promise<boolean> {
  const partial = `${path}.${randomUUID()}.partial`;
  try {
    await writeFile(partial, text, { mode: 0o600, flag: "wx", flush: true });
    await link(partial, path); // which, unlike a rename, never replaces a file
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(partial, { force: true });
  }
  await syncDirectory(dirname(path));
  return true;
}

/** Puts the names in a directory on disk: flushing a file does not do so for a name that is new or was changed. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === "win32") return; // where directories cannot be opened
  const directory = await open(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
