import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getAddress, hexlify, type Provider, type Signer } from "ethers";

import { Sender } from "../chain/sender.ts";
import type { Deployment } from "../deployment.ts";
import type { KeyPair } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { explainRefusal } from "../market/context.ts";
import { isTerminal, Status } from "../market/outcome.ts";
import { maximumCostWei } from "../market/terms.ts";
import type { Storage } from "../storage/storage.ts";
import { ChainView } from "./chain-view.ts";
import { ChainClock } from "./clock.ts";
import { Feed, type Head, type News } from "./feed.ts";
import { detectHardware, freeDiskMiB } from "./hardware.ts";
import { type Entry, Journal, type Ledger, type Step } from "./journal.ts";
import { lockDirectory } from "./lock.ts";
import type { Level, NodeEvent } from "./log.ts";
import { Pipeline, TaskEnded } from "./pipeline.ts";
import type { OwnKey } from "./payload.ts";
import { confirmationsFor, DEFAULT_POLICY, type Policy } from "./policy.ts";
import { openQuotes, type Quotes } from "./quotes/quotes.ts";
import type { Runner } from "./runner/runner.ts";
import { Slots } from "./slots.ts";

export interface NodeOptions {
  readonly deployment: Deployment;
  readonly provider: Provider;
  /** Other nodes of the same chain: nothing is done while they see a task otherwise. */
  readonly witnesses?: readonly Provider[];
  /** The provider's account or its operator's: signs transactions, and nobody else may send from it. */
  readonly signer: Signer;
  /** The provider. Default: the signer's account. */
  readonly account?: string;
  /** The provider's encryption keys that are on this machine now. */
  readonly keys: () => Promise<readonly KeyPair[]>;
  /** The network of a reference; without one, where results go. */
  readonly storage: (reference?: string) => Storage | Promise<Storage>;
  readonly runner: Runner;
  /** Names of the applications that the runner has. */
  readonly applications: readonly string[];
  /** The node's own folder: journal, lock, a folder for each task. */
  readonly directory: string;
  readonly policy?: Policy;
  /** Pause between two looks at the chain [ms]. Default: 250. */
  readonly pollMs?: number;
  /** After so long without a new block, while there is work, somebody is told [ms]. Default: 120,000. */
  readonly stallMs?: number;
  readonly onEvent?: (event: NodeEvent) => void;
  /** Called when a step is on record, before the next one begins. */
  readonly onStep?: (step: Step | "signed" | "sent", subject: string) => void;
}

const JOURNAL = "journal.sqlite";
const WATCH_MS = 1_000;
const HOUSEKEEPING_MS = 60_000;
const MAX_PAUSE_MS = 10_000;
const TRANSFERS = 4;
/** Most tasks in work for each one that can run: of those that wait, the payload lies here. */
const WAITING_PER_SLOT = 4;

/** The reason with which the work on a task is left for the next start. */
class Stopped extends Error {
  constructor() {
    super("the node stops");
  }
}

/** The file of a node's journal. */
export function journalPath(directory: string): string {
  return join(directory, JOURNAL);
}

/** The node's folder of a provider. */
export function nodeDirectory(home: string, account: string): string {
  return join(home, "provider", getAddress(account));
}

/**
 * A provider's node: takes the tasks that the chain announces for its account, and brings each to its end.
 *
 * @example
 * const node = await ProviderNode.start({ deployment, provider, signer, keys, storage, runner, … });
 * await node.stop();
 */
export class ProviderNode {
  readonly account: string;
  readonly journal: Journal;
  readonly #options: NodeOptions;
  readonly #policy: Policy;
  readonly #chain: ChainView;
  readonly #clock: ChainClock;
  readonly #feed: Feed;
  readonly #sender: Sender;
  readonly #pipeline: Pipeline;
  /** What ends the parts, in the order in which they were opened. */
  readonly #undo: readonly (() => unknown)[];
  /** Tasks that run at the same time. */
  readonly #slots: number;
  #quotes: Quotes | undefined;
  readonly #stopping = new AbortController();
  /** The tasks in work. */
  readonly #tasks = new Map<string, { abort: AbortController; ended: Promise<void> }>();
  #isDraining = false;
  #faults = 0;
  #isDiskLow = false;
  #isPaused = false;
  #hold: string | undefined;
  #watchedAt = -Infinity;
  #keptAt = -Infinity;
  #head: { hash: string; since: number; isStalled: boolean } | undefined;
  #loop: Promise<void> = Promise.resolve();
  #stopped: Promise<Ledger> | undefined;

  /**
   * Checks chain, contracts, registration and keys, takes up what the journal has, and starts.
   *
   * Errors: `provider.locked`, `provider.journal-version`, `deployment.wrong-chain`, `deployment.no-code`,
   * `provider.not-registered`, `provider.not-operator`, `provider.no-key`, `chain.unavailable`.
   */
  static async start(options: NodeOptions): Promise<ProviderNode> {
    const { deployment, directory, signer, policy = DEFAULT_POLICY } = options;
    const signerAddress = await signer.getAddress();
    const account = getAddress(options.account ?? signerAddress);
    const chain = new ChainView(deployment, options.provider, options.witnesses);
    await chain.verify();
    const { operator, offer } = await chain.registrationOf(account);
    if (signerAddress !== account && signerAddress !== operator) {
      throw new NeuraError(
        "provider.not-operator",
        `${signerAddress} is neither ${account} nor its operator ${operator}.`,
        {
          next: "Use the key of one of them, or change the operator in the registry.",
        },
      );
    }
    const keys = async (): Promise<OwnKey[]> => await ownKeys(chain, account, await options.keys());
    requireKey(account, await keys());
    await mkdir(join(directory, "tasks"), { recursive: true, mode: 0o700 });
    const slots = policy.slots ?? offer.slots;
    const undo: (() => unknown)[] = [await lockDirectory(directory)];
    try {
      const domain = { chainId: BigInt(deployment.chainId), market: chain.market };
      const journal = await Journal.open(journalPath(directory), domain);
      undo.push(() => journal.close());
      const clock = new ChainClock();
      const emit = (event: NodeEvent): void => options.onEvent?.(event);
      const sender = await Sender.open({
        provider: options.provider,
        signer,
        chainId: domain.chainId,
        store: journal,
        explain: explainRefusal,
        pollMs: options.pollMs ?? 250,
        onAlert: ({ code, message, next }) => emit({ level: "error", event: "alert", code, message, next }),
        ...(options.onStep ? { onStep: options.onStep } : {}),
      });
      undo.push(() => sender.close());
      const [hardware, declineWindowSeconds] = await Promise.all([
        detectHardware(directory),
        chain.declineWindowSeconds(),
      ]);
      const machine = { ...hardware.machine, ...policy.machine };
      const node: ProviderNode = new ProviderNode({
        ...{ options, policy, account, chain, clock, journal, sender, slots, undo },
        pipeline: new Pipeline({
          ...{ account, chain, clock, journal, sender, keys, policy, hardware, declineWindowSeconds, emit },
          machine,
          storage: options.storage,
          runner: options.runner,
          applications: options.applications,
          slots: new Slots(slots),
          transfers: new Slots(TRANSFERS),
          directory: join(directory, "tasks"),
          onStep: options.onStep,
          onHealth: (isWell) => node.#noteHealth(isWell),
        }),
      });
      if (policy.quotes !== undefined) {
        node.#quotes = await openQuotes({
          ...{ account, chain, signer, directory, machine, slots, emit },
          policy: { ...policy, quotes: policy.quotes },
          applications: options.applications,
          now: () => clock.now(),
          free: () => node.#free(),
          hold: () => node.#held(),
        });
      }
      node.#begin();
      return node;
    } catch (error) {
      for (const step of undo.reverse()) await step();
      throw error;
    }
  }

  private constructor(parts: {
    options: NodeOptions;
    policy: Policy;
    account: string;
    chain: ChainView;
    clock: ChainClock;
    journal: Journal;
    sender: Sender;
    pipeline: Pipeline;
    slots: number;
    undo: readonly (() => unknown)[];
  }) {
    const { options, account, chain, journal } = parts;
    this.account = account;
    this.journal = journal;
    this.#options = options;
    this.#policy = parts.policy;
    this.#chain = chain;
    this.#clock = parts.clock;
    this.#pipeline = parts.pipeline;
    this.#sender = parts.sender;
    this.#undo = parts.undo;
    this.#slots = parts.slots;
    this.#feed = new Feed({
      provider: options.provider,
      market: chain.market,
      account,
      fromBlock: options.deployment.block,
      checkpoints: journal,
    });
  }

  /**
   * Ends the node. Work that runs goes on without it, and is found again at the next start; with `drain` all that
   * was taken is brought to its end before, and nothing new is taken meanwhile. Resolves to all that it earned.
   */
  async stop({ drain = false }: { drain?: boolean } = {}): Promise<Ledger> {
    if (drain) {
      this.#isDraining = true;
      this.#emit("info", "draining", { tasks: this.#tasks.size });
      while (this.#tasks.size > 0 && !this.#stopping.signal.aborted) {
        await Promise.race([...this.#tasks.values()].map(({ ended }) => ended));
      }
    }
    return await (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<Ledger> {
    await this.#quotes?.close();
    this.#stopping.abort(new Stopped());
    await this.#loop;
    await Promise.all([...this.#tasks.values()].map(({ ended }) => ended));
    const ledger = this.journal.ledger();
    for (const step of this.#undo.toReversed()) await step();
    this.#emit("info", "stopped", {});
    return ledger;
  }

  // ---- The loop ----

  #begin(): void {
    const open = this.journal.list({ open: true }).length;
    const { account } = this;
    this.#emit("info", "started", { account, chainId: this.#chain.deployment.chainId, openTasks: open });
    this.#loop = this.#run();
  }

  async #run(): Promise<void> {
    const { pollMs = 250 } = this.#options;
    const { signal } = this.#stopping;
    let problem: string | undefined;
    let pause = pollMs;
    while (!signal.aborted) {
      try {
        await this.#once(signal);
        if (problem !== undefined) this.#emit("info", "recovered", {});
        problem = undefined;
        pause = pollMs;
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        const message = messageOf(error);
        const code = isNeuraError(error) ? error.code : "unexpected";
        if (message !== problem) this.#emit("warn", "trouble", { code, message });
        problem = message;
        pause = Math.min(2 * pause, MAX_PAUSE_MS);
      }
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
    for (const { abort } of this.#tasks.values()) abort.abort(signal.reason);
  }

  async #once(signal: AbortSignal): Promise<void> {
    const head = await this.#feed.read((news) => this.#take(news), { signal });
    this.#clock.set(head.timestamp);
    this.#checkStall(head);
    if (performance.now() - this.#keptAt > HOUSEKEEPING_MS) await this.#keepHouse();
    this.#schedule(head);
    if (performance.now() - this.#watchedAt > WATCH_MS) await this.#watch();
  }

  /** Notes what a range of blocks brought. */
  #take({ announcements, readTo, reorganisedFrom }: News): void {
    if (reorganisedFrom !== undefined) this.#reconcile(reorganisedFrom);
    for (const { id, task, problem, block } of announcements) {
      // A kind of task that this version does not know is left to expire.
      if (task === undefined) this.#emit("warn", "unsupported", { task: id, message: problem });
      else if (!this.journal.add(task, block, Date.now())) this.journal.move(id, block);
      else this.#emit("info", "found", { task: id, owner: task.terms.owner, block: block.number });
      this.#quotes?.take(id);
    }
    this.#emit("debug", "read", { readTo, tasks: announcements.length });
  }

  /** After a reorganisation: what was mined since is on its way again, and what it ended is open again. */
  #reconcile(fromBlock: number): void {
    const purposes = this.#sender.reopen(fromBlock);
    this.#emit("warn", "reorganised", { fromBlock, transactions: purposes.length });
    for (const purpose of purposes) {
      const [verb, id = ""] = purpose.split(":");
      const entry = this.journal.get(id);
      if (entry?.step !== "done") continue;
      this.journal.advance(id, verb === "deliver" ? "uploaded" : "closing", {}, Date.now());
    }
  }

  /** Starts the work on what has none, the most urgent first. */
  #schedule({ number }: Head): void {
    const waiting = this.journal
      .list({ open: true })
      .filter(({ task, facts }) => !this.#tasks.has(task.id) && facts.isVanished !== true)
      .toSorted((one, other) => deadlineOf(one) - deadlineOf(other));
    for (const entry of waiting) {
      const { task, block } = entry;
      if (entry.step === "found") {
        if (number < block.number + confirmationsFor(this.#policy, maximumCostWei(task.terms))) continue;
        if (this.#tasks.size >= WAITING_PER_SLOT * this.#slots || this.#isHeld()) {
          // What will not be begun in time is given back: the owner's money does not wait for this node.
          const latest = task.terms.conditions.startBySeconds - this.#policy.marginSeconds;
          if (this.#clock.now() <= latest) continue;
          this.#pipeline.giveBack(entry, this.#hold ?? "too many tasks are waiting");
        }
      }
      const abort = new AbortController();
      const ended = this.#pipeline
        .process(task.id, abort.signal)
        .catch((error: unknown) => {
          if (error instanceof Stopped) return;
          this.#emit("error", "fault", { task: task.id, message: messageOf(error) });
        })
        .finally(() => this.#tasks.delete(task.id));
      this.#tasks.set(task.id, { abort, ended });
    }
  }

  /** Stops the work on what has ended on the chain, and takes up what has come back. */
  async #watch(): Promise<void> {
    this.#watchedAt = performance.now();
    for (const { task, facts, step } of this.journal.list({ open: true })) {
      const work = this.#tasks.get(task.id);
      if (facts.isVanished === true) {
        const { status } = await this.#chain.stateOf(task.id);
        if (status !== Status.None) this.journal.learn(task.id, { isVanished: false });
        else if (this.#clock.now() > task.terms.conditions.completeBySeconds)
          await this.#pipeline.drop(task.id);
      } else if (work && (step === "fetched" || step === "running")) {
        const state = await this.#chain.stateOf(task.id);
        if (isTerminal(state.status)) work.abort.abort(new TaskEnded(state));
      }
    }
  }

  #checkStall({ hash, number }: Head): void {
    const { stallMs = 120_000 } = this.#options;
    const now = performance.now();
    if (this.#head?.hash !== hash) {
      if (this.#head?.isStalled === true) this.#emit("info", "moving", { head: number });
      this.#head = { hash, since: now, isStalled: false };
    } else if (!this.#head.isStalled && this.#tasks.size > 0 && now - this.#head.since > stallMs) {
      this.#head.isStalled = true;
      this.#emit("warn", "stalled", { head: number, seconds: Math.round(stallMs / 1000) });
    }
  }

  // ---- Holding ----

  /** Tasks that could begin now. */
  #free(): number {
    return this.#held() === undefined ? Math.max(0, this.#slots - this.#tasks.size) : 0;
  }

  /** Why nothing new is taken, if so. */
  #held(): string | undefined {
    // Before the first block there is no time to promise anything until.
    if (this.#head === undefined) return "the node is starting";
    return this.#isHeld() ? this.#hold : undefined;
  }

  /** Whether new tasks are left where they are for now; says so when that changes. */
  #isHeld(): boolean {
    const { failAfter } = this.#policy;
    const reason = this.#isDraining
      ? "draining"
      : this.#faults >= failAfter
        ? `${this.#faults} faults of this machine in a row; start the node again when it is well`
        : this.#isDiskLow
          ? "the disk is nearly full"
          : this.#isPaused
            ? "paused in the registry"
            : undefined;
    if (reason !== this.#hold) {
      this.#hold = reason;
      if (reason === undefined) this.#emit("info", "taking", {});
      else this.#emit("warn", "holding", { reason });
    }
    return reason !== undefined;
  }

  #noteHealth(isWell: boolean): void {
    this.#faults = isWell ? 0 : this.#faults + 1;
  }

  /** Looks at the registry and the disk, and removes the folders of tasks that ended long ago. */
  async #keepHouse(): Promise<void> {
    this.#keptAt = performance.now();
    const { directory } = this.#options;
    const tasks = join(directory, "tasks");
    const latest = Date.now() - this.#policy.keepSeconds * 1000;
    for (const name of await readdir(tasks)) {
      const entry = this.journal.get(name);
      const ended = entry?.step === "done" ? (entry.times["done"] ?? 0) : undefined;
      if (ended !== undefined && ended < latest)
        await rm(join(tasks, name), { recursive: true, force: true });
    }
    this.#isPaused = !(await this.#chain.registrationOf(this.account)).isActive;
    this.#isDiskLow = (await freeDiskMiB(directory)) < this.#policy.minFreeDiskMiB;
  }

  #emit(level: Level, event: string, fields: Omit<NodeEvent, "level" | "event">): void {
    this.#options.onEvent?.({ level, event, ...fields });
  }
}

function deadlineOf({ task }: Entry): number {
  return task.terms.conditions.completeBySeconds;
}

/** The account's published keys, each with its secret part if that is on this machine. */
async function ownKeys(chain: ChainView, account: string, pairs: readonly KeyPair[]): Promise<OwnKey[]> {
  const published = await chain.keysOf(account);
  return published.map(({ publicKey, isRevoked }) => ({
    publicKey,
    isRevoked,
    pair: pairs.find((pair) => hexlify(pair.publicKey) === publicKey),
  }));
}

/** Error: `provider.no-key`. */
function requireKey(account: string, keys: readonly OwnKey[]): void {
  if (keys.some(({ isRevoked, pair }) => !isRevoked && pair !== undefined)) return;
  throw new NeuraError(
    "provider.no-key",
    `Of the ${keys.length} encryption keys that ${account} published, none is valid and on this machine.`,
    {
      next: "Publish one with `account key publish`, or restore the one that was published from its backup.",
    },
  );
}
