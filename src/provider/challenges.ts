import { rm } from "node:fs/promises";
import { join } from "node:path";
import { ZeroAddress } from "ethers";

import { isNeuraError, messageOf } from "../errors.ts";
import { type Draw, eligibleFor, juryData } from "../jury/calls.ts";
import { type JuryCase, juryOf, movesOf, PANEL_SIZES, readCase } from "../jury/case.ts";
import { isBeforeJury } from "../jury/check.ts";
import { HALF_BPS, tallyOf } from "../jury/tally.ts";
import { Status } from "../market/outcome.ts";
import type { Delivered } from "./chain-view.ts";
import type { Entry } from "./journal.ts";
import { type OpenedPayload, readManifest } from "./payload.ts";
import type { RunKind, RunOutcome } from "./runner/runner.ts";
import { unitsOfRun } from "./units.ts";
import { REST, type Sight, type Workbench } from "./workbench.ts";

/** The steps of a case take hours. */
const LOOK_SECONDS = 30;
/** Where the work is done again, below the task's folder. */
const RECHECK = "recheck";
const FICKLE: ReadonlySet<RunKind> = new Set(["owner-time-limit", "owner-out-of-memory"]);

/**
 * Deliveries that are not paid at once: waits for the end of the challenge period and settles; where the owner disputes
 * one, does the work again, and concedes where it does not come out as it was delivered.
 */
export class Challenges {
  readonly #bench: Workbench;
  /** When a case before the jury is looked at again, by task [Unix s]. */
  readonly #lookAt = new Map<string, number>();
  readonly #open: (entry: Entry, directory: string, signal: AbortSignal) => Promise<OpenedPayload>;

  constructor(
    bench: Workbench,
    {
      open,
    }: {
      /** Lays the payload's files into a folder. */
      open: (entry: Entry, directory: string, signal: AbortSignal) => Promise<OpenedPayload>;
    },
  ) {
    this.#bench = bench;
    this.#open = open;
  }

  /** Does what is due for a delivery. */
  async watch(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const sight = await this.#bench.look(entry, signal);
    if (sight.standing.isOver) {
      await this.#bench.end(entry, sight);
      return undefined;
    }
    const delivered = await this.#bench.persist(entry, signal, Infinity, () => this.#bench.deliveryOf(entry));
    if (delivered === undefined) {
      // A reorganisation took the delivery out.
      return this.#bench.advance(entry, "uploaded", {});
    }
    if (sight.state.status === Status.Disputed) return await this.#answer(entry, sight, delivered, signal);
    const { sinceSeconds } = sight.state;
    const { challengePeriodSeconds = 0 } = entry.task.terms.conditions;
    const { chain, clock } = this.#bench.parts;
    if (clock.now() <= sinceSeconds + challengePeriodSeconds) return REST;
    await this.#finish(entry, "settle", chain.settle(entry.task, delivered), signal);
    return undefined;
  }

  /** A dispute: concedes in time, or stands by the work and waits for the ruling. */
  async #answer(entry: Entry, { state }: Sight, delivered: Delivered, signal: AbortSignal): Promise<unknown> {
    const { chain, clock, windows, journal } = this.#bench.parts;
    const { task, block } = entry;
    const concedeBySeconds = state.sinceSeconds + windows.concession;
    let { dispute } = entry.facts;
    if (dispute === undefined) {
      const options = { fromBlock: block.number, signal };
      const event = await chain.eventOf("TaskDisputed", task.id, options);
      if (event === undefined) return REST;
      const { unit, bondWei, rulingBySeconds } = event.dispute;
      this.#bench.emit(entry, "disputed", { unit, bondWei, rulingBySeconds }, "warn");
      const isRight = await this.#recheck(entry, { unit, until: concedeBySeconds }, signal);
      dispute = { unit: `${unit}`, isRight };
      journal.learn(task.id, { dispute });
    }
    if (!dispute.isRight && clock.now() <= concedeBySeconds) {
      await this.#finish(entry, "concede", chain.concede(task, delivered), signal, concedeBySeconds);
      return undefined;
    }
    const rulingBySeconds = await chain.rulingBySeconds(task.id);
    if (clock.now() <= rulingBySeconds) {
      if (!isBeforeJury(chain, task.terms.arbiter)) return REST;
      const { isRight } = dispute;
      if (!(await this.#plead(entry, { delivered, isRight }, signal))) return REST;
      await this.#bench.end(entry, await this.#bench.look(entry, signal));
      return undefined;
    }
    await this.#finish(entry, "resolve", chain.resolve(task, delivered), signal);
    return undefined;
  }

  /**
   * A dispute before the jury: shows the node's half of its seed, where the work is right, and appeals a first panel that finds
   * otherwise; has the case lapse where the owner did not do its part; finishes it. Says whether the case, and the task with it, has come to its end.
   */
  async #plead(
    entry: Entry,
    { delivered, isRight }: { delivered: Delivered; isRight: boolean },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { chain, clock } = this.#bench.parts;
    const { task, block, facts } = entry;
    if (clock.now() < (this.#lookAt.get(task.id) ?? 0)) return false;
    const options = { fromBlock: block.number, signal };
    const found = await this.#bench.persist(entry, signal, Infinity, () => readCase(chain, task.id, options));
    this.#lookAt.set(task.id, clock.now() + LOOK_SECONDS);
    const { evidence, drawNonce } = facts;
    const disputed = { task, delivered };
    const to = found.jury;
    for (const { who, action, untilSeconds: until } of movesOf(found, clock.now())) {
      try {
        if (who === "provider" && action === "draw" && isRight) {
          // What was sealed by a node of before is not known any more: the case goes on without its half.
          if (evidence === undefined || drawNonce === undefined) continue;
          const { eligible } = await eligibleFor(juryOf(chain.deployment, chain.provider), task);
          const { auditSeed } = found.dispute;
          const data = juryData.draw(disputed, { evidence, auditSeed, drawNonce, eligible });
          await this.#bench.send(entry, "juryDraw", { data, to, signal, ...(until ? { until } : {}) });
        } else if (action === "appeal" && isRight && this.#bench.parts.policy.appeal) {
          const appealed = appealOf(found);
          // Of a token it would have to approve, and pay, what its policy says nothing of.
          if (appealed === undefined || chain.deployment.currency.address !== ZeroAddress) continue;
          const jury = juryOf(chain.deployment, chain.provider);
          const [{ eligible }, valueWei] = await Promise.all([
            eligibleFor(jury, task),
            jury.appealBondOf(task.id),
          ]);
          const data = juryData.appeal(disputed, { ...appealed, eligible });
          this.#bench.emit(entry, "appealed", { bondWei: valueWei }, "warn");
          await this.#bench.send(entry, "juryAppeal", {
            ...{ data, to, valueWei, signal },
            ...(until ? { until } : {}),
          });
        } else if (action === "lapse" || action === "finish") {
          const data = juryData[action](disputed);
          await this.#bench.send(entry, action === "lapse" ? "juryLapse" : "juryFinish", {
            data,
            to,
            signal,
          });
          this.#lookAt.delete(task.id);
          return true;
        }
      } catch (error) {
        // Others may have been faster, and seats are taken and left: the next look tells.
        if (!isNeuraError(error, "chain.reverted")) throw error;
      }
    }
    return false;
  }

  async #finish(
    entry: Entry,
    verb: "settle" | "concede" | "resolve",
    data: string,
    signal: AbortSignal,
    until?: number,
  ): Promise<void> {
    await this.#bench.send(entry, verb, { data, ...(until === undefined ? {} : { until }), signal });
    await this.#bench.end(entry, await this.#bench.look(entry, signal));
  }

  /**
   * Does the work again, and says whether the disputed unit comes out as it was delivered. What cannot be done again
   * tells nothing against the delivery.
   */
  async #recheck(
    entry: Entry,
    { unit, until }: { unit: bigint; until: number },
    signal: AbortSignal,
  ): Promise<boolean> {
    const { runner } = this.#bench.parts;
    const directory = join(this.#bench.folder(entry), RECHECK);
    try {
      const first = await (await runner.adopt(this.#bench.runFolder(entry)))?.wait({ signal });
      if (first === undefined) throw new Error("The run is gone.");
      let handle = await runner.adopt(directory);
      if (handle === undefined) {
        await rm(directory, { recursive: true, force: true });
        await this.#open(entry, directory, signal);
        const manifest = await readManifest(directory);
        const { durationSeconds } = entry.task.terms.conditions;
        const seconds = Math.min(manifest.limits.seconds, durationSeconds);
        handle = await runner.start({ directory, manifest, limits: { ...manifest.limits, seconds } });
      }
      const { clock } = this.#bench.parts;
      const run = handle;
      const second = await clock
        .before(until, signal, (late) => run.wait({ signal: late }))
        .catch(async (error: unknown) => {
          // It goes on without a node that stops.
          if (!signal.aborted) await run.stop("There is no more time to concede.");
          throw error;
        });
      if (second.kind === "infrastructure-fault") throw new Error(second.message);
      const made = { first: this.#bench.runFolder(entry), second: directory };
      const isRight = await isSame(first, second, { unit, made, signal });
      this.#bench.emit(entry, "rechecked", { unit, isRight }, isRight ? "info" : "error");
      return isRight;
    } catch (error) {
      signal.throwIfAborted();
      this.#bench.emit(entry, "rechecked", { unit, message: messageOf(error) }, "warn");
      return true;
    }
  }
}

/** What an appeal of this case takes besides its bond; nothing where the first panel did not find for the owner. */
function appealOf({ panels, votes, dispute }: JuryCase): Omit<Draw, "eligible"> | undefined {
  const [first] = panels;
  if (first === undefined) return undefined;
  const { isDecided, providerBps } = tallyOf(votes, PANEL_SIZES[0]);
  if (!isDecided || providerBps >= HALF_BPS) return undefined;
  const { evidence, drawNonce } = first;
  return { evidence, drawNonce, auditSeed: dispute.auditSeed };
}

/** Whether two runs of the same work came out alike: how they ended, and the unit, or all where that is none. */
async function isSame(
  first: RunOutcome,
  second: RunOutcome,
  { unit, made, signal }: { unit: bigint; made: { first: string; second: string }; signal: AbortSignal },
): Promise<boolean> {
  // Time and memory are not the same twice.
  if ([first, second].some(({ kind }) => FICKLE.has(kind))) return true;
  if (first.kind !== second.kind) return false;
  const comingTo = async (run: RunOutcome, directory: string): Promise<string> => {
    const { units } = await unitsOfRun(run, { directory, signal });
    const disputed = unit < BigInt(units.length) ? units[Number(unit)] : undefined;
    return JSON.stringify(disputed ?? run.summary?.result ?? null);
  };
  return (await comingTo(first, made.first)) === (await comingTo(second, made.second));
}
