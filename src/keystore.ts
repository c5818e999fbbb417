import { mkdir, open, readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { getAddress, getBytes, hexlify, isAddress } from "ethers";

import { type KeyPair, publicKeyOf } from "./envelope/index.ts";
import { isNeuraError, NeuraError } from "./errors.ts";
import { Secret } from "./secret.ts";

/**
 * Encryption keys on disk, one file each: `<home>/keys/<account>/<time of creation>.json`, readable by nobody
 * else and never overwritten. Which epoch a key has is for the key registry to say, by its public key.
 */

export interface StoredKey extends KeyPair {
  readonly account: string;
  readonly createdAt: string;
  readonly path: string;
}

const SCHEMA = "neura/key/1";

/** Where state is kept on disk: `NEURA_HOME`, else `~/.neura`. */
export function homeDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const named = environment["NEURA_HOME"];
  return named === undefined || named === "" ? join(homedir(), ".neura") : named;
}

/** The directory of an account's keys. */
export function keyDirectory(home: string, account: string): string {
  return join(home, "keys", getAddress(account));
}

/** Writes a key to a file of its own; an existing file is never touched. `createdAt`: ISO 8601, now by default. */
export async function saveKey(
  home: string,
  account: string,
  keys: KeyPair,
  createdAt = new Date().toISOString(),
): Promise<StoredKey> {
  const directory = keyDirectory(home, account);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${createdAt.replaceAll(/[:.]/g, "-")}.json`);
  const file = await open(path, "wx", 0o600);
  try {
    const secretKey = hexlify(keys.secretKey.reveal());
    const text = {
      schema: SCHEMA,
      account: getAddress(account),
      publicKey: hexlify(keys.publicKey),
      secretKey,
      createdAt,
    };
    await file.writeFile(`${JSON.stringify(text, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  return { ...keys, account: getAddress(account), createdAt, path };
}

/** The accounts that have keys on this machine. */
export async function listAccounts(home: string): Promise<string[]> {
  return (await namesIn(join(home, "keys"))).filter((name) => isAddress(name));
}

/** All keys of an account on this machine, oldest first. Error: `keystore.invalid`. */
export async function listKeys(home: string, account: string): Promise<StoredKey[]> {
  const directory = keyDirectory(home, account);
  const files = (await namesIn(directory)).filter((name) => name.endsWith(".json")).toSorted();
  return await Promise.all(files.map((name) => readKey(join(directory, name))));
}

/** The account's key with this public key (33 bytes as hex), if it is on this machine. Error: `keystore.invalid`. */
export async function findKey(
  home: string,
  account: string,
  publicKey: string,
): Promise<StoredKey | undefined> {
  const keys = await listKeys(home, account);
  return keys.find((key) => hexlify(key.publicKey) === publicKey.toLowerCase());
}

/** Reads one key file. Error: `keystore.invalid`. */
export async function readKey(path: string): Promise<StoredKey> {
  const text = await readFile(path, "utf8");
  try {
    const { schema, account, secretKey, publicKey, createdAt } = fieldsOf(JSON.parse(text));
    if (schema !== SCHEMA || typeof account !== "string" || typeof createdAt !== "string")
      throw invalid(path);
    const secret = new Secret(getBytes(typeof secretKey === "string" ? secretKey : ""));
    const own = publicKeyOf(secret);
    if (hexlify(own) !== publicKey) throw invalid(path);
    return { account: getAddress(account), secretKey: secret, publicKey: own, createdAt, path };
  } catch (error) {
    // The cause is left out: its message may hold the key.
    throw isNeuraError(error, "keystore.invalid") ? error : invalid(path);
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function invalid(path: string): NeuraError {
  return new NeuraError("keystore.invalid", `${path} is not a key file of version 1, or it was changed.`, {
    next: "Restore it from its backup, or move it away.",
  });
}
