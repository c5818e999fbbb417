import { type TypedDataDomain, TypedDataEncoder, ZeroAddress } from "ethers";

import { NeuraError } from "../errors.ts";
import { Kind, Outcome, outcomeOf } from "./outcome.ts";
import { packResources, type Resources, unpackResources } from "./resources.ts";

/**
 * A task's terms and work, unpacked. `contracts/market/Tasks.sol` packs them into words; this is the one place that
 * knows both forms.
 */

export interface Price {
  /** Per second if metered, else for the whole [wei]. */
  readonly amountWei: bigint;
  readonly metered: boolean;
}

export interface Conditions {
  /** The last second to accept [Unix s]. */
  readonly startBySeconds: number;
  /** The last second to deliver [Unix s]. */
  readonly completeBySeconds: number;
  /** The most that is charged for [s]. */
  readonly durationSeconds: number;
  /** The owner's key to which the result is encrypted; 0: the result is public. */
  readonly keyEpoch: number;
}

/** The money side of a task. */
export interface Terms {
  readonly owner: string;
  readonly provider: string;
  readonly price: Price;
  readonly conditions: Conditions;
  readonly collateralWei: bigint;
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

/** The words for the contract. Error: `terms.out-of-range`. */
export function encodeTerms({ owner, provider, price, conditions, collateralWei, salt }: Terms): TermsWords {
  const { startBySeconds, completeBySeconds, durationSeconds, keyEpoch } = conditions;
  return {
    owner,
    provider,
    price: bits("amountWei", price.amountWei, 96) | (price.metered ? 1n << 192n : 0n),
    conditions:
      bits("startBySeconds", startBySeconds, 40) |
      (bits("completeBySeconds", completeBySeconds, 40) << 40n) |
      (bits("durationSeconds", durationSeconds, 32) << 80n) |
      (BigInt(Kind.Job) << 144n) |
      (bits("keyEpoch", keyEpoch, 32) << 152n),
    assurance: bits("collateralWei", collateralWei, 96),
    salt,
  };
}

/** What the words of the contract say. Error: `terms.unsupported` when a bit is set that has no meaning here. */
export function decodeTerms(words: TermsWords): Terms {
  const { owner, provider, price, conditions, assurance, salt } = words;
  const terms: Terms = {
    owner,
    provider,
    price: { amountWei: BigInt.asUintN(96, price), metered: ((price >> 192n) & 1n) === 1n },
    conditions: {
      startBySeconds: Number(BigInt.asUintN(40, conditions)),
      completeBySeconds: Number(BigInt.asUintN(40, conditions >> 40n)),
      durationSeconds: Number(BigInt.asUintN(32, conditions >> 80n)),
      keyEpoch: Number(BigInt.asUintN(32, conditions >> 152n)),
    },
    collateralWei: BigInt.asUintN(96, assurance),
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

/** The words for the contract. Error: `resources.out-of-range`. */
export function encodeWork({ resources, payloadHash, payload }: Work): WorkWords {
  return { resources: packResources(resources), payloadHash, payload };
}

/** The task that an event `TaskSubmitted` announced. Errors: `terms.unsupported`, `resources.malformed`. */
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
  return TypedDataEncoder.hashStruct("Work", WORK_TYPE, { ...encodeWork(work), backup: ZeroAddress });
}

/** The id of a task: the EIP-712 digest of its terms, 32 bytes as hex. Known before anything is sent. */
export function taskId(domain: MarketDomain, terms: Terms, work: Work): string {
  return TypedDataEncoder.hash(typedDataDomain(domain), TASK_TYPES, {
    ...encodeTerms(terms),
    work: { ...encodeWork(work), backup: ZeroAddress },
  });
}

function typedDataDomain({ chainId, market }: MarketDomain): TypedDataDomain {
  return { name: "Neura TaskMarket", version: "1", chainId, verifyingContract: market };
}

/** What submitting escrows, and so the most that the task can cost [wei]. */
export function maximumCostWei({ price, conditions }: Pick<Terms, "price" | "conditions">): bigint {
  return price.metered ? price.amountWei * BigInt(conditions.durationSeconds) : price.amountWei;
}

/**
 * What `secondsUsed` cost [wei]. A fixed price is due in full for a completed task, and in proportion to the
 * seconds, rounded down, where the owner's own input ended it.
 */
export function chargeWei(
  terms: Pick<Terms, "price" | "conditions">,
  { outcome, secondsUsed }: Report,
): bigint {
  const { price, conditions } = terms;
  if (price.metered) return price.amountWei * BigInt(secondsUsed);
  if (outcome === Outcome.Completed) return price.amountWei;
  return (price.amountWei * BigInt(secondsUsed)) / BigInt(conditions.durationSeconds);
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
