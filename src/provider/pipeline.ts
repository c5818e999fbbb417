import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline as pipe } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { getBytes, hexlify } from "ethers";

import { hashEnvelope } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import type { Machine } from "../market/needs.ts";
import { Outcome, type OutcomeName, Status } from "../market/outcome.ts";
import { isLease, isOpen, maximumCostWei, priceAtWei } from "../market/terms.ts";
import type { Storage } from "../storage/storage.ts";
import type { Calibration } from "../verify/calibration.ts";
import { Challenges } from "./challenges.ts";
import type { Hardware } from "./hardware.ts";
import type { Entry, Step } from "./journal.ts";
import type { Leases } from "./leases.ts";
import { keepOpening } from "./openings.ts";
import { fetchPayload, type OpenedPayload, openPayload, type OwnKey, readManifest } from "./payload.ts";
import { judgeManifest, judgeTerms, type Refusal } from "./policy.ts";
import { sealResult } from "./result.ts";
import type { RunHandle, RunKind, RunOutcome } from "./runner/runner.ts";
import type { Slots } from "./slots.ts";
import { roleOf } from "./standing.ts";
import {
  CLOSING_SECONDS,
  describe,
  FIRST_PAUSE_MS,
  isPassing,
  MAX_PAUSE_MS,
  Refused,
  refusalIn,
  REST,
  type Sight,
  TaskEnded,
  type Workbench,
} from "./workbench.ts";

/** What a pipeline needs beyond what all of a node's tasks work with. */
export interface PipelineParts {
  /** The network of a reference; without one, where results go. */
  readonly storage: (reference?: string) => Storage | Promise<Storage>;
  /** Names of the applications that the runner has. */
  readonly applications: readonly string[];
  /** The provider's published keys, as they are now: they can be replaced while the node runs. */
  readonly keys: () => Promise<readonly OwnKey[]>;
  readonly slots: Slots;
  readonly hardware: Hardware;
  /** What owners may need of it beyond its shape. */
  readonly machine: Machine;
  /** By which results may be verified: those that are known here. */
  readonly calibrations: readonly Calibration[];
  /** What is fetched and stored at the same time. */
  readonly transfers: Slots;
  /** Holds what shows why payloads cannot be read. */
  readonly openings: string;
  /** Missing where none are kept up. */
  readonly leases: Leases | undefined;
  /** Called when a step is on record, before the next one begins. */
  readonly onStep?: ((step: Step, taskId: string) => void) | undefined;
}

const MIB = 1024 * 1024;
const PAYLOAD = "payload.envelope";
/** The payload's header as a sealed task's owner published it. */
const HEADER = "payload.header";
const MAX_ATTEMPTS = 2;
const MAX_FAULTS = 2;
const FAULT_PAUSE_MS = 1_000;
/** In these, what was done or promised is not given back because of a fault. */
const KEPT: ReadonlySet<Step> = new Set(["standby", "uploaded", "delivered", "up", "closing"]);
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

/**
 * Takes one task from where the journal has it to its end. Every step can be repeated: what it does outside of the
 * journal is found again, or is done again without harm.
 */
export class Pipeline {
  readonly #bench: Workbench;
  readonly #parts: PipelineParts;
  readonly #challenges: Challenges;
  /** What gives back the places of this machine that tasks have, by their ids. */
  readonly #places = new Map<string, () => void>();

  constructor(bench: Workbench, parts: PipelineParts) {
    this.#bench = bench;
    this.#parts = parts;
    this.#challenges = new Challenges(bench, {
      open: (entry, directory, signal) => this.#open(entry, { directory, signal }),
    });
  }

  /** Whether the task has a place of this machine, though others may still take it. */
  holds(taskId: string): boolean {
    return this.#places.has(taskId);
  }

  /**
   * Resolves at the task's end, when the chain does not have it any more, or when there is nothing to do for it before
   * the next block. Rejects with the signal's reason.
   */
  async process(taskId: string, signal: AbortSignal): Promise<void> {
    const { journal } = this.#bench.parts;
    let isResting = false;
    try {
      for (;;) {
        const entry = journal.get(taskId);
        if (entry === undefined || entry.step === "done" || entry.facts.isVanished === true) return;
        this.#parts.onStep?.(entry.step, taskId);
        try {
          if ((await this.#step(entry, signal)) === REST) {
            isResting = true;
            return;
          }
        } catch (error) {
          await this.#leave(journal.get(taskId) ?? entry, error, signal);
        }
      }
    } finally {
      if (!isResting) this.#giveBackPlace(taskId);
    }
  }

  /** Puts a task that was not begun on its way back to its owner. */
  giveBack(entry: Entry, why: string): void {
    const refusal = { reason: "NoCapacity", message: `It cannot be begun in time: ${why}.` } as const;
    this.#toClosing(entry, refusal, "provider.no-capacity");
  }

  /** Closes the books on a task that vanished from the chain and whose time is over. */
  async drop(taskId: string): Promise<void> {
    const entry = this.#bench.parts.journal.get(taskId);
    if (entry === undefined) return;
    await this.#bench.stopRun(entry, "the task has vanished from the chain");
    await this.#bench.finish(entry, "dropped", {});
  }

  async #step(entry: Entry, signal: AbortSignal): Promise<unknown> {
    switch (entry.step) {
      case "standby":
        return await this.#wait(entry, signal);
      case "found":
        return await this.#fetch(entry, signal);
      case "assigned":
        return await this.#unseal(entry, signal);
      case "fetched":
      case "running":
        return await this.#run(entry, signal);
      case "ran":
        return await this.#seal(entry, signal);
      case "sealed":
        return await this.#upload(entry, signal);
      case "uploaded":
        return await this.#deliver(entry, signal);
      case "delivered":
        return await this.#challenges.watch(entry, signal);
      case "up":
        return await this.#keepUp(entry, signal);
      case "closing":
        await this.#close(entry, signal);
        return undefined;
      case "done":
        return undefined;
    }
  }

  // ---- Standby: until it is the backup's turn ----

  async #wait(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const sight = await this.#bench.look(entry, signal);
    const { isOver, isFree, isTaken, acceptBySeconds } = sight.standing;
    const isTooLate = isFree && this.#bench.parts.clock.now() > acceptBySeconds;
    if (isOver || isTooLate) {
      await this.#bench.pass(entry);
      return undefined;
    }
    return isFree || isTaken ? this.#bench.advance(entry, "found", {}) : REST;
  }

  // ---- Found: judge, fetch, open ----

  async #fetch(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const { terms, work } = entry.task;
    const sight = await this.#bench.live(entry, signal);
    const { isFree, isTaken } = sight.standing;
    const isSealed = terms.conditions.isSealed === true;
    if (!isFree && !isTaken) return REST;
    const until = this.#bench.lastSecond(sight);
    const ownerKey = await this.#bench.persist(entry, signal, until, () => this.#judge(entry, sight));
    if (ownerKey !== undefined) this.#bench.parts.journal.learn(entry.task.id, { ownerKey });

    const folder = this.#bench.folder(entry);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, PAYLOAD);
    const started = performance.now();
    if (!(await exists(path))) {
      this.#bench.emit(entry, "fetching", { uri: work.payload });
      await this.#download(entry, sight, path, signal);
      if (isSealed) await this.#requireHash(entry, path, signal);
    }
    if (isSealed) {
      if (!isTaken && (await this.#take(entry, signal)) === REST) return REST;
      return this.#bench.advance(entry, "assigned", {});
    }
    return await this.#look(entry, { started, signal });
  }

  /** What cannot be opened before it is accepted is at least the one that was paid for. */
  async #requireHash({ task }: Entry, path: string, signal: AbortSignal): Promise<void> {
    const hash = await hashEnvelope(createReadStream(path), { signal });
    if (hash === task.work.payloadHash.toLowerCase()) return;
    await rm(path);
    throw new Refused({ reason: "PayloadMismatch", message: `The envelope's hash is ${hash}.` });
  }

  /** Opens the payload, and judges what it asks for. */
  async #look(entry: Entry, { started, signal }: { started: number; signal: AbortSignal }): Promise<unknown> {
    const { account, chain, policy } = this.#bench.parts;
    const directory = this.#bench.runFolder(entry, 1);
    const sizeBytes = (await stat(join(this.#bench.folder(entry), PAYLOAD))).size;
    await rm(directory, { recursive: true, force: true });
    const { inputRoot, manifest } = await this.#open(entry, { directory, signal });
    const { offer } = await chain.registrationOf(account);
    const { applications, machine, calibrations } = this.#parts;
    const kind = { isLease: isLease(entry.task.terms) };
    const refusal = judgeManifest(manifest, { policy, offer, applications, machine, calibrations, ...kind });
    if (refusal) throw new Refused(refusal);
    const facts = { inputRoot, attempts: 1 };
    return this.#bench.advance(entry, "fetched", facts, {
      application: manifest.application,
      files: manifest.inputs.length,
      sizeBytes,
      seconds: secondsSince(started),
    });
  }

  async #download(entry: Entry, found: Sight, path: string, signal: AbortSignal): Promise<void> {
    const { policy, clock, windows } = this.#bench.parts;
    const { transfers } = this.#parts;
    const { task } = entry;
    const maxBytes = policy.maxPayloadMiB * MIB;
    const storage = await this.#parts.storage(task.work.payload);
    let sight = found;
    let latest = sight.standing.acceptBySeconds - policy.marginSeconds;
    if (!sight.standing.isTaken && sight.standing.role === "named") {
      const size = await storage.status(task.work.payload, { signal }).then(
        ({ sizeBytes = 0 }) => sizeBytes,
        () => 0,
      );
      // What takes long to fetch is accepted first; what is too large anyway is not.
      const isLarge = size <= maxBytes && clock.now() + size / DOWNLOAD_RATE > latest;
      if (isLarge) sight = await this.#accept(entry, signal);
    }
    const { state, standing } = sight;
    if (state.status === Status.Active) {
      latest = Math.min(
        state.sinceSeconds + windows.decline,
        standing.completeBySeconds - policy.marginSeconds,
      );
    }
    const patientUntil = clock.now() + policy.payloadWaitSeconds;
    await this.#bench.persist(entry, signal, latest, async (attempt) => {
      const leave = await transfers.acquire(standing.completeBySeconds, attempt);
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

  /** Lays the payload's files into a folder. */
  async #open(
    entry: Entry,
    { directory, signal }: { directory: string; signal: AbortSignal },
  ): Promise<OpenedPayload> {
    const { chain, policy } = this.#bench.parts;
    const folder = this.#bench.folder(entry);
    return await openPayload(entry.task, {
      path: join(folder, PAYLOAD),
      header: await readFile(join(folder, HEADER)).catch(() => undefined),
      directory,
      keys: await this.#parts.keys(),
      domain: { chainId: BigInt(chain.deployment.chainId), market: chain.market },
      maxBytes: policy.maxPayloadMiB * MIB,
      signal,
    });
  }

  /** The owner's key, if the terms name one; throws when the task does not suit. */
  async #judge(entry: Entry, { state, standing }: Sight): Promise<string | undefined> {
    const { chain, account } = this.#bench.parts;
    const { task } = entry;
    const { owner, conditions, price, collateralWei } = task.terms;
    if (standing.role !== "named" && !standing.isTaken) this.#requireTime(entry);
    const { offer } = await chain.registrationOf(account);
    // What was accepted is agreed on: by a quote perhaps, at the price of that moment.
    const agreed = standing.isTaken ? { minRateWei: 0n, coverGas: false } : {};
    const refusal = judgeTerms(task, {
      policy: { ...this.#bench.parts.policy, ...agreed },
      // What is locked for this very task is free for it.
      offer: { ...offer, freeStakeWei: offer.freeStakeWei + (standing.isTaken ? collateralWei : 0n) },
      feeBps: state.feeBps,
      gasPriceWei: chain.isNative ? await chain.gasPriceWei() : undefined,
      // An open task's price rises: it may come to pay.
      priceWei: price.maximumWei ?? price.amountWei,
    });
    if (refusal) throw new Refused(refusal);
    if (conditions.keyEpoch === 0) return undefined;
    const key = await chain.keyAt(owner, conditions.keyEpoch);
    if (key && !key.isRevoked) return key.publicKey;
    const message = `The owner's key ${conditions.keyEpoch} is ${key ? "revoked" : "not published"}.`;
    throw new Refused({ reason: "KeyRevoked", message });
  }

  /** Whoever takes what it need not take has to be able to end it in time: its collateral is at stake. */
  #requireTime({ task }: Entry): void {
    const { startBySeconds, completeBySeconds, durationSeconds } = task.terms.conditions;
    const { marginSeconds } = this.#bench.parts.policy;
    const spanSeconds = completeBySeconds - startBySeconds;
    const needed = (isLease(task.terms) ? 0 : durationSeconds) + marginSeconds;
    if (spanSeconds >= needed) return;
    const message = `It needs ${needed} s from its acceptance on; there are ${spanSeconds} s.`;
    throw new Refused({ reason: "NoCapacity", message });
  }

  // ---- Assigned: until the owner has published the key ----

  async #unseal(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const { chain, clock, windows } = this.#bench.parts;
    const { task, block } = entry;
    const started = performance.now();
    const { state, standing } = await this.#bench.live(entry, signal);
    if (!standing.isTaken) throw new TaskEnded(state);
    this.#takePlace(entry);
    if (state.status === Status.Assigned) {
      if (clock.now() <= state.sinceSeconds + windows.key) return REST;
      await this.#bench.send(entry, "expire", { data: chain.expire(task), signal });
      throw new TaskEnded(await chain.stateOf(task));
    }
    const path = join(this.#bench.folder(entry), HEADER);
    const published = await this.#bench.persist(entry, signal, standing.completeBySeconds, (attempt) =>
      chain.eventOf("PayloadKeyPublished", task.id, { fromBlock: block.number, signal: attempt }),
    );
    if (published === undefined) return REST;
    await writeFile(path, getBytes(published.header), { mode: 0o600 });
    return await this.#look(entry, { started, signal });
  }

  // ---- Fetched, running: accept, run ----

  async #run(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const { runner } = this.#bench.parts;
    const attempt = entry.facts.attempts ?? 1;
    const directory = this.#bench.runFolder(entry);
    if (await this.#isMetered(entry)) return this.#bench.advance(entry, "up", {});
    if (!(await exists(directory))) await this.#open(entry, { directory, signal });
    const manifest = await readManifest(directory);
    const { durationSeconds } = entry.task.terms.conditions;
    const isKeptUp = isLease(entry.task.terms);
    const seconds = isKeptUp ? 0 : Math.min(manifest.limits.seconds, durationSeconds);
    const running = await runner.adopt(directory);
    let sight = await this.#bench.live(entry, signal);

    if (running) this.#takePlace(entry);
    else if (sight.standing.role === "named" || sight.standing.isTaken) {
      await this.#awaitPlace(entry, sight, seconds, signal);
    }
    if (!sight.standing.isTaken && (isKeptUp || this.#acceptsFirst(entry))) {
      const taken = await this.#take(entry, signal);
      if (taken === REST) return REST;
      sight = taken;
    }
    if (running) this.#bench.emit(entry, "adopted", {});
    if (isKeptUp) return await this.#leases().prepare(entry, { directory, signal });
    const limits = { ...manifest.limits, seconds };
    const handle = running ?? (await runner.start({ directory, manifest, limits }));
    if (entry.step === "fetched") this.#bench.advance(entry, "running", {}, { runner: runner.name, attempt });
    this.#parts.onStep?.("running", entry.task.id);
    const outcome = await this.#outcomeOf(handle, entry, sight, signal);
    this.#giveBackPlace(entry.task.id);
    return this.#judgeRun(entry, outcome, attempt);
  }

  /** Waits for a place of this machine, as long as the work can still be begun in time. */
  async #awaitPlace(
    { task }: Entry,
    { state, standing }: Sight,
    seconds: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (this.#places.has(task.id)) return;
    const { clock, policy, windows } = this.#bench.parts;
    let latestStart = standing.acceptBySeconds - policy.marginSeconds;
    if (state.status === Status.Active) {
      latestStart = standing.completeBySeconds - seconds - policy.marginSeconds;
      // For as long as it can be given back at no cost, it is.
      const declinableUntil = state.sinceSeconds + windows.decline;
      if (clock.now() < declinableUntil)
        latestStart = Math.min(latestStart, declinableUntil - CLOSING_SECONDS);
    }
    const acquire = (late: AbortSignal): Promise<() => void> =>
      this.#parts.slots.acquire(standing.completeBySeconds, late);
    const leave = await clock.before(latestStart, signal, acquire).catch((error: unknown) => {
      if (!isNeuraError(error, "provider.late")) throw error;
      const message = "All places are taken until it is too late to begin.";
      throw new Refused({ reason: "NoCapacity", message });
    });
    this.#places.set(task.id, leave);
  }

  /** Takes a place for what is going on already, or must. */
  #takePlace({ task }: Entry): void {
    if (!this.#places.has(task.id)) this.#places.set(task.id, this.#parts.slots.take());
  }

  #giveBackPlace(taskId: string): void {
    this.#places.get(taskId)?.();
    this.#places.delete(taskId);
  }

  /** Whether the task must be the provider's before it is run: until then the owner can take it back. */
  #acceptsFirst({ task }: Entry): boolean {
    const { policy, account } = this.#bench.parts;
    const { always, fromWei, withCollateral } = policy.accept;
    // What others may take as well is nobody's work before it is somebody's.
    if (always || roleOf(task, account) !== "named") return true;
    if (withCollateral && task.terms.collateralWei > 0n) return true;
    return fromWei !== undefined && maximumCostWei(task.terms) >= fromWei;
  }

  /** Waits for the run. What is short needs no acceptance; what is not is accepted while it runs. */
  async #outcomeOf(handle: RunHandle, entry: Entry, found: Sight, signal: AbortSignal): Promise<RunOutcome> {
    const { clock, policy } = this.#bench.parts;
    let sight = found;
    const until = async (seconds: number): Promise<RunOutcome> =>
      await clock.before(seconds, signal, (late) => handle.wait({ signal: late }));
    if (!sight.standing.isTaken) {
      const acceptAt = Math.min(
        clock.now() + policy.accept.afterSeconds,
        sight.standing.acceptBySeconds - policy.marginSeconds,
      );
      try {
        return await until(acceptAt);
      } catch (error) {
        if (!isNeuraError(error, "provider.late")) throw error;
      }
      sight = await this.#accept(entry, signal);
    }
    return await until(sight.standing.completeBySeconds - CLOSING_SECONDS);
  }

  #judgeRun(entry: Entry, run: RunOutcome, attempt: number): Entry {
    if (run.kind !== "infrastructure-fault") {
      const outcome = OUTCOMES[run.kind];
      const facts = { outcome, runSeconds: run.secondsWall };
      return this.#bench.advance(entry, "ran", facts, {
        outcome,
        message: run.message,
        seconds: rounded(run.secondsWall),
        peakRssBytes: run.usage.peakRssBytes,
      });
    }
    this.#bench.parts.onHealth(false);
    if (attempt >= MAX_ATTEMPTS) throw new Refused({ reason: "InfrastructureFault", message: run.message });
    this.#bench.emit(entry, "retrying", { message: run.message }, "warn");
    return this.#bench.advance(entry, "fetched", { attempts: attempt + 1 });
  }

  // ---- Accepting ----

  /**
   * Makes the task the provider's. What others may take as well is taken when its price is worth it and a place is
   * free; until then there is nothing to do.
   */
  async #take(entry: Entry, signal: AbortSignal): Promise<Sight | typeof REST> {
    const { role } = (await this.#bench.live(entry, signal)).standing;
    if (role === "named") return await this.#accept(entry, signal);
    if (role === "candidate" && !(await this.#isWorth(entry, signal))) return REST;
    if (!this.#places.has(entry.task.id)) {
      const leave = this.#parts.slots.tryTake();
      if (leave === undefined) return REST;
      this.#places.set(entry.task.id, leave);
    }
    try {
      return await this.#accept(entry, signal);
    } catch (error) {
      // Another was faster, or the registry has a reason that can pass: no slot, no free stake.
      const name = isNeuraError(error) ? String(error.details["error"]) : "";
      if (!/^(ProviderRegistry_|TaskMarket_WrongStatus)/.test(name)) throw error;
      this.#giveBackPlace(entry.task.id);
      this.#bench.emit(entry, "waiting", { step: entry.step, ...describe(error) }, "debug");
      return REST;
    }
  }

  async #accept(entry: Entry, signal: AbortSignal): Promise<Sight> {
    const { account, chain } = this.#bench.parts;
    const { task } = entry;
    const { role, acceptBySeconds: until } = (await this.#bench.live(entry, signal)).standing;
    if (role === "backup") {
      await this.#bench.send(entry, "takeOver", { data: chain.takeOver(task, account), until, signal });
    } else {
      const data = role === "named" ? chain.accept(task) : chain.acceptOpen(task, account);
      await this.#bench.send(entry, "accept", { data, until, signal });
    }
    this.#bench.emit(entry, "accepted", {});
    return await this.#bench.live(entry, signal);
  }

  /** Whether an open task pays at the price of the newest block. */
  async #isWorth(entry: Entry, signal: AbortSignal): Promise<boolean> {
    const { account, chain, clock, policy } = this.#bench.parts;
    const { task, block } = entry;
    const submittedAtSeconds =
      entry.facts.submittedAtSeconds ?? (await chain.timeOf(block.number)) ?? clock.now();
    this.#bench.parts.journal.learn(task.id, { submittedAtSeconds });
    const { state } = await this.#bench.live(entry, signal);
    const { offer } = await chain.registrationOf(account);
    const refusal = judgeTerms(task, {
      policy,
      offer,
      feeBps: state.feeBps,
      gasPriceWei: chain.isNative ? await chain.gasPriceWei() : undefined,
      priceWei: priceAtWei(task.terms, { submittedAtSeconds, atSeconds: clock.now() }),
    });
    return refusal === undefined;
  }

  // ---- Leases ----

  #leases(): Leases {
    const { leases } = this.#parts;
    if (leases) return leases;
    throw new Refused({ reason: "RequirementsUnmet", message: "No leases are kept up here." });
  }

  /** Whether its owner was told already that the lease is ready, by a process that was killed then. */
  async #isMetered({ step, task }: Entry): Promise<boolean> {
    if (step !== "running" || !isLease(task.terms)) return false;
    return (await this.#bench.parts.chain.leaseOf(task.id)).readyAtSeconds !== 0;
  }

  async #keepUp(entry: Entry, signal: AbortSignal): Promise<unknown> {
    this.#takePlace(entry);
    return await this.#leases().keep(entry, signal);
  }

  // ---- Ran: make the result ----

  async #seal(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const { runner } = this.#bench.parts;
    const { hardware } = this.#parts;
    const { task, facts } = entry;
    const directory = this.#bench.runFolder(entry);
    const handle = await runner.adopt(directory);
    const { inputRoot, outcome } = facts;
    if (handle === undefined || inputRoot === undefined || outcome === undefined) {
      throw new NeuraError("provider.lost-run", "The folder of a run that ended is gone.");
    }
    const [manifest, run] = await Promise.all([readManifest(directory), handle.wait({ signal })]);
    const drawNonce = hexlify(randomBytes(32));
    const { ownerKey } = facts;
    const source = { task, manifest, directory, run, outcome, inputRoot, ownerKey, drawNonce };
    const { resultHash, evidenceHash, evidence, sizeBytes } = await sealResult(
      { ...source, runner, hardware },
      { path: this.#bench.resultPath(entry), signal },
    );
    return this.#bench.advance(
      entry,
      "sealed",
      { drawNonce, resultHash, evidenceHash, evidence },
      { resultHash, sizeBytes },
    );
  }

  // ---- Sealed: store ----

  async #upload(entry: Entry, signal: AbortSignal): Promise<Entry> {
    const path = this.#bench.resultPath(entry);
    const started = performance.now();
    const actual = await hashOf(path, entry).catch(() => undefined);
    // Nobody has seen it yet, so it can be made again.
    if (actual !== entry.facts.resultHash) return this.#bench.advance(entry, "ran", {});
    this.#bench.emit(entry, "uploading", {});
    const { clock, policy } = this.#bench.parts;
    const storage = await this.#parts.storage();
    let sight = await this.#bench.live(entry, signal);
    const isTight = clock.now() + policy.marginSeconds > sight.standing.acceptBySeconds;
    if (!sight.standing.isTaken && isTight) sight = await this.#accept(entry, signal);
    const until = this.#bench.lastSecond(sight) - CLOSING_SECONDS;
    return await this.#bench.persist(entry, signal, until, async (attempt) => {
      const leave = await this.#parts.transfers.acquire(sight.standing.completeBySeconds, attempt);
      try {
        const stored = await storage.put(path, { resume: `${path}.upload`, signal: attempt });
        await storage.readBack(stored, { signal: attempt });
        const { uri, sizeBytes } = stored;
        const seconds = secondsSince(started);
        return this.#bench.advance(entry, "uploaded", { resultUri: uri }, { uri, sizeBytes, seconds });
      } finally {
        leave();
      }
    });
  }

  // ---- Uploaded: deliver ----

  async #deliver(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const { chain } = this.#bench.parts;
    const { task, facts } = entry;
    const { outcome, resultHash, evidenceHash, resultUri, runSeconds } = facts;
    if (!outcome || !resultHash || !evidenceHash || !resultUri || runSeconds === undefined) {
      throw new Error(`the journal lacks what ${task.id} is to deliver`);
    }
    const started = performance.now();
    let secondsUsed = Math.min(Math.ceil(runSeconds), task.terms.conditions.durationSeconds);
    for (;;) {
      const sight = await this.#bench.live(entry, signal);
      if (sight.state.status === Status.Delivered || sight.state.status === Status.Disputed)
        return this.#bench.advance(entry, "delivered", {});
      if (!sight.standing.isTaken) await this.#requireStake(entry);
      const report = { outcome: Outcome[outcome], secondsUsed };
      const data = chain.deliver(task, { report, resultHash, evidenceHash, result: resultUri });
      try {
        await this.#bench.send(entry, "deliver", { data, until: this.#bench.lastSecond(sight), signal });
        const after = await this.#bench.look(entry, signal);
        if (!after.standing.isOver) return this.#bench.advance(entry, "delivered", {});
        await this.#bench.end(entry, after);
        return undefined;
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

  /** What can be challenged is at stake from its delivery on, though it was never accepted. */
  async #requireStake({ task }: Entry): Promise<void> {
    const { collateralWei, conditions } = task.terms;
    if (conditions.challengePeriodSeconds === undefined || collateralWei === 0n) return;
    const { account, chain } = this.#bench.parts;
    const { freeStakeWei } = (await chain.registrationOf(account)).offer;
    if (freeStakeWei >= collateralWei) return;
    const message = `It asks for ${collateralWei} wei of collateral; ${freeStakeWei} wei of stake are free.`;
    throw new Refused({ reason: "RequirementsUnmet", message });
  }

  // ---- Closing: decline or abandon ----

  async #close(entry: Entry, signal: AbortSignal): Promise<void> {
    const { chain, clock, policy, windows } = this.#bench.parts;
    const { task, facts } = entry;
    const sight = await this.#bench.live(entry, signal);
    const { state, standing } = sight;
    const { isTaken, completeBySeconds } = standing;
    if (!isTaken && standing.role !== "named") {
      await this.#bench.pass(entry);
      return;
    }
    if (!isTaken && !policy.decline) {
      await this.#bench.finish(entry, "ignored", {});
      return;
    }
    const declinableUntil = !isTaken
      ? standing.acceptBySeconds
      : state.status === Status.Assigned
        ? state.sinceSeconds + windows.key
        : Math.min(state.sinceSeconds + windows.decline, completeBySeconds);
    // Who takes an open task that is not sealed could read it before.
    const isBinding = isTaken && isOpen(task.terms) && task.terms.conditions.isSealed !== true;
    if (!isBinding && clock.now() <= declinableUntil) {
      const data = chain.decline(task, Outcome[facts.outcome ?? "InfrastructureFault"]);
      await this.#bench.send(entry, "decline", { data, until: declinableUntil, signal });
    } else {
      await this.#bench.send(entry, "abandon", {
        data: chain.abandon(task),
        until: completeBySeconds,
        signal,
      });
    }
    await this.#bench.end(entry, await this.#bench.look(entry, signal));
  }

  // ---- Ends ----

  /** What an error in a step means for the task. */
  async #leave(entry: Entry, error: unknown, signal: AbortSignal): Promise<void> {
    const { clock, journal, onHealth } = this.#bench.parts;
    if (error instanceof TaskEnded) {
      await this.#bench.end(entry, await this.#bench.look(entry, signal));
      return;
    }
    // The work goes on without a node that stops.
    signal.throwIfAborted();
    const isEarly = ["found", "assigned", "fetched", "running"].includes(entry.step);
    const refusal = isEarly || error instanceof Refused ? refusalIn(error) : undefined;
    if (refusal) {
      if (refusal.reason === "InfrastructureFault") onHealth(false);
      // What is others' as well is left to them without a word.
      if (await this.#isOthers(entry, signal)) await this.#bench.pass(entry, { ...refusal });
      else await this.#refuse(entry, refusal, error);
      return;
    }
    const sight = await this.#bench.look(entry, signal);
    const { standing } = sight;
    if (standing.isOver) {
      await this.#bench.end(entry, sight);
      return;
    }
    const lastSecond = entry.step === "up" ? Infinity : this.#bench.lastSecond(sight);
    if (clock.now() > lastSecond || isNeuraError(error, "task.too-late")) {
      await this.#bench.stopRun(entry, "it is too late");
      if (standing.role !== "named" && !standing.isTaken) {
        await this.#bench.pass(entry, describe(error));
        return;
      }
      // Whoever calls expire or fail ends it on the chain; the provider can do nothing more.
      const outcome = standing.isTaken ? "ProviderLate" : "NotAccepted";
      await this.#bench.finish(
        entry,
        "late",
        { outcome, error: describe(error) },
        { outcome, ...describe(error) },
      );
      return;
    }
    const isUrgent = clock.now() + CLOSING_SECONDS >= lastSecond;
    const faults = (entry.facts.faults ?? 0) + (isPassing(error) ? 0 : 1);
    this.#bench.emit(
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
    if (isLost && !KEPT.has(entry.step)) {
      await this.#refuse(entry, { reason: "InfrastructureFault", message: messageOf(error) }, error);
    } else {
      await sleep(Math.min(FAULT_PAUSE_MS * 2 ** faults, MAX_PAUSE_MS), undefined, { signal });
    }
  }

  /** Whether others may do the task, and this provider has not accepted it. */
  async #isOthers(entry: Entry, signal: AbortSignal): Promise<boolean> {
    if (roleOf(entry.task, this.#bench.parts.account) === "named") return false;
    return !(await this.#bench.look(entry, signal)).standing.isTaken;
  }

  async #refuse(entry: Entry, refusal: Refusal, error: unknown): Promise<void> {
    await this.#bench.stopRun(entry, refusal.message);
    if (refusal.reason === "PayloadUnreadable") await this.#show(entry);
    const cause = error instanceof Refused ? error.cause : error;
    this.#toClosing(entry, refusal, isNeuraError(cause) ? cause.code : "provider.refused");
  }

  /** Keeps what the owner can check, before the payload is forgotten. */
  async #show(entry: Entry): Promise<void> {
    const { account, chain } = this.#bench.parts;
    const folder = this.#bench.folder(entry);
    try {
      const path = await keepOpening(entry.task, {
        path: join(folder, PAYLOAD),
        header: await readFile(join(folder, HEADER)).catch(() => undefined),
        keys: await this.#parts.keys(),
        account,
        domain: { chainId: BigInt(chain.deployment.chainId), market: chain.market },
        directory: this.#parts.openings,
      });
      this.#bench.emit(entry, "shown", { path });
    } catch (error) {
      // The task is declined without it.
      this.#bench.emit(entry, "trouble", describe(error), "warn");
    }
  }

  #toClosing(entry: Entry, { reason, message }: Refusal, code: string): void {
    this.#bench.advance(
      entry,
      "closing",
      { outcome: reason, error: { code, message } },
      { reason, code, message },
    );
  }
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
