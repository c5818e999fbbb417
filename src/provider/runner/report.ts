import type { Json, JsonObject, Manifest } from "../../manifest.ts";
import type { RunSummary } from "../applications/application.ts";
import type { RunUsage } from "./runner.ts";

/** What the application's process tells its supervisor: one line of JSON each, on file descriptor 3. */
export type Report =
  /** The work itself begins: from here on it is paid for. */
  | { readonly type: "running" }
  | { readonly type: "progress"; readonly done: number; readonly total: number }
  | { readonly type: "log"; readonly line: string }
  | Final;

/** The last report; the process has nothing more to do. */
export type Final = { readonly usage: RunUsage } & (
  | { readonly type: "completed"; readonly summary: RunSummary }
  | { readonly type: "bad-input" | "fault"; readonly message: string }
);

export const REPORT_FD = 3;

/** What the supervisor tells the application's process: one line on its standard input, whose end means "stop". */
export interface Work {
  readonly manifest: Manifest;
  readonly directory: string;
}

/** Reads a report; undefined for what is none: the process that wrote it is not trusted. */
export function parseReport(line: string): Report | undefined {
  let value: Json;
  try {
    value = JSON.parse(line) as Json;
  } catch {
    return undefined;
  }
  if (!isObject(value)) return undefined;
  switch (value.type) {
    case "running":
      return { type: "running" };
    case "progress": {
      const { done, total } = value;
      return isCount(done) && isCount(total) ? { type: "progress", done, total } : undefined;
    }
    case "log":
      return typeof value.line === "string" ? { type: "log", line: value.line } : undefined;
    case "completed": {
      const summary = readSummary(value.summary);
      return summary && { type: "completed", summary, usage: readUsage(value.usage) };
    }
    case "bad-input":
    case "fault": {
      const { type, message, usage } = value;
      return typeof message === "string" ? { type, message, usage: readUsage(usage) } : undefined;
    }
    default:
      return undefined;
  }
}

function readSummary(value: Json | undefined): RunSummary | undefined {
  if (!isObject(value) || !isObject(value.result) || !isObject(value.runtime)) return undefined;
  const units = readList(value.units, ["name", "inputHash", "outputHash"]);
  const files = isObject(value.model) ? readList(value.model.files, ["name", "sha256"]) : undefined;
  const model = readStrings(value.model, ["package", "version"]);
  const runtime = readStrings(value.runtime, Object.keys(value.runtime));
  const { dtype, seed, sampler } = value;
  const determinism =
    value.determinism === undefined
      ? {}
      : readStrings(value.determinism, isObject(value.determinism) ? Object.keys(value.determinism) : []);
  if (!units || !files || !model || !runtime || !determinism || dtype !== "fp32") return undefined;
  if (seed !== null && typeof seed !== "string") return undefined;
  if (sampler !== undefined && typeof sampler !== "string") return undefined;
  return {
    ...{ result: value.result, units, model: { ...model, files }, runtime, dtype, seed },
    ...(sampler === undefined ? {} : { sampler }),
    ...(value.determinism === undefined ? {} : { determinism }),
  };
}

function readList<N extends string>(
  value: Json | undefined,
  names: readonly N[],
): Record<N, string>[] | undefined {
  if (!isList(value)) return undefined;
  const list = value.flatMap((entry) => readStrings(entry, names) ?? []);
  return list.length === value.length ? list : undefined;
}

/** The fields of these names, all of them strings. */
function readStrings<N extends string>(
  value: Json | undefined,
  names: readonly N[],
): Record<N, string> | undefined {
  if (!isObject(value) || names.some((name) => typeof value[name] !== "string")) return undefined;
  return Object.fromEntries(names.map((name) => [name, value[name]])) as Record<N, string>;
}

function readUsage(value: Json | undefined): RunUsage {
  const { peakRssBytes, cpuSeconds } = isObject(value) ? value : {};
  return {
    peakRssBytes: isCount(peakRssBytes) ? peakRssBytes : 0,
    cpuSeconds: isCount(cpuSeconds) ? cpuSeconds : 0,
  };
}

function isCount(value: Json | undefined): value is number {
  return typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER;
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
