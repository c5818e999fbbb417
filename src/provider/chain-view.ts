import { type Log, type Provider, ZeroAddress } from "ethers";

import { ITaskMarket__factory } from "../../types/factories/interfaces/ITaskMarket__factory.ts";
import { readLogs } from "../chain/logs.ts";
import { type Deployment, verifyDeployment } from "../deployment.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { type Contracts, connectContracts } from "../market/context.ts";
import { decodeTaskEvent, TASK_TOPICS, type TaskEvent } from "../market/events.ts";
import { type Outcome, outcomeOf, type Status, statusOf } from "../market/outcome.ts";
import { unpackResources } from "../market/resources.ts";
import {
  encodeReport,
  encodeTerms,
  encodeWork,
  isOpen,
  type Report,
  type Task,
  workHash,
} from "../market/terms.ts";
import type { Offer } from "./policy.ts";

/** Where a task stands. */
export interface TaskState {
  readonly status: Status;
  readonly outcome: Outcome;
  /** When the status was entered [Unix s]. */
  readonly sinceSeconds: number;
  readonly feeBps: number;
  /** Who took a task that names somebody else or nobody; missing while nobody has. */
  readonly assignment?: Assignment;
}

export interface Assignment {
  readonly provider: string;
  /** [wei, or wei/s] */
  readonly priceWei: bigint;
}

/** A lease as the chain meters it. */
export interface LeaseState {
  /** 0: not yet [Unix s]. */
  readonly readyAtSeconds: number;
  /** The last second that can be metered [Unix s]. */
  readonly endsAtSeconds: number;
  readonly lastHeartbeatSeconds: number;
  readonly upSeconds: number;
  readonly drawnSeconds: number;
  /** Why it ends before its time; None: it does not. */
  readonly closing: Outcome;
}

/** How long the market gives its sides [s]. */
export interface Windows {
  readonly decline: number;
  readonly key: number;
  readonly takeOver: number;
  readonly concession: number;
}

/** What a delivery that can be challenged committed to. */
export interface Delivered {
  readonly report: Report;
  readonly resultHash: string;
  readonly evidenceHash: string;
}

/** A provider as the registry has it. */
export interface Registration {
  readonly operator: string;
  readonly payout: string;
  readonly isActive: boolean;
  readonly offer: Offer;
}

/** A published encryption key. */
export interface PublishedKey {
  /** 33 bytes as hex. */
  readonly publicKey: string;
  readonly isRevoked: boolean;
}

const ACTIVE = 1n;
const MARKET = ITaskMarket__factory.createInterface();

/** What the node reads of the contracts, and the calls that it makes. With witnesses, only what all of them say. */
export class ChainView {
  readonly deployment: Deployment;
  readonly provider: Provider;
  readonly #contracts: readonly Contracts[];

  constructor(deployment: Deployment, provider: Provider, witnesses: readonly Provider[] = []) {
    this.deployment = deployment;
    this.provider = provider;
    this.#contracts = [provider, ...witnesses].map((each) => connectContracts(deployment, each));
  }

  get market(): string {
    return this.deployment.contracts.TaskMarket;
  }

  /** Whether tasks are paid in the coin that gas is paid in. */
  get isNative(): boolean {
    return this.deployment.currency.address === ZeroAddress;
  }

  /** Checks that every node is on the deployment's chain and has its contracts. */
  async verify(): Promise<void> {
    for (const { market } of this.#contracts) {
      const provider = market.runner?.provider;
      if (provider) await verifyDeployment(this.deployment, provider);
    }
  }

  async stateOf(task: Task): Promise<TaskState> {
    const { id, terms, work } = task;
    const isAssignable = isOpen(terms) || work.backup !== undefined;
    return await this.#agreed(`task ${id}`, async ({ market }) => {
      const [{ status, outcome, since, feeBps }, assigned] = await Promise.all([
        market.taskOf(id),
        isAssignable ? market.assignmentOf(encodeTerms(terms), workHash(work)) : undefined,
      ]);
      const isAssigned = assigned !== undefined && assigned.provider !== ZeroAddress;
      return {
        status: statusOf(status),
        outcome: outcomeOf(outcome),
        sinceSeconds: Number(since),
        feeBps: Number(feeBps),
        ...(isAssigned ? { assignment: { provider: assigned.provider, priceWei: assigned.priceWei } } : {}),
      };
    });
  }

  async leaseOf(taskId: string): Promise<LeaseState> {
    return await this.#agreed(`lease ${taskId}`, async ({ market }) => {
      const lease = await market.leaseOf(taskId);
      return {
        readyAtSeconds: Number(lease.readyAt),
        endsAtSeconds: Number(lease.endsAt),
        lastHeartbeatSeconds: Number(lease.lastHeartbeat),
        upSeconds: Number(lease.upSeconds),
        drawnSeconds: Number(lease.drawnSeconds),
        closing: outcomeOf(lease.closing),
      };
    });
  }

  /** The arbiter's last second in a dispute [Unix s]. */
  async rulingBySeconds(taskId: string): Promise<number> {
    return Number(await this.#first(async ({ market }) => (await market.disputeOf(taskId)).rulingBy));
  }

  /** The newest event of this name about a task, from a block on; nothing if there is none that can be read. */
  async eventOf<N extends TaskEvent["name"]>(
    name: N,
    taskId: string,
    { fromBlock, signal }: { fromBlock: number; signal?: AbortSignal },
  ): Promise<Extract<TaskEvent, { name: N }> | undefined> {
    const topics = [TASK_TOPICS[name], taskId];
    const { provider, market: address } = this;
    const query = { provider, address, topics, fromBlock, direction: "backward" as const, signal };
    for await (const { logs } of readLogs(query)) {
      for (const log of logs.toReversed()) {
        const event = readEvent(log);
        if (event?.name === name) return event as Extract<TaskEvent, { name: N }>;
      }
    }
    return undefined;
  }

  /** Error: `provider.not-registered`. */
  async registrationOf(account: string): Promise<Registration> {
    return await this.#first(async ({ registry }) => {
      const operator = await registry.operatorOf(account);
      if (operator === ZeroAddress) {
        throw new NeuraError("provider.not-registered", `${account} is not registered as a provider.`, {
          next: "Register it first: `provider register`.",
        });
      }
      const [provider, freeStakeWei] = await Promise.all([
        registry.providerOf(account),
        registry.freeStakeOf(account),
      ]);
      const { offer, payout, status } = provider;
      return {
        operator,
        payout,
        isActive: status === ACTIVE,
        offer: {
          shape: unpackResources(offer.shape),
          rateWei: offer.rateWei,
          slots: Number(offer.slots),
          freeStakeWei,
        },
      };
    });
  }

  /** The key of an account's epoch; nothing if it never published one. */
  async keyAt(account: string, epoch: number): Promise<PublishedKey | undefined> {
    return await this.#agreed(`key ${epoch} of ${account}`, async ({ keys }) => {
      if (BigInt(epoch) > (await keys.latestEpoch(account))) return undefined;
      const { publicKey, revokedAt } = await keys.keyAt(account, epoch);
      return { publicKey, isRevoked: revokedAt !== 0n };
    });
  }

  /** All keys that an account ever published. */
  async keysOf(account: string): Promise<PublishedKey[]> {
    const latest = await this.#first(({ keys }) => keys.latestEpoch(account));
    const epochs = Array.from({ length: Number(latest) }, (_, index) => index + 1);
    const keys = await Promise.all(epochs.map((epoch) => this.keyAt(account, epoch)));
    return keys.filter((key) => key !== undefined);
  }

  /** The time of a block; nothing while the chain does not have it [Unix s]. */
  async timeOf(block: number): Promise<number | undefined> {
    return await this.#first(async () => (await this.provider.getBlock(block))?.timestamp);
  }

  /** The protocol's fee on new tasks. */
  async feeBps(): Promise<number> {
    return Number(await this.#first(({ market }) => market.feeBps()));
  }

  async windows(): Promise<Windows> {
    return await this.#first(async ({ market }) => {
      const [decline, key, takeOver, concession] = await Promise.all([
        market.declineWindow(),
        market.keyWindow(),
        market.takeOverWindow(),
        market.concessionWindow(),
      ]);
      return {
        decline: Number(decline),
        key: Number(key),
        takeOver: Number(takeOver),
        concession: Number(concession),
      };
    });
  }

  /** [wei] */
  async gasPriceWei(): Promise<bigint> {
    return await this.#first(async () => (await this.provider.getFeeData()).gasPrice ?? 0n);
  }

  // ---- Calls ----

  accept({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("accept", [encodeTerms(terms), workHash(work)]);
  }

  acceptOpen({ terms, work }: Task, provider: string): string {
    return MARKET.encodeFunctionData("acceptOpen", [encodeTerms(terms), encodeWork(work), provider]);
  }

  takeOver({ terms, work }: Task, backup: string): string {
    return MARKET.encodeFunctionData("takeOver", [encodeTerms(terms), encodeWork(work), backup]);
  }

  decline({ terms, work }: Task, reason: Outcome): string {
    return MARKET.encodeFunctionData("decline", [encodeTerms(terms), workHash(work), reason]);
  }

  abandon({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("abandon", [encodeTerms(terms), workHash(work)]);
  }

  expire({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("expire", [encodeTerms(terms), workHash(work)]);
  }

  settle({ terms, work }: Task, delivered: Delivered): string {
    return MARKET.encodeFunctionData("settle", [encodeTerms(terms), workHash(work), wordsOf(delivered)]);
  }

  concede({ terms, work }: Task, delivered: Delivered): string {
    return MARKET.encodeFunctionData("concede", [encodeTerms(terms), workHash(work), wordsOf(delivered)]);
  }

  resolve({ terms, work }: Task, delivered: Delivered): string {
    return MARKET.encodeFunctionData("resolve", [encodeTerms(terms), workHash(work), wordsOf(delivered)]);
  }

  ready({ terms, work }: Task, ticket: Uint8Array): string {
    return MARKET.encodeFunctionData("ready", [encodeTerms(terms), workHash(work), ticket]);
  }

  heartbeat(taskIds: readonly string[]): string {
    return MARKET.encodeFunctionData("heartbeat", [[...taskIds]]);
  }

  draw({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("draw", [encodeTerms(terms), workHash(work)]);
  }

  close({ terms, work }: Task, reason: Outcome): string {
    return MARKET.encodeFunctionData("close", [encodeTerms(terms), workHash(work), reason]);
  }

  endLease({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("endLease", [encodeTerms(terms), workHash(work)]);
  }

  /** Several calls in one transaction; one that fails is passed over. */
  batch(calls: readonly string[]): string {
    return MARKET.encodeFunctionData("batch", [[...calls]]);
  }

  deliver(
    { terms, work }: Task,
    delivery: { report: Report; resultHash: string; evidenceHash: string; result: string },
  ): string {
    const { resultHash, evidenceHash, result } = delivery;
    const words = { report: encodeReport(delivery.report), resultHash, evidenceHash, result };
    return MARKET.encodeFunctionData("deliver", [encodeTerms(terms), workHash(work), words]);
  }

  // ---- Reading ----

  async #first<T>(read: (contracts: Contracts) => Promise<T>): Promise<T> {
    const [contracts] = this.#contracts;
    if (contracts === undefined) throw new Error("there is always the first provider");
    try {
      return await read(contracts);
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** What every node says. Error: `chain.disagreement`. */
  async #agreed<T>(what: string, read: (contracts: Contracts) => Promise<T>): Promise<T> {
    if (this.#contracts.length === 1) return await this.#first(read);
    const answers = await Promise.all(this.#contracts.map(read)).catch((error: unknown) => {
      throw unavailable(error);
    });
    const [first] = answers;
    if (first === undefined || answers.every((each) => textOf(each) === textOf(first))) {
      return first as T;
    }
    throw new NeuraError("chain.disagreement", `The chain's nodes disagree about ${what}.`, {
      next: "Find out which of them is wrong or behind; until they agree nothing is done.",
    });
  }
}

function textOf(answer: unknown): string {
  return JSON.stringify(answer, (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value));
}

function wordsOf({ report, resultHash, evidenceHash }: Delivered) {
  return { report: encodeReport(report), resultHash, evidenceHash };
}

/** What a log says, as far as it can be read. */
function readEvent(log: Log): TaskEvent | undefined {
  try {
    return decodeTaskEvent(log);
  } catch (error) {
    if (isNeuraError(error)) return undefined;
    throw error;
  }
}

function unavailable(cause: unknown): NeuraError {
  if (cause instanceof NeuraError) return cause;
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${messageOf(cause)}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    cause,
  });
}
