import { link, mkdir, readFile, unlink, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { Secret } from "../secret.ts";
import { addressOf } from "../storage/arweave/format.ts";
import { type ArweaveJwk, createArweaveKey, parseArweaveKey } from "../storage/arweave/key.ts";

/**
 * The wallet in the file at `path`; without one, a new wallet is made (seconds: RSA-4096) and kept there, readable
 * by nobody else. `created` is the address of a new one. Error: `storage.bad-key`.
 */
export async function loadArweaveKey(path: string): Promise<{ key: Secret<ArweaveJwk>; created?: string }> {
  const existing = await unlessCode("ENOENT", readFile(path, "utf8"));
  if (existing !== undefined) return { key: parseArweaveKey(new Secret(existing)) };
  const key = await createArweaveKey();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, `${JSON.stringify(key.reveal())}\n`, { mode: 0o600, flush: true });
  try {
    // A link never replaces a file: where another command was faster, its wallet counts.
    const won =
      (await unlessCode(
        "EEXIST",
        link(partial, path).then(() => true),
      )) ?? false;
    return won ? { key, created: addressOf(key.reveal().n) } : await loadArweaveKey(path);
  } finally {
    await unlink(partial);
  }
}

async function unlessCode<T>(code: string, work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === code) return undefined;
    throw error;
  }
}
