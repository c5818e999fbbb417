import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { hexlify } from "ethers";
import sharp from "sharp";

import { isNeuraError } from "../../../src/errors.ts";
import type { Json } from "../../../src/manifest.ts";
import type { StoredKey } from "../../../src/keystore.ts";
import { openMarket } from "../../../src/market/context.ts";
import { Outcome } from "../../../src/market/outcome.ts";
import { encodeReport, encodeTerms, type Task, workHash } from "../../../src/market/terms.ts";
import { createPoolAccount, type MirrorContext, type PoolAccount } from "../../../src/mirror/accounts.ts";
import { applicationFor } from "../../../src/provider/applications/registry.ts";
import { fetchPayload, openPayload } from "../../../src/provider/payload.ts";
import { sealResult } from "../../../src/provider/result.ts";
import type { Storage } from "../../../src/storage/storage.ts";
import { ITaskMarket__factory } from "../../../types/factories/interfaces/ITaskMarket__factory.ts";
import { type Account, createWorld, MACHINE, type World } from "../market/support.ts";
import type { Cleanup } from "../storage/support.ts";

export interface Seller {
  readonly account: Account;
  readonly key: StoredKey;
}

/** What an upload shows to everybody. */
export interface Upload {
  readonly by: string;
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly resume: boolean;
}

/** A market with three providers, and what mirrors of its owner work with. */
export interface MirrorWorld extends World {
  readonly context: MirrorContext;
  readonly sellers: readonly [Seller, Seller, Seller];
  /** In the order in which they were sent. */
  readonly uploads: Upload[];
  /** A pool account with this much [wei]. */
  fundedAccount(amountWei: bigint): Promise<PoolAccount>;
}

export async function createMirrorWorld(
  cleanup: Cleanup,
  options: Parameters<typeof createWorld>[1] = {},
): Promise<MirrorWorld> {
  const world = await createWorld(cleanup, options);
  const [one, two, three] = world.others;
  if (one === undefined || two === undefined || three === undefined) throw new Error("no accounts");
  const sellers = [
    { account: one, key: await world.register(one) },
    { account: two, key: await world.register(two) },
    { account: three, key: await world.register(three) },
  ] as const;
  const { deployment, home, storage, owner } = world;
  const uploads: Upload[] = [];
  const watched = (by: string): Storage => ({
    scheme: storage.scheme,
    get: (...given) => storage.get(...given),
    price: (...given) => storage.price(...given),
    readBack: (...given) => storage.readBack(...given),
    status: (...given) => storage.status(...given),
    put: async (source, options) => {
      uploads.push({ by, tags: options?.tags, resume: options?.resume !== undefined });
      return await storage.put(source, options);
    },
  });
  const context = {
    ...openMarket({ runner: owner, deployment, storage: () => watched(owner.address), home }),
    storageOf: (account: string) => () => watched(account),
  };
  return {
    ...world,
    context,
    sellers,
    uploads,
    client: world.clientOf(owner),
    async fundedAccount(amountWei) {
      const account = await createPoolAccount(home);
      await (await owner.sendTransaction({ to: account.address, value: amountWei })).wait();
      return account;
    },
  };
}

/** What a provider's node sees of a task once it has opened it. */
export interface Seen {
  readonly manifestText: string;
  readonly envelope: Buffer;
  readonly files: ReadonlyMap<string, Buffer>;
}

/**
 * What a provider's node does with a task, in this process: opens it, does the work with its application, seals and delivers
 * the result. `fake` changes what a unit came to, as a cheat does.
 */
export async function sell(
  world: MirrorWorld,
  task: Task,
  cleanup: Cleanup,
  { fake }: { fake?: ((unit: number, output: Buffer) => Buffer) | undefined } = {},
): Promise<Seen> {
  const seller = world.sellers.find(({ account }) => account.address === task.terms.provider);
  if (seller === undefined) throw new Error("it is nobody's task");
  const { storage, deployment, context } = world;
  const directory = cleanup.directory();
  const signal = new AbortController().signal;
  const bounds = { maxBytes: 100_000_000, signal };
  const path = join(directory, "payload.envelope");
  await fetchPayload(task, { storage, path, ...bounds });
  const { publicKey } = seller.key;
  const payload = join(directory, "payload");
  const { manifest, inputRoot } = await openPayload(task, {
    ...{ path, directory: payload, domain: context.domain, ...bounds },
    keys: [{ publicKey: hexlify(publicKey), isRevoked: false, pair: seller.key }],
  });
  for (const name of ["output", "logs"]) await mkdir(join(directory, name));
  const summary = await applicationFor(manifest).run({
    manifest,
    inputDirectory: join(payload, "input"),
    outputDirectory: join(directory, "output"),
    ...{ signal, log: () => undefined, progress: () => undefined },
  });
  // Reading keeps other decoders out of this process, which other tests share.
  sharp.unblock({ operation: ["VipsForeignLoad"] });
  const { result, units } = fake === undefined ? summary : await faked(directory, summary, fake);
  const { keys } = context.contracts;
  const { publicKey: ownerKey } = await keys.keyAt(task.terms.owner, task.terms.conditions.keyEpoch);
  const sealedPath = join(directory, "result.envelope");
  const sealed = await sealResult(
    {
      ...{ task, manifest, directory, inputRoot, ownerKey, outcome: "Completed" as const },
      drawNonce: hexlify(Buffer.alloc(32, 7)),
      runner: { name: "test", isolation: [] },
      hardware: { cpu: "test", architecture: "x64", gpus: [], shape: MACHINE, machine: {} },
      run: {
        ...{ kind: "completed" as const, message: "done", secondsWall: 1, phases: [], logFiles: [] },
        usage: { peakRssBytes: 1, cpuSeconds: 1 },
        summary: { ...summary, result, units },
      },
    },
    { path: sealedPath, signal },
  );
  const stored = await storage.put(sealedPath);
  await storage.readBack(stored);
  const { resultHash, evidenceHash } = sealed;
  const market = ITaskMarket__factory.connect(deployment.contracts.TaskMarket, seller.account);
  await market.deliver(encodeTerms(task.terms), workHash(task.work), {
    report: encodeReport({ outcome: Outcome.Completed, secondsUsed: 1 }),
    ...{ resultHash, evidenceHash, result: stored.uri },
  });
  const files = await Promise.all(
    manifest.inputs.map(
      async (input) => [input, await readFile(join(payload, ...input.split("/")))] as const,
    ),
  );
  return {
    manifestText: await readFile(join(payload, "manifest.json"), "utf8"),
    envelope: await readFile(path),
    files: new Map(files),
  };
}

type Summary = Awaited<ReturnType<ReturnType<typeof applicationFor>["run"]>>;

async function faked(
  directory: string,
  { result, units }: Summary,
  fake: (unit: number, output: Buffer) => Buffer,
): Promise<Pick<Summary, "result" | "units">> {
  const given: unknown = result["pages"];
  const pages = Array.isArray(given) ? given.map((page: unknown) => page) : undefined;
  const made = await Promise.all(
    units.map(async (unit, index) => {
      const path = join(directory, "output", unit.name.slice("input/".length));
      const output = fake(
        index,
        pages === undefined ? await readFile(path) : Buffer.from(JSON.stringify(pages[index])),
      );
      if (pages === undefined) await writeFile(path, output);
      else pages[index] = JSON.parse(output.toString()) as unknown;
      return { ...unit, outputHash: createHash("sha256").update(output).digest("hex") };
    }),
  );
  return { units: made, result: pages === undefined ? result : { ...result, pages: pages as Json[] } };
}

/** The code of the error with which it rejects. */
export async function codeFrom(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
  } catch (error) {
    if (isNeuraError(error)) return error.code;
    throw error;
  }
  return undefined;
}
