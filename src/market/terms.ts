import {
  getAddress,
  toBeHex,
  type TypedDataDomain,
  TypedDataEncoder,
  type TypedDataField,
  ZeroAddress,
} from "ethers";

import { NeuraError } from "../errors.ts";
import { Kind, Outcome, outcomeOf } from "./outcome.ts";
import { packResources, type Resources, unpackResources } from "./resources.ts";

/**
 * A task's terms and work, unpacked. `contracts/market/Tasks.sol` packs them into words; this is the one place that
 * knows both forms.
 */

export interface Price {
  /** Per second if metered, else for the whole [wei]. An open task's price begins here. */
  readonly amountWei: bigint;
  readonly metered: boolean;
  /** Where the price of an open task ends, at `startBy` [wei]. Only where no provider is named. */
  readonly maximumWei?: bigint | undefined;
  /** The longest silence of a lease that is paid for [s]. Only of leases. */
  readonly heartbeatSeconds?: number | undefined;
  /** How long a lease's provider goes on after it said that it leaves [s]. Only of leases; default: 0. */
  readonly noticeSeconds?: number | undefined;
}

export interface Conditions {
  /** The last second to accept [Unix s]. */
  readonly startBySeconds: number;
  /** The last second to deliver, of a lease the last second to be ready [Unix s]. */
  readonly completeBySeconds: number;
  /** The most that is charged for; of a lease, how long it is kept up [s]. */
  readonly durationSeconds: number;
  /** The owner's key to which the result is encrypted; 0: the result is public. */
  readonly keyEpoch: number;
  /** Default: a job. */
  readonly kind?: Kind | undefined;
  /** How long a delivery can be disputed [s]; default: it is paid at once. */
  readonly challengePeriodSeconds?: number | undefined;
  /** Number of the registered model that is used; default: none. */
  readonly model?: number | undefined;
  /** The model's share of what is paid [bps]; default: 0. */
  readonly royaltyBps?: number | undefined;
  /** The payload's key is published after somebody has accepted. Only of open tasks. */
  readonly isSealed?: boolean | undefined;
  /** The provider may end a lease that nobody uses. */
  readonly stopsIdle?: boolean | undefined;
}

/** The money side of a task. */
export interface Terms {
  readonly owner: string;
  /** The zero address for an open task: any provider that is eligible. */
  readonly provider: string;
  readonly price: Price;
  readonly conditions: Conditions;
  readonly collateralWei: bigint;
  /** Who decides about disputes; needed with a challenge period, and only then. */
  readonly arbiter?: string | undefined;
  /** keccak256 of the owner's audit seed, 32 bytes as hex. */
  readonly salt: string;
}

/** The work side of a task. */
export interface Work {
  readonly resources: Resources;
  /** SHA-256 of the payload's envelope without its recipients, 32 bytes as hex. */
  readonly payloadHash: string;
  /** Where the payload's envelope is: a URI of 1 to 256 bytes. */
  readonly payload: string;
  /** Who may take the task where its provider does not do it; default: nobody. */
  readonly backup?: string | undefined;
}

/** Terms as the contract takes them. */
export interface TermsWords {
  readonly owner: string;
  readonly provider: string;
  readonly price: bigint;
  readonly conditions: bigint;
  readonly assurance: bigint;
  readonly salt: string;
}

/** Work as the contract takes it. */
export interface WorkWords {
  readonly resources: bigint;
  readonly payloadHash: string;
  readonly payload: string;
}

/** What the event `TaskSubmitted` carries, as TypeChain and ethers decode it. */
export interface TaskSubmittedArgs extends TermsWords, WorkWords {
  readonly id: string;
}

/** A task as the chain announced it. */
export interface Task {
  readonly id: string;
  readonly terms: Terms;
  readonly work: Work;
}

/** How a delivery went. */
export interface Report {
  readonly outcome: Outcome;
  readonly secondsUsed: number;
}

/** Where a task's id is valid: one market on one chain. */
export interface MarketDomain {
  readonly chainId: bigint;
  readonly market: string;
}

/** Longest time from submission to `completeBy` [s], and longest reference [bytes]: `Tasks.sol`. */
export const MAX_TERM_SECONDS = 30 * 24 * 3600;
export const MAX_REFERENCE_BYTES = 256;

const WORK_TYPE = {
  Work: [
    { name: "resources", type: "uint256" },
    { name: "payloadHash", type: "bytes32" },
    { name: "payload", type: "string" },
    { name: "backup", type: "address" },
  ],
};

const TASK_TYPES = {
  Task: [
    { name: "owner", type: "address" },
    { name: "provider", type: "address" },
    { name: "price", type: "uint256" },
    { name: "conditions", type: "uint256" },
    { name: "assurance", type: "uint256" },
    { name: "salt", type: "bytes32" },
    { name: "work", type: "Work" },
  ],
  ...WORK_TYPE,
};

const QUOTE_TYPES = {
  Quote: [
    { name: "task", type: "bytes32" },
    { name: "nonce", type: "uint256" },
    { name: "expiresAt", type: "uint256" },
  ],
};

/** Flags of the conditions: `Tasks.sol`. */
const SEALED = 1n;
const IDLE_STOP = 2n;

/** The words for the contract. Error: `terms.out-of-range`. */
export function encodeTerms(terms: Terms): TermsWords {
  const { owner, provider, price, conditions, collateralWei, arbiter = ZeroAddress, salt } = terms;
  const { kind = Kind.Job, challengePeriodSeconds = 0, model = 0, royaltyBps = 0 } = conditions;
  const flags =
    (conditions.isSealed === true ? SEALED : 0n) | (conditions.stopsIdle === true ? IDLE_STOP : 0n);
  return {
    owner,
    provider,
    price:
      bits("amountWei", price.amountWei, 96) |
      (bits("maximumWei", price.maximumWei ?? 0n, 96) << 96n) |
      (price.metered ? 1n << 192n : 0n) |
      (bits("heartbeatSeconds", price.heartbeatSeconds ?? 0, 24) << 200n) |
      (bits("noticeSeconds", price.noticeSeconds ?? 0, 24) << 224n),
    conditions:
      bits("startBySeconds", conditions.startBySeconds, 40) |
      (bits("completeBySeconds", conditions.completeBySeconds, 40) << 40n) |
      (bits("durationSeconds", conditions.durationSeconds, 32) << 80n) |
      (bits("challengePeriodSeconds", challengePeriodSeconds, 32) << 112n) |
      (BigInt(kind) << 144n) |
      (bits("keyEpoch", conditions.keyEpoch, 32) << 152n) |
      (bits("model", model, 48) << 184n) |
      (bits("royaltyBps", royaltyBps, 16) << 232n) |
      (flags << 248n),
    assurance: bits("collateralWei", collateralWei, 96) | (BigInt(arbiter) << 96n),
    salt,
  };
}

/** What the words of the contract say. Error: `terms.unsupported` when a bit is set that has no meaning here. */
export function decodeTerms(words: TermsWords): Terms {
  const { owner, provider, price, conditions, assurance, salt } = words;
  const field = (word: bigint, shift: bigint, width: number): bigint => BigInt.asUintN(width, word >> shift);
  const kind = field(conditions, 144n, 8);
  const flags = conditions >> 248n;
  const maximumWei = field(price, 96n, 96);
  const isLease = kind === BigInt(Kind.Lease);
  const [challengePeriodSeconds, model, royaltyBps] = [
    Number(field(conditions, 112n, 32)),
    Number(field(conditions, 184n, 48)),
    Number(field(conditions, 232n, 16)),
  ];
  const arbiter = assurance >> 96n;
  const terms: Terms = {
    owner,
    provider,
    price: {
      amountWei: field(price, 0n, 96),
      metered: field(price, 192n, 8) === 1n,
      ...(maximumWei === 0n ? {} : { maximumWei }),
      ...(isLease
        ? {
            heartbeatSeconds: Number(field(price, 200n, 24)),
            noticeSeconds: Number(field(price, 224n, 24)),
          }
        : {}),
    },
    conditions: {
      startBySeconds: Number(field(conditions, 0n, 40)),
      completeBySeconds: Number(field(conditions, 40n, 40)),
      durationSeconds: Number(field(conditions, 80n, 32)),
      keyEpoch: Number(field(conditions, 152n, 32)),
      ...(isLease ? { kind: Kind.Lease } : {}),
      ...(challengePeriodSeconds === 0 ? {} : { challengePeriodSeconds }),
      ...(model === 0 ? {} : { model }),
      ...(royaltyBps === 0 ? {} : { royaltyBps }),
      ...((flags & SEALED) === 0n ? {} : { isSealed: true }),
      ...((flags & IDLE_STOP) === 0n ? {} : { stopsIdle: true }),
    },
    collateralWei: field(assurance, 0n, 96),
    ...(arbiter === 0n ? {} : { arbiter: getAddress(toBeHex(arbiter, 20)) }),
    salt,
  };
  const again = encodeTerms(terms);
  for (const name of ["price", "conditions", "assurance"] as const) {
    if (again[name] !== words[name]) {
      throw new NeuraError(
        "terms.unsupported",
        `The ${name} 0x${words[name].toString(16)} has unknown bits.`,
        {
          next: "Update this program, or leave that task alone.",
        },
      );
    }
  }
  return terms;
}

/** The words for the contract; a backup goes beside them. Error: `resources.out-of-range`. */
export function encodeWork({ resources, payloadHash, payload }: Work): WorkWords {
  return { resources: packResources(resources), payloadHash, payload };
}

/**
 * The task that an event `TaskSubmitted` announced. A backup is named by an event of its own, `BackupNamed`: add it to
 * the work before its hash is taken. Errors: `terms.unsupported`, `resources.malformed`.
 */
export function decodeSubmitted(args: TaskSubmittedArgs): Task {
  const { id, resources, payloadHash, payload } = args;
  return {
    id,
    terms: decodeTerms(args),
    work: { resources: unpackResources(resources), payloadHash, payload },
  };
}

/** The EIP-712 struct hash of the work, 32 bytes as hex: what every call after submission passes. */
export function workHash(work: Work): string {
  return TypedDataEncoder.hashStruct("Work", WORK_TYPE, typedWork(work));
}

/** The id of a task: the EIP-712 digest of its terms, 32 bytes as hex. Known before anything is sent. */
export function taskId(domain: MarketDomain, terms: Terms, work: Work): string {
  const { domain: typedDomain, types, value } = taskTypedData(domain, terms, work);
  return TypedDataEncoder.hash(typedDomain, types, value);
}

/** EIP-712 typed data, in the form that wallets sign. */
export interface TypedData {
  readonly domain: TypedDataDomain;
  readonly types: Record<string, TypedDataField[]>;
  readonly value: Record<string, unknown>;
}

/** What an owner signs so that somebody else can send its task. */
export function taskTypedData(domain: MarketDomain, terms: Terms, work: Work): TypedData {
  return {
    domain: typedDataDomain(domain),
    types: TASK_TYPES,
    value: { ...encodeTerms(terms), work: typedWork(work) },
  };
}

/** What a provider, or its operator, signs to take one task. `nonce`: a place; the first task with it wins. */
export function quoteTypedData(
  domain: MarketDomain,
  quote: { readonly task: string; readonly nonce: bigint; readonly expiresAtSeconds: number },
): TypedData {
  const { task, nonce, expiresAtSeconds } = quote;
  return {
    domain: typedDataDomain(domain),
    types: QUOTE_TYPES,
    value: { task, nonce, expiresAt: expiresAtSeconds },
  };
}

function typedWork(work: Work): WorkWords & { readonly backup: string } {
  return { ...encodeWork(work), backup: work.backup ?? ZeroAddress };
}

function typedDataDomain({ chainId, market }: MarketDomain): TypedDataDomain {
  return { name: "Neura TaskMarket", version: "1", chainId, verifyingContract: market };
}

/** Whether any eligible provider may accept. */
export function isOpen({ provider }: Pick<Terms, "provider">): boolean {
  return provider === ZeroAddress;
}

export function isLease({ conditions }: Pick<Terms, "conditions">): boolean {
  return conditions.kind === Kind.Lease;
}

/** What submitting escrows, and so the most that the task can cost without top-ups [wei]. */
export function maximumCostWei({ price, conditions }: Pick<Terms, "price" | "conditions">): bigint {
  const amountWei = price.maximumWei ?? price.amountWei;
  return price.metered ? amountWei * BigInt(conditions.durationSeconds) : amountWei;
}

/** An open task's price when it is accepted at `atSeconds`, rounded down [wei, or wei/s]; a named one's is fixed. */
export function priceAtWei(
  { price, conditions }: Pick<Terms, "price" | "conditions">,
  { submittedAtSeconds, atSeconds }: { submittedAtSeconds: number; atSeconds: number },
): bigint {
  const { amountWei, maximumWei } = price;
  const { startBySeconds } = conditions;
  if (maximumWei === undefined || atSeconds <= submittedAtSeconds) return amountWei;
  if (atSeconds >= startBySeconds) return maximumWei;
  const passed = BigInt(atSeconds - submittedAtSeconds);
  return amountWei + ((maximumWei - amountWei) * passed) / BigInt(startBySeconds - submittedAtSeconds);
}

/**
 * What `secondsUsed` cost [wei] at the agreed price, that of the terms where no other is given. A fixed price is due in
 * full for a completed task, and in proportion to the seconds, rounded down, where the owner's own input ended it.
 */
export function chargeWei(
  terms: Pick<Terms, "price" | "conditions">,
  { outcome, secondsUsed }: Report,
  priceWei: bigint = terms.price.amountWei,
): bigint {
  const { price, conditions } = terms;
  if (price.metered) return priceWei * BigInt(secondsUsed);
  if (outcome === Outcome.Completed) return priceWei;
  return (priceWei * BigInt(secondsUsed)) / BigInt(conditions.durationSeconds);
}

/** The contract's word for a report. Error: `terms.out-of-range`. */
export function encodeReport({ outcome, secondsUsed }: Report): bigint {
  return BigInt(outcome) | (bits("secondsUsed", secondsUsed, 32) << 8n);
}

/** What the contract's word for a report says. */
export function decodeReport(word: bigint): Report {
  return { outcome: outcomeOf(BigInt.asUintN(8, word)), secondsUsed: Number(word >> 8n) };
}

function bits(name: string, value: number | bigint, width: number): bigint {
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw outOfRange(name, value, width);
  const word = BigInt(value);
  if (word < 0n || word >> BigInt(width) !== 0n) throw outOfRange(name, value, width);
  return word;
}

function outOfRange(name: string, value: number | bigint, width: number): NeuraError {
  return new NeuraError(
    "terms.out-of-range",
    `${name} is ${value}, where a whole number of at most ${width} bits belongs.`,
    { next: `Correct ${name}.` },
  );
}
