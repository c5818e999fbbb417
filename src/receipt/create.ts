import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hexlify } from "ethers";
import { keccak_256 } from "@noble/hashes/sha3.js";

import type { Abortable } from "../abort.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { type MarketContext, requireSigner } from "../market/context.ts";
import { decodeTaskEvent, TASK_TOPICS, type TaskEvent } from "../market/events.ts";
import type { Evidence } from "../market/evidence.ts";
import { outcomeName } from "../market/outcome.ts";
import { fetchResult, type TaskResult } from "../market/result.ts";
import type { Moment, TaskStatus } from "../market/status.ts";
import { isOpen } from "../market/terms.ts";
import { momentText } from "../text.ts";
import { type ChainProofs, proveReceipts, type Wanted } from "./chain-proof.ts";
import { type Disclosure, disclose, disclosedFile } from "./disclosure.ts";
import { encodeEnvelope, PAYLOAD_TYPE, signPayload } from "./dsse.ts";
import { type Beside, BESIDE_SCHEMA, parseReceipt, type Receipt } from "./receipt.ts";
import {
  type Assurance,
  type Descriptor,
  encodeStatement,
  type LogPlace,
  type ReceiptStatement,
  RUN,
  type Settled,
  type Settlement,
} from "./statement.ts";

export interface ReceiptOptions extends Abortable {
  /** What `fetchResult` gave, its folder as it wrote it; without it, the result is fetched. */
  readonly result?: TaskResult | undefined;
  /** Sign it with the context's account. Default: no. */
  readonly sign?: boolean | undefined;
  /** Files to show, see `disclose`: then no others are named. */
  readonly disclose?: readonly string[] | undefined;
  readonly withNeighbours?: boolean | undefined;
  /** Audits that were made of it. Nobody but the signer vouches for them. */
  readonly audits?: readonly Extract<Assurance, { kind: "unit-audit" }>[] | undefined;
}

export interface MadeReceipt extends Receipt {
  /** The file. */
  readonly text: string;
}

/**
 * Makes the receipt of a task that was delivered: what was delivered by whom, how it was paid, and what was done to
 * find out whether it is right; with what proves that. For whoever can open the result.
 *
 * Errors: `receipt.no-evidence`, `receipt.unsound`, `receipt.cannot-sign`, `market.read-only`, those of `fetchResult`
 * and `disclose`.
 */
export async function createReceipt(
  context: MarketContext,
  id: string,
  options: ReceiptOptions = {},
): Promise<MadeReceipt> {
  const { signal, sign = false } = options;
  const task = id.toLowerCase();
  const signer = sign ? requireSigner(context) : undefined;
  const workDirectory = await mkdtemp(join(tmpdir(), "neura-receipt-"));
  try {
    const result =
      options.result ??
      (await fetchResult(context, task, { directory: join(workDirectory, "result"), signal }));
    const evidence = requireEvidence(result);
    const { paths, withNeighbours } = { paths: options.disclose ?? [], ...options };
    const disclosures = await disclose(context, result, { paths, withNeighbours, workDirectory, signal });
    const { settlement, wanted } = await settlementOf(context, result, options.audits ?? []);
    const files = await filesOf(result, disclosures, evidence);
    const statement = await statementOf(context, result, { ...files, evidence, settlement });
    const payload = new TextEncoder().encode(encodeStatement(statement));
    const proven = await proofsOf(context, wanted, { signal });
    const signatures =
      signer === undefined ? [] : [signPayload(payload, { signer, chain: settlement.chain })];
    const beside: Beside = { schema: BESIDE_SCHEMA, ...proven, disclosures };
    const text = encodeEnvelope({
      payloadType: PAYLOAD_TYPE,
      payload: Buffer.from(payload).toString("base64"),
      signatures,
      neura: beside,
    });
    // What nobody would read must not be handed out.
    return { ...parseReceipt(text), text };
  } finally {
    await rm(workDirectory, { recursive: true, force: true });
  }
}

function requireEvidence({ evidence, sound, checks }: TaskResult): Evidence {
  if (!sound) {
    const wrong = checks.filter(({ verdict }) => verdict === "mismatch").map(({ name }) => name);
    throw new NeuraError(
      "receipt.unsound",
      `The result is not what the delivery committed to: ${wrong.join(", ")}.`,
      { next: "Keep the result: with the delivery's transaction it is the proof of that." },
    );
  }
  if (evidence !== undefined) return evidence.evidence;
  throw new NeuraError(
    "receipt.no-evidence",
    "The delivery commits to no evidence that a receipt could show.",
    {
      next: "Buy from a provider whose deliveries do.",
    },
  );
}

async function statementOf(
  { deployment }: MarketContext,
  { status, directory }: TaskResult,
  parts: Pick<ReceiptStatement, "files" | "inputs" | "evidence" | "settlement">,
): Promise<ReceiptStatement> {
  const { accepted, delivered, provider = status.terms.provider } = status;
  const run = runFacts(await readFile(join(directory, RUN), "utf8"));
  const { model: number } = status.terms.conditions;
  const registry = deployment.contracts.ModelRegistry;
  return {
    ...parts,
    ...run,
    models: [
      // Which version was used is nowhere on the chain; what was, is what the run says.
      ...(number === undefined
        ? []
        : [{ name: "model", uri: `${parts.settlement.chain}:${registry}/${number}` }]),
      ...run.models,
    ],
    provider,
    startedOn: accepted && momentText(accepted.atSeconds),
    finishedOn: momentText(delivered?.atSeconds ?? 0),
  };
}

/** What the provider says of the run: of `run.json`. */
export function runFacts(json: string): Pick<ReceiptStatement, "application" | "dtype" | "seed" | "models"> {
  const run = fieldsOf(JSON.parse(json));
  const text = (value: unknown): string | undefined =>
    typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  const { files } = fieldsOf(run["model"]);
  const models = (Array.isArray(files) ? files : []).flatMap((each: unknown): Descriptor[] => {
    const { name, sha256 } = fieldsOf(each);
    if (typeof name !== "string" || typeof sha256 !== "string") return [];
    return [{ name: `model/${name}`, digest: { sha256: sha256.replace(/^0x/, "").toLowerCase() } }];
  });
  const { application, dtype, seed } = run;
  return { application: text(application), dtype: text(dtype), seed: text(seed), models };
}

/** All files of the result; where some are shown, those alone, so that hashes of the others cannot be guessed at. */
async function filesOf(
  { files, directory }: TaskResult,
  disclosures: readonly Disclosure[],
  evidence: Evidence,
): Promise<Pick<ReceiptStatement, "files" | "inputs">> {
  const described: Descriptor[] = [];
  if (disclosures.length === 0) {
    for (const { path } of files)
      described.push(await descriptorOf(path, createReadStream(join(directory, ...path.split("/")))));
  }
  const inputs: Descriptor[] = [];
  for (const each of disclosures) {
    const { path, content } = await disclosedFile(each, evidence);
    const isInput = each.kind === "leaves" && each.root === "inputRoot";
    (isInput ? inputs : described).push(await descriptorOf(path, [content]));
  }
  return { files: described, inputs };
}

/** A file by its name and its hashes. */
export async function descriptorOf(
  name: string,
  source: AsyncIterable<unknown> | Iterable<unknown>,
): Promise<Descriptor> {
  const [sha256, keccak256] = [createHash("sha256"), keccak_256.create()];
  for await (const part of source) {
    if (!(part instanceof Uint8Array)) continue;
    sha256.update(part);
    keccak256.update(part);
  }
  return {
    name,
    digest: { sha256: sha256.digest("hex"), keccak256: hexlify(keccak256.digest()).slice(2) },
  };
}

// ---- The chain's part ----

async function settlementOf(
  context: MarketContext,
  { status, delivery }: TaskResult,
  audits: readonly Assurance[],
): Promise<{ settlement: Settlement; wanted: Wanted }> {
  const { domain } = context;
  const { terms, work, id, delivered, accepted } = status;
  if (delivered === undefined) throw new Error("a delivery without its event");
  const place = await placeOf(context, id, "TaskDelivered", delivered);
  const settled = await settledOf(context, status, place);
  const assigned =
    accepted !== undefined && (isOpen(terms) || status.provider !== terms.provider)
      ? await placeOf(context, id, "TaskAssigned", accepted)
      : undefined;
  const settlement: Settlement = {
    chain: `eip155:${domain.chainId}`,
    market: domain.market,
    taskId: id,
    terms,
    work,
    evidenceHash: delivery.evidenceHash,
    resultHash: delivery.resultHash,
    result: delivery.result,
    outcome: outcomeName(delivery.outcome),
    secondsUsed: delivery.secondsUsed,
    ...place,
    ...(settled === undefined ? {} : { settled }),
    assurance: [...assuranceOf(status), ...audits],
  };
  const wanted = {
    ...(assigned === undefined ? {} : { assigned }),
    delivered: place,
    ...(settled === undefined || settled.event === "TaskDelivered" ? {} : { settled }),
  };
  return { settlement, wanted };
}

async function settledOf(
  context: MarketContext,
  { id, ended, outcome, closed, challenge, dispute }: TaskStatus,
  delivered: LogPlace,
): Promise<Settled | undefined> {
  if (!ended || closed === undefined) return undefined;
  const facts = { outcome, at: momentText(closed.atSeconds) };
  if (challenge === undefined) return { event: "TaskDelivered", ...facts, ...delivered };
  const event = dispute === undefined ? "TaskSettled" : "TaskResolved";
  return { event, ...facts, ...(await placeOf(context, id, event, closed)) };
}

/** What happened, and nothing that it might mean. */
function assuranceOf({ ended, challenge, dispute, delivered, closed, outcome }: TaskStatus): Assurance[] {
  if (!ended || challenge === undefined || delivered === undefined || closed === undefined) return [];
  if (dispute === undefined) {
    const until = Math.min(closed.atSeconds, challenge.endsAtSeconds);
    return [{ kind: "unchallenged", seconds: until - delivered.atSeconds }];
  }
  return [{ kind: "dispute", outcome, providerBps: dispute.resolution?.providerBps ?? 0 }];
}

/** Where the log of this event is. Error: `receipt.no-log` where the chain has changed since it was read. */
async function placeOf(
  { provider, domain }: MarketContext,
  id: string,
  name: TaskEvent["name"],
  { transactionHash }: Moment,
): Promise<LogPlace> {
  const receipt = await provider.getTransactionReceipt(transactionHash);
  const log = receipt?.logs.find(
    ({ address, topics }) => address === domain.market && topics[0] === TASK_TOPICS[name] && topics[1] === id,
  );
  if (log === undefined || decodeTaskEvent(log) === undefined) {
    throw new NeuraError("receipt.no-log", `Transaction ${transactionHash} has no ${name} of task ${id}.`, {
      next: "Try again: blocks have been replaced just now.",
    });
  }
  return { tx: log.transactionHash, block: log.blockNumber, logIndex: log.index };
}

async function proofsOf(
  { provider }: MarketContext,
  wanted: Wanted,
  options: Abortable,
): Promise<{ proofs: ChainProofs } | { unproven: string }> {
  try {
    return { proofs: await proveReceipts(provider, wanted, options) };
  } catch (error) {
    if (isNeuraError(error, "receipt.unprovable")) return { unproven: error.message.slice(0, 1000) };
    throw error;
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
