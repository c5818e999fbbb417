import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { Outcome } from "./outcome.ts";
import { loadRecord, readJson, writeJson } from "./records.ts";
import type { TaskResult } from "./result.ts";

/** What one task's work took, as its owner saw it. */
export interface Measurement {
  /** The task's id: a result that is fetched twice counts once. */
  readonly task: string;
  readonly provider: string;
  readonly application: string;
  /** Of the run, for all units together [s]. */
  readonly seconds: number;
  readonly units: number;
  /** [Unix s] */
  readonly atSeconds: number;
}

/** An owner's own figure of a provider. */
export interface MeasuredSpeed {
  /** Median over the tasks [s]. */
  readonly secondsPerUnit: number;
  readonly tasks: number;
  /** Of the newest one [Unix s]. */
  readonly atSeconds: number;
}

const SCHEMA = "neura/measurements/1";
/** Of one provider's application, and all together. */
const MAX_EACH = 20;
const MAX_ALL = 2000;
const MAX_RUN_BYTES = 1024 * 1024;

/** Notes a measurement in `<home>/measurements.json`; the oldest ones make room. */
export async function noteMeasurement(home: string, measurement: Measurement): Promise<void> {
  // Of two at once the later one would undo the earlier one.
  const before = writing;
  const mine = before.then(async () => {
    const others = (await load(home)).filter(({ task }) => task !== measurement.task);
    const sorted = [...others, measurement].toSorted((one, other) => other.atSeconds - one.atSeconds);
    const counts = new Map<string, number>();
    const kept = sorted.filter(({ provider, application }) => {
      const name = `${provider} ${application}`;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      return count <= MAX_EACH;
    });
    await writeJson(pathOf(home), { schema: SCHEMA, measurements: kept.slice(0, MAX_ALL) });
  });
  writing = mine.catch(() => undefined);
  await mine;
}

let writing: Promise<void> = Promise.resolve();

/** What the owner's own tasks took at a provider; nothing if there were none. */
export async function measuredSpeed(
  home: string,
  account: string,
  application: string,
): Promise<MeasuredSpeed | undefined> {
  return speedIn(await loadMeasurements(home), account, application);
}

/** All that was noted; what cannot be read is none: it is a help, no record. */
export async function loadMeasurements(home: string): Promise<readonly Measurement[]> {
  return await load(home);
}

/** As {@link measuredSpeed}, of measurements that are at hand. */
export function speedIn(
  measurements: readonly Measurement[],
  account: string,
  application: string,
): MeasuredSpeed | undefined {
  const own = measurements.filter((each) => each.provider === account && each.application === application);
  const [newest] = own.toSorted((one, other) => other.atSeconds - one.atSeconds);
  if (newest === undefined) return undefined;
  const secondsPerUnit = medianOf(own.map(({ seconds, units }) => seconds / units));
  return { secondsPerUnit, tasks: own.length, atSeconds: newest.atSeconds };
}

/** The middle one; of an even number, the mean of the two in the middle; `NaN` of none. */
export function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const [low = NaN, high = low] = sorted.slice(Math.ceil(sorted.length / 2) - 1);
  return sorted.length % 2 === 1 ? low : (low + high) / 2;
}

/**
 * What a result says about speed; nothing of one that is unsound, was not completed, or does not say it. The provider
 * wrote `run.json` and the units: its seconds count only as far as they agree with those that it charged, which are
 * rounded up, and its units only where this machine does not know how many files it sent.
 */
export async function measurementOf(home: string, result: TaskResult): Promise<Measurement | undefined> {
  const { delivery, directory, evidence, sound, status } = result;
  if (!sound || evidence === undefined || delivery.outcome !== Outcome.Completed) return undefined;
  const { application, seconds } = await readRun(join(directory, "run.json"));
  if (typeof application !== "string" || !/^[a-z][a-z0-9-]{0,31}$/.test(application)) return undefined;
  const charged = Math.max(delivery.secondsUsed - 1, 0);
  const own = typeof seconds === "number" && Number.isFinite(seconds) ? Math.max(seconds, charged) : charged;
  const units = (await loadRecord(home, status.id))?.inputs ?? evidence.units.length;
  if (own <= 0 || units <= 0) return undefined;
  return {
    task: status.id,
    provider: status.terms.provider,
    application,
    seconds: own,
    units,
    atSeconds: status.nowSeconds,
  };
}

async function readRun(path: string): Promise<Record<string, unknown>> {
  const { size } = await stat(path);
  if (size > MAX_RUN_BYTES) return {};
  const value: unknown = JSON.parse(await readFile(path, "utf8"));
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function pathOf(home: string): string {
  return join(home, "measurements.json");
}

async function load(home: string): Promise<Measurement[]> {
  const file = await readJson(pathOf(home)).catch(() => undefined);
  const entries: unknown = file?.["schema"] === SCHEMA ? file["measurements"] : undefined;
  return Array.isArray(entries) ? entries.filter(isMeasurement) : [];
}

function isMeasurement(value: unknown): value is Measurement {
  if (typeof value !== "object" || value === null) return false;
  const has = (name: keyof Measurement, type: string): boolean =>
    name in value && typeof Reflect.get(value, name) === type;
  const texts = (["task", "provider", "application"] as const).every((name) => has(name, "string"));
  return texts && (["seconds", "units", "atSeconds"] as const).every((name) => has(name, "number"));
}
