import { join } from "node:path";
import { getAddress, zeroPadValue, ZeroAddress } from "ethers";

import { ProviderRegistry__factory } from "../../types/factories/registry/ProviderRegistry__factory.ts";
import { unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import { isNeuraError } from "../errors.ts";
import type { Watched, WatchedTask } from "./alarms.ts";
import { asking, chainTime, type MarketContext } from "./context.ts";
import { TASK_TOPICS } from "./events.ts";
import { lastBlockAt } from "./history.ts";
import { readJson, writeJson } from "./records.ts";
import { settleSpending, withLedger } from "./spending.ts";
import { taskStatus, type TaskStatus } from "./status.ts";

type Role = WatchedTask["role"];

/** One task that is watched. */
interface Followed {
  readonly id: string;
  readonly role: Role;
}

/** What is kept between two processes: up to which block tasks are known, those that have not ended, what was slashed. */
interface Position {
  readonly readTo: number;
  readonly open: readonly Followed[];
  readonly slashedWei: bigint;
}

const SCHEMA = "neura/alarm-feed/1";
/** The first look goes back so far: longer than a task without top-ups and its challenge period last [s]. */
const LOOK_BACK_SECONDS = 45 * 24 * 3600;
/** So many blocks are read again each time, for the case that the chain has reorganised. */
const OVERLAP = 32;

/**
 * What alarms are raised from, read from the chain for one account: its tasks, as owner and as provider, its stake, its
 * money for gas, and what is committed of its limits. Where a task has ended, the look after that knows it, and the ones
 * after no longer do: so nothing is missed and nothing comes twice, also when a process ends in between.
 */
export class AlarmFeed {
  readonly #context: MarketContext;
  readonly #account: string;
  readonly #path: string;
  /** What the last look found; on disk with the next one, when somebody has surely noted it. */
  #next: Position | undefined;

  constructor(context: MarketContext, account: string) {
    const { home, domain } = context;
    this.#context = context;
    this.#account = getAddress(account);
    const name = `${domain.chainId}-${domain.market}-${this.#account}`.toLowerCase();
    this.#path = join(home, "alarm-feed", `${name}.json`);
  }

  /** A look at everything now. Errors: those of `readLogs` and `taskStatus`. */
  async snapshot({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Watched> {
    const { provider, deployment, domain } = this.#context;
    if (this.#next !== undefined) await this.#save(this.#next);
    const before = this.#next ?? (await this.#load());
    const atSeconds = await unlessAborted(chainTime(provider), signal);
    const head = await unlessAborted(provider.getBlockNumber(), signal);
    const { found, slashedWei } = await this.#read(before, head, atSeconds, signal);
    const looked: { followed: Followed; status: TaskStatus }[] = [];
    for (const followed of found) {
      const status = await this.#status(followed.id, signal);
      if (status !== undefined) looked.push({ followed, status });
    }
    await settleSpending(this.#context, ...looked.map(({ status }) => status));
    this.#next = {
      readTo: head,
      open: looked.flatMap(({ followed, status }) => (status.ended ? [] : [followed])),
      slashedWei,
    };
    const { currency } = deployment;
    return {
      account: this.#account,
      chainId: Number(domain.chainId),
      atSeconds,
      currency,
      tasks: looked.map(({ followed, status }) => watched(followed.role, status)),
      ...(await this.#money(slashedWei)),
      spending: await withLedger(this.#context, (ledger) => ledger.usage(Math.floor(Date.now() / 1000))),
    };
  }

  /** The tasks that are open or new, and all that was ever slashed. */
  async #read(
    before: Position | undefined,
    head: number,
    atSeconds: number,
    signal: AbortSignal | undefined,
  ): Promise<{ found: Followed[]; slashedWei: bigint }> {
    const { provider, deployment } = this.#context;
    const { TaskMarket, ProviderRegistry } = deployment.contracts;
    const account = zeroPadValue(this.#account, 32);
    const fromBlock =
      before === undefined
        ? await lastBlockAt(provider, atSeconds - LOOK_BACK_SECONDS, deployment.block)
        : Math.max(deployment.block, before.readTo - OVERLAP + 1);
    const { TaskSubmitted, TaskAssigned } = TASK_TOPICS;
    const found = new Map((before?.open ?? []).map((each) => [`${each.role} ${each.id}`, each]));
    const search = async (role: Role, topics: (string | null)[]): Promise<void> => {
      const query = { provider, address: TaskMarket, topics, fromBlock, toBlock: head, signal };
      for await (const { logs } of readLogs(query)) {
        for (const log of logs) found.set(`${role} ${log.topics[1]}`, { id: log.topics[1] ?? "", role });
      }
    };
    await search("owner", [TaskSubmitted, null, account]);
    await search("provider", [TaskSubmitted, null, null, account]);
    await search("provider", [TaskAssigned, null, account]);
    const registry = ProviderRegistry__factory.createInterface();
    let slashedWei = before?.slashedWei ?? 0n;
    const pages = readLogs({
      provider,
      address: ProviderRegistry,
      topics: [registry.getEvent("StakeSlashed").topicHash, account],
      fromBlock: before === undefined ? deployment.block : before.readTo + 1,
      toBlock: head,
      signal,
    });
    for await (const { logs } of pages) {
      for (const log of logs) slashedWei += BigInt(log.data);
    }
    return { found: [...found.values()], slashedWei };
  }

  async #status(id: string, signal: AbortSignal | undefined): Promise<TaskStatus | undefined> {
    try {
      return await taskStatus(this.#context, id, { signal });
    } catch (error) {
      // The chain has reorganised, or somebody announced what nobody can read.
      const codes = ["task.unknown", "task.malformed", "terms.unsupported", "resources.malformed"];
      if (codes.some((code) => isNeuraError(error, code))) return undefined;
      throw error;
    }
  }

  async #money(slashedWei: bigint): Promise<Pick<Watched, "stake" | "gas">> {
    const { contracts, provider, deployment } = this.#context;
    const operator = await asking(contracts.registry.operatorOf(this.#account));
    const isProvider = operator !== ZeroAddress;
    const payer = isProvider ? operator : this.#account;
    const isNative = deployment.currency.address === ZeroAddress;
    const coin = isNative ? deployment.currency : { symbol: "of the chain's coin", decimals: 18 };
    const gas = { account: payer, balanceWei: await provider.getBalance(payer), coin };
    if (!isProvider) return { gas };
    const { locked: lockedWei } = await asking(contracts.registry.providerOf(this.#account));
    return { gas, stake: { lockedWei, slashedWei } };
  }

  async #load(): Promise<Position | undefined> {
    const file = await readJson(this.#path).catch(() => undefined);
    const { schema, readTo, open, slashedWei } = file ?? {};
    // What cannot be read is found again on the chain.
    if (schema !== SCHEMA || typeof readTo !== "number" || typeof slashedWei !== "string") return undefined;
    if (!Array.isArray(open)) return undefined;
    return { readTo, open: open.flatMap(followedIn), slashedWei: BigInt(slashedWei) };
  }

  async #save(position: Position): Promise<void> {
    await writeJson(this.#path, { schema: SCHEMA, ...position });
  }
}

function watched(role: Role, { id, status, outcome, challenge, lease, ended }: TaskStatus): WatchedTask {
  return {
    id,
    role,
    status,
    outcome,
    ...(challenge === undefined ? {} : { challengeEndsAtSeconds: challenge.endsAtSeconds }),
    ...(lease === undefined || ended
      ? {}
      : {
          lease: {
            endsAtSeconds: lease.endsAtSeconds,
            remainingWei: lease.remainingWei,
            rateWei: lease.rateWei,
            fundedWei: lease.fundedWei,
            ...(lease.silentSinceSeconds === undefined ? {} : { downSinceSeconds: lease.silentSinceSeconds }),
          },
        }),
  };
}

function followedIn(value: unknown): Followed[] {
  if (typeof value !== "object" || value === null) return [];
  const { id, role }: Record<string, unknown> = { ...value };
  return typeof id === "string" && (role === "owner" || role === "provider") ? [{ id, role }] : [];
}
