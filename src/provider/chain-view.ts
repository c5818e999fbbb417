import { type Provider, ZeroAddress } from "ethers";

import { ITaskMarket__factory } from "../../types/factories/interfaces/ITaskMarket__factory.ts";
import { type Deployment, verifyDeployment } from "../deployment.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { type Contracts, connectContracts } from "../market/context.ts";
import { type Outcome, outcomeOf, type Status, statusOf } from "../market/outcome.ts";
import { unpackResources } from "../market/resources.ts";
import { encodeReport, encodeTerms, type Report, type Task, workHash } from "../market/terms.ts";
import type { Offer } from "./policy.ts";

/** Where a task stands. */
export interface TaskState {
  readonly status: Status;
  readonly outcome: Outcome;
  /** When the status was entered [Unix s]. */
  readonly sinceSeconds: number;
  readonly feeBps: number;
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

  async stateOf(taskId: string): Promise<TaskState> {
    return await this.#agreed(`task ${taskId}`, async ({ market }) => {
      const { status, outcome, since, feeBps } = await market.taskOf(taskId);
      return {
        status: statusOf(status),
        outcome: outcomeOf(outcome),
        sinceSeconds: Number(since),
        feeBps: Number(feeBps),
      };
    });
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

  /** The protocol's fee on new tasks. */
  async feeBps(): Promise<number> {
    return Number(await this.#first(({ market }) => market.feeBps()));
  }

  async declineWindowSeconds(): Promise<number> {
    return Number(await this.#first(({ market }) => market.declineWindow()));
  }

  /** [wei] */
  async gasPriceWei(): Promise<bigint> {
    return await this.#first(async () => (await this.provider.getFeeData()).gasPrice ?? 0n);
  }

  // ---- Calls ----

  accept({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("accept", [encodeTerms(terms), workHash(work)]);
  }

  decline({ terms, work }: Task, reason: Outcome): string {
    return MARKET.encodeFunctionData("decline", [encodeTerms(terms), workHash(work), reason]);
  }

  abandon({ terms, work }: Task): string {
    return MARKET.encodeFunctionData("abandon", [encodeTerms(terms), workHash(work)]);
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
    if (first === undefined || answers.every((each) => JSON.stringify(each) === JSON.stringify(first))) {
      return first as T;
    }
    throw new NeuraError("chain.disagreement", `The chain's nodes disagree about ${what}.`, {
      next: "Find out which of them is wrong or behind; until they agree nothing is done.",
    });
  }
}

function unavailable(cause: unknown): NeuraError {
  if (cause instanceof NeuraError) return cause;
  return new NeuraError("chain.unavailable", `The chain's node does not answer: ${messageOf(cause)}.`, {
    next: "Check the node's URL and that it runs, then try again.",
    cause,
  });
}
