import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { messageOf, NeuraError } from "../errors.ts";
import { Secret } from "../secret.ts";
import { encodeEvidence, type EvidenceFile, parseEvidence } from "./evidence.ts";
import { decodeTerms, encodeTerms, encodeWork, type Terms, type Work } from "./terms.ts";
import { unpackResources } from "./resources.ts";

/**
 * What an owner keeps of a task, `<home>/tasks/<id>.json`: written before the transaction is sent. A task can be
 * followed and its result opened without it, from any machine; it adds what the chain does not know.
 */
export interface TaskRecord {
  readonly id: string;
  readonly chainId: bigint;
  readonly market: string;
  /** 32 bytes as hex; `keccak256` of it is the salt of the terms. It decides which units will be audited. */
  readonly auditSeed: Secret<string>;
  readonly terms: Terms;
  readonly work: Work;
  /** Merkle root of the payload: what the delivery's `inputRoot` must be. */
  readonly inputRoot: string;
  readonly application: string;
  /** How many files were sent; missing in records of before. */
  readonly inputs?: number | undefined;
  readonly createdAt: string;
  /** Set once the transaction was sent. */
  readonly transactionHash?: string | undefined;
}

const SCHEMA = "neura/task/1";

/** The file of a task. */
export function recordPath(home: string, id: string): string {
  return join(home, "tasks", `${id}.json`);
}

export async function saveRecord(home: string, record: TaskRecord): Promise<void> {
  const { auditSeed, terms, work, chainId, ...rest } = record;
  await writeJson(recordPath(home, record.id), {
    schema: SCHEMA,
    ...rest,
    chainId: Number(chainId),
    auditSeed: auditSeed.reveal(),
    terms: encodeTerms(terms),
    work: { ...encodeWork(work), ...(work.backup === undefined ? {} : { backup: work.backup }) },
  });
}

/** What is kept of a task, if anything. Error: `task.record-invalid`. */
export async function loadRecord(home: string, id: string): Promise<TaskRecord | undefined> {
  const path = recordPath(home, id);
  const file = await readJson(path);
  if (file === undefined) return undefined;
  try {
    if (file["schema"] !== SCHEMA) throw new Error(`its schema is not ${SCHEMA}`);
    const terms = fieldsOf(file["terms"]);
    const work = fieldsOf(file["work"]);
    return {
      id: text(file, "id"),
      chainId: BigInt(Number(file["chainId"])),
      market: text(file, "market"),
      auditSeed: new Secret(text(file, "auditSeed")),
      terms: decodeTerms({
        owner: text(terms, "owner"),
        provider: text(terms, "provider"),
        price: BigInt(text(terms, "price")),
        conditions: BigInt(text(terms, "conditions")),
        assurance: BigInt(text(terms, "assurance")),
        salt: text(terms, "salt"),
      }),
      work: {
        resources: unpackResources(BigInt(text(work, "resources"))),
        payloadHash: text(work, "payloadHash"),
        payload: text(work, "payload"),
        ...(typeof work["backup"] === "string" ? { backup: work["backup"] } : {}),
      },
      inputRoot: text(file, "inputRoot"),
      application: text(file, "application"),
      createdAt: text(file, "createdAt"),
      ...(typeof file["inputs"] === "number" ? { inputs: file["inputs"] } : {}),
      ...(typeof file["transactionHash"] === "string" ? { transactionHash: file["transactionHash"] } : {}),
    };
  } catch (error) {
    throw new NeuraError("task.record-invalid", `${path} cannot be read: ${messageOf(error)}.`, {
      next: "Move it away: the chain knows the task without it.",
    });
  }
}

/** Keeps what a delivery committed to, `<home>/tasks/<id>.evidence.json`: it is not among the result's files. */
export async function saveEvidence(home: string, id: string, evidence: EvidenceFile): Promise<void> {
  await writeText(join(home, "tasks", `${id}.evidence.json`), encodeEvidence(evidence));
}

/** As it was kept when the result was fetched; not checked against the chain. Error: `evidence.invalid`. */
export async function loadEvidence(home: string, id: string): Promise<EvidenceFile | undefined> {
  const text = await textOf(join(home, "tasks", `${id}.evidence.json`));
  return text === undefined ? undefined : parseEvidence(text);
}

// ---- Files ----

/** Writes a file that only this user can read, whole or not at all. Bigints become decimal strings. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const json = JSON.stringify(
    value,
    (_, each: unknown) => (typeof each === "bigint" ? each.toString() : each),
    2,
  );
  await writeText(path, `${json}\n`);
}

async function writeText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const partial = `${path}.${process.pid}.partial`;
  await writeFile(partial, text, { mode: 0o600, flush: true });
  await rename(partial, path);
}

/** The object in a file, or `undefined` without the file. */
export async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const json = await textOf(path);
  return json === undefined ? undefined : fieldsOf(JSON.parse(json));
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function fieldsOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw new Error("an object is missing");
  return { ...value };
}

function text(fields: Record<string, unknown>, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new Error(`${name} is missing`);
  return value;
}
