import { mkdir, readFile } from "node:fs/promises";
import { dirname } from "node:path";

import { createPrivateFile } from "../files.ts";
import { Secret } from "../secret.ts";
import { addressOf } from "../storage/arweave/format.ts";
import { type ArweaveJwk, createArweaveKey, parseArweaveKey } from "../storage/arweave/key.ts";

/**
 * The wallet in the file at `path`; without one, a new wallet is made (seconds: RSA-4096) and kept there, readable
 * by nobody else. `created` is the address of a new one. Error: `storage.bad-key`.
 */
export async function loadArweaveKey(path: string): Promise<{ key: Secret<ArweaveJwk>; created?: string }> {
  const existing = await readIfThere(path);
  if (existing !== undefined) return { key: parseArweaveKey(new Secret(existing)) };
  const key = await createArweaveKey();
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const won = await createPrivateFile(path, `${JSON.stringify(key.reveal())}\n`);
  // Where another command was faster, its wallet counts.
  return won ? { key, created: addressOf(key.reveal().n) } : await loadArweaveKey(path);
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
