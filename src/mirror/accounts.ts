import { randomBytes, randomInt } from "node:crypto";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { getAddress, hexlify, Wallet, ZeroAddress } from "ethers";

import { formatAmount } from "../amount.ts";
import { generateKeyPair } from "../envelope/index.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { createPrivateFile } from "../files.ts";
import { listKeys, saveKey } from "../keystore.ts";
import { publishKey } from "../keys/publish.ts";
import {
  asking,
  type MarketContext,
  type OpenStorage,
  openMarket,
  requireSigner,
} from "../market/context.ts";
import { readJson } from "../market/records.ts";
import { Secret } from "../secret.ts";
import { balanceOf, deposit, withdraw } from "../wallet.ts";

/**
 * Accounts that order mirrors and canaries, one order each, so that no owner's address says what an order is. Below
 * `<home>/mirror`: `accounts/<address>.json` with the key that pays, `used/<address>.json` with what it was used for. Their
 * encryption keys lie beside the owner's, and what they spend counts in the owner's limits.
 */
export interface PoolAccount {
  readonly address: string;
  /** 32 bytes as hex with 0x. */
  readonly privateKey: Secret<string>;
  readonly createdAt: string;
  readonly path: string;
}

/** What a mirror or a canary works with. */
export interface MirrorContext extends MarketContext {
  /** The storage as this account uses it: with a key of its own that pays for uploads and signs them. */
  readonly storageOf: (account: string) => OpenStorage;
}

const SCHEMA = "neura/mirror-account/1";

/** Where all of it lies. */
export function mirrorDirectory(home: string): string {
  return join(home, "mirror");
}

/** The file of the key that pays for an account's uploads. */
export function uploadKeyPath(home: string, account: string): string {
  return join(mirrorDirectory(home), "arweave", `${getAddress(account)}.json`);
}

/** Makes an account with its encryption key. It has nothing yet, and nobody knows it. */
export async function createPoolAccount(home: string): Promise<PoolAccount> {
  const privateKey = new Secret(hexlify(randomBytes(32)));
  const { address } = new Wallet(privateKey.reveal());
  const createdAt = new Date().toISOString();
  const directory = join(mirrorDirectory(home), "accounts");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, `${address}.json`);
  const text = JSON.stringify(
    { schema: SCHEMA, address, privateKey: privateKey.reveal(), createdAt },
    null,
    2,
  );
  await createPrivateFile(path, `${text}\n`);
  await saveKey(home, address, generateKeyPair());
  return { address, privateKey, createdAt, path };
}

/** All accounts, oldest first. Error: `mirror.account-invalid`. */
export async function listPoolAccounts(home: string): Promise<PoolAccount[]> {
  const directory = join(mirrorDirectory(home), "accounts");
  const names = await namesIn(directory);
  const accounts = await Promise.all(names.map(async (name) => await readAccount(join(directory, name))));
  return accounts.toSorted((one, other) => one.createdAt.localeCompare(other.createdAt));
}

async function readAccount(path: string): Promise<PoolAccount> {
  try {
    const { schema, address, privateKey, createdAt } = (await readJson(path)) ?? {};
    if (schema !== SCHEMA || typeof privateKey !== "string" || typeof createdAt !== "string")
      throw new Error(`it is not of ${SCHEMA}`);
    if (new Wallet(privateKey).address !== address) throw new Error("its key is another account's");
    return { address, privateKey: new Secret(privateKey), createdAt, path };
  } catch {
    // The cause is left out: its message may hold the key.
    throw new NeuraError("mirror.account-invalid", `${path} is no account, or it was changed.`, {
      next: "Restore the file from a backup, or move it away: what the account has is lost with its key.",
    });
  }
}

/** An account, what it has [wei], and what it was used for. */
export interface PoolState {
  readonly account: PoolAccount;
  /** Of the market's currency, in the market and on the account. */
  readonly fundsWei: bigint;
  /** Of the chain's coin, for gas. */
  readonly coinWei: bigint;
  readonly isPublished: boolean;
  /** Missing for one that is free. */
  readonly usedFor?: string | undefined;
}

export async function readPool(context: MarketContext): Promise<PoolState[]> {
  const { home, deployment, contracts } = context;
  const accounts = await listPoolAccounts(home);
  return await Promise.all(
    accounts.map(async (account) => {
      const signer = signerOf(context, account);
      const [{ marketWei, ownWei, coinWei }, latest, usedFor] = await Promise.all([
        balanceOf({ deployment, signer }, account.address),
        contracts.keys.latestEpoch(account.address),
        usedForOf(home, account.address),
      ]);
      return { account, fundsWei: marketWei + ownWei, coinWei, isPublished: latest > 0n, usedFor };
    }),
  );
}

// ---- Use ----

/**
 * A free account that can pay `costWei`, drawn at random, and from now on taken; for the same purpose always the same
 * one. Error: `mirror.no-account`.
 */
export async function takeAccount(
  context: MarketContext,
  { purpose, costWei }: { purpose: string; costWei: bigint },
): Promise<PoolAccount> {
  const { home, deployment } = context;
  const pool = await readPool(context);
  const earlier = pool.find(({ usedFor }) => usedFor === purpose);
  if (earlier !== undefined) return earlier.account;
  const able = pool.filter(
    ({ usedFor, fundsWei, coinWei }) => usedFor === undefined && coinWei > 0n && fundsWei >= costWei,
  );
  for (const { account } of shuffled(able)) if (await claim(home, account.address, purpose)) return account;
  const free = pool.filter(({ usedFor }) => usedFor === undefined).length;
  throw new NeuraError(
    "mirror.no-account",
    `None of ${pool.length} mirror accounts (${free} not used yet) has the ${formatAmount(costWei, deployment.currency)} that are needed, and something for gas.`,
    { next: "Make some with `mirror account create`, and fund them with `mirror account fund`." },
  );
}

/** Whether the account was free, and now is taken for this. */
async function claim(home: string, address: string, purpose: string): Promise<boolean> {
  const directory = join(mirrorDirectory(home), "used");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const text = JSON.stringify({ purpose, at: new Date().toISOString() });
  return await createPrivateFile(join(directory, `${address}.json`), `${text}\n`);
}

/** Lets an account go that was taken and has not ordered anything. */
export async function freeAccount(home: string, address: string): Promise<void> {
  await rm(join(mirrorDirectory(home), "used", `${address}.json`), { force: true });
}

async function usedForOf(home: string, address: string): Promise<string | undefined> {
  const used = await readJson(join(mirrorDirectory(home), "used", `${address}.json`));
  const purpose = used?.["purpose"];
  return typeof purpose === "string" ? purpose : undefined;
}

/** The market as this account sees it: its own signer and uploads, the same home and so the same limits. */
export function marketOf(context: MirrorContext, account: PoolAccount): MarketContext {
  const { deployment, home, allowLoopback, storageOf } = context;
  const runner = signerOf(context, account);
  return openMarket({ runner, deployment, storage: storageOf(account.address), home, allowLoopback });
}

function signerOf({ provider }: MarketContext, { privateKey }: PoolAccount): Wallet {
  return new Wallet(privateKey.reveal(), provider);
}

/** Publishes the account's encryption key, where that has not been done. */
export async function ensureKey(context: MarketContext, { address }: PoolAccount): Promise<void> {
  const { deployment, contracts, home } = context;
  if ((await contracts.keys.latestEpoch(address)) > 0n) return;
  const key = (await listKeys(home, address)).at(-1);
  if (key === undefined) {
    throw new NeuraError("key.not-published", `The mirror account ${address} has lost its encryption key.`, {
      next: "Restore it with `account key restore`, or make another account.",
    });
  }
  await publishKey(deployment, { signer: requireSigner(context), key });
}

// ---- Money ----

export interface Funding {
  /** At least so much each [wei]; up to a quarter more is drawn, so that no two get the same. */
  readonly eachWei: bigint;
  /** Default: those of the pool that are not used and have less than that. */
  readonly accounts?: readonly string[] | undefined;
  /** Whether fees that are due to the treasury go to its balance first. Default: no. */
  readonly collectFees?: boolean | undefined;
}

export interface Funded {
  readonly account: string;
  readonly amountWei: bigint;
  readonly hash: string;
}

/**
 * Funds accounts, in a random order, from the signer's balance in the market (`withdrawTo`), as far as it goes, else from
 * the signer itself; in a market of a token, into their balances: gas has to come from somewhere else then. Each is a
 * transaction that links the account to the signer, for everybody to see: see docs/verification.md.
 *
 * Errors: `wallet.insufficient-funds`, what the contract refuses.
 */
export async function fundAccounts(
  context: MarketContext,
  { eachWei, accounts, collectFees = false }: Funding,
): Promise<Funded[]> {
  const { deployment, contracts } = context;
  const signer = requireSigner(context);
  if (collectFees) await collectAllFees(context);
  const pool = accounts === undefined ? await readPool(context) : [];
  const wanting =
    accounts?.map((each) => getAddress(each)) ??
    pool
      .filter(({ usedFor, fundsWei }) => usedFor === undefined && fundsWei < eachWei)
      .map(({ account }) => account.address);
  const funded: Funded[] = [];
  const isNative = deployment.currency.address === ZeroAddress;
  for (const account of shuffled(wanting)) {
    const amountWei = eachWei + (eachWei * BigInt(randomInt(250_000))) / 1_000_000n;
    const hasWei = await contracts.market.balanceOf(await signer.getAddress());
    let hash: string;
    if (!isNative) ({ hash } = await deposit({ deployment, signer }, { amountWei, account }));
    else if (hasWei >= amountWei)
      ({ hash } = await withdraw({ deployment, signer }, { amountWei, to: account }));
    else {
      const sent = await asking(signer.sendTransaction({ to: account, value: amountWei }));
      await sent.wait();
      hash = sent.hash;
    }
    funded.push({ account, amountWei, hash });
  }
  return funded;
}

/** Moves the fees that are due from all providers into the treasury's balance. Anybody's. */
async function collectAllFees({ contracts }: MarketContext): Promise<void> {
  const { market, registry } = contracts;
  const due: string[] = [];
  for (let cursor = 0n; ;) {
    const { page, next } = await asking(registry.providers(cursor, 50n));
    for (const { account } of page) if ((await market.feesDue(account)) > 0n) due.push(account);
    if (next === 0n) break;
    cursor = next;
  }
  if (due.length > 0) await (await asking(market.collectFees(due))).wait();
}

/**
 * Takes what used accounts have left in the market. Shows, for everybody to see, that they belong together, so only
 * when they have nothing to do any more. Gives what arrived [wei].
 */
export async function sweepAccounts(context: MirrorContext, { to }: { to: string }): Promise<bigint> {
  let sumWei = 0n;
  for (const { account, usedFor } of await readPool(context)) {
    if (usedFor === undefined) continue;
    const market = marketOf(context, account);
    const amountWei = await market.contracts.market.balanceOf(account.address);
    if (amountWei === 0n) continue;
    await withdraw({ deployment: market.deployment, signer: requireSigner(market) }, { amountWei, to });
    sumWei += amountWei;
  }
  return sumWei;
}

// ---- Files and chance ----

/** In a random order that nobody can foresee. */
export function shuffled<T>(values: readonly T[]): T[] {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last--) {
    const at = randomInt(last + 1);
    const [one, other] = [order[last], order[at]];
    if (one !== undefined && other !== undefined) [order[last], order[at]] = [other, one];
  }
  return order;
}

/** The files of a folder that hold JSON; none where it is not there. */
export async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  });
  return names.filter((name) => name.endsWith(".json"));
}

/** A file's parsed JSON. */
export async function parsedFile(path: string): Promise<unknown> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return value;
  } catch (error) {
    throw new NeuraError("mirror.file-invalid", `${path} cannot be read: ${messageOf(error)}.`, {
      next: "Correct it, or move it away.",
    });
  }
}
