import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { network } from "hardhat";
import tar from "tar-stream";
import { keccak256, type Signer, sha256, ZeroAddress } from "ethers";

import type { Deployment } from "../../../src/deployment.ts";
import {
  generateKeyPair,
  openEach,
  payloadContext,
  readHeader,
  resultContext,
  seal,
  unwrap,
} from "../../../src/envelope/index.ts";
import { provePossession } from "../../../src/keys/possession.ts";
import { saveKey, type StoredKey } from "../../../src/keystore.ts";
import { MarketClient } from "../../../src/market/client.ts";
import {
  encodeEvidence,
  type Evidence,
  evidenceHash,
  plaintextRoot,
  PUBLIC_SALT,
  treeSalt,
  unitsRoot,
  ZERO_HASH,
} from "../../../src/market/evidence.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { packResources, type Resources } from "../../../src/market/resources.ts";
import type { TaskStatus } from "../../../src/market/status.ts";
import { encodeReport, encodeTerms, workHash } from "../../../src/market/terms.ts";
import { startGateway } from "../../../src/storage/gateway/gateway.ts";
import { openArweave } from "../../../src/storage/arweave.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { type ITaskMarket, RevenueShareToken__factory } from "../../../types/index.ts";
import { deployTaskMarket } from "../../contracts/market/deploy.ts";
import { type Cleanup, collect, testKey } from "../storage/support.ts";

export const RATE_WEI = 10n ** 12n;
export const STAKE_WEI = 10n ** 18n;
export const FEE_BPS = 250n;
export const DECLINE_WINDOW = 120;
export const MACHINE: Resources = {
  gpuCount: 0,
  gpuClass: 0,
  vramMiB: 0,
  ramMiB: 8192,
  cpuMilli: 4000,
  diskMiB: 20_480,
};
const DAY = 86_400n;

export type Connection = Awaited<ReturnType<typeof network.create>>;
export type Account = Signer & { address: string };

/** The contracts on a fresh simulated chain, a local Arweave gateway, and an owner with a key and a client. */
export interface World {
  connection: Connection;
  deployment: Deployment;
  /** As its admin. */
  market: ITaskMarket;
  storage: Storage;
  gatewayUrl: string;
  home: string;
  owner: Account;
  ownerKey: StoredKey;
  others: Account[];
  client: MarketClient;
  clientOf(
    runner: Signer,
    options?: { home?: string; allowLoopback?: boolean; deployment?: Deployment },
  ): MarketClient;
  publish(account: Account): Promise<StoredKey>;
  register(
    account: Account,
    options?: Partial<{ shape: Resources; rateWei: bigint; stakeWei: bigint; metadata: string }>,
  ): Promise<StoredKey>;
  /** The market's token, if it is not the native coin. */
  token:
    | {
        mint(to: string, amount: bigint): Promise<unknown>;
        approve(from: Account, amount: bigint): Promise<unknown>;
      }
    | undefined;
}

export async function createWorld(
  cleanup: Cleanup,
  { token = false, connection: given }: { token?: boolean; connection?: Connection } = {},
): Promise<World> {
  const connection = given ?? (await network.create());
  const { ethers } = connection;
  const [admin, treasury, owner, ...others] = await ethers.getSigners();
  if (admin === undefined || treasury === undefined || owner === undefined) throw new Error("no accounts");
  const block = await ethers.provider.getBlockNumber();
  const erc20 = token ? await ethers.deployContract("MockERC20") : undefined;
  const currency = erc20 === undefined ? ZeroAddress : await erc20.getAddress();
  const keys = await ethers.deployContract("KeyRegistry");
  const registry = await ethers.deployContract("ProviderRegistry", [currency, 45n * DAY, admin.address]);
  const models = await ethers.deployContract("ModelRegistry");
  const { market } = await deployTaskMarket(ethers, {
    registry,
    models,
    currency,
    declineWindow: DECLINE_WINDOW,
    treasury,
    feeBps: FEE_BPS,
  });
  await registry.authorizeMarket(await market.getAddress());
  const rewards = await ethers.deployContract("ProviderRewards", [market, DAY, 10n ** 18n, 10_000]);
  const codeHash = keccak256(RevenueShareToken__factory.bytecode);
  const shares = await ethers.deployContract("RevenueShareFactory", [codeHash]);
  const certificate = await ethers.deployContract("DeedCertificate");
  const { chainId } = await ethers.provider.getNetwork();
  const deployment: Deployment = {
    schema: "neura/deployment/1",
    chainId: Number(chainId),
    block,
    contracts: {
      KeyRegistry: await keys.getAddress(),
      ProviderRegistry: await registry.getAddress(),
      ModelRegistry: await models.getAddress(),
      TaskMarket: await market.getAddress(),
      ProviderRewards: await rewards.getAddress(),
      RevenueShareFactory: await shares.getAddress(),
      DeedCertificate: await certificate.getAddress(),
    },
    currency: { address: currency, symbol: "ANKR", decimals: 18 },
  };

  const home = cleanup.directory();
  const gateway = await startGateway({ directory: join(cleanup.directory(), "gateway"), blockSeconds: 0.1 });
  cleanup.add(() => gateway.close());
  const storage = openArweave({ gateways: [gateway.url], key: await testKey(), pauseSeconds: 0.05 });
  const clientOf: World["clientOf"] = (runner, options = {}) =>
    new MarketClient({ runner, deployment, storage: () => storage, home, ...options });

  const publish: World["publish"] = async (account) => {
    const key = generateKeyPair();
    const epoch = (await keys.latestEpoch(account.address)) + 1n;
    const keyRegistry = deployment.contracts.KeyRegistry;
    const { x, y, proof } = provePossession(key, { chainId, keyRegistry, account: account.address, epoch });
    await keys.connect(account).publish(x, y, proof);
    return await saveKey(home, account.address, key);
  };
  const register: World["register"] = async (account, options = {}) => {
    const { shape = MACHINE, rateWei = RATE_WEI, stakeWei = STAKE_WEI, metadata = "" } = options;
    const offer = { shape: packResources(shape), rateWei, slots: 1n, metadata };
    await registry.connect(account).register(account.address, account.address, offer);
    if (stakeWei > 0n) {
      await erc20?.mint(account.address, stakeWei);
      await erc20?.connect(account).approve(await registry.getAddress(), stakeWei);
      await registry.connect(account).stake(stakeWei, { value: token ? 0n : stakeWei });
    }
    return await publish(account);
  };
  return {
    connection,
    deployment,
    market,
    storage,
    gatewayUrl: gateway.url,
    home,
    owner,
    ownerKey: await publish(owner),
    others,
    client: clientOf(owner),
    clientOf,
    publish,
    register,
    token: erc20 && {
      mint: (to, amount) => erc20.mint(to, amount),
      approve: async (from, amount) => erc20.connect(from).approve(await market.getAddress(), amount),
    },
  };
}

/** What a provider's node makes of a task, reduced to its steps; `change` lets a test deliver something else. */
export async function deliverResult(
  world: World,
  { id, terms, work }: Pick<TaskStatus, "id" | "terms" | "work">,
  provider: { account: Account; key: StoredKey },
  change: {
    files?: Record<string, string | Uint8Array>;
    evidence?: (evidence: Evidence) => Evidence;
    withoutEvidence?: boolean;
    /** What the only unit was made of, and the file that is its output. Default: the archive, of nothing. */
    unit?: { input: string; output: string };
    context?: string;
    resultHash?: string;
    secondsUsed?: number;
    outcome?: Outcome;
    envelope?: Uint8Array;
    /** The key of a sealed payload, as it was published. */
    header?: string | undefined;
  } = {},
): Promise<{ input: Uint8Array; secrets: string | undefined; evidence: Evidence }> {
  const { connection, deployment, storage } = world;
  const { ethers } = connection;
  const market = await ethers.getContractAt("TaskMarket", deployment.contracts.TaskMarket);
  const domain = { chainId: BigInt(deployment.chainId), market: deployment.contracts.TaskMarket };

  // Open the payload as its provider.
  const envelope = await collect(storage.get(work.payload, { maxBytes: 100_000_000 }));
  const context = payloadContext({ ...domain, owner: terms.owner, salt: terms.salt });
  let input: Uint8Array = new Uint8Array();
  let secrets: string | undefined;
  const header = change.header === undefined ? undefined : await readHeader([ethers.getBytes(change.header)]);
  await openEach([envelope], {
    context,
    header,
    secretKey: provider.key.secretKey,
    hash: work.payloadHash,
    handlers: {
      body: async (plaintext) => void (input = await collect(plaintext)),
      secrets: async (plaintext) => void (secrets = (await collect(plaintext)).toString()),
    },
  });
  const { secretKey } = provider.key;
  const inputKey = unwrap(header ?? (await readHeader([envelope])), { kind: "body", context, secretKey });

  // The result.
  const files = change.files ?? {
    "run.json": JSON.stringify({ schema: "neura/run/1" }),
    "result.json": JSON.stringify({ text: "hello" }),
    "logs/run.log": "read 1 page\n",
    "output/page.txt": "hello",
  };
  const archive = await archiveOf(files);
  const { unit } = change;
  const output = unit === undefined ? archive : Buffer.from(files[unit.output] ?? "");
  const inputHash = unit === undefined ? ZERO_HASH : sha256(Buffer.from(unit.input));
  const units = [{ inputHash, outputHash: sha256(output), stateHash: ZERO_HASH, sketchHash: ZERO_HASH }];
  const made = async (salt: Parameters<typeof plaintextRoot>[1]["salt"]): Promise<Evidence> => {
    const evidence = {
      inputRoot: await plaintextRoot([input], { salt: treeSalt(inputKey) }),
      resultRoot: await plaintextRoot([archive], { salt }),
      unitsRoot: unitsRoot(units),
      unitCount: 1,
      runHash: sha256(Buffer.from(files["run.json"] ?? "")),
      drawCommit: ZERO_HASH,
    };
    return change.evidence?.(evidence) ?? evidence;
  };

  let evidence: Evidence;
  let bytes: Uint8Array;
  let resultHash: string;
  const epoch = terms.conditions.keyEpoch;
  if (epoch === 0) {
    evidence = await made(PUBLIC_SALT);
    const text = encodeEvidence({ evidence, units });
    bytes = await archiveOf({
      "result.tar": archive,
      ...(change.withoutEvidence ? {} : { "evidence.json": text }),
    });
    resultHash = sha256(bytes);
  } else {
    const keys = await ethers.getContractAt("KeyRegistry", deployment.contracts.KeyRegistry);
    const { publicKey } = await keys.keyAt(terms.owner, epoch);
    const recipients = [ethers.getBytes(publicKey)];
    const sealed = seal({
      context: change.context ?? resultContext({ taskId: id }),
      compartments: [
        { kind: "body", recipients, source: [archive] },
        ...(change.withoutEvidence ? [] : [{ kind: "trace" as const, recipients, source: trace() }]),
      ],
    });
    evidence = await made(treeSalt(sealed.contentKey("body")));
    async function* trace(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(Buffer.from(encodeEvidence({ evidence, units })));
    }
    bytes = await collect(sealed.stream);
    resultHash = sealed.result().hash;
  }
  const stored = await storage.put(change.envelope ?? bytes);
  await storage.readBack(stored);
  const report = encodeReport({
    outcome: change.outcome ?? Outcome.Completed,
    secondsUsed: change.secondsUsed ?? 1,
  });
  await market.connect(provider.account).deliver(encodeTerms(terms), workHash(work), {
    report,
    resultHash: change.resultHash ?? resultHash,
    evidenceHash: evidenceHash(evidence),
    result: stored.uri,
  });
  return { input, secrets, evidence };
}

export async function archiveOf(files: Record<string, string | Uint8Array>): Promise<Buffer> {
  const pack = tar.pack();
  for (const [name, content] of Object.entries(files)) pack.entry({ name }, Buffer.from(content));
  pack.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of pack) if (part instanceof Uint8Array) parts.push(part);
  return Buffer.concat(parts);
}

/** A file with content of its own. */
export async function fileIn(
  directory: string,
  name: string,
  content: string | Uint8Array = name,
): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

export async function textOf(...path: string[]): Promise<string> {
  return await readFile(join(...path), "utf8");
}
