import { join } from "node:path";
import { hexlify, keccak256, randomBytes } from "ethers";

import type { StoredKey } from "../../../src/keystore.ts";
import { type MarketContext, openMarket } from "../../../src/market/context.ts";
import { movesOf, readCase } from "../../../src/jury/case.ts";
import { drawWords, eligibleFor } from "../../../src/jury/calls.ts";
import type { Evidence } from "../../../src/market/evidence.ts";
import type { TaskRequest } from "../../../src/market/prepare.ts";
import type { SubmittedTask } from "../../../src/market/submit.ts";
import { provePossession } from "../../../src/keys/possession.ts";
import { generateKeyPair } from "../../../src/envelope/index.ts";
import { saveKey } from "../../../src/keystore.ts";
import { type IJury, IJury__factory } from "../../../types/index.ts";
import {
  type Account,
  type Connection,
  createWorld,
  deliverResult,
  fileIn,
  MACHINE,
  RATE_WEI,
  type World,
} from "../market/support.ts";
import { packResources } from "../../../src/market/resources.ts";
import type { Cleanup } from "../storage/support.ts";

export const SECONDS = 60;
export const COST_WEI = RATE_WEI * BigInt(SECONDS);
export const COLLATERAL_WEI = 30n * 10n ** 12n;
export const SEAT_WEI = 10n ** 14n;
export const FEE_BPS = 600;
export const STEP = 600;
export const CONCESSION = 240;
/** Somebody's work, by which jurors recognise each other's. */
export const WORK = 0x1234n << 100n;

/** A provider with one seat and an encryption key, in a home of its own. */
export interface Juror {
  readonly account: Account;
  readonly key: StoredKey;
  readonly home: string;
}

/** A market with a jury, whose seats are taken before any task. */
export interface JuryWorld extends World {
  readonly jury: IJury;
  readonly jurors: readonly Juror[];
  readonly provider: { account: Account; key: StoredKey };
  readonly context: MarketContext;
  contextOf(runner: Account, home?: string): MarketContext;
  pass(seconds: number): Promise<void>;
  /** A task that was ordered, delivered and disputed. */
  disputed(options?: Disputing): Promise<DisputedTask>;
  /** Its provider shows its half of the seed. */
  draw(task: DisputedTask): Promise<void>;
  /** As the chain has it, and what can be done. */
  look(id: string): Promise<{ found: Awaited<ReturnType<typeof readCase>>; moves: string[] }>;
  /** Jurors in the order of the panel. */
  panel(id: string): Promise<Juror[]>;
  commit(id: string, prints?: readonly bigint[]): Promise<void>;
  reveal(id: string, verdicts: readonly number[], prints?: readonly bigint[]): Promise<void>;
}

export interface Disputing {
  readonly unit?: bigint;
  /** Ordered as by a client that does not look whether a jury could decide. */
  readonly isUnchecked?: boolean;
  readonly deliver?: NonNullable<Parameters<typeof deliverResult>[3]>;
  readonly request?: Partial<TaskRequest>;
}

export interface DisputedTask {
  readonly id: string;
  readonly task: SubmittedTask;
  readonly evidence: Evidence;
  readonly drawNonce: string;
}

const SALT = keccak256("0x01");

export async function createJuryWorld(
  cleanup: Cleanup,
  { jurors: count = 6, connection: given }: { jurors?: number; connection?: Connection } = {},
): Promise<JuryWorld> {
  const world = await createWorld(cleanup, given === undefined ? {} : { connection: given });
  const { connection, others } = world;
  const { ethers, networkHelpers } = connection;
  const contract = await ethers.deployContract("Jury", [world.market, SEAT_WEI, FEE_BPS, 1n, STEP, 0]);
  const address = await contract.getAddress();
  const deployment = { ...world.deployment, contracts: { ...world.deployment.contracts, Jury: address } };
  const registry = await ethers.getContractAt("ProviderRegistry", deployment.contracts.ProviderRegistry);
  await registry.authorizeMarket(address);
  const jury = IJury__factory.connect(address, world.owner);
  const { chainId } = await ethers.provider.getNetwork();

  const keys = await ethers.getContractAt("KeyRegistry", deployment.contracts.KeyRegistry);
  const jurors: Juror[] = [];
  for (const account of others.slice(1, 1 + count)) {
    const offer = { shape: packResources(MACHINE), rateWei: RATE_WEI, slots: 1n, metadata: "" };
    await registry.connect(account).register(account.address, account.address, offer);
    await registry.connect(account).stake(2n * SEAT_WEI, { value: 2n * SEAT_WEI });
    const pair = generateKeyPair();
    const keyRegistry = deployment.contracts.KeyRegistry;
    const { x, y, proof } = provePossession(pair, {
      ...{ chainId, keyRegistry, account: account.address, epoch: 1n },
    });
    await keys.connect(account).publish(x, y, proof);
    const home = cleanup.directory();
    jurors.push({ account, key: await saveKey(home, account.address, pair), home });
    await jury.connect(account).takeSeats(0n, 1n, account.address);
  }
  const [first] = others;
  if (first === undefined) throw new Error("no account");
  const provider = { account: first, key: await world.register(first) };

  const contextOf: JuryWorld["contextOf"] = (runner, home = world.home) =>
    openMarket({ runner, deployment, storage: () => world.storage, home });
  const context = contextOf(world.owner);
  const clientOf: World["clientOf"] = (runner, options) => world.clientOf(runner, { ...options, deployment });
  const client = clientOf(world.owner);

  const disputed: JuryWorld["disputed"] = async (options = {}) => {
    const { unit = 0n, deliver = {}, request = {}, isUnchecked = false } = options;
    const directory = cleanup.directory();
    const file = await fileIn(directory, "scan.png", "a picture");
    const wanted = {
      ...{ source: { files: [file] }, application: "ocr", durationSeconds: SECONDS },
      ...{ provider: provider.account.address, collateralWei: COLLATERAL_WEI, anyProvider: true },
      ...request,
    };
    const challenge = { periodSeconds: 3600, arbiter: address };
    const prepared = await client.prepare(isUnchecked ? wanted : { ...wanted, challenge });
    const features = { challengePeriodSeconds: challenge.periodSeconds, arbiter: address };
    const task = await client.submit({ ...prepared, features: { ...prepared.features, ...features } });
    const drawNonce = hexlify(randomBytes(32));
    await networkHelpers.time.increase(SECONDS);
    const { evidence } = await deliverResult(world, await client.status(task.id), provider, {
      secondsUsed: SECONDS,
      ...deliver,
      evidence: (made) => ({ ...(deliver.evidence?.(made) ?? made), drawCommit: keccak256(drawNonce) }),
    });
    await client.dispute(task.id, { unit });
    return { id: task.id, task, evidence, drawNonce };
  };
  const draw: JuryWorld["draw"] = async ({ id, evidence, drawNonce }) => {
    const status = await client.status(id);
    const { delivery, dispute, terms, work } = status;
    if (delivery === undefined || dispute === undefined) throw new Error("not disputed");
    const { eligible } = await eligibleFor(jury, status);
    const words = drawWords(
      { task: { terms, work }, delivered: { ...delivery, report: delivery } },
      { evidence, auditSeed: dispute.auditSeed, drawNonce, eligible },
    );
    await jury.connect(provider.account).draw(...words);
  };
  const look: JuryWorld["look"] = async (id) => {
    const found = await readCase(context, id);
    return { found, moves: movesOf(found).map(({ who, action }) => `${who} ${action}`) };
  };
  const panel: JuryWorld["panel"] = async (id) => {
    const { round } = await jury.caseOf(id);
    const { voters } = await jury.panelOf(id, round);
    return voters.map((voter) => {
      const juror = jurors.find(({ account: each }) => each.address === voter);
      if (juror === undefined) throw new Error("a stranger on the panel");
      return juror;
    });
  };
  const printOf = (prints: readonly bigint[], position: number): bigint => prints[position] ?? WORK;
  const commit: JuryWorld["commit"] = async (id, prints = []) => {
    const { round } = await jury.caseOf(id);
    const { seats } = await jury.panelOf(id, round);
    for (const [position, { account }] of (await panel(id)).entries()) {
      const print = printOf(prints, position);
      const commitment = await jury.commitmentOf(id, round, seats[position] ?? 0n, print, SALT);
      await jury.connect(account).commit(id, position, commitment);
    }
  };
  const reveal: JuryWorld["reveal"] = async (id, verdicts, prints = []) => {
    for (const [position, { account }] of (await panel(id)).entries()) {
      const verdict = verdicts[position];
      if (verdict === undefined) continue;
      await jury.connect(account).reveal(id, position, printOf(prints, position), verdict, SALT);
    }
  };
  return {
    ...{ ...world, deployment, jury, jurors, provider, context, contextOf, clientOf, client },
    ...{ disputed, draw, look, panel, commit, reveal },
    pass: async (seconds) => {
      await networkHelpers.time.increase(seconds);
    },
  };
}

/** A folder that is not there yet. */
export function absentIn(cleanup: Cleanup): string {
  return join(cleanup.directory(), "out");
}
