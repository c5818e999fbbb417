import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import type { Sender } from "../chain/sender.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { decodeTaskEvent } from "../market/events.ts";
import { Fault, faultOf, Outcome, type OutcomeName, outcomeName, Status } from "../market/outcome.ts";
import { chargeWei, isLease } from "../market/terms.ts";
import type { ChainView, Delivered, TaskState, Windows } from "./chain-view.ts";
import type { ChainClock } from "./clock.ts";
import { type Entry, type Facts, type Journal, purposeOf, type Step, type Verb } from "./journal.ts";
import type { NodeEvent } from "./log.ts";
import type { Policy, Refusal } from "./policy.ts";
import type { Runner } from "./runner/runner.ts";
import { type Standing, standingOf } from "./standing.ts";

/** What all tasks of a node share. */
export interface WorkbenchParts {
  /** The provider. */
  readonly account: string;
  readonly chain: ChainView;
  readonly clock: ChainClock;
  readonly journal: Journal;
  readonly sender: Sender;
  readonly runner: Runner;
  readonly policy: Policy;
  readonly windows: Windows;
  /** Holds a folder for each task. */
  readonly directory: string;
  readonly emit: (event: NodeEvent) => void;
  /** Told of each fault of this machine, and of each task that came through. */
  readonly onHealth: (isWell: boolean) => void;
}

/** Where a task stands, on the chain and for this provider. */
export interface Sight {
  readonly state: TaskState;
  readonly standing: Standing;
}

/** Nothing can be done for a task before the chain has gone on. */
export const REST = Symbol("rest");

export const RESULT = "result.envelope";
/** Kept for declining or abandoning what cannot be done in time. */
export const CLOSING_SECONDS = 3;
export const FIRST_PAUSE_MS = 250;
export const MAX_PAUSE_MS = 8_000;

/** Faults that another attempt may not meet. */
const PASSING = new Set([
  "chain.unavailable",
  "chain.disagreement",
  "sender.too-expensive",
  "sender.insufficient-funds",
  "sender.refused",
  "storage.unavailable",
  "storage.timeout",
  "storage.pending",
  "storage.not-found",
  "storage.mismatch",
  "storage.insufficient-credit",
]);

/** Thrown inside a step to leave the task's way. */
export class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, cause?: unknown) {
    super(refusal.message, { cause });
    this.refusal = refusal;
  }
}

/** The reason of a signal that stops the work on a task which has ended, or is gone or another's, on the chain. */
export class TaskEnded extends Error {
  readonly state: TaskState;

  constructor(state: TaskState) {
    super("the task has ended on the chain");
    this.state = state;
  }
}

/** What every step of a task works with: the chain, asked patiently; the journal; the task's folder; its end. */
export class Workbench {
  readonly parts: WorkbenchParts;

  constructor(parts: WorkbenchParts) {
    this.parts = parts;
  }

  // ---- The chain ----

  /** Sends a transaction of the task, once in its life; says in which block it is. */
  async send(
    entry: Entry,
    verb: Verb,
    {
      data,
      until,
      to,
      valueWei,
      signal,
    }: {
      data: string;
      until?: number;
      /** Default: the market. */
      to?: string;
      /** Sent along. */
      valueWei?: bigint;
      signal: AbortSignal;
    },
  ): Promise<number> {
    const { sender, chain, policy } = this.parts;
    const call = {
      purpose: purposeOf(verb, entry.task.id),
      to: to ?? chain.market,
      data,
      maxSpendWei: policy.maxGasWei,
      untilSeconds: until,
      ...(valueWei === undefined ? {} : { valueWei }),
    };
    const mined = await this.persist(entry, signal, until ?? Infinity, (attempt) =>
      sender.send(call, { signal: attempt }),
    );
    const { hash: transaction, blockNumber: block, gasUsed, spentWei } = mined;
    this.emit(entry, "mined", { verb, transaction, block, gasUsed, spentWei }, "debug");
    return block;
  }

  async look(entry: Entry, signal: AbortSignal): Promise<Sight> {
    const { account, chain, clock, windows } = this.parts;
    const { task } = entry;
    const state = await this.persist(entry, signal, Infinity, () => chain.stateOf(task));
    return { state, standing: standingOf(task, state, { account, windows, now: clock.now() }) };
  }

  /** Where the task stands, as long as something can be done for it. */
  async live(entry: Entry, signal: AbortSignal): Promise<Sight> {
    const sight = await this.look(entry, signal);
    if (sight.standing.isOver) throw new TaskEnded(sight.state);
    if (this.parts.clock.now() > this.lastSecond(sight)) throw overdue();
    return sight;
  }

  /** The last second of the chain at which the task can still be delivered, or be told ready. */
  lastSecond({ state, standing }: Sight): number {
    if (standing.isTaken) {
      return state.status === Status.Active ? standing.completeBySeconds : Infinity;
    }
    return standing.acceptBySeconds;
  }

  /** Tries again what fails in passing, until the chain's time has passed `until`. */
  async persist<T>(
    entry: Entry,
    signal: AbortSignal,
    until: number,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    let problem: unknown;
    try {
      return await this.parts.clock.before(until, signal, async (late) => {
        for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
          try {
            return await work(late);
          } catch (error) {
            late.throwIfAborted();
            if (!isPassing(error)) throw error;
            if (describe(error).code !== describe(problem).code) {
              this.emit(entry, "waiting", { step: entry.step, ...describe(error) }, "warn");
            }
            problem = error;
          }
          await sleep(pause, undefined, { signal: late });
        }
      });
    } catch (error) {
      // What kept it from being done tells more than that it is late.
      throw isNeuraError(error, "provider.late") && problem !== undefined ? problem : error;
    }
  }

  // ---- Ends ----

  /** Ends work that nobody will pay for. */
  async stopRun(entry: Entry, reason: string): Promise<void> {
    if (!["fetched", "running", "up"].includes(entry.step)) return;
    const run = await this.parts.runner.adopt(this.runFolder(entry));
    await run?.stop(reason);
  }

  /** Notes how the task ended on the chain, or for this provider. */
  async end(entry: Entry, { state, standing }: Sight): Promise<void> {
    if (state.status === Status.None) {
      this.emit(entry, "vanished", {}, "warn");
      this.parts.journal.learn(entry.task.id, { isVanished: true });
      return;
    }
    await this.stopRun(entry, "the task has ended on the chain");
    const isAnothers = standing.role !== "named" && state.assignment?.provider !== this.parts.account;
    if (isAnothers && entry.step !== "closing") {
      await this.pass(entry);
      return;
    }
    // What was given back can be in others' hands by now, or wait for them.
    const isGivenBack = entry.step === "closing" && (isAnothers || !standing.isTaken) && !isLast(state);
    const outcome = isGivenBack ? (entry.facts.outcome ?? "None") : outcomeName(state.outcome);
    if (isGivenBack || state.status === Status.Declined) {
      await this.finish(entry, "declined", { outcome }, { outcome });
      return;
    }
    const earned = await this.#earned(entry, state);
    if (earned === undefined) {
      await this.finish(entry, "ended", { outcome }, { outcome });
      return;
    }
    this.parts.onHealth(faultOf(state.outcome) !== Fault.Provider);
    const facts = { outcome, earnedWei: earned.earnedWei.toString() };
    const event = entry.step === "delivered" || isLease(entry.task.terms) ? "settled" : "delivered";
    await this.finish(entry, event, facts, { outcome, ...earned });
  }

  /** Forgets a task that others do. */
  async pass(entry: Entry, fields: Omit<NodeEvent, "level" | "event"> = {}): Promise<void> {
    const { journal } = this.parts;
    await rm(this.folder(entry), { recursive: true, force: true });
    // What cost gas stays in the books.
    if (journal.gasOf(entry.task.id) > 0n) this.advance(entry, "done", {});
    else journal.forget(entry.task.id);
    this.emit(entry, "passed", fields, "debug");
  }

  /** Closes the books on a task, and forgets what is private in it: plain text stays no longer than it is needed. */
  async finish(
    entry: Entry,
    event: string,
    facts: Facts,
    fields: Omit<NodeEvent, "level" | "event"> = {},
  ): Promise<void> {
    this.advance(entry, "done", facts);
    const folder = this.folder(entry);
    for (const name of await readdir(folder).catch(() => [])) {
      if (name !== RESULT) await rm(join(folder, name), { recursive: true, force: true });
    }
    const gasWei = this.parts.journal.gasOf(entry.task.id);
    this.emit(entry, event, { ...fields, gasWei }, event === "late" ? "error" : "info");
  }

  /** What was handed over, as the chain has it; nothing if this node did not. */
  async deliveryOf({ task }: Entry): Promise<(Delivered & { transaction: string }) | undefined> {
    const { journal, chain } = this.parts;
    const mined = journal.succeeded(purposeOf("deliver", task.id));
    const receipt = mined && (await chain.provider.getTransactionReceipt(mined.hash));
    for (const log of receipt?.logs ?? []) {
      const event = decodeTaskEvent(log);
      if (event?.name !== "TaskDelivered" || event.id !== task.id) continue;
      const { outcome, secondsUsed, resultHash, evidenceHash } = event.delivery;
      const report = { outcome, secondsUsed };
      return { report, resultHash, evidenceHash, transaction: log.transactionHash };
    }
    return undefined;
  }

  /** What the task brought, less fee and royalty. */
  async #earned(
    entry: Entry,
    state: TaskState,
  ): Promise<{ earnedWei: bigint; secondsUsed: number; transaction?: string } | undefined> {
    const { chain } = this.parts;
    const { terms, id } = entry.task;
    const priceWei = state.assignment?.priceWei ?? terms.price.amountWei;
    const parts = { royaltyBps: terms.conditions.royaltyBps ?? 0, feeBps: state.feeBps };
    if (isLease(terms)) {
      const { drawnSeconds } = await chain.leaseOf(id);
      if (drawnSeconds === 0) return undefined;
      return { earnedWei: shareOf(priceWei * BigInt(drawnSeconds), parts), secondsUsed: drawnSeconds };
    }
    if (state.status !== Status.Settled && state.status !== Status.Resolved) return undefined;
    const delivered = await this.deliveryOf(entry);
    if (delivered === undefined) return undefined;
    const { report, transaction } = delivered;
    const dueWei = (chargeWei(terms, report, priceWei) * BigInt(await this.#dueBps(entry, state))) / 10_000n;
    if (dueWei === 0n && state.status === Status.Resolved) return undefined;
    return { earnedWei: shareOf(dueWei, parts), secondsUsed: report.secondsUsed, transaction };
  }

  /** The provider's share of what the delivery costs [bps]. */
  async #dueBps({ task, block }: Entry, { status, outcome }: TaskState): Promise<number> {
    if (status !== Status.Resolved || outcome === Outcome.ArbiterSilent) return 10_000;
    const options = { fromBlock: block.number };
    const event = await this.parts.chain.eventOf("TaskResolved", task.id, options);
    return event?.resolution.providerBps ?? 0;
  }

  // ---- Folders, records ----

  folder({ task }: Entry): string {
    return join(this.parts.directory, task.id);
  }

  runFolder(entry: Entry, attempt = entry.facts.attempts ?? 1): string {
    return join(this.folder(entry), `run-${attempt}`);
  }

  resultPath(entry: Entry): string {
    return join(this.folder(entry), RESULT);
  }

  advance(entry: Entry, step: Step, facts: Facts, fields: Omit<NodeEvent, "level" | "event"> = {}): Entry {
    const next = this.parts.journal.advance(entry.task.id, step, facts, Date.now());
    if (step !== "done") this.emit(entry, step, fields);
    return next;
  }

  emit(
    { task }: Entry,
    event: string,
    fields: Omit<NodeEvent, "level" | "event">,
    level: NodeEvent["level"] = "info",
  ): void {
    this.parts.emit({ level, event, task: task.id, ...fields });
  }
}

/** Of a payment [wei], less fee and royalty, each rounded down as the contract does. */
function shareOf(wei: bigint, { feeBps, royaltyBps }: { feeBps: number; royaltyBps: number }): bigint {
  return wei - (wei * BigInt(feeBps)) / 10_000n - (wei * BigInt(royaltyBps)) / 10_000n;
}

function isLast({ status }: TaskState): boolean {
  return status >= Status.Settled;
}

function overdue(): NeuraError {
  return new NeuraError("provider.overdue", "The task's deadline has passed.");
}

export function isPassing(error: unknown): boolean {
  return isNeuraError(error) && PASSING.has(error.code);
}

export function describe(error: unknown): { code: string; message: string } {
  return { code: isNeuraError(error) ? error.code : "unexpected", message: messageOf(error) };
}

/** Why a task is refused after this error; nothing for those that say nothing about the task. */
export function refusalIn(error: unknown): Refusal | undefined {
  if (error instanceof Refused) return error.refusal;
  if (!isNeuraError(error)) return undefined;
  const { code, message } = error;
  const reason = reasonOf(code);
  return reason && { reason, message };
}

function reasonOf(code: string): OutcomeName | undefined {
  if (code === "envelope.wrong-hash") return "PayloadMismatch";
  if (code === "storage.too-large" || code === "archive.too-large") return "PolicyRefused";
  if (code === "provider.key-revoked") return "KeyRevoked";
  if (/^(envelope|archive|manifest)\./.test(code)) return "PayloadUnreadable";
  if (/^storage\.(not-found|pending|bad-reference)$/.test(code)) return "PayloadMissing";
  if (code === "storage.not-configured") return "RequirementsUnmet";
  if (code === "provider.late") return "NoCapacity";
  return /^(storage|runner)\.|^provider\.key-missing$/.test(code) ? "InfrastructureFault" : undefined;
}
