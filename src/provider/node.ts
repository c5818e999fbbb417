import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { getAddress, hexlify, type Provider, type Signer } from "ethers";

import { Sender } from "../chain/sender.ts";
import type { Deployment } from "../deployment.ts";
import type { KeyPair } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { explainRefusal, openMarket } from "../market/context.ts";
import { Status } from "../market/outcome.ts";
import { maximumCostWei, type Task } from "../market/terms.ts";
import type { Storage } from "../storage/storage.ts";
import { BUILT_IN_CALIBRATIONS, loadCalibrations } from "../verify/known.ts";
import { ChainView, type Windows } from "./chain-view.ts";
import { ChainClock } from "./clock.ts";
import { Feed, type Head, type News } from "./feed.ts";
import { detectHardware, freeDiskMiB } from "./hardware.ts";
import { type BlockId, type Entry, Journal, type Ledger, type Step, takesPlace } from "./journal.ts";
import { Juror, type JurorStep } from "./juror.ts";
import { Leases } from "./leases.ts";
import { lockDirectory } from "./lock.ts";
import type { Level, NodeEvent } from "./log.ts";
import { Pipeline } from "./pipeline.ts";
import type { OwnKey } from "./payload.ts";
import { confirmationsFor, DEFAULT_POLICY, type Policy, withJury } from "./policy.ts";
import { openQuotes, type Quotes } from "./quotes/quotes.ts";
import type { Runner } from "./runner/runner.ts";
import { Slots } from "./slots.ts";
import { roleOf, standingOf } from "./standing.ts";
import { RESULT, TaskEnded, Workbench } from "./workbench.ts";

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
  readonly onStep?: (step: Step | JurorStep | "signed" | "sent", subject: string) => void;
}

const JOURNAL = "journal.sqlite";
const WATCH_MS = 1_000;
const REST_MS = 5_000;
const HOUSEKEEPING_MS = 60_000;
const MAX_PAUSE_MS = 10_000;
const TRANSFERS = 4;
/** Most tasks in work for each one that can run: of those that wait, the payload lies here. */
const WAITING_PER_SLOT = 4;
/** So deep no reorganisation goes: what happened before is folded together in the books. */
const FINAL_BLOCKS = 512;

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
  readonly #leases: Leases | undefined;
  readonly #windows: Windows;
  /** What ends the parts, in the order in which they were opened. */
  readonly #undo: readonly (() => unknown)[];
  /** Tasks that run at the same time. */
  readonly #slots: number;
  #quotes: Quotes | undefined;
  #juror: Juror | undefined;
  readonly #stopping = new AbortController();
  /** The tasks in work. */
  readonly #tasks = new Map<string, { abort: AbortController; ended: Promise<void>; isWork: boolean }>();
  /** At which block each task was looked at last, and when: before the next one there is little new. */
  readonly #seen = new Map<string, { hash: string; at: number }>();
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
    const { deployment, directory, signer } = options;
    const policy = withJury(options.policy ?? DEFAULT_POLICY, deployment);
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
    const calibrations = [...BUILT_IN_CALIBRATIONS, ...(await loadCalibrations(policy.calibrations))];
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
      const [hardware, windows] = await Promise.all([detectHardware(directory), chain.windows()]);
      const machine = { ...hardware.machine, ...policy.machine };
      const bench = new Workbench({
        ...{ account, chain, clock, journal, sender, policy, windows, emit },
        runner: options.runner,
        directory: join(directory, "tasks"),
        onHealth: (isWell) => node.#noteHealth(isWell),
      });
      const isDraining = (): boolean => node.#isDraining;
      const leases =
        policy.leases &&
        (await Leases.open(bench, { policy: policy.leases, accessUrl: policy.accessUrl, isDraining }));
      if (leases) undo.push(() => leases.close());
      const places = new Slots(slots);
      const node: ProviderNode = new ProviderNode({
        ...{ options, policy, account, chain, clock, journal, sender, slots, undo, leases, windows },
        pipeline: new Pipeline(bench, {
          ...{ keys, hardware, machine, leases, calibrations },
          storage: options.storage,
          applications: options.applications,
          slots: places,
          transfers: new Slots(TRANSFERS),
          openings: join(directory, "openings"),
          onStep: options.onStep,
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
      if (policy.jury !== undefined) {
        const { storage: storageOf, provider } = options;
        const storage = ({ reference }: { reference?: string }) => storageOf(reference);
        node.#juror = await Juror.open({
          context: openMarket({ runner: provider, deployment, storage, home: directory }),
          ...{ voter: signerAddress, sender, clock, keys, calibrations, emit, policy: policy.jury },
          ...{ runner: options.runner, applications: options.applications, slots: places },
          ...{ maxGasWei: policy.maxGasWei, marginSeconds: policy.marginSeconds },
          directory: join(directory, "jury"),
          onStep: options.onStep,
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
    leases: Leases | undefined;
    windows: Windows;
    slots: number;
    undo: readonly (() => unknown)[];
  }) {
    const { options, account, chain, journal, policy } = parts;
    this.account = account;
    this.journal = journal;
    this.#options = options;
    this.#policy = parts.policy;
    this.#chain = chain;
    this.#clock = parts.clock;
    this.#pipeline = parts.pipeline;
    this.#leases = parts.leases;
    this.#windows = parts.windows;
    this.#sender = parts.sender;
    this.#undo = parts.undo;
    this.#slots = parts.slots;
    this.#feed = new Feed({
      provider: options.provider,
      domain: { chainId: BigInt(chain.deployment.chainId), market: chain.market },
      account,
      open: policy.open,
      backup: policy.backup,
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
      // What rests is looked at again with each block.
      this.#seen.clear();
      while (this.#isBusy() && !this.#stopping.signal.aborted) {
        const pause = sleep(this.#options.pollMs ?? 250);
        await Promise.race([pause, ...[...this.#tasks.values()].map(({ ended }) => ended)]);
      }
    }
    return await (this.#stopped ??= this.#stop());
  }

  async #stop(): Promise<Ledger> {
    await this.#quotes?.close();
    this.#stopping.abort(new Stopped());
    await this.#loop;
    await Promise.all([...this.#tasks.values()].map(({ ended }) => ended));
    await this.#juror?.close();
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
    if (performance.now() - this.#keptAt > HOUSEKEEPING_MS) await this.#keepHouse(head);
    this.#schedule(head);
    this.#leases?.beat(signal);
    await this.#juror?.beat(head, signal);
    if (performance.now() - this.#watchedAt > WATCH_MS) await this.#watch();
  }

  /** Notes what a range of blocks brought. */
  #take({ announcements, readTo, reorganisedFrom }: News): void {
    if (reorganisedFrom !== undefined) this.#reconcile(reorganisedFrom);
    for (const { id, task, problem, block } of announcements) {
      // A kind of task that this version does not know is left to expire.
      if (task === undefined) this.#emit("warn", "unsupported", { task: id, message: problem });
      else this.#note(task, block);
      this.#quotes?.take(id);
    }
    this.#emit("debug", "read", { readTo, tasks: announcements.length });
  }

  #note(task: Task, block: BlockId): void {
    const { id, terms } = task;
    const role = roleOf(task, this.account);
    const step = role === "backup" ? "standby" : "found";
    if (!this.journal.add(task, block, Date.now(), { step })) this.journal.move(id, block);
    else
      this.#emit(role === "named" ? "info" : "debug", step, {
        task: id,
        owner: terms.owner,
        block: block.number,
      });
  }

  /** After a reorganisation: what was mined since is on its way again, and what it ended is open again. */
  #reconcile(fromBlock: number): void {
    const purposes = this.#sender.reopen(fromBlock);
    this.#juror?.rewind(fromBlock);
    this.#emit("warn", "reorganised", { fromBlock, transactions: purposes.length });
    for (const purpose of purposes) {
      const [verb, id = ""] = purpose.split(":");
      const entry = this.journal.get(id);
      if (entry?.step !== "done") continue;
      const step = verb === undefined ? undefined : BEFORE[verb];
      if (step !== undefined) this.journal.advance(id, step, {}, Date.now());
    }
    this.#seen.clear();
  }

  /** Starts the work on what has none, the most urgent first. */
  #schedule({ number, hash }: Head): void {
    const waiting = this.journal
      .list({ open: true })
      .filter(({ task, facts }) => !this.#tasks.has(task.id) && facts.isVanished !== true)
      .filter(({ task }) => this.#isNews(task.id, hash))
      .toSorted((one, other) => deadlineOf(one) - deadlineOf(other));
    for (const entry of waiting) {
      if (!this.#isDue(entry, number)) continue;
      const { id } = entry.task;
      const abort = new AbortController();
      this.#seen.set(id, { hash, at: performance.now() });
      const ended = this.#pipeline
        .process(id, abort.signal)
        .catch((error: unknown) => {
          this.#seen.delete(id);
          if (error instanceof Stopped) return;
          this.#emit("error", "fault", { task: id, message: messageOf(error) });
        })
        .finally(() => {
          this.#tasks.delete(id);
          if (this.journal.get(id)?.step === "done") this.#seen.delete(id);
        });
      // The others are only looked at.
      const isWork = takesPlace(entry) && entry.step !== "up";
      this.#tasks.set(id, { abort, ended, isWork });
    }
  }

  /** Some chains make no block while nothing happens; time passes all the same. */
  #isNews(taskId: string, hash: string): boolean {
    const seen = this.#seen.get(taskId);
    return seen === undefined || seen.hash !== hash || performance.now() - seen.at > REST_MS;
  }

  /** Whether work on it may begin or go on now. */
  #isDue(entry: Entry, head: number): boolean {
    const { task, block, step } = entry;
    const inWork = [...this.#tasks.values()].filter(({ isWork }) => isWork);
    const isFull = inWork.length >= WAITING_PER_SLOT * this.#slots;
    if (roleOf(task, this.account) !== "named") {
      // What others may take is left to them while nothing new is taken here.
      const isNew =
        step === "standby" || step === "found" || (step === "fetched" && !this.#pipeline.holds(task.id));
      if (isNew && (isFull || this.#isHeld())) return false;
    }
    if (step !== "found") return true;
    if (head < block.number + confirmationsFor(this.#policy, maximumCostWei(task.terms))) return false;
    if (!isFull && !this.#isHeld()) return true;
    // What will not be begun in time is given back: the owner's money does not wait for this node.
    const latest = task.terms.conditions.startBySeconds - this.#policy.marginSeconds;
    if (this.#clock.now() <= latest) return false;
    this.#pipeline.giveBack(entry, this.#hold ?? "too many tasks are waiting");
    return true;
  }

  /** Whether something is in work that a node that drains brings to its end. */
  #isBusy(): boolean {
    if (this.#tasks.size > 0 || this.#juror?.isBusy() === true) return true;
    return this.journal.list({ open: true }).some(({ step }) => step === "up" || step === "assigned");
  }

  /** Stops the work on what has ended on the chain, or is another's, and takes up what has come back. */
  async #watch(): Promise<void> {
    this.#watchedAt = performance.now();
    for (const { task, facts, step } of this.journal.list({ open: true })) {
      const work = this.#tasks.get(task.id);
      if (facts.isVanished === true) {
        const { status } = await this.#chain.stateOf(task);
        if (status !== Status.None) this.journal.learn(task.id, { isVanished: false });
        else if (this.#clock.now() > task.terms.conditions.completeBySeconds)
          await this.#pipeline.drop(task.id);
      } else if (work && (step === "fetched" || step === "running")) {
        const state = await this.#chain.stateOf(task);
        const place = { account: this.account, windows: this.#windows, now: this.#clock.now() };
        const { isOver } = standingOf(task, state, place);
        if (isOver && state.status !== Status.None) work.abort.abort(new TaskEnded(state));
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
    if (this.#held() !== undefined) return 0;
    const taken = this.journal.list({ open: true }).filter((entry) => {
      const isOwn = roleOf(entry.task, this.account) === "named" && entry.facts.isVanished !== true;
      return (isOwn && takesPlace(entry)) || this.#pipeline.holds(entry.task.id);
    });
    return Math.max(0, this.#slots - taken.length - (this.#juror?.placesTaken ?? 0));
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

  /**
   * Looks at the registry and the disk, ends what runs for tasks that have ended, and removes the folders of those that
   * ended long ago.
   */
  async #keepHouse(head: Head): Promise<void> {
    this.#keptAt = performance.now();
    const { directory } = this.#options;
    const tasks = join(directory, "tasks");
    const latest = Date.now() - this.#policy.keepSeconds * 1000;
    for (const name of await readdir(tasks)) {
      const entry = this.journal.get(name);
      if (entry !== undefined && entry.step !== "done") continue;
      await this.#clear(join(tasks, name));
      const ended = entry?.times["done"] ?? 0;
      if (ended < latest) await rm(join(tasks, name), { recursive: true, force: true });
    }
    this.journal.fold("heartbeat", head.number - FINAL_BLOCKS);
    this.#isPaused = !(await this.#chain.registrationOf(this.account)).isActive;
    this.#isDiskLow = (await freeDiskMiB(directory)) < this.#policy.minFreeDiskMiB;
  }

  /** Nothing runs for a task that has ended, and nothing of it stays but its result. */
  async #clear(folder: string): Promise<void> {
    for (const name of await readdir(folder)) {
      if (name === RESULT) continue;
      const path = join(folder, name);
      await (await this.#options.runner.adopt(path).catch(() => undefined))?.stop("Its task has ended.");
      await rm(path, { recursive: true, force: true });
    }
  }

  #emit(level: Level, event: string, fields: Omit<NodeEvent, "level" | "event">): void {
    this.#options.onEvent?.({ level, event, ...fields });
  }
}

/** Where the work goes on when a transaction is on its way again. */
const BEFORE: Readonly<Record<string, Step>> = {
  deliver: "uploaded",
  settle: "delivered",
  concede: "delivered",
  resolve: "delivered",
  close: "up",
  endLease: "up",
  expire: "assigned",
  decline: "closing",
  abandon: "closing",
};

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
