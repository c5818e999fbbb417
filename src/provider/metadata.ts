import {
  getAddress,
  isAddress,
  isHexString,
  keccak256,
  type Signer,
  toUtf8Bytes,
  verifyTypedData,
} from "ethers";

import { messageOf, NeuraError } from "../errors.ts";
import { Fields } from "../fields.ts";
import { canonicalJson } from "../json.ts";
import type { Machine } from "../market/needs.ts";
import { NO_RESOURCES, packResources, type Resources } from "../market/resources.ts";
import { printable } from "../text.ts";

/** One application that a provider runs. */
export interface OfferedApplication {
  readonly name: string;
  readonly version: string;
}

/** What one machine of a provider can take at this moment. */
export interface Capacity {
  /** When it was looked at, ISO 8601. */
  readonly measuredAt: string;
  /** Tasks at the same time, and how many of them could begin now. */
  readonly slots: number;
  readonly freeSlots: number;
  /** The largest single task that could begin now on one machine: never a sum over several. All zero: none. */
  readonly shape: Resources;
}

/** What a machine did in a measurement: medians over its runs. */
export interface Benchmark {
  readonly application: string;
  readonly version: string;
  /** What was worked on: figures for the same work can be compared. */
  readonly work: string;
  /** ISO 8601. */
  readonly measuredAt: string;
  readonly runs: number;
  /** Parts of the work in each run: pages. */
  readonly units: number;
  readonly unitsPerSecond: number;
  /** Of all cores together, loading of the model included [s]. */
  readonly cpuSecondsPerUnit: number;
  readonly peakMemoryMiB: number;
  readonly cpu: string;
  readonly architecture: string;
  /** What the figures depend on besides: `node`, `onnxruntime-node`. */
  readonly software: readonly { readonly name: string; readonly version: string }[];
}

/** Evidence of what a machine is that made a key. Whether it holds, owners' clients find out: `src/attestation.ts`. */
export interface Attestation {
  /** The owner's word for who vouches for it: `tdx`. One that nobody knows is read all the same. */
  readonly platform: string;
  /** Of the key that it is about. */
  readonly keyEpoch: number;
  /** As the platform made it, in base64. */
  readonly evidence: string;
}

/** What a provider says of itself, format `neura/provider/1`. */
export interface ProviderMetadata {
  readonly account: string;
  /** ISO 8601. */
  readonly issuedAt: string;
  readonly applications: readonly OfferedApplication[];
  readonly machine: Machine;
  readonly capacity: Capacity;
  readonly benchmarks: readonly Benchmark[];
  /** Where its node gives quotes. */
  readonly quoteUrl?: string;
  /** Below which what it keeps up for owners is reached. */
  readonly accessUrl?: string;
  readonly attestations?: readonly Attestation[];
}

/** A registry on a chain: a document for another one is worth nothing. */
export interface RegistryDomain {
  readonly chainId: bigint;
  readonly registry: string;
}

export const METADATA_SCHEMA = "neura/provider/1";
export const MAX_METADATA_BYTES = 64 * 1024;
/** Of one attestation; all of them share the document with the rest. */
export const MAX_EVIDENCE_BYTES = 16 * 1024;

const TYPES = {
  Metadata: [
    { name: "account", type: "address" },
    { name: "document", type: "bytes32" },
  ],
};
const MAX_ENTRIES = 64;
const MAX_ATTESTATIONS = 4;

/** The document as it is published: signed by the provider's account, or by its operator's. */
export async function signMetadata(
  metadata: ProviderMetadata,
  { domain, signer }: { domain: RegistryDomain; signer: Signer },
): Promise<string> {
  const document = { schema: METADATA_SCHEMA, ...metadata };
  const value = { account: metadata.account, document: hashOf(document) };
  const signature = await signer.signTypedData(typedDomain(domain), TYPES, value);
  const text = `${JSON.stringify({ ...document, signature }, undefined, 2)}\n`;
  // What nobody would read must not be published.
  parseMetadata(text);
  return text;
}

/**
 * Reads a document that anybody may have written. Errors: `metadata.invalid`, which names everything that does not
 * belong there.
 */
export function parseMetadata(text: string): { metadata: ProviderMetadata; signature: string } {
  const size = Buffer.byteLength(text);
  if (size > MAX_METADATA_BYTES) throw invalid(`it has ${size} bytes, more than ${MAX_METADATA_BYTES}`);
  const faults: string[] = [];
  const file = new Fields(parseJson(text), "", faults);
  file.is("schema", METADATA_SCHEMA);
  const signature = file.required("signature", file.text("signature", "is no signature", signatureIn), "");
  const metadata = readMetadata(file);
  file.end();
  if (faults.length > 0) throw invalid(faults.slice(0, 8).join("; "));
  return { metadata, signature };
}

/** Who signed a document for this registry. Error: `metadata.invalid`. */
export function signerOfMetadata(
  { metadata, signature }: ReturnType<typeof parseMetadata>,
  domain: RegistryDomain,
): string {
  const document = hashOf({ schema: METADATA_SCHEMA, ...metadata });
  try {
    return verifyTypedData(typedDomain(domain), TYPES, { account: metadata.account, document }, signature);
  } catch (error) {
    throw invalid(`its signature cannot be read: ${messageOf(error).slice(0, 80)}`);
  }
}

function typedDomain({ chainId, registry }: RegistryDomain) {
  return { name: "Neura ProviderRegistry", version: "1", chainId, verifyingContract: registry };
}

/** keccak256 of the canonical JSON (RFC 8785) of the document without its signature. */
function hashOf(document: object): string {
  return keccak256(toUtf8Bytes(canonicalJson(document)));
}

// ---- Reading ----

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote what the server sent.
    throw invalid("it is not JSON");
  }
}

function readMetadata(file: Fields): ProviderMetadata {
  const [machine, capacity] = [file.object("machine"), file.object("capacity")];
  const quoteUrl = file.text("quoteUrl", "is no URL", urlIn);
  const accessUrl = file.text("accessUrl", "is no URL", urlIn);
  const attestations = readAttestations(file);
  return {
    account: file.required("account", file.text("account", "is no address", addressIn), ""),
    issuedAt: timeOf(file, "issuedAt"),
    applications: listOf(file, "applications", (each) => ({
      name: wordOf(each, "name"),
      version: wordOf(each, "version"),
    })),
    machine: file.required("machine", readMachine(machine), {}),
    capacity: readCapacity(capacity),
    benchmarks: listOf(file, "benchmarks", readBenchmark),
    ...(quoteUrl === undefined ? {} : { quoteUrl }),
    ...(accessUrl === undefined ? {} : { accessUrl }),
    ...(attestations === undefined ? {} : { attestations }),
  };
}

/** Also that of a node's own file. */
export function readAttestations(file: Fields): Attestation[] | undefined {
  return file.objects("attestations", { atMost: MAX_ATTESTATIONS })?.map((each) => {
    const keyEpoch = each.whole("keyEpoch", { from: 1, to: 2 ** 32 - 1 });
    const what = `is no base64 of at most ${MAX_EVIDENCE_BYTES} bytes`;
    const read = {
      platform: wordOf(each, "platform"),
      keyEpoch: each.required("keyEpoch", keyEpoch, 1),
      evidence: each.required("evidence", each.text("evidence", what, evidenceIn), ""),
    };
    each.end();
    return read;
  });
}

/** Also that of a policy, which says what cannot be found out. */
export function readMachine(fields: Fields): Machine {
  const machine = {
    cpuArchitecture: fields.text("cpuArchitecture", ...WORD),
    driver: fields.text("driver", ...WORD),
    cudaCapability: fields.text("cudaCapability", ...WORD),
    interconnect: fields.text("interconnect", ...WORD),
    region: fields.text("region", ...WORD),
    bandwidthMbps: fields.whole("bandwidthMbps", { from: 1 }),
    sharedMemoryMiB: fields.whole("sharedMemoryMiB", { from: 1 }),
    cpu: fields.text("cpu", ...LABEL),
    gpus: fields.names("gpus", labelIn),
  };
  fields.end();
  return defined(machine);
}

function readCapacity(fields: Fields): Capacity {
  const shape = fields.object("shape");
  const read = {
    measuredAt: timeOf(fields, "measuredAt"),
    slots: fields.required("slots", fields.whole("slots", { to: 65_535 }), 0),
    freeSlots: fields.required("freeSlots", fields.whole("freeSlots", { to: 65_535 }), 0),
    shape: fields.required("shape", readShape(shape), NO_RESOURCES),
  };
  if (read.freeSlots > read.slots) fields.fault("has more free slots than slots");
  fields.end();
  return read;
}

function readShape(fields: Fields): Resources {
  const shape = { ...NO_RESOURCES };
  for (const name of ["gpuCount", "gpuClass", "vramMiB", "ramMiB", "cpuMilli", "diskMiB"] as const)
    shape[name] = fields.required(name, fields.whole(name), 0);
  fields.end();
  try {
    packResources(shape);
  } catch (error) {
    fields.fault(`is out of range: ${messageOf(error)}`);
  }
  return shape;
}

/** Reads one measurement. */
export function readBenchmark(fields: Fields): Benchmark {
  const measure = (name: string): number => fields.required(name, fields.measure(name), 1);
  const whole = (name: string): number => fields.required(name, fields.whole(name, { from: 1 }), 1);
  return {
    application: wordOf(fields, "application"),
    version: wordOf(fields, "version"),
    work: wordOf(fields, "work"),
    measuredAt: timeOf(fields, "measuredAt"),
    runs: whole("runs"),
    units: whole("units"),
    unitsPerSecond: measure("unitsPerSecond"),
    cpuSecondsPerUnit: measure("cpuSecondsPerUnit"),
    peakMemoryMiB: whole("peakMemoryMiB"),
    cpu: fields.required("cpu", fields.text("cpu", ...LABEL), ""),
    architecture: wordOf(fields, "architecture"),
    software: listOf(fields, "software", (each) => ({
      name: wordOf(each, "name"),
      version: wordOf(each, "version"),
    })),
  };
}

/** The objects of a list that must be there. */
function listOf<T>(fields: Fields, name: string, read: (entry: Fields) => T): T[] {
  const entries = fields.required(name, fields.objects(name, { atMost: MAX_ENTRIES }), []);
  return entries.map((entry) => {
    const value = read(entry);
    entry.end();
    return value;
  });
}

const WORD = ["is no word of at most 64 characters", wordIn] as const;
const LABEL = ["is no line of at most 128 characters", labelIn] as const;

function wordOf(fields: Fields, name: string): string {
  return fields.required(name, fields.text(name, ...WORD), "");
}

function timeOf(fields: Fields, name: string): string {
  return fields.required(name, fields.text(name, "is no time such as 2026-01-31T12:00:00.000Z", timeIn), "");
}

/** The one form that these bytes have. */
function evidenceIn(text: string): string | undefined {
  if (text === "" || text.length > 4 * Math.ceil(MAX_EVIDENCE_BYTES / 3)) return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length <= MAX_EVIDENCE_BYTES && bytes.toString("base64") === text ? text : undefined;
}

/** A name for programs: at most 64 characters, without spaces. */
export function wordIn(text: string): string | undefined {
  return /^[\w.+-]{1,64}$/.test(text) ? text : undefined;
}

/** Text for people: on one line, without what changes a terminal or the direction of writing. */
function labelIn(text: string): string | undefined {
  return /^[\p{L}\p{N}\p{P}\p{S} ]{1,128}$/u.test(text) ? text : undefined;
}

function timeIn(text: string): string | undefined {
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/.test(text);
  return isTime && !Number.isNaN(Date.parse(text)) ? text : undefined;
}

function addressIn(text: string): string | undefined {
  return isAddress(text) && getAddress(text) === text ? text : undefined;
}

function signatureIn(text: string): string | undefined {
  return isHexString(text, 65) ? text : undefined;
}

/** An address of a server, without what could be a secret in it. */
export function urlIn(text: string): string | undefined {
  if (text.length > 256 || !URL.canParse(text)) return undefined;
  const { protocol, username, password, hash } = new URL(text);
  const isPlain = username === "" && password === "" && hash === "";
  return isPlain && (protocol === "https:" || protocol === "http:") ? text : undefined;
}

/** The fields that are there. */
function defined(machine: { [Name in keyof Machine]-?: Machine[Name] | undefined }): Machine {
  return Object.fromEntries(Object.entries(machine).filter(([, value]) => value !== undefined));
}

function invalid(what: string): NeuraError {
  return new NeuraError("metadata.invalid", `Its document cannot be used: ${printable(what)}.`, {
    next: "It is the provider's to correct; docs/provider.md describes every field.",
  });
}
