import { mkdir, readdir, readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { getAddress, getBytes, hexlify, isAddress } from "ethers";

import { type Header, type KeyPair, publicKeyOf } from "./envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "./errors.ts";
import { createPrivateFile } from "./files.ts";
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

/**
 * Writes a key to a file of its own, which is whole or not there; an existing file is never touched. `createdAt`:
 * ISO 8601, now by default.
 */
export async function saveKey(
  home: string,
  account: string,
  keys: KeyPair,
  createdAt = new Date().toISOString(),
): Promise<StoredKey> {
  const directory = keyDirectory(home, account);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const text = JSON.stringify(
    {
      schema: SCHEMA,
      account: getAddress(account),
      publicKey: hexlify(keys.publicKey),
      secretKey: hexlify(keys.secretKey.reveal()),
      createdAt,
    },
    null,
    2,
  );
  const name = createdAt.replaceAll(/[:.]/g, "-");
  for (let count = 1; ; count++) {
    const path = join(directory, `${name}${count > 1 ? `_${count}` : ""}.json`);
    if (await createPrivateFile(path, `${text}\n`)) {
      return { ...keys, account: getAddress(account), createdAt, path };
    }
  }
}

/** The accounts that have keys on this machine. */
export async function listAccounts(home: string): Promise<string[]> {
  return (await namesIn(join(home, "keys"))).filter((name) => isAddress(name));
}

/**
 * All keys of an account on this machine, oldest first. Error: `keystore.invalid` where a file cannot be read: nobody
 * takes the rest for all.
 */
export async function listKeys(home: string, account: string): Promise<StoredKey[]> {
  const { keys, problems } = await readKeys(home, account);
  const [problem] = problems;
  if (problem !== undefined) throw problem;
  return keys;
}

/**
 * The account's key with this public key (33 bytes as hex), if it is on this machine. Files that cannot be read are
 * passed over; only where none of the others has the key, `keystore.invalid` names them.
 */
export async function findKey(
  home: string,
  account: string,
  publicKey: string,
): Promise<StoredKey | undefined> {
  const { keys, problems } = await readKeys(home, account);
  const found = keys.find((key) => hexlify(key.publicKey) === publicKey.toLowerCase());
  const [problem] = problems;
  if (found !== undefined || problem === undefined) return found;
  throw new NeuraError(
    "keystore.invalid",
    `The key ${publicKey} is in no file that can be read. ${problems.map(messageOf).join(" ")}`,
    { ...(problem.next === undefined ? {} : { next: problem.next }) },
  );
}

/**
 * The key of one of these accounts that an envelope's body is encrypted to, if one is on this machine. Error: as
 * {@link findKey}.
 */
export async function findReaderKey(
  home: string,
  { compartments }: Header,
  accounts: readonly string[],
): Promise<StoredKey | undefined> {
  const readers = compartments.find(({ kind }) => kind === "body")?.recipients ?? [];
  for (const { publicKey } of readers) {
    for (const account of new Set(accounts)) {
      const key = await findKey(home, account, hexlify(publicKey));
      if (key !== undefined) return key;
    }
  }
  return undefined;
}

/** The keys of an account, oldest first, and an error `keystore.invalid` for each file that cannot be read. */
export async function readKeys(
  home: string,
  account: string,
): Promise<{ keys: StoredKey[]; problems: NeuraError[] }> {
  const directory = keyDirectory(home, account);
  const files = (await namesIn(directory)).filter((name) => name.endsWith(".json")).toSorted();
  const read = await Promise.all(
    files.map((name) =>
      readKey(join(directory, name)).catch((error: unknown) => {
        if (isNeuraError(error, "keystore.invalid")) return error;
        throw error;
      }),
    ),
  );
  return {
    keys: read.flatMap((each) => (each instanceof NeuraError ? [] : [each])),
    problems: read.flatMap((each) => (each instanceof NeuraError ? [each] : [])),
  };
}

/** Reads one key file. Error: `keystore.invalid`. */
export async function readKey(path: string): Promise<StoredKey> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new NeuraError("keystore.invalid", `${path} cannot be read: ${messageOf(cause)}.`, {
      next: "Make it readable, or restore the key from its backup with `account key restore` and move this file away.",
      cause,
    });
  });
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
    next: "Restore the key from its backup with `account key restore`, and move this file away.",
  });
}
