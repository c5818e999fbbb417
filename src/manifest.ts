import { isNeuraError, NeuraError, messageOf } from "./errors.ts";
import type { Json, JsonObject } from "./json.ts";
import { parseVerification, type Verification } from "./verify/verification.ts";

export type { Json, JsonObject } from "./json.ts";

/** What the run may use; going over one ends it as the owner's own failure, logs and partial outputs handed over. */
export interface Limits {
  /** Wall-clock time of the run [s]. */
  readonly seconds: number;
  /** Resident memory of the run [MiB]. */
  readonly ramMiB: number;
  /** Everything below `output/` and `logs/` together [MiB]. */
  readonly outputMiB: number;
}

/**
 * How a run is kept up to answer requests, in place of doing its inputs and ending. It ends when it is stopped, goes
 * over its limits, or is not used.
 */
export interface ServiceSettings {
  /** Body of one request [MiB]. */
  readonly maxRequestMiB: number;
  /** One request, from its beginning to the end of its answer [s]. */
  readonly timeoutSeconds: number;
  /** Requests at the same time; one more is refused. */
  readonly concurrency: number;
  /** Up for so long without a request, it is stopped [s]; 0: never. 1800 if left out. */
  readonly idleStopSeconds: number;
}

/** What the machine must have beyond the resources in the task's terms; matched off chain before anything is paid. */
export interface Needs {
  /** As Node names it: `x64`, `arm64`. */
  readonly cpuArchitecture?: string;
  /** Lowest GPU driver version, dotted. */
  readonly driver?: string;
  /** Lowest CUDA compute capability, dotted: `8.0`. */
  readonly cudaCapability?: string;
  /** Link between the GPUs: `nvlink`, `pcie`. */
  readonly interconnect?: string;
  /** Where the machine may stand. */
  readonly region?: string;
  /** [Mbit/s] */
  readonly bandwidthMbps?: number;
  /** [MiB] */
  readonly sharedMemoryMiB?: number;
}

/** A task's description, first file of its payload (`manifest.json`), format `neura/manifest/1`. */
export interface Manifest {
  readonly schema: "neura/manifest/1";
  /** Name of the built-in application that does the work: `ocr`. */
  readonly application: string;
  /** Paths of the payload's files, each below `input/`, in the order of the work. */
  readonly inputs: readonly string[];
  /** What the application is told; it checks them itself. */
  readonly parameters: JsonObject;
  readonly limits: Limits;
  /** For a lease: the application answers requests. */
  readonly service?: ServiceSettings;
  readonly needs?: Needs;
  /** How the result is verified; without it, only its hashes are. With all defaults, once it is read. */
  readonly verification?: Verification;
}

/** Bounds of a manifest; what is beyond them is refused, never cut. */
export const MANIFEST_BOUNDS = {
  bytes: 1024 * 1024,
  inputs: 10_000,
  /** Bytes of one input path in UTF-8. */
  pathBytes: 240,
  /** Nesting of `parameters`. */
  depth: 16,
  seconds: 30 * 24 * 3600,
  ramMiB: 4 * 1024 * 1024,
  outputMiB: 1024 * 1024,
  maxRequestMiB: 1024,
  timeoutSeconds: 3600,
  concurrency: 1024,
} as const;

const IDLE_STOP_SECONDS = 1800;

const NEEDS = {
  cpuArchitecture: "string",
  driver: "string",
  cudaCapability: "string",
  interconnect: "string",
  region: "string",
  bandwidthMbps: "number",
  sharedMemoryMiB: "number",
} as const satisfies Record<keyof Needs, "string" | "number">;

/**
 * Reads and checks a manifest from its bytes, or from an already parsed value that an owner's client built.
 * Everything that is not described by {@link Manifest} is refused by name.
 *
 * @throws NeuraError `manifest.invalid`
 */
export function parseManifest(source: Uint8Array | string | Record<string, unknown>): Manifest {
  try {
    const value = typeof source === "string" || source instanceof Uint8Array ? parseJson(source) : source;
    return readManifest(value);
  } catch (error) {
    if (isNeuraError(error)) throw error;
    // What JSON.parse, the decoder or the stack (deep nesting) threw.
    throw invalid(`The manifest is not JSON: ${messageOf(error)}.`, error);
  }
}

/**
 * Checks one input path: relative, below `input/`, in one spelling on every file system.
 *
 * @throws NeuraError `manifest.invalid`
 */
export function checkInputPath(path: string): void {
  const fault = pathFault(path, ["input"]);
  if (fault !== undefined) throw invalid(`The input path ${quote(path)} ${fault}.`);
}

/** What is wrong with a path that should lie below one of these folders, in one spelling on every file system. */
export function pathFault(path: string, folders: readonly string[]): string | undefined {
  if (!folders.some((folder) => path.startsWith(`${folder}/`)))
    return `is not below ${folders.join("/ or ")}/`;
  if (Buffer.byteLength(path) > MANIFEST_BOUNDS.pathBytes)
    return `is longer than ${MANIFEST_BOUNDS.pathBytes} bytes`;
  // Backslash, colon and the like separate or name devices on some file systems.
  if (/[\x00-\x1f\x7f\\:*?"<>|]/.test(path)) return "has a character that not every file system takes";
  if (path.normalize("NFC") !== path) return "is not in Unicode form NFC";
  for (const part of path.split("/")) {
    if (part === "" || part === "." || part === "..") return "has an empty, `.` or `..` part";
    if (part.endsWith(".") || part.endsWith(" ")) return "has a part that ends with a dot or a space";
  }
  return undefined;
}

function parseJson(source: Uint8Array | string): unknown {
  const length = typeof source === "string" ? Buffer.byteLength(source) : source.byteLength;
  if (length > MANIFEST_BOUNDS.bytes)
    throw invalid(`The manifest has ${length} bytes, more than ${MANIFEST_BOUNDS.bytes}.`);
  const text = typeof source === "string" ? source : new TextDecoder("utf-8", { fatal: true }).decode(source);
  return JSON.parse(text);
}

function readManifest(value: unknown): Manifest {
  const fields = readObject(value, "the manifest", [
    "schema",
    "application",
    "inputs",
    "parameters",
    "limits",
    "service",
    "needs",
    "verification",
  ]);
  if (fields.schema !== "neura/manifest/1")
    throw invalid(`schema is ${quote(fields.schema)} where "neura/manifest/1" is known.`);
  const application = readString(fields.application, "application");
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(application))
    throw invalid(
      `application ${quote(application)} is not a name of lower-case letters, digits and dashes.`,
    );
  const service = fields.service === undefined ? undefined : readService(fields.service);
  const needs = fields.needs === undefined ? undefined : readNeeds(fields.needs);
  const verification =
    fields.verification === undefined ? undefined : readManifestVerification(fields.verification);
  if (service && verification)
    throw invalid("verification is there beside service, which delivers nothing to verify.");
  return {
    schema: "neura/manifest/1",
    application,
    inputs: readInputs(fields.inputs),
    parameters: readParameters(fields.parameters),
    limits: readLimits(fields.limits),
    ...(service ? { service } : {}),
    ...(needs ? { needs } : {}),
    ...(verification ? { verification } : {}),
  };
}

function readManifestVerification(value: unknown): Verification {
  const json = readJson(value, "verification", 0);
  try {
    return parseVerification(json);
  } catch (error) {
    if (!isNeuraError(error)) throw error;
    throw invalid(`verification: ${error.message} ${error.next ?? ""}`.trim(), error);
  }
}

function readInputs(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw invalid(`inputs is ${quote(value)} where a list of paths belongs.`);
  if (value.length > MANIFEST_BOUNDS.inputs)
    throw invalid(`inputs names ${value.length} files, more than ${MANIFEST_BOUNDS.inputs}.`);
  const seen = new Map<string, string>();
  return value.map((entry: unknown, index) => {
    const path = readString(entry, `inputs[${index}]`);
    checkInputPath(path);
    // Some file systems hold `A.png` and `a.png` to be one file.
    const same = seen.get(path.toLowerCase());
    if (same !== undefined)
      throw invalid(`inputs names ${quote(same)} and ${quote(path)}, which can be one file.`);
    seen.set(path.toLowerCase(), path);
    return path;
  });
}

function readParameters(value: unknown): JsonObject {
  const parameters = readJson(value, "parameters", 0);
  if (!isJsonObject(parameters)) throw invalid(`parameters is ${quote(value)} where an object belongs.`);
  return parameters;
}

function readLimits(value: unknown): Limits {
  const fields = readObject(value, "limits", ["seconds", "ramMiB", "outputMiB"]);
  const read = (name: keyof Limits): number =>
    readWhole(fields[name], `limits.${name}`, { least: 1, most: MANIFEST_BOUNDS[name] });
  return { seconds: read("seconds"), ramMiB: read("ramMiB"), outputMiB: read("outputMiB") };
}

function readService(value: unknown): ServiceSettings {
  const names = ["maxRequestMiB", "timeoutSeconds", "concurrency"] as const;
  const fields = readObject(value, "service", [...names, "idleStopSeconds"]);
  const { idleStopSeconds = IDLE_STOP_SECONDS } = fields;
  const read = (name: (typeof names)[number]): number =>
    readWhole(fields[name], `service.${name}`, { least: 1, most: MANIFEST_BOUNDS[name] });
  return {
    maxRequestMiB: read("maxRequestMiB"),
    timeoutSeconds: read("timeoutSeconds"),
    concurrency: read("concurrency"),
    idleStopSeconds: readWhole(idleStopSeconds, "service.idleStopSeconds", {
      least: 0,
      most: MANIFEST_BOUNDS.seconds,
    }),
  };
}

/** Checks needs. Error: `manifest.invalid`. */
export function readNeeds(value: unknown): Needs {
  const fields = readObject(value, "needs", Object.keys(NEEDS));
  for (const [name, type] of Object.entries(NEEDS)) {
    const need = fields[name];
    if (need === undefined) continue;
    const good =
      type === "string" ? typeof need === "string" && /^[\w.-]{1,64}$/.test(need) : isPositive(need);
    if (!good) throw invalid(`needs.${name} is ${quote(need)} where a ${type} belongs.`);
  }
  return { ...fields };
}

function readWhole(value: unknown, where: string, { least, most }: { least: number; most: number }): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > most)
    throw invalid(`${where} is ${quote(value)} where a whole number from ${least} to ${most} belongs.`);
  return value;
}

function isPositive(value: unknown): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

/** The value's own fields when it is an object with no others than `allowed`. */
function readObject(value: unknown, where: string, allowed: readonly string[]): Record<string, unknown> {
  if (!isPlainObject(value)) throw invalid(`${where} is ${quote(value)} where an object belongs.`);
  for (const name of Object.keys(value))
    if (!allowed.includes(name))
      throw invalid(`${where} has the unknown field ${quote(name)}; known are ${allowed.join(", ")}.`);
  return { ...value };
}

/** A deep copy of a JSON value; refuses what JSON has not and what poisons objects. */
function readJson(value: unknown, where: string, depth: number): Json {
  if (depth > MANIFEST_BOUNDS.depth)
    throw invalid(`${where} is nested deeper than ${MANIFEST_BOUNDS.depth}.`);
  if (typeof value === "string") return readString(value, where);
  if (typeof value === "boolean" || value === null) return value;
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (Array.isArray(value))
    return value.map((entry: unknown, index) => readJson(entry, `${where}[${index}]`, depth + 1));
  if (!isPlainObject(value)) throw invalid(`${where} is ${quote(value)}, which JSON does not have.`);
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => {
      if (name === "__proto__" || name === "constructor" || name === "prototype")
        throw invalid(`${where} has the field ${quote(name)}, which is refused.`);
      return [readString(name, where), readJson(entry, `${where}.${name}`, depth + 1)];
    }),
  );
}

function readString(value: unknown, where: string): string {
  if (typeof value !== "string") throw invalid(`${where} is ${quote(value)} where a string belongs.`);
  if (/\p{Surrogate}/u.test(value)) throw invalid(`${where} has half of a surrogate pair.`);
  return value;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isJsonObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value for a message: on one line, short. */
function quote(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function invalid(message: string, cause?: unknown): NeuraError {
  return new NeuraError("manifest.invalid", message, {
    next: "Correct the manifest; docs/applications.md describes it.",
    ...(cause === undefined ? {} : { cause }),
  });
}
