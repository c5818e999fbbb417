import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Abortable } from "../abort.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import type { PreparedTask, TaskRequest } from "../market/prepare.ts";
import { loadRecord, readJson, writeJson } from "../market/records.ts";
import { taskStatus, type TaskStatus } from "../market/status.ts";
import type { SubmitProgress } from "../market/submit.ts";
import { maximumCostWei } from "../market/terms.ts";
import { drawUnits } from "../verify/units.ts";
import { mirrorDirectory, type MirrorContext, namesIn } from "./accounts.ts";
import { drawDelay, type Draw, tossCoin } from "./coin.ts";
import { chooseOther, openOwnPayload, placeOrder, shapeOf } from "./order.ts";
import { isDivisible, partOf } from "./work.ts";

/** A mirror order of a task. */
export interface Mirror {
  readonly id: string;
  readonly account: string;
  readonly provider: string;
  /** Units of the task that it does again, in their order; missing where it is the whole. */
  readonly units?: readonly number[] | undefined;
}

/** What was decided about mirroring a task: `<home>/mirror/tasks/<id>.json`, and nowhere else. */
export interface MirrorPlan {
  readonly task: string;
  /** Whether a mirror is to be ordered; `false` also where none was wanted and some were ordered by hand. */
  readonly isWanted: boolean;
  /** When [Unix s, this machine's clock]. */
  readonly dueAtSeconds: number;
  /** The most that it may cost [wei]. Default: twice what the task can cost. */
  readonly maxCostWei?: bigint | undefined;
  /** As it was asked for; the chain shows what was left of it when it was mined [s]. */
  readonly startWithinSeconds?: number | undefined;
  readonly mirrors: readonly Mirror[];
  /** Why the last try failed. */
  readonly problem?: string | undefined;
}

const SCHEMA = "neura/mirror/1";
/** Within which a mirror is ordered if nothing else is said [s]. */
export const DEFAULT_DELAY = 3600;
const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;

export interface PlanOptions {
  /** How likely a mirror is: 0 to 1. */
  readonly probability: number;
  /** Ordered at a time from now until so much later, each as likely [s]. Default: 3600. */
  readonly maxDelaySeconds?: number | undefined;
  readonly maxCostWei?: bigint | undefined;
  readonly startWithinSeconds?: number | undefined;
  /** Default: `randomInt` of `node:crypto`. */
  readonly draw?: Draw | undefined;
  /** This machine's time [Unix s]. */
  readonly nowSeconds: number;
}

/**
 * Tosses the coin for a task, once: a second call changes nothing, so that who starts again does not toss again. Says nothing
 * of what came out. Error: `mirror.probability`.
 */
export async function planMirror(home: string, task: string, options: PlanOptions): Promise<void> {
  const { probability, maxDelaySeconds = DEFAULT_DELAY, maxCostWei, nowSeconds, draw } = options;
  const isWanted = tossCoin(probability, draw);
  const dueAtSeconds = nowSeconds + drawDelay(maxDelaySeconds, draw);
  const known = await loadPlan(home, task);
  if (known !== undefined) return;
  const { startWithinSeconds } = options;
  const plan = { task, isWanted, dueAtSeconds, maxCostWei, startWithinSeconds, mirrors: [] };
  await savePlan(home, plan);
}

/**
 * Whether a task that is not yet sent can be mirrored. Error: `mirror.unfit`.
 */
export function checkMirrorable({ features, secrets, ownerKey, quote, attestation }: PreparedTask): void {
  const why =
    features.kind !== undefined
      ? "a lease is kept up by one provider"
      : features.isOpen === true
        ? "an open task can be taken by anybody"
        : features.backup !== undefined
          ? "a backup could do it for its provider"
          : quote !== undefined
            ? "it asks for a quote, and its mirror would not"
            : attestation !== undefined
              ? "it is for attested machines, and its mirror would go to any"
              : Object.keys(secrets).length > 0
                ? "it has secrets, which are meant for its provider alone"
                : ownerKey === undefined
                  ? "its result is public, and then its payload cannot be read again"
                  : undefined;
  if (why === undefined) return;
  throw new NeuraError("mirror.unfit", `The task cannot be mirrored: ${why}.`, {
    next: "Leave --mirror out, or order a plain job with an encrypted result.",
  });
}

export interface MirrorOptions extends Abortable {
  /** Default: the best one that has nothing to do with the task's. */
  readonly provider?: string | undefined;
  /** Only so many units, those that `task audit` would look at; the task has to be delivered. Default: the whole. */
  readonly units?: number | undefined;
  /** More than this is refused [wei]. Default: twice what the task can cost. */
  readonly maxCostWei?: bigint | undefined;
  /** The most that is taken of the payload [bytes]. Default: 4 GiB. */
  readonly maxBytes?: number | undefined;
  readonly onProgress?: ((progress: SubmitProgress) => void) | undefined;
}

/**
 * Orders a task again: the same payload, freshly sealed, from another account and another provider. Nothing of the first
 * task changes, whatever becomes of this one.
 *
 * Errors: `mirror.*`, `verify.no-seed`, `task.too-dear`, `limit.*`, those of `taskStatus`, the payload, `prepareTask` and
 * `submitTask`.
 */
export async function mirrorTask(
  context: MirrorContext,
  id: string,
  options: MirrorOptions = {},
): Promise<Mirror> {
  const { maxBytes = DEFAULT_MAX_BYTES, signal = new AbortController().signal, onProgress } = options;
  const { home } = context;
  const status = await taskStatus(context, id, { signal });
  const plan = await loadPlan(home, id);
  const shape = shapeOf(status);
  const { terms } = status;
  const { startWithinSeconds = shape.startWithinSeconds } = plan ?? {};
  const { startBySeconds, completeBySeconds } = terms.conditions;
  const maxCostWei = options.maxCostWei ?? plan?.maxCostWei ?? 2n * maximumCostWei(terms);
  const directory = await mkdtemp(join(tmpdir(), "neura-mirror-"));
  try {
    const payload = await openOwnPayload(context, status, { directory, maxBytes, signal });
    const units = await unitsOf(context, status, { count: options.units, manifest: payload.manifest });
    const manifest = units === undefined ? payload.manifest : partOf(payload.manifest, units);
    const request = {
      ...shape,
      source: { manifest, directory: payload.directory },
      application: manifest.application,
      needs: manifest.needs,
      startWithinSeconds,
      completeWithinSeconds: (startWithinSeconds ?? 0) + completeBySeconds - startBySeconds,
      maxCostWei,
      provider: options.provider,
    } satisfies TaskRequest;
    const others = [
      status.provider ?? terms.provider,
      terms.provider,
      ...(plan?.mirrors ?? []).map(({ provider }) => provider),
    ];
    const { account: provider, rateWei } = await chooseOther(context, request, { others, signal });
    const costWei = request.price?.amountWei ?? rateWei * BigInt(shape.durationSeconds ?? 0);
    const number = plan?.mirrors.length ?? 0;
    const placed = await placeOrder(
      context,
      { ...request, provider },
      { ...{ purpose: `mirror ${id} ${number}`, costWei, signal }, ...(onProgress ? { onProgress } : {}) },
    );
    const mirror = {
      id: placed.id,
      account: placed.account,
      provider: placed.provider,
      ...(units === undefined ? {} : { units }),
    };
    await savePlan(home, {
      ...(plan ?? { task: id, isWanted: false, dueAtSeconds: 0 }),
      problem: undefined,
      mirrors: [...(plan?.mirrors ?? []), mirror],
    });
    return mirror;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Those that an audit of so many would look at, in the order of the inputs. */
async function unitsOf(
  { home }: MirrorContext,
  { id, delivery }: TaskStatus,
  { count, manifest }: { count: number | undefined; manifest: Parameters<typeof partOf>[0] },
): Promise<readonly number[] | undefined> {
  if (count === undefined) return undefined;
  const unitCount = manifest.inputs.length;
  if (!isDivisible(manifest)) {
    throw new NeuraError("mirror.indivisible", `The work of ${manifest.application} is one unit.`, {
      next: "Mirror the whole: leave --units out.",
    });
  }
  if (delivery === undefined) {
    throw new NeuraError(
      "task.not-delivered",
      `Task ${id} is not delivered: its units are drawn afterwards.`,
      {
        next: "Wait for it with `task wait`, or mirror the whole now.",
      },
    );
  }
  const auditSeed = (await loadRecord(home, id))?.auditSeed.reveal();
  if (auditSeed === undefined) {
    throw new NeuraError("verify.no-seed", `The audit seed of task ${id} is not on this machine.`, {
      next: "Mirror the whole, or on the machine that submitted it.",
    });
  }
  const { evidenceHash } = delivery;
  const units = drawUnits({ auditSeed, evidenceHash, unitCount, count });
  return units.length === unitCount ? undefined : units.toSorted((one, other) => one - other);
}

// ---- What is due ----

/** What became of a plan. */
export interface MirrorRun {
  readonly task: string;
  readonly mirror?: Mirror;
  readonly error?: NeuraError;
}

/**
 * Orders all mirrors that are due, one after the other; one that fails says why in its plan, is tried again the next time,
 * and keeps no other from being ordered. A task that ended without a result needs none.
 */
export async function runMirrors(
  context: MirrorContext,
  { nowSeconds, ...options }: Pick<MirrorOptions, "signal" | "onProgress"> & { nowSeconds: number },
): Promise<MirrorRun[]> {
  const { home } = context;
  const runs: MirrorRun[] = [];
  for (const plan of await listPlans(home)) {
    const { task, isWanted, dueAtSeconds, mirrors } = plan;
    if (!isWanted || dueAtSeconds > nowSeconds || mirrors.length > 0) continue;
    options.signal?.throwIfAborted();
    try {
      const { ended, delivery } = await taskStatus(context, task, { signal: options.signal });
      if (ended && delivery === undefined) {
        await savePlan(home, { ...plan, isWanted: false, problem: undefined });
        continue;
      }
      runs.push({ task, mirror: await mirrorTask(context, task, options) });
    } catch (error) {
      options.signal?.throwIfAborted();
      if (!isNeuraError(error)) throw error;
      await savePlan(home, { ...plan, problem: messageOf(error) });
      runs.push({ task, error });
    }
  }
  return runs;
}

// ---- Plans ----

function planPath(home: string, task: string): string {
  return join(mirrorDirectory(home), "tasks", `${task}.json`);
}

/** All that was decided on this machine. Error: `mirror.plan-invalid`. */
export async function listPlans(home: string): Promise<MirrorPlan[]> {
  const names = await namesIn(join(mirrorDirectory(home), "tasks"));
  const plans = await Promise.all(
    names.map(async (name) => await loadPlan(home, name.slice(0, -".json".length))),
  );
  return plans.filter((plan) => plan !== undefined);
}

/** What was decided of a task, if anything. Error: `mirror.plan-invalid`. */
export async function loadPlan(home: string, task: string): Promise<MirrorPlan | undefined> {
  const path = planPath(home, task);
  const file = await readJson(path);
  if (file === undefined) return undefined;
  const { schema, isWanted, dueAtSeconds, maxCostWei, startWithinSeconds, mirrors, problem } = file;
  const list = Array.isArray(mirrors) ? mirrors.map((each: unknown) => readMirror(each)) : [undefined];
  const known = list.filter((each) => each !== undefined);
  if (
    schema !== SCHEMA ||
    typeof isWanted !== "boolean" ||
    typeof dueAtSeconds !== "number" ||
    known.length !== list.length
  ) {
    throw new NeuraError(
      "mirror.plan-invalid",
      `${path} is not what was written, or is of another version.`,
      {
        next: "Move it away: the task and its mirrors are on the chain without it.",
      },
    );
  }
  return {
    task,
    isWanted,
    dueAtSeconds,
    mirrors: known,
    ...(typeof maxCostWei === "string" ? { maxCostWei: BigInt(maxCostWei) } : {}),
    ...(typeof startWithinSeconds === "number" ? { startWithinSeconds } : {}),
    ...(typeof problem === "string" ? { problem } : {}),
  };
}

function readMirror(value: unknown): Mirror | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { id, account, provider, units } = { id: "", account: "", provider: "", units: undefined, ...value };
  const list: unknown = units;
  const isUnits = Array.isArray(list);
  const whole = isUnits ? list.filter((each): each is number => Number.isSafeInteger(each)) : [];
  return { id, account, provider, ...(isUnits ? { units: whole } : {}) };
}

async function savePlan(home: string, plan: MirrorPlan): Promise<void> {
  await writeJson(planPath(home, plan.task), { schema: SCHEMA, ...plan });
}
