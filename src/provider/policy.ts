import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { getAddress, isAddress } from "ethers";

import { NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";
import type { Manifest } from "../manifest.ts";
import type { OutcomeName } from "../market/outcome.ts";
import { judgeNeeds, type Machine } from "../market/needs.ts";
import { missesOf, type Resources } from "../market/resources.ts";
import { maximumCostWei, type Task } from "../market/terms.ts";
import { readMachine, urlIn } from "./metadata.ts";
import { type QuotePolicy, readQuotePolicy } from "./quotes/settings.ts";

/** What a provider takes and what it risks: the file `policy.json`. Every field may be left out of the file. */
export interface Policy {
  /** Owners that are served; without `allow`: all but those in `deny`. */
  readonly owners: Choice;
  /** Applications that are run. */
  readonly applications: Choice;
  /** Largest payload that is fetched [MiB]. */
  readonly maxPayloadMiB: number;
  /** Lowest price [wei per second]; without it, the registered rate. */
  readonly minRateWei: bigint | undefined;
  /** Whether a task must at least pay for the gas that it costs. */
  readonly coverGas: boolean;
  /** Most gas money for one transaction [wei]. */
  readonly maxGasWei: bigint;
  /** Tasks that run at the same time; without it, the registered slots. */
  readonly slots: number | undefined;
  /** Time kept for fetching, storing and delivering [s]. */
  readonly marginSeconds: number;
  /** How long a payload may be missing before the task is declined [s]: gateways can lag. */
  readonly payloadWaitSeconds: number;
  /** Whether refused tasks are declined on the chain, for which the provider pays gas, or left to expire. */
  readonly decline: boolean;
  /** From which price on how many blocks must follow a submission; the last one that applies counts. */
  readonly confirmations: readonly { readonly fromWei: bigint; readonly blocks: number }[];
  /** When a task is accepted: at the latest before `startBy`, so that only what is short needs no acceptance. */
  readonly accept: {
    /** After it has run for so long [s]. */
    readonly afterSeconds: number;
    /** Before it is run: all tasks. */
    readonly always: boolean;
    /** Tasks that cost this or more [wei]; without it: no matter what they cost. */
    readonly fromWei: bigint | undefined;
    readonly withCollateral: boolean;
  };
  /** After so many faults of this machine in a row, nothing new is taken. */
  readonly failAfter: number;
  /** With less free disk, nothing new is taken [MiB]. */
  readonly minFreeDiskMiB: number;
  /** How long the folder of a task is kept after its end [s]. */
  readonly keepSeconds: number;
  /** What the machine has and does not tell by itself: region, bandwidth; it stands above what it does tell. */
  readonly machine: Machine;
  /** Below which what is kept up for owners is reached, for the provider's document. */
  readonly accessUrl: string | undefined;
  /** How quotes are given; without it, none are. */
  readonly quotes: QuotePolicy | undefined;
}

export interface Choice {
  readonly allow: readonly string[] | undefined;
  readonly deny: readonly string[];
}

/** Why a task is not taken. */
export interface Refusal {
  readonly reason: OutcomeName;
  readonly message: string;
  /** What was needed and what there is, where these are two numbers. */
  readonly needed?: string;
  readonly offered?: string;
}

export const DEFAULT_POLICY: Policy = {
  owners: { allow: undefined, deny: [] },
  applications: { allow: undefined, deny: [] },
  maxPayloadMiB: 1024,
  minRateWei: undefined,
  coverGas: true,
  maxGasWei: 10n ** 17n,
  slots: undefined,
  marginSeconds: 10,
  payloadWaitSeconds: 120,
  decline: true,
  confirmations: [{ fromWei: 0n, blocks: 0 }],
  accept: { afterSeconds: 30, always: false, fromWei: undefined, withCollateral: true },
  failAfter: 3,
  minFreeDiskMiB: 1024,
  keepSeconds: 7 * 24 * 3600,
  machine: {},
  accessUrl: undefined,
  quotes: undefined,
};

const SCHEMA = "neura/provider-policy/1";

/**
 * Reads a policy's file; what it leaves out is as in {@link DEFAULT_POLICY}.
 * Error: `provider.bad-policy`, which names all faults at once.
 */
export function parsePolicy(text: string, source = "the policy"): Policy {
  const next = "Correct them all and start the node again; docs/provider.md describes every field.";
  return parseFields(text, { schema: SCHEMA, source, code: "provider.bad-policy", next }, readPolicy);
}

/** The policy in this file; without a name, that of the node's folder, or the default one. Error: `provider.bad-policy`. */
export async function loadPolicy(path: string | undefined, directory: string): Promise<Policy> {
  const place = path ?? join(directory, "policy.json");
  try {
    return parsePolicy(await readFile(place, "utf8"), place);
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (!isMissing) throw error;
    if (path === undefined) return DEFAULT_POLICY;
    throw new NeuraError("provider.bad-policy", `There is no file ${path}.`, { next: "Check the path." });
  }
}

function readPolicy(file: Fields): Policy {
  const accept = file.object("accept");
  const policy: Policy = {
    owners: choice(file.object("owners"), (name) => (isAddress(name) ? getAddress(name) : undefined)),
    applications: choice(file.object("applications"), (name) => name),
    maxPayloadMiB: file.whole("maxPayloadMiB", { from: 1 }) ?? DEFAULT_POLICY.maxPayloadMiB,
    minRateWei: file.amount("minRateWei"),
    coverGas: file.truth("coverGas") ?? DEFAULT_POLICY.coverGas,
    maxGasWei: file.amount("maxGasWei") ?? DEFAULT_POLICY.maxGasWei,
    slots: file.whole("slots", { from: 1 }),
    marginSeconds: file.whole("marginSeconds") ?? DEFAULT_POLICY.marginSeconds,
    payloadWaitSeconds: file.whole("payloadWaitSeconds") ?? DEFAULT_POLICY.payloadWaitSeconds,
    decline: file.truth("decline") ?? DEFAULT_POLICY.decline,
    confirmations: confirmationsOf(file) ?? DEFAULT_POLICY.confirmations,
    accept: {
      afterSeconds: accept.whole("afterSeconds") ?? DEFAULT_POLICY.accept.afterSeconds,
      always: accept.truth("always") ?? DEFAULT_POLICY.accept.always,
      fromWei: accept.amount("fromWei"),
      withCollateral: accept.truth("withCollateral") ?? DEFAULT_POLICY.accept.withCollateral,
    },
    failAfter: file.whole("failAfter", { from: 1 }) ?? DEFAULT_POLICY.failAfter,
    minFreeDiskMiB: file.whole("minFreeDiskMiB") ?? DEFAULT_POLICY.minFreeDiskMiB,
    keepSeconds: file.whole("keepSeconds") ?? DEFAULT_POLICY.keepSeconds,
    machine: readMachine(file.object("machine")),
    accessUrl: file.text("accessUrl", "is no URL", urlIn),
    quotes: file.has("quotes") ? readQuotePolicy(file.object("quotes")) : undefined,
  };
  accept.end();
  return policy;
}

/** How many blocks must follow the submission of a task of this price. */
export function confirmationsFor({ confirmations }: Policy, costWei: bigint): number {
  return confirmations.findLast(({ fromWei }) => costWei >= fromWei)?.blocks ?? 0;
}

export interface Offer {
  readonly shape: Resources;
  readonly rateWei: bigint;
  readonly slots: number;
  readonly freeStakeWei: bigint;
}

/** Why the task's terms do not suit; nothing if they do. */
export function judgeTerms(
  { terms, work }: Task,
  {
    policy,
    offer,
    feeBps,
    gasWei,
  }: {
    policy: Policy;
    offer: Offer;
    feeBps: number;
    /** What taking and delivering it costs in gas; unknown where tasks are paid in a token. */
    gasWei: bigint | undefined;
  },
): Refusal | undefined {
  if (!isChosen(policy.owners, terms.owner)) {
    return { reason: "PolicyRefused", message: `The owner ${terms.owner} is not served here.` };
  }
  const [miss] = missesOf(work.resources, offer.shape);
  if (miss) {
    const { field, needed, offered } = miss;
    const message = `It needs ${field} ${needed}; there is ${offered}.`;
    const numbers = { needed: `${field} ${needed}`, offered: `${field} ${offered}` };
    return { reason: "RequirementsUnmet", message, ...numbers };
  }
  if (terms.collateralWei > offer.freeStakeWei) {
    const message = `It asks for ${terms.collateralWei} wei of collateral; ${offer.freeStakeWei} wei of stake are free.`;
    const numbers = { needed: `${terms.collateralWei} wei`, offered: `${offer.freeStakeWei} wei` };
    return { reason: "RequirementsUnmet", message, ...numbers };
  }
  const rateWei = policy.minRateWei ?? offer.rateWei;
  const seconds = BigInt(terms.price.metered ? 1 : terms.conditions.durationSeconds);
  if (terms.price.amountWei < rateWei * seconds) {
    const message = `It pays ${terms.price.amountWei} wei for ${seconds} s; the lowest price is ${rateWei} wei per second.`;
    const numbers = { needed: `${rateWei * seconds} wei`, offered: `${terms.price.amountWei} wei` };
    return { reason: "PriceTooLow", message, ...numbers };
  }
  const earnedWei = (maximumCostWei(terms) * BigInt(10_000 - feeBps)) / 10_000n;
  if (policy.coverGas && gasWei !== undefined && earnedWei <= gasWei) {
    const message = `It earns at most ${earnedWei} wei; its gas costs ${gasWei} wei.`;
    const numbers = { needed: `more than ${gasWei} wei`, offered: `${earnedWei} wei` };
    return { reason: "PriceTooLow", message, ...numbers };
  }
  return undefined;
}

/** Why the work's description does not suit; nothing if it does. */
export function judgeManifest(
  manifest: Manifest,
  {
    policy,
    offer,
    applications,
    machine,
  }: { policy: Policy; offer: Offer; applications: readonly string[]; machine: Machine },
): Refusal | undefined {
  const { application, limits, needs = {} } = manifest;
  if (!applications.includes(application)) {
    const message = `There is no application ${application} here, only ${applications.join(", ")}.`;
    return { reason: "RequirementsUnmet", message };
  }
  if (!isChosen(policy.applications, application)) {
    return { reason: "PolicyRefused", message: `The application ${application} is not run here.` };
  }
  if (limits.ramMiB > offer.shape.ramMiB) {
    const message = `It may use ${limits.ramMiB} MiB of memory; there are ${offer.shape.ramMiB} MiB.`;
    return { reason: "RequirementsUnmet", message };
  }
  const unmet = judgeNeeds(needs, machine).find(({ met }) => met !== true);
  if (unmet) {
    const { name, needed, offered } = unmet;
    const message = `It needs ${name} ${needed}; this machine has ${offered}.`;
    return { reason: "RequirementsUnmet", message, needed: `${name} ${needed}`, offered: String(offered) };
  }
  return undefined;
}

function isChosen({ allow, deny }: Choice, name: string): boolean {
  return !deny.includes(name) && (allow === undefined || allow.includes(name));
}

// ---- Reading ----

function choice(fields: Fields, read: (name: string) => string | undefined): Choice {
  const names = { allow: fields.names("allow", read), deny: fields.names("deny", read) ?? [] };
  fields.end();
  return names;
}

function confirmationsOf(file: Fields): Policy["confirmations"] | undefined {
  const steps = file.objects("confirmations")?.map((each) => {
    const step = { fromWei: each.amount("fromWei") ?? 0n, blocks: each.whole("blocks") ?? 0 };
    each.end();
    return step;
  });
  return steps?.toSorted((one, other) => (one.fromWei < other.fromWei ? -1 : 1));
}
