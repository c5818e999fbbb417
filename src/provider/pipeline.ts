import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline as pipe } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { hexlify } from "ethers";

import type { Sender } from "../chain/sender.ts";
import { hashEnvelope } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { decodeTaskEvent } from "../market/events.ts";
import { isTerminal, Outcome, type OutcomeName, outcomeName, Status } from "../market/outcome.ts";
import type { Machine } from "../market/needs.ts";
import { chargeWei, maximumCostWei } from "../market/terms.ts";
import type { Storage } from "../storage/storage.ts";
import type { ChainView, TaskState } from "./chain-view.ts";
import type { ChainClock } from "./clock.ts";
import type { Hardware } from "./hardware.ts";
import { type Entry, type Facts, type Journal, purposeOf, type Step, type Verb } from "./journal.ts";
import type { NodeEvent } from "./log.ts";
import { fetchPayload, type OpenedPayload, openPayload, type OwnKey, readManifest } from "./payload.ts";
import { judgeManifest, judgeTerms, type Policy, type Refusal } from "./policy.ts";
import { sealResult } from "./result.ts";
import type { RunHandle, RunKind, Runner, RunOutcome } from "./runner/runner.ts";
import type { Slots } from "./slots.ts";

/** What all tasks of a node share. */
export interface PipelineParts {
  /** The provider. */
  readonly account: string;
  readonly chain: ChainView;
  readonly clock: ChainClock;
  readonly journal: Journal;
  readonly sender: Sender;
  /** The network of a reference; without one, where results go. */
  readonly storage: (reference?: string) => Storage | Promise<Storage>;
  readonly runner: Runner;
  /** Names of the applications that the runner has. */
  readonly applications: readonly string[];
  /** The provider's published keys, as they are now: they can be replaced while the node runs. */
  readonly keys: () => Promise<readonly OwnKey[]>;
  readonly policy: Policy;
  readonly slots: Slots;
  readonly hardware: Hardware;
  /** What owners may need of it beyond its shape. */
  readonly machine: Machine;
  /** How long an accepted task can still be declined [s]. */
  readonly declineWindowSeconds: number;
  /** What is fetched and stored at the same time. */
  readonly transfers: Slots;
  /** Holds a folder for each task. */
  readonly directory: string;
  readonly emit: (event: NodeEvent) => void;
  /** Called when a step is on record, before the next one begins. */
  readonly onStep?: ((step: Step, taskId: string) => void) | undefined;
  /** Told of each fault of this machine, and of each task that came through. */
  readonly onHealth: (isWell: boolean) => void;
}

const MIB = 1024 * 1024;
const PAYLOAD = "payload.envelope";
const RESULT = "result.envelope";
/** Gas of accepting and delivering, for the decision whether a task pays: never the limit of a transaction. */
export const GAS_OF_A_TASK = 130_000n;
const MAX_ATTEMPTS = 2;
const MAX_FAULTS = 2;
/** Kept for declining or abandoning what cannot be delivered in time. */
const CLOSING_SECONDS = 3;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 8_000;
const FAULT_PAUSE_MS = 1_000;
/** How long a delivery waits for a block whose time covers the seconds that were used. */
const CHAIN_TIME_WAIT_MS = 15_000;
/** A slower download than this is not counted on [bytes/s]. */
const DOWNLOAD_RATE = MIB;

const OUTCOMES = {
  completed: "Completed",
  "owner-exit-code": "OwnerExitCode",
  "owner-out-of-memory": "OwnerOutOfMemory",
  "owner-time-limit": "OwnerTimeLimit",
  "owner-bad-input": "OwnerBadInput",
} as const satisfies Record<Exclude<RunKind, "infrastructure-fault">, OutcomeName>;

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
class Refused extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal, cause?: unknown) {
    super(refusal.message, { cause });
    this.refusal = refusal;
  }
}

/** The reason of a signal that stops the work on a task which has ended, or is gone, on the chain. */
export class TaskEnded extends Error {
  readonly state: TaskState;

  constructor(state: TaskState) {
    super("the task has ended on the chain");
    this.state = state;
  }
}

/**
 * Takes one task from where the journal has it to its end. Every step can be repeated: what it does outside of the
 * journal is found again, or is done again without harm.
 */
export class Pipeline {
  readonly #parts: PipelineParts;

  constructor(parts: PipelineParts) {
    this.#parts = parts;
  }

  /** Resolves at the task's end, or when the chain does not have it any more. Rejects with the signal's reason. */
  async process(taskId: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const entry = this.#parts.journal.get(taskId);
      if (entry === undefined || entry.step === "done" || entry.facts.isVanished === true) return;
      this.#parts.onStep?.(entry.step, taskId);
      try {
        await this.#step(entry, signal);
      } catch (error) {
        await this.#leave(this.#parts.journal.get(taskId) ?? entry, error, signal);
      }
    }
  }

  /** Puts a task that was not begun on its way back to its owner. */
  giveBack(entry: Entry, why: string): void {
    const refusal = { reason: "NoCapacity", message: `It cannot be begun in time: ${why}.` } as const;
    this.#toClosing(entry, refusal, "provider.no-capacity");
  }

  async #step(entry: Entry, signal: AbortSignal): Promise<unknown> {
    switch (entry.step) {
      case "found":
        return await this.#fetch(entry, signal);
      case "fetched":
      case "running":
        return await this.#run(entry, signal);
      case "ran":
        return await this.#seal(entry, signal);
      case "sealed":
        return await this.#upload(entry, signal);
      case "uploaded":
        return await this.#deliver(entry, signal);
      case "closing":
        return await this.#close(entry, signal);
      case "done":
        return undefined;
    }
  }

  // ---- Found: judge, fetch, open ----

  async #fetch(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const { policy, chain } = this.#parts;
    const { payload } = entry.task.work;
    const state = await this.#live(entry, signal);
    const ownerKey = await this.#persist(entry, signal, this.#lastSecond(entry, state), () =>
      this.#judge(entry, state),
    );

    const folder = this.#folder(entry);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, PAYLOAD);
    this.#emit(entry, "fetching", { uri: payload });
    const started = performance.now();
    if (!(await exists(path))) await this.#download(entry, state, path, signal);
    const sizeBytes = (await stat(path)).size;
    await rm(this.#runFolder(entry, 1), { recursive: true, force: true });
    const { inputRoot, manifest } = await this.#open(entry, 1, signal);
    const { offer } = await chain.registrationOf(this.#parts.account);
    const { applications, machine } = this.#parts;
    const refusal = judgeManifest(manifest, { policy, offer, applications, machine });
    if (refusal) throw new Refused(refusal);
    return this.#advance(
      entry,
      "fetched",
      { inputRoot, ...(ownerKey ? { ownerKey } : {}), attempts: 1 },
      {
        application: manifest.application,
        files: manifest.inputs.length,
        sizeBytes,
        seconds: secondsSince(started),
      },
    );
  }

  async #download(entry: Entry, found: TaskState, path: string, signal: AbortSignal): Promise<void> {
    const { policy, clock, transfers, declineWindowSeconds } = this.#parts;
    const { task } = entry;
    const { startBySeconds, completeBySeconds } = task.terms.conditions;
    const maxBytes = policy.maxPayloadMiB * MIB;
    const storage = await this.#parts.storage(task.work.payload);
    let latest = startBySeconds - policy.marginSeconds;
    let state = found;
    if (state.status === Status.Funded) {
      const size = await storage.status(task.work.payload, { signal }).then(
        ({ sizeBytes = 0 }) => sizeBytes,
        () => 0,
      );
      // What takes long to fetch is accepted first; what is too large anyway is not.
      const isLarge = size <= maxBytes && clock.now() + size / DOWNLOAD_RATE > latest;
      if (isLarge) state = await this.#accept(entry, signal);
    }
    if (state.status === Status.Active) {
      latest = Math.min(state.sinceSeconds + declineWindowSeconds, completeBySeconds - policy.marginSeconds);
    }
    const patientUntil = clock.now() + policy.payloadWaitSeconds;
    await this.#persist(entry, signal, latest, async (attempt) => {
      const leave = await transfers.acquire(completeBySeconds, attempt);
      try {
        await fetchPayload(task, { storage, path, maxBytes, signal: attempt });
      } catch (error) {
        // Gateways can lag, but an owner's money does not wait for ever.
        const refusal = clock.now() > patientUntil ? refusalIn(error) : undefined;
        throw refusal ? new Refused(refusal, error) : error;
      } finally {
        leave();
      }
    });
  }

  /** Lays the payload's files into the folder of a run. */
  async #open(entry: Entry, attempt: number, signal: AbortSignal): Promise<OpenedPayload> {
    const { chain, policy } = this.#parts;
    return await openPayload(entry.task, {
      path: join(this.#folder(entry), PAYLOAD),
      directory: this.#runFolder(entry, attempt),
      keys: await this.#parts.keys(),
      domain: { chainId: BigInt(chain.deployment.chainId), market: chain.market },
      maxBytes: policy.maxPayloadMiB * MIB,
      signal,
    });
  }

  /** The owner's key, if the terms name one; throws when the task does not suit. */
  async #judge({ task }: Entry, { status, feeBps }: TaskState): Promise<string | undefined> {
    const { chain, account } = this.#parts;
    const { owner, conditions } = task.terms;
    const { offer } = await chain.registrationOf(account);
    // What was accepted is agreed on: by a quote perhaps, at the price of that moment.
    const agreed = status === Status.Active ? { minRateWei: 0n, coverGas: false } : {};
    const policy = { ...this.#parts.policy, ...agreed };
    const gasWei = chain.isNative ? GAS_OF_A_TASK * (await chain.gasPriceWei()) : undefined;
    // What is locked for this very task is free for it.
    const freeStakeWei = offer.freeStakeWei + (status === Status.Active ? task.terms.collateralWei : 0n);
    const refusal = judgeTerms(task, { policy, offer: { ...offer, freeStakeWei }, feeBps, gasWei });
    if (refusal) throw new Refused(refusal);
    if (conditions.keyEpoch === 0) return undefined;
    const key = await chain.keyAt(owner, conditions.keyEpoch);
    if (key && !key.isRevoked) return key.publicKey;
    const message = `The owner's key ${conditions.keyEpoch} is ${key ? "revoked" : "not published"}.`;
    throw new Refused({ reason: "KeyRevoked", message });
  }

  // ---- Fetched, running: accept, run ----

  async #run(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const { runner, slots, clock, policy } = this.#parts;
    const { conditions } = entry.task.terms;
    const attempt = entry.facts.attempts ?? 1;
    const directory = this.#runFolder(entry, attempt);
    if (!(await exists(directory))) await this.#open(entry, attempt, signal);
    const manifest = await readManifest(directory);
    const seconds = Math.min(manifest.limits.seconds, conditions.durationSeconds);
    const running = await runner.adopt(directory);
    let state = await this.#live(entry, signal);

    // Until here the task may wait for its turn.
    const latestStart =
      state.status === Status.Active
        ? conditions.completeBySeconds - seconds - policy.marginSeconds
        : conditions.startBySeconds - policy.marginSeconds;
    const leave = running
      ? slots.take()
      : await clock
          .before(latestStart, signal, (late) => slots.acquire(conditions.completeBySeconds, late))
          .catch((error: unknown) => {
            if (!isNeuraError(error, "provider.late")) throw error;
            const message = "All places are taken until it is too late to begin.";
            throw new Refused({ reason: "NoCapacity", message });
          });
    try {
      if (state.status === Status.Funded && this.#acceptsFirst(entry))
        state = await this.#accept(entry, signal);
      if (running) this.#emit(entry, "adopted", {});
      const limits = { ...manifest.limits, seconds };
      const handle = running ?? (await runner.start({ directory, manifest, limits }));
      if (entry.step === "fetched") this.#advance(entry, "running", {}, { runner: runner.name, attempt });
      this.#parts.onStep?.("running", entry.task.id);
      return this.#judgeRun(entry, await this.#outcomeOf(handle, entry, state, signal), attempt);
    } finally {
      leave();
    }
  }

  /** Whether the task must be the provider's before it is run: until then the owner can take it back. */
  #acceptsFirst({ task }: Entry): boolean {
    const { always, fromWei, withCollateral } = this.#parts.policy.accept;
    if (always || (withCollateral && task.terms.collateralWei > 0n)) return true;
    return fromWei !== undefined && maximumCostWei(task.terms) >= fromWei;
  }

  /** Waits for the run. What is short needs no acceptance; what is not is accepted while it runs. */
  async #outcomeOf(
    handle: RunHandle,
    entry: Entry,
    state: TaskState,
    signal: AbortSignal,
  ): Promise<RunOutcome> {
    const { clock, policy } = this.#parts;
    const { startBySeconds, completeBySeconds } = entry.task.terms.conditions;
    const until = async (seconds: number): Promise<RunOutcome> =>
      await clock.before(seconds, signal, (late) => handle.wait({ signal: late }));
    if (state.status === Status.Funded) {
      const acceptAt = Math.min(
        clock.now() + policy.accept.afterSeconds,
        startBySeconds - policy.marginSeconds,
      );
      try {
        return await until(acceptAt);
      } catch (error) {
        if (!isNeuraError(error, "provider.late")) throw error;
      }
      await this.#accept(entry, signal);
    }
    return await until(completeBySeconds - CLOSING_SECONDS);
  }

  #judgeRun(entry: Entry, run: RunOutcome, attempt: number): Entry {
    if (run.kind !== "infrastructure-fault") {
      const outcome = OUTCOMES[run.kind];
      const facts = { outcome, runSeconds: run.secondsWall };
      return this.#advance(entry, "ran", facts, {
        outcome,
        message: run.message,
        seconds: rounded(run.secondsWall),
        peakRssBytes: run.usage.peakRssBytes,
      });
    }
    this.#parts.onHealth(false);
    if (attempt >= MAX_ATTEMPTS) throw new Refused({ reason: "InfrastructureFault", message: run.message });
    this.#emit(entry, "retrying", { message: run.message }, "warn");
    return this.#advance(entry, "fetched", { attempts: attempt + 1 });
  }

  async #accept(entry: Entry, signal: AbortSignal): Promise<TaskState> {
    const { chain } = this.#parts;
    const until = entry.task.terms.conditions.startBySeconds;
    await this.#send(entry, "accept", { data: chain.accept(entry.task), until, signal });
    this.#emit(entry, "accepted", {});
    return await this.#live(entry, signal);
  }

  // ---- Ran: make the result ----

  async #seal(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const { runner, hardware } = this.#parts;
    const { task, facts } = entry;
    const directory = this.#runFolder(entry, facts.attempts ?? 1);
    const handle = await runner.adopt(directory);
    const { inputRoot, outcome } = facts;
    if (handle === undefined || inputRoot === undefined || outcome === undefined) {
      throw new NeuraError("provider.lost-run", "The folder of a run that ended is gone.");
    }
    const [manifest, run] = await Promise.all([readManifest(directory), handle.wait({ signal })]);
    const drawNonce = hexlify(randomBytes(32));
    const { ownerKey } = facts;
    const source = { task, manifest, directory, run, outcome, inputRoot, ownerKey, drawNonce };
    const { resultHash, evidenceHash, sizeBytes } = await sealResult(
      { ...source, runner, hardware },
      { path: this.#resultPath(entry), signal },
    );
    return this.#advance(entry, "sealed", { drawNonce, resultHash, evidenceHash }, { resultHash, sizeBytes });
  }

  // ---- Sealed: store ----

  async #upload(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const path = this.#resultPath(entry);
    const started = performance.now();
    const actual = await hashOf(path, entry).catch(() => undefined);
    // Nobody has seen it yet, so it can be made again.
    if (actual !== entry.facts.resultHash) return this.#advance(entry, "ran", {});
    this.#emit(entry, "uploading", {});
    const storage = await this.#parts.storage();
    let state = await this.#live(entry, signal);
    const { startBySeconds, completeBySeconds } = entry.task.terms.conditions;
    const isTight = this.#parts.clock.now() + this.#parts.policy.marginSeconds > startBySeconds;
    if (state.status === Status.Funded && isTight) state = await this.#accept(entry, signal);
    const until = this.#lastSecond(entry, state) - CLOSING_SECONDS;
    return await this.#persist(entry, signal, until, async (attempt) => {
      const leave = await this.#parts.transfers.acquire(completeBySeconds, attempt);
      try {
        const stored = await storage.put(path, { resume: `${path}.upload`, signal: attempt });
        await storage.readBack(stored, { signal: attempt });
        const { uri, sizeBytes } = stored;
        const seconds = secondsSince(started);
        return this.#advance(entry, "uploaded", { resultUri: uri }, { uri, sizeBytes, seconds });
      } finally {
        leave();
      }
    });
  }

  // ---- Uploaded: deliver ----

  async #deliver(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const { chain } = this.#parts;
    const { task, facts } = entry;
    const { outcome, resultHash, evidenceHash, resultUri, runSeconds } = facts;
    if (!outcome || !resultHash || !evidenceHash || !resultUri || runSeconds === undefined) {
      throw new Error(`the journal lacks what ${task.id} is to deliver`);
    }
    const started = performance.now();
    let secondsUsed = Math.min(Math.ceil(runSeconds), task.terms.conditions.durationSeconds);
    for (;;) {
      const state = await this.#live(entry, signal);
      const report = { outcome: Outcome[outcome], secondsUsed };
      const data = chain.deliver(task, { report, resultHash, evidenceHash, result: resultUri });
      try {
        await this.#send(entry, "deliver", { data, until: this.#lastSecond(entry, state), signal });
        return await this.#end(entry, await chain.stateOf(task.id));
      } catch (error) {
        if (!isNeuraError(error) || error.details["error"] !== "TaskMarket_TooManySeconds") throw error;
        // The chain's clock stands between two blocks. It is waited for where it is money, else less is charged.
        const isMoney = task.terms.price.metered || outcome !== "Completed";
        const isPatient = isMoney && performance.now() - started < CHAIN_TIME_WAIT_MS;
        if (!isPatient) secondsUsed = Number(error.details["allowed"]);
        else await sleep(FIRST_PAUSE_MS, undefined, { signal });
      }
    }
  }

  // ---- Closing: decline or abandon ----

  async #close(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const { chain, clock, policy, declineWindowSeconds } = this.#parts;
    const { task, facts } = entry;
    const { startBySeconds, completeBySeconds } = task.terms.conditions;
    const state = await this.#live(entry, signal);
    const isActive = state.status === Status.Active;
    if (!isActive && !policy.decline) return await this.#finish(entry, "ignored", {});
    const declinableUntil = isActive
      ? Math.min(state.sinceSeconds + declineWindowSeconds, completeBySeconds)
      : startBySeconds;
    if (clock.now() <= declinableUntil) {
      const data = chain.decline(task, Outcome[facts.outcome ?? "InfrastructureFault"]);
      await this.#send(entry, "decline", { data, until: declinableUntil, signal });
    } else {
      await this.#send(entry, "abandon", { data: chain.abandon(task), until: completeBySeconds, signal });
    }
    return await this.#end(entry, await chain.stateOf(task.id));
  }

  // ---- Ends ----

  /** What an error in a step means for the task. */
  async #leave(entry: Entry, error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, journal, onHealth } = this.#parts;
    if (error instanceof TaskEnded) {
      await this.#end(entry, error.state);
      return;
    }
    // The work goes on without a node that stops.
    signal.throwIfAborted();
    const refusal = ["found", "fetched", "running"].includes(entry.step) ? refusalIn(error) : undefined;
    if (refusal) {
      if (refusal.reason === "InfrastructureFault") onHealth(false);
      await this.#refuse(entry, refusal, error);
      return;
    }
    const state = await this.#state(entry, signal);
    if (isOver(state)) {
      await this.#end(entry, state);
      return;
    }
    const lastSecond = this.#lastSecond(entry, state);
    if (clock.now() > lastSecond || isNeuraError(error, "task.too-late")) {
      // Whoever calls expire or fail ends it on the chain; the provider can do nothing more.
      const outcome = state.status === Status.Active ? "ProviderLate" : "NotAccepted";
      await this.#finish(entry, "late", { outcome, error: describe(error) }, { outcome, ...describe(error) });
      return;
    }
    const isUrgent = clock.now() + CLOSING_SECONDS >= lastSecond;
    const faults = (entry.facts.faults ?? 0) + (isPassing(error) ? 0 : 1);
    this.#emit(
      entry,
      isPassing(error) ? "waiting" : "fault",
      { step: entry.step, ...describe(error) },
      "warn",
    );
    if (!isPassing(error)) {
      onHealth(false);
      journal.learn(entry.task.id, { faults });
    }
    const isLost = isUrgent || faults >= MAX_FAULTS;
    if (isLost && entry.step !== "closing" && entry.step !== "uploaded") {
      await this.#refuse(entry, { reason: "InfrastructureFault", message: messageOf(error) }, error);
    } else {
      await sleep(Math.min(FAULT_PAUSE_MS * 2 ** faults, MAX_PAUSE_MS), undefined, { signal });
    }
  }

  async #refuse(entry: Entry, refusal: Refusal, error: unknown): Promise<void> {
    await this.#stopRun(entry, refusal.message);
    const cause = error instanceof Refused ? error.cause : error;
    this.#toClosing(entry, refusal, isNeuraError(cause) ? cause.code : "provider.refused");
  }

  #toClosing(entry: Entry, { reason, message }: Refusal, code: string): void {
    this.#advance(entry, "closing", { outcome: reason, error: { code, message } }, { reason, code, message });
  }

  /** Ends work that nobody will pay for. */
  async #stopRun(entry: Entry, reason: string): Promise<void> {
    if (entry.step !== "fetched" && entry.step !== "running") return;
    const run = await this.#parts.runner.adopt(this.#runFolder(entry, entry.facts.attempts ?? 1));
    await run?.stop(reason);
  }

  /** Notes how the task ended on the chain. */
  async #end(entry: Entry, state: TaskState): Promise<Entry> {
    if (state.status === Status.None) {
      this.#emit(entry, "vanished", {}, "warn");
      return this.#parts.journal.learn(entry.task.id, { isVanished: true });
    }
    await this.#stopRun(entry, "the task has ended on the chain");
    const outcome = outcomeName(state.outcome);
    const earned = state.status === Status.Settled ? await this.#earned(entry, state) : undefined;
    if (earned === undefined) {
      const event = state.status === Status.Declined ? "declined" : "ended";
      return await this.#finish(entry, event, { outcome }, { outcome });
    }
    this.#parts.onHealth(true);
    const facts = { outcome, earnedWei: earned.earnedWei.toString() };
    return await this.#finish(entry, "delivered", facts, { outcome, ...earned });
  }

  /** Closes the books on a task, and forgets what is private in it: plain text stays no longer than it is needed. */
  async #finish(
    entry: Entry,
    event: string,
    facts: Facts,
    fields: Omit<NodeEvent, "level" | "event"> = {},
  ): Promise<Entry> {
    const done = this.#advance(entry, "done", facts);
    const folder = this.#folder(entry);
    for (const name of await readdir(folder).catch(() => [])) {
      if (name !== RESULT) await rm(join(folder, name), { recursive: true, force: true });
    }
    const gasWei = this.#parts.journal.gasOf(entry.task.id);
    this.#emit(entry, event, { ...fields, gasWei }, event === "late" ? "error" : "info");
    return done;
  }

  /** Closes the books on a task that vanished from the chain and whose time is over. */
  async drop(taskId: string): Promise<void> {
    const entry = this.#parts.journal.get(taskId);
    if (entry === undefined) return;
    await this.#stopRun(entry, "the task has vanished from the chain");
    await this.#finish(entry, "dropped", {});
  }

  /** What the delivery brought, as the chain has it. */
  async #earned(
    { task }: Entry,
    { feeBps }: TaskState,
  ): Promise<{ earnedWei: bigint; secondsUsed: number; transaction: string } | undefined> {
    const { journal, chain } = this.#parts;
    const mined = journal.succeeded(purposeOf("deliver", task.id));
    const receipt = mined && (await chain.provider.getTransactionReceipt(mined.hash));
    for (const log of receipt?.logs ?? []) {
      const event = decodeTaskEvent(log);
      if (event?.name !== "TaskDelivered" || event.id !== task.id) continue;
      const { secondsUsed } = event.delivery;
      const paidWei = chargeWei(task.terms, event.delivery);
      const earnedWei = paidWei - (paidWei * BigInt(feeBps)) / 10_000n;
      return { earnedWei, secondsUsed, transaction: log.transactionHash };
    }
    return undefined;
  }

  // ---- The chain ----

  async #send(
    entry: Entry,
    verb: Verb,
    { data, until, signal }: { data: string; until: number; signal: AbortSignal },
  ): Promise<void> {
    const { sender, chain, policy } = this.#parts;
    const call = {
      purpose: purposeOf(verb, entry.task.id),
      to: chain.market,
      data,
      maxSpendWei: policy.maxGasWei,
      untilSeconds: until,
    };
    const mined = await this.#persist(entry, signal, until, (attempt) =>
      sender.send(call, { signal: attempt }),
    );
    const { hash: transaction, blockNumber: block, gasUsed, spentWei } = mined;
    this.#emit(entry, "mined", { verb, transaction, block, gasUsed, spentWei }, "debug");
  }

  async #state(entry: Entry, signal: AbortSignal): Promise<TaskState> {
    return await this.#persist(entry, signal, Infinity, () => this.#parts.chain.stateOf(entry.task.id));
  }

  /** Where the task stands, as long as something can be done for it. */
  async #live(entry: Entry, signal: AbortSignal): Promise<TaskState> {
    const state = await this.#state(entry, signal);
    if (isOver(state)) throw new TaskEnded(state);
    if (this.#parts.clock.now() > this.#lastSecond(entry, state)) throw overdue();
    return state;
  }

  /** The last second of the chain at which the task can still be delivered. */
  #lastSecond({ task }: Entry, { status }: TaskState): number {
    const { startBySeconds, completeBySeconds } = task.terms.conditions;
    return status === Status.Active ? completeBySeconds : startBySeconds;
  }

  /** Tries again what fails in passing, until the chain's time has passed `until`. */
  async #persist<T>(
    entry: Entry,
    signal: AbortSignal,
    until: number,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    let problem: unknown;
    try {
      return await this.#parts.clock.before(until, signal, async (late) => {
        for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, MAX_PAUSE_MS)) {
          try {
            return await work(late);
          } catch (error) {
            late.throwIfAborted();
            if (!isPassing(error)) throw error;
            if (describe(error).code !== describe(problem).code) {
              this.#emit(entry, "waiting", { step: entry.step, ...describe(error) }, "warn");
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

  // ---- Folders, records ----

  #folder({ task }: Entry): string {
    return join(this.#parts.directory, task.id);
  }

  #runFolder(entry: Entry, attempt: number): string {
    return join(this.#folder(entry), `run-${attempt}`);
  }

  #resultPath(entry: Entry): string {
    return join(this.#folder(entry), RESULT);
  }

  #advance(entry: Entry, step: Step, facts: Facts, fields: Omit<NodeEvent, "level" | "event"> = {}): Entry {
    const next = this.#parts.journal.advance(entry.task.id, step, facts, Date.now());
    if (step !== "done") this.#emit(entry, step, fields);
    return next;
  }

  #emit(
    { task }: Entry,
    event: string,
    fields: Omit<NodeEvent, "level" | "event">,
    level: NodeEvent["level"] = "info",
  ): void {
    this.#parts.emit({ level, event, task: task.id, ...fields });
  }
}

function isOver({ status }: TaskState): boolean {
  return status === Status.None || isTerminal(status);
}

function overdue(): NeuraError {
  return new NeuraError("provider.overdue", "The task's deadline has passed.");
}

/** Why a task is refused after this error; nothing for those that say nothing about the task. */
function refusalIn(error: unknown): Refusal | undefined {
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

function isPassing(error: unknown): boolean {
  return isNeuraError(error) && PASSING.has(error.code);
}

function describe(error: unknown): { code: string; message: string } {
  return { code: isNeuraError(error) ? error.code : "unexpected", message: messageOf(error) };
}

/** To the millisecond [s]. */
function rounded(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

function secondsSince(started: number): number {
  return rounded((performance.now() - started) / 1000);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** The hash for the chain of a result's file. */
async function hashOf(path: string, { facts }: Entry): Promise<string> {
  if (facts.ownerKey !== undefined) return await hashEnvelope(createReadStream(path));
  const hash = createHash("sha256");
  await pipe(createReadStream(path), hash);
  return `0x${hash.digest("hex")}`;
}
