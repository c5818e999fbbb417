import { getAddress, isAddress } from "ethers";

import { messageOf, NeuraError } from "../errors.ts";
import { Fields } from "../fields.ts";
import type { Evidence } from "../market/evidence.ts";
import { Outcome, type OutcomeName } from "../market/outcome.ts";
import { unpackResources } from "../market/resources.ts";
import { decodeTerms, encodeTerms, encodeWork, type Terms, type Work } from "../market/terms.ts";

/**
 * What a receipt states: an in-toto Statement v1 whose predicate has the shape of SLSA provenance v1, and the
 * settlement beside it. Digests are lower-case hex without 0x, as in-toto has them, everything of the chain with it.
 */

export const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
/** Names, not addresses: the project has no domain that could be lost to somebody else. */
export const RECEIPT_TYPE = "urn:neura:compute-receipt:v1";
export const JOB_TYPE = "urn:neura:job:v1";

/** The names of what is no file. */
export const RESULT = "result";
export const INPUT = "input";
export const RUN = "run.json";
const UNITS = "units";
const DRAW = "draw";

/** in-toto's `ResourceDescriptor`, as far as it is used. `keccak256` of a tree is its root. */
export interface Descriptor {
  readonly name: string;
  readonly uri?: string;
  readonly digest?: { readonly sha256?: string; readonly keccak256?: string };
  readonly annotations?: { readonly count: number };
}

/** A place on the chain. `logIndex` counts within the block. */
export interface LogPlace {
  readonly tx: string;
  readonly block: number;
  readonly logIndex: number;
}

/** How a delivery came to be paid. */
export interface Settled extends LogPlace {
  /** `TaskDelivered`: without a challenge period, so that delivering paid. */
  readonly event: "TaskDelivered" | "TaskSettled" | "TaskResolved";
  /** Of the task, at its end. */
  readonly outcome: OutcomeName;
  /** ISO 8601. */
  readonly at: string;
}

/** What was done to find out whether the work is right. Only what happened is listed; nothing of it means "correct". */
export type Assurance =
  /** It could be challenged for so long, and was not [s]. */
  | { readonly kind: "unchallenged"; readonly seconds: number }
  /** It was disputed, and so much of the price was due in the end [bps]. */
  | { readonly kind: "dispute"; readonly outcome: OutcomeName; readonly providerBps: number }
  /** Units that were done again and held against the delivery, as whoever made the receipt says. */
  | {
      readonly kind: "unit-audit";
      readonly units: number;
      readonly of: number;
      readonly by: "owner" | "provider" | "other";
      readonly passed: number;
    };

export interface Settlement extends LogPlace {
  /** CAIP-2: `eip155:<chain>`. */
  readonly chain: string;
  readonly market: string;
  readonly taskId: string;
  readonly terms: Terms;
  readonly work: Work;
  readonly evidenceHash: string;
  /** SHA-256 of the result as it was stored, and where that was. */
  readonly resultHash: string;
  readonly result: string;
  /** Of the delivery. */
  readonly outcome: OutcomeName;
  readonly secondsUsed: number;
  /** Missing while it is not paid. */
  readonly settled?: Settled;
  readonly assurance: readonly Assurance[];
}

/** What a receipt says, unpacked. */
export interface ReceiptStatement {
  /** Files of the result, by path. */
  readonly files: readonly Descriptor[];
  /** Files of the input that are shown, by path. */
  readonly inputs: readonly Descriptor[];
  readonly models: readonly Descriptor[];
  readonly evidence: Evidence;
  /** As `run.json` has it. */
  readonly application: string | undefined;
  readonly dtype: string | undefined;
  readonly seed: string | undefined;
  readonly provider: string;
  /** ISO 8601. */
  readonly startedOn: string | undefined;
  readonly finishedOn: string;
  readonly settlement: Settlement;
}

const bare = (hash: string): string => hash.slice(2);

/** The statement as JSON: what is signed. Its bytes are the same for the same statement. */
export function encodeStatement(statement: ReceiptStatement): string {
  const { files, inputs, models, evidence, application, dtype, seed, provider, settlement } = statement;
  const { startedOn, finishedOn } = statement;
  const { terms, work, settled, assurance, ...facts } = settlement;
  const words = encodeTerms(terms);
  const { resources, ...workWords } = encodeWork(work);
  const root = (name: string, hash: string): Descriptor => ({ name, digest: { keccak256: bare(hash) } });
  return JSON.stringify({
    _type: STATEMENT_TYPE,
    subject: [root(RESULT, evidence.resultRoot), ...files],
    predicateType: RECEIPT_TYPE,
    predicate: {
      buildDefinition: {
        buildType: JOB_TYPE,
        externalParameters: { application, dtype, seed },
        resolvedDependencies: [root(INPUT, evidence.inputRoot), ...inputs, ...models],
      },
      runDetails: {
        builder: { id: accountId(settlement.chain, provider) },
        metadata: { invocationId: settlement.taskId, startedOn, finishedOn },
        byproducts: [
          { name: RUN, digest: { sha256: bare(evidence.runHash) } },
          { ...root(UNITS, evidence.unitsRoot), annotations: { count: evidence.unitCount } },
          root(DRAW, evidence.drawCommit),
        ],
      },
      settlement: {
        ...facts,
        terms: {
          ...words,
          price: hex(words.price),
          conditions: hex(words.conditions),
          assurance: hex(words.assurance),
        },
        work: { resources: hex(resources), ...workWords, backup: work.backup },
        settled,
        assurance,
      },
    },
  });
}

/**
 * Reads a statement that anybody may have written; a field that this version does not have is refused. Error:
 * `receipt.malformed`, which names what does not belong there.
 */
export function parseStatement(text: string): ReceiptStatement {
  const faults: string[] = [];
  let statement: ReceiptStatement;
  try {
    statement = readStatement(new Fields(JSON.parse(text), "", faults));
  } catch (error) {
    throw malformed(faults.length > 0 ? faults.slice(0, 8).join("; ") : messageOf(error));
  }
  if (faults.length > 0) throw malformed(faults.slice(0, 8).join("; "));
  return statement;
}

export function malformed(reason: string): NeuraError {
  return new NeuraError("receipt.malformed", `This is no receipt that can be read: ${reason}.`, {
    next: "Ask for the file again; a receipt of another version needs another version of this program.",
  });
}

/** CAIP-10. */
export function accountId(chain: string, account: string): string {
  return `${chain}:${account}`;
}

/** The number of a chain in CAIP-2. */
export function chainIdOf(chain: string): bigint {
  return BigInt(chain.slice("eip155:".length));
}

// ---- Reading ----

function readStatement(file: Fields): ReceiptStatement {
  file.is("_type", STATEMENT_TYPE);
  file.is("predicateType", RECEIPT_TYPE);
  const subject = descriptorsIn(file, "subject");
  const predicate = file.object("predicate");
  const build = predicate.object("buildDefinition");
  build.is("buildType", JOB_TYPE);
  const external = build.object("externalParameters");
  const plain = (name: string): string | undefined => external.text(name, "is no text", limited);
  const said = { application: plain("application"), dtype: plain("dtype"), seed: plain("seed") };
  const dependencies = descriptorsIn(build, "resolvedDependencies");
  const run = predicate.object("runDetails");
  const builder = run.object("builder");
  const builderId = need(builder, "id", accountIn);
  const metadata = run.object("metadata");
  const invocationId = need(metadata, "invocationId", hashIn);
  const startedOn = metadata.text("startedOn", "is no time", timeIn);
  const finishedOn = need(metadata, "finishedOn", timeIn);
  const byproducts = descriptorsIn(run, "byproducts");
  const settlement = readSettlement(predicate.object("settlement"));
  for (const each of [file, predicate, build, external, run, builder, metadata]) each.end();
  if (invocationId !== settlement.taskId) file.fault("names two tasks");
  if (!builderId.startsWith(`${settlement.chain}:`)) file.fault("names a builder of another chain");

  const [result, ...files] = subject;
  const [input, ...others] = dependencies;
  const [runFile, units, draw, ...more] = byproducts;
  if (more.length > 0) file.fault("has byproducts that do not belong there");
  const rootIn = (found: Descriptor | undefined, name: string): string => {
    if (found?.name !== name || found.digest?.keccak256 === undefined) file.fault(`has no root of ${name}`);
    return `0x${found?.digest?.keccak256 ?? ""}`;
  };
  if (runFile?.name !== RUN || runFile.digest?.sha256 === undefined) file.fault(`has no hash of ${RUN}`);
  return {
    files,
    inputs: others.filter(({ uri, name }) => uri === undefined && !name.startsWith("model")),
    models: others.filter(({ uri, name }) => uri !== undefined || name.startsWith("model")),
    evidence: {
      inputRoot: rootIn(input, INPUT),
      resultRoot: rootIn(result, RESULT),
      unitsRoot: rootIn(units, UNITS),
      unitCount: units?.annotations?.count ?? 0,
      runHash: `0x${runFile?.digest?.sha256 ?? ""}`,
      drawCommit: rootIn(draw, DRAW),
    },
    ...said,
    provider: builderId.slice(settlement.chain.length + 1),
    startedOn,
    finishedOn,
    settlement,
  };
}

function readSettlement(file: Fields): Settlement {
  const chain = need(file, "chain", (text) => (/^eip155:[1-9]\d{0,18}$/.test(text) ? text : undefined));
  const words = file.object("terms");
  const work = file.object("work");
  const backup = work.text("backup", "is no account", addressIn);
  const settled = file.has("settled") ? readSettled(file.object("settled")) : undefined;
  const settlement: Settlement = {
    chain,
    market: need(file, "market", addressIn),
    taskId: need(file, "taskId", hashIn),
    terms: decodeTerms({
      owner: need(words, "owner", addressIn),
      provider: need(words, "provider", addressIn),
      price: need(words, "price", wordIn),
      conditions: need(words, "conditions", wordIn),
      assurance: need(words, "assurance", wordIn),
      salt: need(words, "salt", hashIn),
    }),
    work: {
      resources: unpackResources(need(work, "resources", wordIn)),
      payloadHash: need(work, "payloadHash", hashIn),
      payload: need(work, "payload", limited),
      ...(backup === undefined ? {} : { backup }),
    },
    evidenceHash: need(file, "evidenceHash", hashIn),
    resultHash: need(file, "resultHash", hashIn),
    result: need(file, "result", (text) => (text.length <= 1024 ? text : undefined)),
    outcome: need(file, "outcome", outcomeIn),
    secondsUsed: wholeIn(file, "secondsUsed"),
    ...placeIn(file),
    ...(settled === undefined ? {} : { settled }),
    assurance: file.required("assurance", file.objects("assurance", { atMost: 64 }), []).map(readAssurance),
  };
  for (const each of [words, work, file]) each.end();
  return settlement;
}

function readSettled(file: Fields): Settled {
  const events = ["TaskDelivered", "TaskSettled", "TaskResolved"] as const;
  const settled = {
    event: need(file, "event", (text) => events.find((each) => each === text)),
    outcome: need(file, "outcome", outcomeIn),
    at: need(file, "at", timeIn),
    ...placeIn(file),
  };
  file.end();
  return settled;
}

function readAssurance(file: Fields): Assurance {
  const kinds = ["unchallenged", "dispute", "unit-audit"] as const;
  const kind = need(file, "kind", (text) => kinds.find((each) => each === text));
  const assurance = ((): Assurance => {
    switch (kind) {
      case "unchallenged":
        return { kind, seconds: wholeIn(file, "seconds") };
      case "dispute":
        return { kind, outcome: need(file, "outcome", outcomeIn), providerBps: wholeIn(file, "providerBps") };
      case "unit-audit": {
        const sides = ["owner", "provider", "other"] as const;
        const by = need(file, "by", (text) => sides.find((each) => each === text));
        const [units, of, passed] = [wholeIn(file, "units"), wholeIn(file, "of"), wholeIn(file, "passed")];
        return { kind, units, of, by, passed };
      }
    }
  })();
  file.end();
  return assurance;
}

function descriptorsIn(file: Fields, name: string): Descriptor[] {
  const list = file.required(name, file.objects(name, { atMost: 20_000 }), []);
  return list.map((each) => {
    const uri = each.text("uri", "is no address", limited);
    const found = {
      name: need(each, "name", limited),
      ...(uri === undefined ? {} : { uri }),
      ...(each.has("digest") ? { digest: digestIn(each.object("digest")) } : {}),
      ...(each.has("annotations") ? { annotations: annotationsIn(each.object("annotations")) } : {}),
    };
    each.end();
    return found;
  });
}

function digestIn(file: Fields): { sha256?: string; keccak256?: string } {
  const read = (text: string): string | undefined => (/^[0-9a-f]{64}$/.test(text) ? text : undefined);
  const [sha256, keccak256] = [
    file.text("sha256", "is no digest", read),
    file.text("keccak256", "is no digest", read),
  ];
  file.end();
  return { ...(sha256 === undefined ? {} : { sha256 }), ...(keccak256 === undefined ? {} : { keccak256 }) };
}

function annotationsIn(file: Fields): { count: number } {
  const count = wholeIn(file, "count");
  file.end();
  return { count };
}

function placeIn(file: Fields): LogPlace {
  return {
    tx: need(file, "tx", hashIn),
    block: wholeIn(file, "block"),
    logIndex: wholeIn(file, "logIndex"),
  };
}

/** A field without which nothing else can be read. */
function need<T>(file: Fields, name: string, read: (text: string) => T | undefined): T {
  const value = file.text(name, "is not what belongs there", read, { required: true });
  if (value === undefined) throw new Error(`${name} is missing`);
  return value;
}

function wholeIn(file: Fields, name: string): number {
  return file.required(name, file.whole(name), 0);
}

const limited = (text: string): string | undefined =>
  text.length > 0 && text.length <= 1024 ? text : undefined;
const hashIn = (text: string): string | undefined => (/^0x[0-9a-f]{64}$/.test(text) ? text : undefined);
const addressIn = (text: string): string | undefined =>
  isAddress(text) && getAddress(text) === text ? text : undefined;
const accountIn = (text: string): string | undefined =>
  addressIn(text.slice(text.lastIndexOf(":") + 1)) === undefined ? undefined : text;
const wordIn = (text: string): bigint | undefined =>
  /^0x(?:0|[1-9a-f][0-9a-f]{0,63})$/.test(text) ? BigInt(text) : undefined;
const timeIn = (text: string): string | undefined =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? text : undefined;

function outcomeIn(text: string): OutcomeName | undefined {
  for (const name in Outcome) if (name === text && isOutcome(name)) return name;
  return undefined;
}

function isOutcome(name: string): name is OutcomeName {
  return name in Outcome;
}

function hex(word: bigint): string {
  return `0x${word.toString(16)}`;
}
