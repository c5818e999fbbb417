import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { getBytes } from "ethers";

import { isNeuraError, messageOf } from "../errors.ts";
import { Outcome, type OutcomeName } from "../market/outcome.ts";
import type { LeaseState } from "./chain-view.ts";
import type { Entry } from "./journal.ts";
import { issueAccess } from "./lease/access.ts";
import { type LeaseEndpoint, startEndpoint } from "./lease/endpoint.ts";
import { type LeaseEnd, LeaseService } from "./lease/service.ts";
import { readManifest } from "./payload.ts";
import { HEARTBEAT_PART, type LeasePolicy } from "./policy.ts";
import { CLOSING_SECONDS, Refused, REST, type Workbench } from "./workbench.ts";

/** A lease whose meter runs, as this node knows it. */
interface Live {
  entry: Entry;
  readonly service: LeaseService;
  readonly heartbeatSeconds: number;
  /** What the chain says of it, as of the last look. */
  meter: LeaseState;
  ended: LeaseEnd | undefined;
}

/** What a service had gone through: more of it than at the last heartbeat means that it was down in between. */
interface Wear {
  readonly restarts: number;
  readonly blemishMs: number;
}

export interface LeasesOptions {
  readonly policy: LeasePolicy;
  /** Where owners reach the front, if it is another address than the one that it listens on. */
  readonly accessUrl: string | undefined;
  /** Whether the node stops as soon as all that it has taken has ended. */
  readonly isDraining: () => boolean;
}

const READY_LOOK_MS = 100;
/** A service is not held to its manifest's time: its lease has one of its own, which can be extended [s]. */
const UNLIMITED_SECONDS = 10 * 365 * 24 * 3600;
/** So many of a lease's heartbeats may be missed: `TaskBook.sol`. */
const MISSED_HEARTBEATS = 3;
/** A lease that is past this part of its interval is beaten for with those that must be. */
const JOIN_PART = 0.4;
/** What drawing costs in gas, each [gas]. */
const GAS_OF_DRAW = 70_000n;

/**
 * The leases of a node: starts their services, tells the chain that they are ready, and that they are up as long as
 * they are; draws what they earn; ends them.
 *
 * A heartbeat pays for the time since the one before. So where a service was down since then, the next one is sent when
 * it pays for nothing, and the meter runs on from there.
 */
export class Leases {
  readonly #bench: Workbench;
  readonly #options: LeasesOptions;
  readonly #endpoint: LeaseEndpoint;
  readonly #live = new Map<string, Live>();
  /** Services that are not ready yet. */
  readonly #starting = new Map<string, LeaseService>();
  #beating: Promise<void> | undefined;
  /** What kept the last heartbeat or draw from being sent; it is told once. */
  #problem: string | undefined;

  private constructor(bench: Workbench, options: LeasesOptions, endpoint: LeaseEndpoint) {
    this.#bench = bench;
    this.#options = options;
    this.#endpoint = endpoint;
  }

  /** Starts the front. Error: `endpoint.no-port`. */
  static async open(bench: Workbench, options: LeasesOptions): Promise<Leases> {
    const { listen, tls } = options.policy;
    const { accessUrl: publicUrl } = options;
    const endpoint = await startEndpoint({
      ...listen,
      ...(publicUrl === undefined ? {} : { publicUrl }),
      ...(tls === undefined
        ? {}
        : { tls: { key: await readFile(tls.key, "utf8"), cert: await readFile(tls.cert, "utf8") } }),
    });
    return new Leases(bench, options, endpoint);
  }

  /** Lets go of all services, which go on, and closes the front. */
  async close(): Promise<void> {
    await this.#beating;
    const services = [...this.#starting.values(), ...[...this.#live.values()].map(({ service }) => service)];
    await Promise.all(services.map((service) => service.detach()));
    await this.#endpoint.close();
  }

  // ---- Accepted: until it is ready ----

  /** Has the service started, waits until it answers, and tells its owner how to reach it. */
  async prepare(
    entry: Entry,
    { directory, signal }: { directory: string; signal: AbortSignal },
  ): Promise<unknown> {
    const { chain, clock } = this.#bench.parts;
    const { id, terms } = entry.task;
    const { durationSeconds } = terms.conditions;
    const { completeBySeconds } = (await this.#bench.live(entry, signal)).standing;
    const service = await this.#serviceOf(entry, directory);
    this.#starting.set(id, service);
    void service.ended.then(() => this.#starting.delete(id));
    if (entry.step === "fetched") this.#bench.advance(entry, "running", {});
    const latest = completeBySeconds - CLOSING_SECONDS;
    await clock.before(latest, signal, (late) => this.#becomesReady(service, late));

    const { ownerKey } = entry.facts;
    if (ownerKey === undefined) throw new Error(`the journal lacks the owner's key of the lease ${id}`);
    const { certificateSha256 } = this.#endpoint;
    const access = await issueAccess(directory, {
      task: id.toLowerCase(),
      url: this.#endpoint.urlOf(id),
      ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
      expiresAt: completeBySeconds + durationSeconds,
      publicKey: getBytes(ownerKey),
    });
    this.#endpoint.open(id, { service, tokenHash: access.tokenHash });
    const beat = wearOf(service, (await service.health()).restarts);
    this.#bench.parts.journal.learn(id, { beat });
    const data = chain.ready(entry.task, access.sealed);
    await this.#bench.send(entry, "ready", { data, until: completeBySeconds, signal });
    const meter = await chain.leaseOf(id);
    this.#starting.delete(id);
    const next = this.#bench.advance(
      entry,
      "up",
      {},
      { url: this.#endpoint.urlOf(id), endsAtSeconds: meter.endsAtSeconds },
    );
    this.#keepLive(next, service, meter);
    return next;
  }

  async #becomesReady(service: LeaseService, signal: AbortSignal): Promise<void> {
    let end: LeaseEnd | undefined;
    void service.ended.then((ended) => (end = ended));
    while (!service.status().up) {
      if (this.#options.isDraining()) {
        throw new Refused({ reason: "NoCapacity", message: "The node takes nothing new." });
      }
      await sleep(READY_LOOK_MS, undefined, { signal });
      if (end !== undefined) throw new Refused({ reason: reasonOf(end), message: end.message });
    }
  }

  /** The service of a lease, found again or started. */
  async #serviceOf(entry: Entry, directory: string): Promise<LeaseService> {
    const known = this.#starting.get(entry.task.id) ?? this.#live.get(entry.task.id)?.service;
    if (known !== undefined) return known;
    const { runner, emit } = this.#bench.parts;
    const options = { runner, taskId: entry.task.id, onEvent: emit };
    const adopted = await LeaseService.adopt(directory, options);
    if (adopted) {
      this.#bench.emit(entry, "adopted", {});
      return adopted;
    }
    const manifest = await readManifest(directory);
    const { service } = manifest;
    if (service === undefined)
      throw new Refused({ reason: "PayloadUnreadable", message: "It is no service." });
    // Whether it ends because nobody uses it is in the terms.
    const idleStopSeconds = entry.task.terms.conditions.stopsIdle === true ? service.idleStopSeconds : 0;
    const limits = { ...manifest.limits, seconds: UNLIMITED_SECONDS };
    const job = { directory, manifest: { ...manifest, service: { ...service, idleStopSeconds } }, limits };
    return await LeaseService.start(job, options);
  }

  /** Ends a service that is not wanted any more. */
  async stop(entry: Entry, reason: string): Promise<void> {
    const { id } = entry.task;
    this.#endpoint.shut(id);
    const service = this.#starting.get(id) ?? this.#live.get(id)?.service;
    this.#starting.delete(id);
    this.#live.delete(id);
    if (service) await service.stop(reason);
    // One that another process of this node has started, and this one never found.
    else await (await this.#bench.parts.runner.adopt(this.#bench.runFolder(entry)))?.stop(reason);
  }

  // ---- Up ----

  /** Looks after a lease that is up: closes it where that is due, draws, and ends it when it is over. */
  async keep(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const { chain, clock } = this.#bench.parts;
    const { id } = entry.task;
    const sight = await this.#bench.look(entry, signal);
    if (sight.standing.isOver) {
      await this.stop(entry, "the lease has ended on the chain");
      await this.#bench.end(entry, sight);
      return undefined;
    }
    const meter = await this.#bench.persist(entry, signal, Infinity, () => chain.leaseOf(id));
    if (meter.readyAtSeconds === 0) {
      // A reorganisation took it out.
      return this.#bench.advance(entry, "running", {});
    }
    const live = await this.#find(entry, meter);
    live.meter = meter;
    if (clock.now() >= meter.endsAtSeconds || isDown(live, clock.now())) {
      return await this.#end(entry, signal);
    }
    const reason = this.#leaving(live);
    if (reason !== undefined && meter.closing === Outcome.None) {
      const data = chain.close(entry.task, Outcome[reason]);
      try {
        await this.#bench.send(entry, "close", { data, until: meter.endsAtSeconds, signal });
      } catch (error) {
        // Its owner was faster.
        if (isRefusal(error, "Leases_AlreadyClosing")) return REST;
        throw error;
      }
      this.#bench.emit(entry, "leaving", { reason });
      return undefined;
    }
    return REST;
  }

  /** Why this side ends a lease before its time, if so. */
  #leaving({ entry, ended }: Live): OutcomeName | undefined {
    if (ended?.kind === "idle" && entry.task.terms.conditions.stopsIdle === true) return "OwnerIdle";
    if (ended !== undefined) return "ProviderClosed";
    return this.#options.isDraining() ? "ProviderClosed" : undefined;
  }

  async #end(entry: Entry, signal: AbortSignal): Promise<unknown> {
    const { chain } = this.#bench.parts;
    await this.#beating;
    this.#endpoint.shut(entry.task.id);
    try {
      await this.#bench.send(entry, "endLease", { data: chain.endLease(entry.task), signal });
    } catch (error) {
      // The chain's clock stands between two blocks.
      if (isRefusal(error, "Leases_StillUp")) return REST;
      throw error;
    }
    await this.stop(entry, "the lease is over");
    await this.#bench.end(entry, await this.#bench.look(entry, signal));
    return undefined;
  }

  /** The lease with its service, which this process may not know yet. */
  async #find(entry: Entry, meter: LeaseState): Promise<Live> {
    const known = this.#live.get(entry.task.id);
    if (known) {
      known.entry = entry;
      return known;
    }
    const { id } = entry.task;
    const directory = this.#bench.runFolder(entry);
    const service = await this.#serviceOf(entry, directory);
    const { certificateSha256 } = this.#endpoint;
    // The same ticket as before, unless the node's address is another.
    const access = await issueAccess(directory, {
      task: id.toLowerCase(),
      url: this.#endpoint.urlOf(id),
      ...(certificateSha256 === undefined ? {} : { certificateSha256 }),
      expiresAt: meter.endsAtSeconds,
      publicKey: getBytes(entry.facts.ownerKey ?? "0x"),
    });
    this.#endpoint.open(id, { service, tokenHash: access.tokenHash });
    return this.#keepLive(entry, service, meter);
  }

  #keepLive(entry: Entry, service: LeaseService, meter: LeaseState): Live {
    const { heartbeatSeconds = 1 } = entry.task.terms.price;
    const live: Live = { entry, service, heartbeatSeconds, meter, ended: undefined };
    this.#live.set(entry.task.id, live);
    void service.ended.then((end) => (live.ended = end));
    return live;
  }

  // ---- Heartbeats, draws ----

  /** Sends what is due for all leases together: at most one transaction of each kind is on its way. */
  beat(signal: AbortSignal): void {
    this.#beating ??= this.#beatOnce(signal)
      .then(() => (this.#problem = undefined))
      .catch((error: unknown) => {
        const message = messageOf(error);
        if (signal.aborted || message === this.#problem) return;
        this.#problem = message;
        this.#bench.parts.emit({ level: "warn", event: "trouble", code: codeOf(error), message });
      })
      .then(() => void (this.#beating = undefined));
  }

  async #beatOnce(signal: AbortSignal): Promise<void> {
    const { chain, clock, journal, sender, policy, emit } = this.#bench.parts;
    const now = clock.now();
    const leases = [...this.#live.values()].filter(({ ended }) => ended === undefined);
    if (leases.some((live) => now >= beatDue(live, HEARTBEAT_PART))) {
      const looks = await Promise.all(leases.map((live) => this.#wearIfUp(live, now)));
      const up = looks.filter((look) => look !== undefined);
      const isNeeded = up.some(({ live }) => now >= beatDue(live, HEARTBEAT_PART));
      if (isNeeded && up.length > 0) {
        const ids = up.map(({ live }) => live.entry.task.id);
        const untilSeconds = Math.min(
          ...up.map(
            ({ live }) => live.meter.lastHeartbeatSeconds + MISSED_HEARTBEATS * live.heartbeatSeconds,
          ),
        );
        const call = { purpose: `heartbeat:${now}`, to: chain.market, data: chain.heartbeat(ids) };
        const mined = await sender.send({ ...call, maxSpendWei: policy.maxGasWei, untilSeconds }, { signal });
        for (const { live, wear } of up) {
          live.meter = await chain.leaseOf(live.entry.task.id);
          journal.learn(live.entry.task.id, { beat: wear });
          live.entry = { ...live.entry, facts: { ...live.entry.facts, beat: wear } };
        }
        emit({ level: "debug", event: "beat", leases: ids.length, spentWei: mined.spentWei });
      }
    }
    await this.#draw(now, signal);
  }

  /** What the service has gone through, if it is up and a heartbeat would be true now. */
  async #wearIfUp(live: Live, now: number): Promise<{ live: Live; wear: Wear } | undefined> {
    const { meter, service, entry, heartbeatSeconds } = live;
    if (meter.lastHeartbeatSeconds >= meter.endsAtSeconds || isDown(live, now)) return undefined;
    if (now < beatDue(live, JOIN_PART)) return undefined;
    const { isUp, restarts } = await service.health();
    if (!isUp) return undefined;
    const wear = wearOf(service, restarts);
    const { beat = wear } = entry.facts;
    const isClean = wear.restarts === beat.restarts && wear.blemishMs === beat.blemishMs;
    // The contract pays for no longer silence than this.
    const isUnpaid = now > meter.lastHeartbeatSeconds + heartbeatSeconds;
    return isClean || isUnpaid ? { live, wear } : undefined;
  }

  /** Draws what has come together, of all leases for which that is worth it. */
  async #draw(now: number, signal: AbortSignal): Promise<void> {
    const { chain, sender, policy, emit } = this.#bench.parts;
    const { afterWei, afterSeconds } = this.#options.policy.draw;
    const candidates = [...this.#live.values()].filter(({ entry, meter }) => {
      const dueSeconds = meter.upSeconds - meter.drawnSeconds;
      if (dueSeconds === 0) return false;
      return (
        dueSeconds >= afterSeconds ||
        (afterWei !== undefined && BigInt(dueSeconds) * entry.task.terms.price.amountWei >= afterWei)
      );
    });
    if (candidates.length === 0) return;
    const gasWei = chain.isNative && policy.coverGas ? GAS_OF_DRAW * (await chain.gasPriceWei()) : 0n;
    const due = candidates.filter(({ entry, meter }) => {
      const dueWei = BigInt(meter.upSeconds - meter.drawnSeconds) * entry.task.terms.price.amountWei;
      return dueWei > gasWei;
    });
    const [first, ...others] = due.map(({ entry }) => chain.draw(entry.task));
    if (first === undefined) return;
    const data = others.length === 0 ? first : chain.batch([first, ...others]);
    const call = { purpose: `draw:${now}`, to: chain.market, data, maxSpendWei: policy.maxGasWei };
    const mined = await sender.send(call, { signal });
    for (const live of due) live.meter = await chain.leaseOf(live.entry.task.id);
    emit({ level: "info", event: "drawn", leases: due.length, spentWei: mined.spentWei });
  }
}

/** When a heartbeat is due that comes after this part of the longest silence that is paid for [Unix s]. */
function beatDue({ meter, heartbeatSeconds }: Live, part: number): number {
  return meter.lastHeartbeatSeconds + Math.floor(part * heartbeatSeconds);
}

/** Whether it was silent for so long that anybody may end it. */
function isDown({ meter, heartbeatSeconds }: Live, now: number): boolean {
  const time = Math.min(now, meter.endsAtSeconds);
  return time > meter.lastHeartbeatSeconds + MISSED_HEARTBEATS * heartbeatSeconds;
}

function wearOf(service: LeaseService, restarts: number): Wear {
  const { downMs, unsureMs } = service.status().uptime;
  return { restarts, blemishMs: Math.round(downMs + unsureMs) };
}

/** Why a lease is given back whose service did not come up. */
function reasonOf({ outcome }: LeaseEnd): OutcomeName {
  return outcome.kind === "infrastructure-fault" ? "InfrastructureFault" : "PayloadUnreadable";
}

/** Whether the contract refused with this error. */
function isRefusal(error: unknown, name: string): boolean {
  return isNeuraError(error) && error.details["error"] === name;
}

function codeOf(error: unknown): string {
  return isNeuraError(error) ? error.code : "unexpected";
}
