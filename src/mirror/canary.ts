import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import type { Abortable } from "../abort.ts";
import { messageOf, NeuraError } from "../errors.ts";
import { type JsonObject, type Manifest, type Needs, parseManifest } from "../manifest.ts";
import { Outcome, outcomeName } from "../market/outcome.ts";
import type { TaskRequest } from "../market/prepare.ts";
import { loadRecord, readJson, writeJson } from "../market/records.ts";
import { fetchResult } from "../market/result.ts";
import { taskStatus } from "../market/status.ts";
import type { SubmitProgress } from "../market/submit.ts";
import { auditDelivery } from "../verify/audit.ts";
import { BUILT_IN_CALIBRATIONS } from "../verify/known.ts";
import { pageBytes, pagesOf } from "../verify/ocr.ts";
import { methodOf, type Verdict, type Verification } from "../verify/verification.ts";
import { mirrorDirectory, type MirrorContext } from "./accounts.ts";
import { chooseOther, openOwnPayload, placeOrder, type Shape, shapeOf } from "./order.ts";
import { pictureName, varyPicture } from "./vary.ts";
import { CALIBRATED_MODEL, localWork, outputsOf, verificationFor } from "./work.ts";

/** An order of a canary, and what came of it. */
export interface CanaryOrder {
  readonly id: string;
  readonly account: string;
  readonly provider: string;
  readonly sentAt: string;
  /** `none`: it ended without a result. Missing while it is under way. */
  readonly verdict?: Verdict | "none" | undefined;
  /** The first unit that is not the known answer, from 0. */
  readonly firstFailing?: number | undefined;
  readonly why?: string | undefined;
}

/**
 * A task whose answer is known, for one order: `<home>/mirror/canaries/<name>`, with its files below `input/` and the
 * answer of each unit below `answer/`.
 */
export interface Canary {
  readonly name: string;
  readonly createdAt: string;
  readonly application: string;
  readonly parameters: JsonObject;
  readonly needs?: Needs | undefined;
  /** As the task that it is from names it. */
  readonly verification?: Verification | undefined;
  /** Names of its files, in the order of the work. */
  readonly inputs: readonly string[];
  /** The task whose times, price and resources it is ordered with. */
  readonly like?: string | undefined;
  readonly order?: CanaryOrder | undefined;
}

const SCHEMA = "neura/canary/1";
const DEFAULT_SECONDS = 600;
const DEFAULT_MAX_BYTES = 4 * 1024 ** 3;
const ENOUGH = { seconds: 1, ramMiB: 1, outputMiB: 1 };

export interface CanarySource extends Abortable {
  /** Files, or an own task whose files are taken. */
  readonly from: { readonly files: readonly string[] } | { readonly task: string };
  /** Of files. Default: `ocr`. */
  readonly application?: string | undefined;
  readonly parameters?: JsonObject | undefined;
  /** The answer, if it is known: a `result.json` of `ocr`, else a file for each unit. Default: the work is done here. */
  readonly expected?: readonly string[] | undefined;
  /** Whether pictures are made anew and named anew, so that no file comes twice. Default: where the work is done here. */
  readonly vary?: boolean | undefined;
  /** The task whose times, price and resources it is ordered with. Default: the one that it is from, else the defaults. */
  readonly like?: string | undefined;
}

/**
 * Makes a canary: its files, and the answer to each unit. Nothing is sent.
 * Errors: `canary.no-answer`, `canary.expected`, those of the payload and of `ocr`.
 */
export async function createCanary(
  context: MirrorContext,
  { from, expected, signal = new AbortController().signal, ...options }: CanarySource,
): Promise<Canary> {
  const name = randomBytes(4).toString("hex");
  const directory = canaryPath(context.home, name);
  const scratch = await mkdtemp(join(tmpdir(), "neura-canary-"));
  try {
    await mkdir(join(directory, "input"), { recursive: true, mode: 0o700 });
    const source = await sourceOf(context, { from, options, scratch, signal });
    const { application, parameters, needs, verification } = source;
    const isVaried = options.vary ?? (application === "ocr" && expected === undefined);
    const inputs: string[] = [];
    for (const path of source.files) {
      let to = isVaried ? pictureName(path) : basename(path);
      while (isVaried && inputs.includes(to)) to = pictureName(path);
      const bytes = await readFile(path);
      await writeFile(join(directory, "input", to), isVaried ? await varyPicture(bytes) : bytes);
      inputs.push(to);
    }
    const manifest = manifestOf({ application, parameters, inputs, needs, verification });
    if (methodOf(verificationFor(manifest)).isRechecked) throw noAnswer(manifest);
    await writeAnswers(manifest, { directory, expected, signal });
    const createdAt = new Date().toISOString();
    const like = options.like ?? ("task" in from ? from.task : undefined);
    const canary = { name, createdAt, application, parameters, needs, verification, inputs, like };
    await saveCanary(context.home, canary);
    return canary;
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function sourceOf(
  context: MirrorContext,
  {
    from,
    options,
    scratch,
    signal,
  }: {
    from: CanarySource["from"];
    options: Pick<CanarySource, "application" | "parameters">;
    scratch: string;
    signal: AbortSignal;
  },
): Promise<
  Pick<Canary, "application" | "parameters" | "needs" | "verification"> & { files: readonly string[] }
> {
  if ("files" in from) {
    const { application = "ocr", parameters = {} } = options;
    return { application, parameters, files: from.files };
  }
  const status = await taskStatus(context, from.task, { signal });
  const { manifest, directory } = await openOwnPayload(context, status, {
    ...{ directory: scratch, maxBytes: DEFAULT_MAX_BYTES, signal },
  });
  const { application, parameters, needs, verification, inputs } = manifest;
  return {
    application,
    parameters,
    needs,
    verification,
    files: inputs.map((path) => join(directory, ...path.split("/"))),
  };
}

async function writeAnswers(
  manifest: Manifest,
  {
    directory,
    expected,
    signal,
  }: { directory: string; expected: readonly string[] | undefined; signal: AbortSignal },
): Promise<void> {
  await mkdir(join(directory, "answer"), { recursive: true, mode: 0o700 });
  const answer = async (index: number, bytes: Uint8Array): Promise<void> =>
    await writeFile(join(directory, "answer", String(index)), bytes);
  if (expected !== undefined) {
    const answers = await answersIn(manifest, expected);
    for (const [index, bytes] of answers.entries()) await answer(index, bytes);
    return;
  }
  const work = await localWork(manifest, { payloadDirectory: directory });
  if (work === undefined) {
    throw noAnswer(manifest);
  }
  try {
    for (const index of manifest.inputs.keys()) await answer(index, await work.recompute(index, { signal }));
  } finally {
    await work.release();
  }
}

function noAnswer(manifest: Manifest): NeuraError {
  const { application } = manifest;
  const { method } = verificationFor(manifest);
  return new NeuraError(
    "canary.no-answer",
    `Nothing here has an answer to the work of ${application}, or ${method} could not hold a result against one.`,
    { next: "Give the answer with --expected, a file for each unit, for work that is compared with one." },
  );
}

async function answersIn(
  { application, inputs }: Manifest,
  expected: readonly string[],
): Promise<Uint8Array[]> {
  const files = await Promise.all(expected.map(async (path) => new Uint8Array(await readFile(path))));
  if (application !== "ocr") return files;
  const [first = new Uint8Array()] = files;
  const pages = pagesOf(new TextDecoder().decode(first));
  if (pages?.length === inputs.length) return pages.map(pageBytes);
  throw new NeuraError(
    "canary.expected",
    `The expected result has ${pages?.length ?? 0} pages where there are ${inputs.length} pictures.`,
    { next: "Give the `result.json` of these pictures, or leave it out: then they are read here." },
  );
}

/** As comparisons need it; what is sent is made as for every task. */
function manifestOf({
  application,
  parameters,
  inputs,
  needs,
  verification,
}: Record<"application" | "parameters" | "needs" | "verification", unknown> & Pick<Canary, "inputs">) {
  return parseManifest({
    ...{ schema: "neura/manifest/1", application, parameters, limits: ENOUGH },
    inputs: inputs.map((name) => `input/${name}`),
    ...(needs === undefined ? {} : { needs }),
    ...(verification === undefined ? {} : { verification }),
  });
}

// ---- Orders ----

export interface SendOptions extends Abortable {
  /** Default: the one that an ordinary order would go to. */
  readonly provider?: string | undefined;
  /** More than this is refused [wei]. */
  readonly maxCostWei?: bigint | undefined;
  /** Whether the best one may be one that has neither sold work nor enough at stake. Default: no. */
  readonly anyProvider?: boolean | undefined;
  readonly onProgress?: ((progress: SubmitProgress) => void) | undefined;
}

/**
 * Orders a canary from a mirror account, by the same code as any other task. Each is ordered once.
 * Errors: `canary.unknown`, `canary.sent`, `mirror.no-provider`, `mirror.no-account`, those of `prepareTask` and
 * `submitTask`.
 */
export async function sendCanary(
  context: MirrorContext,
  name: string,
  { provider: named, maxCostWei, anyProvider, signal, onProgress }: SendOptions = {},
): Promise<CanaryOrder> {
  const canary = await loadCanary(context.home, name);
  if (canary.order !== undefined) {
    throw new NeuraError("canary.sent", `The canary ${name} was sent as task ${canary.order.id}.`, {
      next: "Make another one with `canary create`: what comes twice is known.",
    });
  }
  const { application, parameters, needs, verification, inputs, like } = canary;
  const shape: Shape = like === undefined ? {} : shapeOf(await taskStatus(context, like, { signal }));
  const directory = canaryPath(context.home, name);
  const request: TaskRequest = {
    ...shape,
    source: { files: inputs.map((each) => join(directory, "input", each)) },
    ...{ application, parameters, needs, verification, maxCostWei, anyProvider, provider: named },
  };
  const { account: provider, rateWei } = await chooseOther(context, request, { others: [], signal });
  const costWei = request.price?.amountWei ?? rateWei * BigInt(request.durationSeconds ?? DEFAULT_SECONDS);
  const placed = await placeOrder(
    context,
    { ...request, provider },
    { ...{ purpose: `canary ${name}`, costWei, signal }, ...(onProgress ? { onProgress } : {}) },
  );
  const { id, account } = placed;
  const order = { id, account, provider: placed.provider, sentAt: new Date().toISOString() };
  await saveCanary(context.home, { ...canary, order });
  return order;
}

/**
 * Opens what was delivered for a canary, holds it against the known answer, and notes what came out.
 * Errors: `canary.unknown`, `canary.not-sent`, those of `taskStatus` and `fetchResult`.
 */
export async function checkCanary(
  context: MirrorContext,
  name: string,
  { signal = new AbortController().signal }: Abortable = {},
): Promise<CanaryOrder> {
  const canary = await loadCanary(context.home, name);
  const { order } = canary;
  if (order === undefined) {
    throw new NeuraError("canary.not-sent", `The canary ${name} was not sent.`, {
      next: "Send it with `canary send`.",
    });
  }
  const { delivery, ended, outcome } = await taskStatus(context, order.id, { signal });
  if (delivery === undefined && !ended) return order;
  const found =
    delivery === undefined
      ? { verdict: "none" as const, why: `it ended as ${outcome}` }
      : await judgeDelivery(context, { canary, id: order.id, signal });
  const checked = { ...order, ...found };
  await saveCanary(context.home, { ...canary, order: checked });
  return checked;
}

async function judgeDelivery(
  context: MirrorContext,
  { canary, id, signal }: { canary: Canary; id: string; signal: AbortSignal },
): Promise<Pick<CanaryOrder, "verdict" | "firstFailing" | "why">> {
  const scratch = await mkdtemp(join(tmpdir(), "neura-canary-"));
  try {
    const directory = join(scratch, "result");
    const result = await fetchResult(context, id, { directory, maxBytes: DEFAULT_MAX_BYTES, signal });
    const { delivery, evidence, sound } = result;
    if (delivery.outcome !== Outcome.Completed)
      return { verdict: "fail", firstFailing: 0, why: `it ended as ${outcomeName(delivery.outcome)}` };
    if (!sound || evidence === undefined)
      return { verdict: "fail", firstFailing: 0, why: "the result is not what its evidence says" };
    const record = await loadRecord(context.home, id);
    if (record === undefined) return { verdict: "inconclusive", why: "its record is not on this machine" };
    const manifest = manifestOf({ needs: undefined, verification: undefined, ...canary });
    const payloadDirectory = canaryPath(context.home, canary.name);
    const answers = await readdir(join(payloadDirectory, "answer"));
    const outputs = await outputsOf(manifest, { directory, payloadDirectory, evidence });
    const report = await auditDelivery({
      ...{ evidence, evidenceHash: delivery.evidenceHash, auditSeed: record.auditSeed, signal },
      ...{
        verification: verificationFor(manifest),
        calibrations: BUILT_IN_CALIBRATIONS,
        count: answers.length,
      },
      work: {
        ...CALIBRATED_MODEL,
        unitCount: answers.length,
        delivered: async (index) => await outputs.unit(index),
        recompute: async (index) =>
          new Uint8Array(await readFile(join(payloadDirectory, "answer", String(index)))),
      },
    });
    const { verdict, firstFailing, findings } = report;
    const finding = findings.find((each) => each.unit === firstFailing && each.verdict === "fail");
    return { verdict, firstFailing, why: (finding ?? findings.at(0))?.why };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

// ---- Register ----

function canaryPath(home: string, name: string): string {
  return join(mirrorDirectory(home), "canaries", name);
}

/** All canaries of this machine, oldest first. Error: `canary.invalid`. */
export async function listCanaries(home: string): Promise<Canary[]> {
  const names = await readdir(join(mirrorDirectory(home), "canaries")).catch(() => []);
  const files = await Promise.all(names.map(async (name) => await readCanary(home, name)));
  return files
    .filter((each) => each !== undefined)
    .toSorted((one, other) => one.createdAt.localeCompare(other.createdAt));
}

/** What providers made of the canaries that they got. */
export interface CanaryTally {
  readonly provider: string;
  readonly sent: number;
  readonly passed: number;
  readonly failed: number;
  /** Nothing can be said, or it ended without a result. */
  readonly undecided: number;
  /** Not checked yet. */
  readonly open: number;
}

export function tallyOf(canaries: readonly Canary[]): CanaryTally[] {
  const orders = canaries.flatMap(({ order }) => order ?? []);
  const providers = [...new Set(orders.map(({ provider }) => provider))];
  return providers.map((provider) => {
    const own = orders.filter((each) => each.provider === provider).map(({ verdict }) => verdict);
    const count = (...verdicts: CanaryOrder["verdict"][]): number =>
      own.filter((verdict) => verdicts.includes(verdict)).length;
    return {
      provider,
      sent: own.length,
      passed: count("pass"),
      failed: count("fail"),
      undecided: count("inconclusive", "none"),
      open: count(undefined),
    };
  });
}

/** Errors: `canary.unknown`, `canary.invalid`. */
async function loadCanary(home: string, name: string): Promise<Canary> {
  const canary = /^[0-9a-f]{8}$/.test(name) ? await readCanary(home, name) : undefined;
  if (canary !== undefined) return canary;
  throw new NeuraError("canary.unknown", `There is no canary ${JSON.stringify(name)} on this machine.`, {
    next: "See which there are with `canary list`.",
  });
}

async function readCanary(home: string, name: string): Promise<Canary | undefined> {
  const path = join(canaryPath(home, name), "canary.json");
  const file = await readJson(path);
  // One that is being made has no such file.
  if (file === undefined) return undefined;
  try {
    if (file["schema"] !== SCHEMA) throw new Error(`its schema is not ${SCHEMA}`);
    const { createdAt, like, order, ...work } = file;
    const { application, parameters, inputs, needs, verification } = work;
    const list = Array.isArray(inputs) ? inputs.map(String) : [];
    // The manifest's own reading checks what is sent.
    const manifest = manifestOf({ application, parameters, inputs: list, needs, verification });
    return {
      ...{ name, createdAt: String(createdAt), inputs: list },
      ...{ application: manifest.application, parameters: manifest.parameters },
      ...{ needs: manifest.needs, verification: manifest.verification },
      ...(typeof like === "string" ? { like } : {}),
      ...(order === undefined ? {} : { order: readOrder(order) }),
    };
  } catch (error) {
    throw new NeuraError("canary.invalid", `${path} cannot be read: ${messageOf(error)}.`, {
      next: "Move its folder away, or make another one with `canary create`.",
    });
  }
}

const VERDICTS = ["pass", "fail", "inconclusive", "none"] as const;

function readOrder(value: unknown): CanaryOrder {
  const fields: Record<string, unknown> = typeof value === "object" && value !== null ? { ...value } : {};
  const text = (name: string): string => {
    const field = fields[name];
    if (typeof field !== "string") throw new Error(`its order has no ${name}`);
    return field;
  };
  const { firstFailing, why } = fields;
  const verdict = VERDICTS.find((each) => each === fields["verdict"]);
  return {
    ...{ id: text("id"), account: text("account"), provider: text("provider"), sentAt: text("sentAt") },
    ...(verdict === undefined ? {} : { verdict }),
    ...(typeof firstFailing === "number" ? { firstFailing } : {}),
    ...(typeof why === "string" ? { why } : {}),
  };
}

async function saveCanary(home: string, canary: Canary): Promise<void> {
  await writeJson(join(canaryPath(home, canary.name), "canary.json"), { schema: SCHEMA, ...canary });
}
