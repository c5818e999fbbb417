import { randomBytes, randomInt } from "node:crypto";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { AbiCoder, hexlify, keccak256, toBeHex } from "ethers";

import { IJury__factory } from "../../types/factories/interfaces/IJury__factory.ts";
import type { IJury } from "../../types/interfaces/IJury.ts";
import { readLogs } from "../chain/logs.ts";
import type { Sender } from "../chain/sender.ts";
import type { KeyPair } from "../envelope/index.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { juryData } from "../jury/calls.ts";
import {
  decodePanel,
  type JuryCase,
  JURY_DRAWN_TOPIC,
  juryOf,
  movesOf,
  type Panel,
  readCase,
  Step,
} from "../jury/case.ts";
import {
  announcedEvidence,
  type Fault,
  fetchHandOver,
  type Handed,
  jurorsOf,
  openHandedPayload,
  openHandedResult,
} from "../jury/hand-over.ts";
import {
  fingerprintOfFault,
  fingerprintOfRedone,
  readRedone,
  type Redo,
  type Redone,
  redoOf,
  UNDECIDED,
  verdictOf,
} from "../jury/verdict.ts";
import type { Manifest } from "../manifest.ts";
import type { MarketContext } from "../market/context.ts";
import { taskStatus, type TaskStatus } from "../market/status.ts";
import type { Calibration } from "../verify/calibration.ts";
import type { ChainClock } from "./clock.ts";
import type { Head } from "./feed.ts";
import { Duties, type Duty } from "./juror/duties.ts";
import type { Level, NodeEvent } from "./log.ts";
import { type OwnKey, readManifest } from "./payload.ts";
import type { JuryPolicy } from "./policy.ts";
import type { Runner, RunOutcome } from "./runner/runner.ts";
import type { Slots } from "./slots.ts";

/** What serving as juror takes. */
export interface JurorParts {
  /** Reads the chain and the storage. */
  readonly context: MarketContext;
  /** The account that votes, and sends. */
  readonly voter: string;
  readonly sender: Sender;
  readonly clock: ChainClock;
  readonly runner: Runner;
  /** Names of the applications that the runner has. */
  readonly applications: readonly string[];
  /** Of the node, which its own tasks take too. */
  readonly slots: Slots;
  readonly keys: () => Promise<readonly OwnKey[]>;
  readonly calibrations: readonly Calibration[];
  readonly policy: JuryPolicy;
  readonly maxGasWei: bigint;
  readonly marginSeconds: number;
  /** Holds the record, and a folder for each duty while there is something to do. */
  readonly directory: string;
  readonly emit: (event: NodeEvent) => void;
  /** Called when something is on record, before it is used. */
  readonly onStep?: ((step: JurorStep, key: string) => void) | undefined;
}

export type JurorStep = "decided" | "judged";

const PAYLOAD = "payload";
const RESULT = "result";
const OPENED = "opened";
/** After a restart so many blocks are read again: a reorganisation may have passed unseen. */
const REREAD_BLOCKS = 512;
/** With so little time left, what cannot be fetched is not there; of a payload, once there is none to do the work either. */
const LAST_SECONDS = 90;
/** But at most this part of a step. */
const LAST_PART = 0.5;
const MAX_RUNS = 2;
const REST_MS = 5_000;
const JURY = IJury__factory.createInterface();

/** This node cannot do the work of a panel: its seat will be silent. */
class Unable extends NeuraError {
  constructor(message: string) {
    super("jury.unable", message, {
      next: "Its seat is fined: leave what this machine cannot do with `jury leave`.",
    });
  }
}

/**
 * Serves for the seats that vote with the node's key: looks for panels, does the units again in the node's own sandbox,
 * commits once, votes as follows from the method, and finishes the case if nobody else does. All that was decided is on
 * record before it is sent; what the chain says of a case decides what is due.
 */
export class Juror {
  readonly #parts: JurorParts;
  readonly #duties: Duties;
  readonly #jury: IJury;
  readonly #address: string;
  /** Of duties in work, what ends when they rest. */
  readonly #inWork = new Map<string, Promise<void>>();
  /** A case as it was read last, with what of the chain it was read for. */
  readonly #seen = new Map<string, { word: string; found: JuryCase; status: TaskStatus }>();
  /** At which block each duty was looked at last, and when. */
  readonly #looked = new Map<string, { hash: string; at: number }>();
  /** How often its work was begun here and failed. */
  readonly #runs = new Map<string, number>();
  /** Duties whose case the chain does not have any more, after a reorganisation. */
  readonly #gone = new Set<string>();
  #placesTaken = 0;
  readonly #finishAt = new Map<string, number>();
  readonly #troubles = new Map<string, string>();
  #readTo: number;
  #head: string | undefined;

  private constructor(parts: JurorParts, duties: Duties, address: string) {
    const { deployment, provider } = parts.context;
    this.#parts = parts;
    this.#duties = duties;
    this.#address = address;
    this.#jury = juryOf(deployment, provider);
    this.#readTo = Math.max(deployment.block, (duties.readTo() ?? 0) - REREAD_BLOCKS) - 1;
  }

  /** Takes up what is on record. Errors: `jury.none`, `store.version`. */
  static async open(parts: JurorParts): Promise<Juror> {
    const { context, directory } = parts;
    const address = await juryOf(context.deployment, context.provider).getAddress();
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const duties = await Duties.open(
      join(directory, "jury.sqlite"),
      `${context.deployment.chainId}:${address}`,
    );
    const kept = new Set(duties.open().map(panelKey));
    for (const entry of await readdir(directory, { withFileTypes: true }))
      if (entry.isDirectory() && !kept.has(entry.name))
        await rm(join(directory, entry.name), { recursive: true });
    return new Juror(parts, duties, address);
  }

  /** Ends what waits; runs go on without it. The signal of `beat` has fired by then. */
  async close(): Promise<void> {
    await Promise.all(this.#inWork.values());
    this.#duties.close();
  }

  /** Whether it owes something to a panel. */
  isBusy(): boolean {
    return this.#duties.open().some(({ key, facts }) => facts.unable === undefined && !this.#gone.has(key));
  }

  /** How many of the node's slots its work takes now. */
  get placesTaken(): number {
    return this.#placesTaken;
  }

  /** Blocks from here on are others than those that were read. */
  rewind(fromBlock: number): void {
    this.#readTo = Math.min(this.#readTo, fromBlock - 1);
    this.#seen.clear();
  }

  /** Looks for new panels, and goes on with what is due. */
  async beat(head: Head, signal: AbortSignal): Promise<void> {
    await this.#watch(head, signal);
    const open = this.#duties.open();
    for (const panel of new Set(open.map(panelKey))) {
      const duties = open.filter((duty) => panelKey(duty) === panel);
      if (this.#inWork.has(panel) || !this.#isNews(panel, head.hash)) continue;
      const ended = this.#attemptEach(duties, signal).finally(() => this.#inWork.delete(panel));
      this.#inWork.set(panel, ended);
    }
  }

  /** One after the other: the work of a panel is done once, whatever places its voter has. */
  async #attemptEach(duties: readonly Duty[], signal: AbortSignal): Promise<void> {
    for (const { key } of duties) {
      const duty = this.#duties.get(key);
      if (duty !== undefined) await this.#attempt(duty, signal);
    }
  }

  /** The other places of the same panel. */
  #siblings(duty: Duty): Duty[] {
    return this.#duties.open().filter((each) => each.key !== duty.key && panelKey(each) === panelKey(duty));
  }

  /** Some chains make no block while nothing happens; time passes all the same. */
  #isNews(key: string, hash: string): boolean {
    const looked = this.#looked.get(key);
    const now = performance.now();
    if (looked?.hash === hash && now - looked.at < REST_MS) return false;
    this.#looked.set(key, { hash, at: now });
    return true;
  }

  async #watch({ number, hash }: Head, signal: AbortSignal): Promise<void> {
    if (hash === this.#head || number <= this.#readTo) return;
    const { context, voter } = this.#parts;
    const query = {
      ...{ provider: context.provider, address: this.#address, topics: [JURY_DRAWN_TOPIC] },
      ...{ fromBlock: this.#readTo + 1, toBlock: number, signal },
    };
    for await (const { logs, toBlock } of readLogs(query)) {
      for (const log of logs) {
        const { id, panel } = decodePanel(log);
        for (const [position, each] of panel.voters.entries()) {
          const seat = panel.seats[position];
          if (each === voter && seat !== undefined) this.#note(id, panel, { position, seat });
        }
      }
      this.#duties.noteReadTo(toBlock);
      this.#readTo = toBlock;
    }
    this.#head = hash;
  }

  #note(taskId: string, { round, seed }: Panel, place: { position: number; seat: number }): void {
    const key = `${panelKey({ taskId, round, seed })}-${place.position}`;
    const isNew = this.#duties.add({ key, taskId, round, seed, ...place });
    if (isNew) this.#emit({ taskId, key }, "summoned", { round, ...place }, "info");
  }

  // ---- A duty ----

  async #attempt(duty: Duty, signal: AbortSignal): Promise<void> {
    try {
      await this.#goOn(duty, signal);
      this.#troubles.delete(duty.key);
    } catch (error) {
      if (signal.aborted) return;
      // The next block tells whether it passes.
      this.#seen.delete(duty.taskId);
      if (error instanceof Unable) {
        this.#duties.learn(duty.key, { unable: error.message });
        this.#emit(
          duty,
          "unable",
          { code: error.code, message: error.message, next: error.next ?? "" },
          "error",
        );
      } else if (this.#troubles.get(duty.key) !== messageOf(error)) {
        this.#troubles.set(duty.key, messageOf(error));
        this.#emit(duty, "trouble", { message: messageOf(error) }, "warn");
      }
    }
  }

  async #goOn(duty: Duty, signal: AbortSignal): Promise<void> {
    const looked = await this.#look(duty, signal);
    if (looked === undefined) {
      this.#gone.add(duty.key);
      return;
    }
    this.#gone.delete(duty.key);
    const { found, status } = looked;
    if (found.step === Step.Ended) {
      await this.#end(duty, found);
      return;
    }
    // Another panel is in its place, or none again: after a reorganisation.
    if (found.panels[duty.round]?.seed !== duty.seed) return;
    const now = this.#parts.clock.now();
    const moves = movesOf(found, now);
    if (found.round === duty.round && duty.facts.unable === undefined) {
      const ours = moves.find(({ positions }) => positions?.includes(duty.position) === true);
      const until = ours?.untilSeconds ?? now;
      const seen = { found, status, until };
      if (ours?.action === "commit") await this.#commit(duty, seen, signal);
      if (ours?.action === "reveal") await this.#reveal(duty, seen, signal);
      if (ours !== undefined) return;
    }
    const close = moves.find(({ action }) => action === "finish" || action === "lapse")?.action;
    if (close === "finish" || close === "lapse") await this.#close(duty, { status, action: close }, signal);
  }

  /** The case, read anew when something of it has changed; nothing where the chain has none. */
  async #look(
    { taskId }: Duty,
    signal: AbortSignal,
  ): Promise<{ found: JuryCase; status: TaskStatus } | undefined> {
    const { context } = this.#parts;
    const { step, until, round } = await this.#jury.caseOf(taskId);
    if (Number(step) === Step.None) return undefined;
    const word = `${step}:${until}:${round}`;
    const seen = this.#seen.get(taskId);
    if (seen?.word === word) return seen;
    const status = await taskStatus(context, taskId, { signal });
    const fromBlock = status.phases.find(({ phase }) => phase === "disputed")?.block;
    const found = await readCase(context, taskId, {
      ...(fromBlock === undefined ? {} : { fromBlock }),
      signal,
    });
    this.#seen.set(taskId, { word, found, status });
    return { found, status };
  }

  // ---- Committing ----

  async #commit(duty: Duty, seen: Seen, signal: AbortSignal): Promise<void> {
    const { salt, fingerprint } =
      duty.facts.salt === undefined ? await this.#decide(duty, seen, signal) : duty.facts;
    const { taskId, round, position, seat } = duty;
    const values = [taskId, round, seat, fingerprint, salt];
    const hash = keccak256(
      AbiCoder.defaultAbiCoder().encode(["bytes32", "uint256", "uint256", "uint256", "bytes32"], values),
    );
    const commitment = toBeHex((BigInt(hash) >> 1n) << 1n, 32);
    const data = JURY.encodeFunctionData("commit", [taskId, position, commitment]);
    await this.#send(duty, "juryCommit", { data, until: seen.until, signal });
    this.#emit(duty, "committed", {}, "info");
  }

  /** What it commits to, on record before anybody sees its hash. */
  async #decide(duty: Duty, seen: Seen, signal: AbortSignal): Promise<Duty["facts"]> {
    const same = this.#siblings(duty).find(({ facts }) => facts.fingerprint !== undefined)?.facts;
    const made = same ?? (await this.#make(duty, seen, signal));
    const { fingerprint, providerBps, why } = made;
    const facts = { fingerprint, salt: hexlify(randomBytes(32)), providerBps, why };
    const known = this.#duties.learn(duty.key, facts).facts;
    this.#parts.onStep?.("decided", duty.key);
    return known;
  }

  async #make(
    duty: Duty,
    seen: Seen,
    signal: AbortSignal,
  ): Promise<Pick<Duty["facts"], "fingerprint" | "providerBps" | "why">> {
    const opened = await this.#payload(duty, seen, signal);
    if ("fault" in opened) {
      const { fault } = opened;
      return { fingerprint: toBeHex(fingerprintOfFault(fault, duty), 30), ...voteOf(fault) };
    }
    const redo = this.#redo(duty, seen, opened.value);
    const redone = redo.isDecidable ? await this.#redone(duty, { ...seen, redo }, signal) : UNDECIDED;
    return { fingerprint: toBeHex(fingerprintOfRedone(redo, redone, duty), 30) };
  }

  #redo({ seed }: Duty, { found, status }: Seen, manifest: Manifest): Redo {
    const { delivery } = status;
    const panel = found.panels[found.round];
    if (delivery === undefined || panel === undefined) throw new Error("a panel without a delivery");
    const evidence = announcedEvidence(panel, status);
    const { evidenceHash, outcome } = delivery;
    return redoOf({ manifest, seed, evidence, evidenceHash, outcome, named: found.dispute.unit });
  }

  /** The payload in its folder, opened once. */
  async #payload(duty: Duty, seen: Seen, signal: AbortSignal): Promise<Handed<Manifest>> {
    const { context } = this.#parts;
    const directory = join(this.#folder(duty), PAYLOAD);
    const present = await readManifest(directory).catch(() => undefined);
    if (present !== undefined) return { value: present };
    const isLastTry = this.#isLastTry(seen, seen.status.delivery?.secondsUsed);
    const { found } = seen;
    const handOver = await fetchHandOver(context, { found, of: "payload", isLastTry }, { signal });
    if ("fault" in handOver) return handOver;
    const key = await this.#key(duty, found);
    await mkdir(this.#folder(duty), { recursive: true, mode: 0o700 });
    const partial = join(this.#folder(duty), OPENED);
    await rm(partial, { recursive: true, force: true });
    const opened = await openHandedPayload(context, {
      ...{ found, status: seen.status, handOver: handOver.value, key, directory: partial, isLastTry, signal },
    });
    if ("fault" in opened) {
      await rm(partial, { recursive: true, force: true });
      return opened;
    }
    await rename(partial, directory);
    this.#emit(duty, "opened", { application: opened.value.manifest.application }, "debug");
    return { value: opened.value.manifest };
  }

  /** The node's key that the panel's headers are encrypted to. */
  async #key({ position }: Duty, found: JuryCase): Promise<KeyPair> {
    const panel = found.panels[found.round];
    const juror = panel && (await jurorsOf(this.#parts.context, panel))[position];
    const publicKey = juror?.publicKey === undefined ? undefined : hexlify(juror.publicKey);
    const own = (await this.#parts.keys()).find((key) => key.publicKey === publicKey);
    if (own?.pair !== undefined) return own.pair;
    throw new Unable("The key that it would be handed over to is not on this machine.");
  }

  /** The work, done again where it was not yet. */
  async #redone(
    duty: Duty,
    { redo, status, until }: Seen & { redo: Redo },
    signal: AbortSignal,
  ): Promise<Redone> {
    const { runner, clock, slots, policy, applications, marginSeconds } = this.#parts;
    const directory = join(this.#folder(duty), PAYLOAD);
    const { manifest, units, share } = redo;
    const adopted = await runner.adopt(directory);
    const latest = until - marginSeconds;
    if (adopted === undefined) {
      if (!applications.includes(manifest.application))
        throw new Unable(`There is no application ${manifest.application} here.`);
      const expected = Math.ceil((status.delivery?.secondsUsed ?? 0) * share);
      const { maxUnits = Infinity, maxSeconds = Infinity } = policy;
      if (units.length > maxUnits) throw new Unable(`It has ${units.length} units, more than ${maxUnits}.`);
      if (expected > Math.min(maxSeconds, latest - clock.now()))
        throw new Unable(
          `It takes about ${expected} s; there are ${latest - clock.now()} s, and at most ${maxSeconds} s are given.`,
        );
    }
    const leave = adopted === undefined ? await slots.acquire(latest, signal) : slots.take();
    this.#placesTaken += 1;
    try {
      const seconds = Math.min(manifest.limits.seconds, status.terms.conditions.durationSeconds);
      const limits = { ...manifest.limits, seconds };
      const run = adopted ?? (await runner.start({ directory, manifest, limits }));
      if (adopted === undefined) this.#emit(duty, "redoing", { units: units.join() }, "info");
      const outcome = await clock
        .before(latest, signal, (late) => run.wait({ signal: late }))
        .catch(async (error: unknown) => {
          // It goes on without a node that stops.
          if (!signal.aborted) await run.stop("There is no more time to commit.");
          throw error;
        });
      if (outcome.kind === "infrastructure-fault") await this.#failed(duty, outcome);
      return await readRedone(redo, outcome, { directory, signal });
    } finally {
      this.#placesTaken -= 1;
      leave();
    }
  }

  /** A fault of this machine: once more, from the start. */
  async #failed(duty: Duty, { message }: RunOutcome): Promise<never> {
    const runs = (this.#runs.get(duty.key) ?? 0) + 1;
    this.#runs.set(duty.key, runs);
    if (runs >= MAX_RUNS) throw new Unable(`The work failed ${runs} times: ${message}`);
    await rm(join(this.#folder(duty), PAYLOAD), { recursive: true, force: true });
    throw new NeuraError("jury.run", message);
  }

  // ---- Revealing ----

  async #reveal(duty: Duty, seen: Seen, signal: AbortSignal): Promise<void> {
    const { salt, fingerprint } = duty.facts;
    // Committed by a node whose record is lost: it can show nothing.
    if (salt === undefined || fingerprint === undefined)
      throw new Unable("What it committed to is not on record.");
    let { providerBps } = duty.facts;
    if (providerBps === undefined) {
      const vote = this.#voteOfSiblings(duty) ?? (await this.#judge(duty, seen, signal));
      providerBps = this.#duties.learn(duty.key, vote).facts.providerBps ?? vote.providerBps;
      this.#emit(duty, "judged", { ...vote }, "info");
      this.#parts.onStep?.("judged", duty.key);
    }
    const { taskId, position } = duty;
    const data = JURY.encodeFunctionData("reveal", [taskId, position, fingerprint, providerBps, salt]);
    await this.#send(duty, "juryReveal", { data, until: seen.until, signal });
    await this.#clear(duty);
    this.#emit(duty, "revealed", { providerBps }, "info");
  }

  #voteOfSiblings(duty: Duty): Vote | undefined {
    for (const { facts } of this.#siblings(duty)) {
      const { providerBps, why = "" } = facts;
      if (providerBps !== undefined) return { providerBps, why };
    }
    return undefined;
  }

  async #judge(duty: Duty, seen: Seen, signal: AbortSignal): Promise<Vote> {
    const { found, status } = seen;
    if (found.step === Step.Committing)
      return { providerBps: 10_000, why: "The owner did not open the result in its time." };
    try {
      return await this.#compare(duty, seen, signal);
    } catch (error) {
      if (signal.aborted || !this.#isLastTry(seen)) throw error;
      const { id } = status;
      return { providerBps: 10_000, why: `Nothing was found against ${id}: ${messageOf(error)}` };
    }
  }

  async #compare(duty: Duty, seen: Seen, signal: AbortSignal): Promise<Vote> {
    const { context, calibrations, runner } = this.#parts;
    const { found, status } = seen;
    const isLastTry = this.#isLastTry(seen);
    const handOver = await fetchHandOver(context, { found, of: "result", isLastTry }, { signal });
    if ("fault" in handOver) return voteOf(handOver.fault);
    const resultDirectory = join(this.#folder(duty), RESULT);
    await rm(resultDirectory, { recursive: true, force: true });
    const opened = await openHandedResult(context, {
      ...{ found, status, handOver: handOver.value, key: await this.#key(duty, found) },
      ...{ directory: resultDirectory, isLastTry, signal },
    });
    if ("fault" in opened) return voteOf(opened.fault);
    const { evidence } = opened.value;
    const { delivery } = status;
    if (evidence === undefined || delivery === undefined) throw new Error("a result without its evidence");
    const payloadDirectory = join(this.#folder(duty), PAYLOAD);
    const manifest = await readManifest(payloadDirectory);
    const redo = this.#redo(duty, seen, manifest);
    let redone = UNDECIDED;
    if (redo.isDecidable) {
      const run = await runner.adopt(payloadDirectory);
      if (run === undefined) throw new Error("the run is gone");
      redone = await readRedone(redo, await run.wait({ signal }), { directory: payloadDirectory, signal });
    }
    const { providerBps, why } = await verdictOf({
      ...{ redo, redone, manifest, evidence, payloadDirectory, resultDirectory, calibrations, signal },
      outcome: delivery.outcome,
    });
    return { providerBps, why };
  }

  // ---- Ends ----

  /** Has the market told and everybody paid, after a while in which somebody else may. */
  async #close(
    duty: Duty,
    { status, action }: { status: TaskStatus; action: "finish" | "lapse" },
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, policy } = this.#parts;
    const { delivery, terms, work } = status;
    if (delivery === undefined) return;
    const key = `${duty.key}:${action}`;
    const at = this.#finishAt.get(key) ?? clock.now() + randomInt(policy.finishSeconds + 1);
    this.#finishAt.set(key, at);
    if (clock.now() < at) return;
    const data = juryData[action]({ task: { terms, work }, delivered: { ...delivery, report: delivery } });
    try {
      await this.#send(duty, action === "finish" ? "juryFinish" : "juryLapse", { data, signal });
    } catch (error) {
      // Somebody else was faster.
      if (!isNeuraError(error, "jury.wrong-step")) throw error;
      this.#seen.delete(duty.taskId);
    }
  }

  async #end(duty: Duty, { ended }: JuryCase): Promise<void> {
    this.#duties.finish(duty.key);
    await this.#clear(duty);
    this.#seen.delete(duty.taskId);
    const { isRuled = false, providerBps = 0 } = ended ?? {};
    this.#emit(duty, "ended", { isRuled, providerBps }, "info");
  }

  /** Nothing of another's task stays. */
  async #clear(duty: Duty): Promise<void> {
    const isNeeded = this.#siblings(duty).some(
      ({ facts }) => facts.unable === undefined && facts.providerBps === undefined,
    );
    // Once one has judged, the others vote alike.
    if (isNeeded && this.#duties.get(duty.key)?.facts.providerBps === undefined) return;
    const folder = this.#folder(duty);
    await (await this.#parts.runner.adopt(join(folder, PAYLOAD)).catch(() => undefined))?.stop("It is over.");
    await rm(folder, { recursive: true, force: true });
  }

  async #send(
    { key, taskId }: Duty,
    verb: string,
    { data, until, signal }: { data: string; until?: number; signal: AbortSignal },
  ): Promise<void> {
    const { sender, maxGasWei } = this.#parts;
    const call = {
      purpose: `${verb}:${key}`,
      to: this.#address,
      data,
      maxSpendWei: maxGasWei,
      untilSeconds: until,
    };
    await sender.send(call, { signal });
    // Whatever was read is older.
    this.#seen.delete(taskId);
  }

  /** Whether there will be no time to try again, and then for work of so many seconds. */
  #isLastTry({ found, until }: Seen, seconds = 0): boolean {
    const last = Math.max(LAST_SECONDS, seconds + this.#parts.marginSeconds);
    return this.#parts.clock.now() > until - Math.min(last, LAST_PART * found.rules.stepSeconds);
  }

  #folder(duty: Duty): string {
    return join(this.#parts.directory, panelKey(duty));
  }

  #emit(
    { taskId }: Pick<Duty, "taskId" | "key">,
    event: string,
    fields: Omit<NodeEvent, "level" | "event">,
    level: Level,
  ): void {
    this.#parts.emit({ level, event: `juror-${event}`, task: taskId, ...fields });
  }
}

/** Names a panel, and its folder: of one draw, so that another one after a reorganisation is another. */
function panelKey({ taskId, round, seed }: Pick<Duty, "taskId" | "round" | "seed">): string {
  return `${taskId.slice(2, 34)}-${round}-${seed.slice(2, 18)}`;
}

interface Seen {
  readonly found: JuryCase;
  readonly status: TaskStatus;
  /** The last second of what is due now [Unix s]. */
  readonly until: number;
}

interface Vote {
  readonly providerBps: number;
  readonly why: string;
}

function voteOf({ providerBps, code, message }: Fault): Vote {
  return { providerBps, why: `${code}: ${message}` };
}
