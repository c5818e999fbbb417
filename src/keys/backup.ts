import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { getBytes, hexlify, isAddress, isHexString } from "ethers";

import { equalBytes } from "../envelope/format.ts";
import { publicKeyOf } from "../envelope/index.ts";
import { NeuraError } from "../errors.ts";
import { listAccounts, listKeys, readKeys, saveKey, type StoredKey } from "../keystore.ts";
import { Secret } from "../secret.ts";

/**
 * A backup: all encryption keys of a machine in one file, encrypted with AES-256-GCM under a key that scrypt
 * (RFC 7914) makes of a password. The file's header is authenticated with the keys.
 */

const SCHEMA = "neura/key-backup/1";
const CIPHER = "aes-256-gcm";
/** 128 MiB and about half a second per guess. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 };
const MIN_PASSWORD = 8;

const deriveKey = promisify<string, Uint8Array, number, object, Buffer>(scrypt);

/**
 * Writes all keys below `home` to the new file `path`, readable by nobody else.
 *
 * Errors: `backup.no-keys`, `usage.password`, `backup.exists`, `keystore.invalid`.
 */
export async function backUpKeys(home: string, path: string, password: Secret<string>): Promise<StoredKey[]> {
  const accounts = await listAccounts(home);
  const keys = (await Promise.all(accounts.map((account) => listKeys(home, account)))).flat();
  if (keys.length === 0) {
    throw new NeuraError("backup.no-keys", `There is no key below ${home}.`, {
      next: "Create one with `account key create`, or name the right folder in NEURA_HOME.",
    });
  }
  if (password.reveal().length < MIN_PASSWORD) {
    throw new NeuraError("usage.password", `The password has fewer than ${MIN_PASSWORD} characters.`, {
      next: "Choose a longer one: whoever has the file can try as many as they like.",
    });
  }
  const text = JSON.stringify(
    keys.map(({ account, createdAt, secretKey }) => ({
      account,
      createdAt,
      secretKey: hexlify(secretKey.reveal()),
    })),
  );
  const file = await openNew(path);
  try {
    await file.writeFile(await encrypt(text, password));
    await file.sync();
  } finally {
    await file.close();
  }
  return keys;
}

/**
 * Adds the keys of a backup to those below `home`. A key that is there already stays as it is, and so does a file that
 * cannot be read: the key gets another one.
 *
 * Errors: `backup.invalid`, `backup.wrong-password`.
 */
export async function restoreKeys(
  home: string,
  path: string,
  password: Secret<string>,
): Promise<{ restored: StoredKey[]; present: StoredKey[] }> {
  const keys = parseKeys(await decrypt(await readFile(path, "utf8"), password, path), path);
  const restored: StoredKey[] = [];
  const present: StoredKey[] = [];
  for (const { account, createdAt, secretKey } of keys) {
    const publicKey = publicKeyOf(secretKey);
    const { keys: there } = await readKeys(home, account);
    const known = there.find((key) => equalBytes(key.publicKey, publicKey));
    if (known !== undefined) present.push(known);
    else restored.push(await saveKey(home, account, { secretKey, publicKey }, createdAt));
  }
  return { restored, present };
}

async function encrypt(text: string, password: Secret<string>): Promise<string> {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const header = {
    schema: SCHEMA,
    cipher: CIPHER,
    scrypt: SCRYPT,
    salt: hexlify(salt),
    nonce: hexlify(nonce),
  };
  const key = await deriveKey(password.reveal(), salt, 32, scryptOptions(SCRYPT));
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(JSON.stringify(header)));
  const keys = Buffer.concat([cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()]);
  return `${JSON.stringify({ ...header, keys: hexlify(keys) }, null, 2)}\n`;
}

async function decrypt(file: string, password: Secret<string>, path: string): Promise<string> {
  const { keys, ...header } = parseFile(file, path);
  const sealed = getBytes(keys);
  const key = await deriveKey(password.reveal(), getBytes(header.salt), 32, scryptOptions(SCRYPT));
  const decipher = createDecipheriv(CIPHER, key, getBytes(header.nonce))
    .setAAD(Buffer.from(JSON.stringify(header)))
    .setAuthTag(sealed.subarray(-16));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()]).toString("utf8");
  } catch {
    throw new NeuraError(
      "backup.wrong-password",
      `${path} does not open: the password is wrong or the file changed.`,
      {
        next: "Try again, or take another copy of the backup.",
      },
    );
  }
}

function scryptOptions(parameters: typeof SCRYPT): object {
  return { ...parameters, maxmem: 256 * parameters.N * parameters.r };
}

function parseFile(text: string, path: string) {
  const file = fieldsOf(parseJson(text, path));
  const { schema, cipher, salt, nonce, keys } = file;
  if (
    schema !== SCHEMA ||
    cipher !== CIPHER ||
    JSON.stringify(file["scrypt"]) !== JSON.stringify(SCRYPT) ||
    !isHexString(salt, 16) ||
    !isHexString(nonce, 12) ||
    !isHexString(keys, true) ||
    keys.length < 2 + 2 * 16
  )
    throw invalid(path);
  return { schema, cipher, scrypt: SCRYPT, salt, nonce, keys };
}

function parseKeys(text: string, path: string): Pick<StoredKey, "account" | "createdAt" | "secretKey">[] {
  const keys = parseJson(text, path);
  if (!Array.isArray(keys)) throw invalid(path);
  return keys.map((each) => {
    const { account, createdAt, secretKey } = fieldsOf(each);
    const isTime = typeof createdAt === "string" && /^\d{4}-[\dTZ:.-]+$/.test(createdAt);
    if (!isAddress(account) || !isTime || !isHexString(secretKey, 32)) throw invalid(path);
    return { account, createdAt, secretKey: new Secret(getBytes(secretKey)) };
  });
}

async function openNew(path: string) {
  try {
    return await open(path, "wx", 0o600);
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
    throw new NeuraError("backup.exists", `${path} exists already.`, {
      next: "Name a file that does not.",
      cause,
    });
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The cause is left out: its message may hold a part of a key.
    throw invalid(path);
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function invalid(path: string): NeuraError {
  return new NeuraError("backup.invalid", `${path} is not a backup of version 1.`, {
    next: "Name a file that `account key backup` wrote.",
  });
}
