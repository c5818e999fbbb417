import { readFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { getAddress, isAddress } from "ethers";

import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { type Fields, parseFields } from "../fields.ts";
import type { Manifest } from "../manifest.ts";
import type { OutcomeName } from "../market/outcome.ts";
import { judgeNeeds, type Machine } from "../market/needs.ts";
import { missesOf, type Resources } from "../market/resources.ts";
import { isLease, isOpen, type Task } from "../market/terms.ts";
import type { Calibration } from "../verify/calibration.ts";
import { BUILT_IN_CALIBRATIONS, knowsTolerance } from "../verify/known.ts";
import { readMachine, urlIn } from "./metadata.ts";
import { type Listen, listenIn, type QuotePolicy, readQuotePolicy } from "./quotes/settings.ts";

/** What a provider takes and what it risks: the file `policy.json`. Every field may be left out of the file. */
export interface Policy {
  /** Owners that are served; without `allow`: all but those in `deny`. */
  readonly owners: Choice;
  /** Arbiters that may decide about what this provider has at stake; a task that names another is refused. */
  readonly arbiters: readonly string[] | "any";
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
  /** Whether open tasks are taken, as soon as their price is worth it. */
  readonly open: boolean;
  /** Whether tasks are taken over that name this provider as their backup. */
  readonly backup: boolean;
  /**
   * Whether a first panel of the jury that finds against work which came out the same again is appealed, with a bond of five
   * times its fee from the node's account, in the chain's coin.
   */
  readonly appeal: boolean;
  /** How leases are kept up; without it, none are taken. */
  readonly leases: LeasePolicy | undefined;
  /** Files of calibrations, and folders of such, that are trusted besides the built-in ones: absolute paths. */
  readonly calibrations: readonly string[];
  /** How the node serves as juror; without it, it does not. */
  readonly jury: JuryPolicy | undefined;
}

/** How a node serves for the seats that vote with its key: the field `jury` of its policy. */
export interface JuryPolicy {
  /** The most units that are done again for one panel, and the most time that is expected to take [s]; without them, any. */
  readonly maxUnits: number | undefined;
  readonly maxSeconds: number | undefined;
  /** Within so long after it can be, a case is finished, where nobody else did [s]. */
  readonly finishSeconds: number;
}

/** How a node keeps leases up: the field `leases` of its policy. */
export interface LeasePolicy {
  /** Where the front of its services listens. */
  readonly listen: Listen;
  /** Files in PEM; without them it is plain HTTP, and `accessUrl` names what does the TLS. */
  readonly tls: { readonly key: string; readonly cert: string } | undefined;
  /** The most of what a lease earns that its gas may take, heartbeats and all [bps]. */
  readonly maxGasBps: number;
  /** When what a lease has earned is drawn before its end. */
  readonly draw: {
    /** As soon as it is so much [wei]; without it, by time alone. */
    readonly afterWei: bigint | undefined;
    /** After so long, where it is more than the gas of it [s]. */
    readonly afterSeconds: number;
  };
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
  arbiters: [],
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
  open: true,
  backup: true,
  appeal: true,
  leases: undefined,
  calibrations: [],
  jury: undefined,
};

const FINISH_SECONDS = 300;

/** Stands in `arbiters` for the deployment's jury. */
const JURY = "jury";
const LEASE_LISTEN: Listen = { host: "127.0.0.1", port: 4281 };
const MAX_GAS_BPS = 1_000;
const DRAW_SECONDS = 24 * 3600;

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
    owners: choice(file.object("owners"), addressIn),
    arbiters: arbitersIn(file),
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
    open: file.truth("open") ?? DEFAULT_POLICY.open,
    backup: file.truth("backup") ?? DEFAULT_POLICY.backup,
    appeal: file.truth("appeal") ?? DEFAULT_POLICY.appeal,
    leases: file.has("leases") ? readLeasePolicy(file.object("leases")) : undefined,
    calibrations: file.names("calibrations", pathIn) ?? DEFAULT_POLICY.calibrations,
    jury: file.has("jury") ? readJuryPolicy(file.object("jury")) : undefined,
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

/**
 * Gas of what a provider sends for a task, as measured (`./neura bench gas`), rounded up: for the decision whether it
 * pays, never the limit of a transaction.
 */
const GAS = {
  accept: 60_000n,
  assign: 110_000n,
  deliver: 70_000n,
  settle: 70_000n,
  ready: 100_000n,
  heartbeat: 36_000n,
  endLease: 90_000n,
} as const;
/** A heartbeat is sent after this part of the longest silence that is paid for. */
export const HEARTBEAT_PART = 0.8;

/** Gas of all that a provider sends for a task like this. */
export function gasOfTask({ terms }: Pick<Task, "terms">): bigint {
  const { price, conditions } = terms;
  const accept = isOpen(terms) ? GAS.assign : GAS.accept;
  if (!isLease(terms)) {
    const isChallenged = conditions.challengePeriodSeconds !== undefined;
    return accept + GAS.deliver + (isChallenged ? GAS.settle : 0n);
  }
  const beatSeconds = Math.max(1, (price.heartbeatSeconds ?? 1) * HEARTBEAT_PART);
  const beats = BigInt(Math.ceil(conditions.durationSeconds / beatSeconds));
  return accept + GAS.ready + GAS.endLease + beats * GAS.heartbeat;
}

/** Why the task's terms do not suit; nothing if they do. */
export function judgeTerms(
  { terms, work }: Task,
  {
    policy,
    offer,
    feeBps,
    gasPriceWei,
    priceWei = terms.price.amountWei,
  }: {
    policy: Policy;
    offer: Offer;
    feeBps: number;
    /** Unknown where tasks are paid in a token. */
    gasPriceWei: bigint | undefined;
    /** The price at which an open task could be had [wei, or wei/s]. */
    priceWei?: bigint;
  },
): Refusal | undefined {
  if (!isChosen(policy.owners, terms.owner)) {
    return { reason: "PolicyRefused", message: `The owner ${terms.owner} is not served here.` };
  }
  const { arbiter } = terms;
  if (arbiter !== undefined && policy.arbiters !== "any" && !policy.arbiters.includes(arbiter)) {
    return { reason: "PolicyRefused", message: `The arbiter ${arbiter} is not one that is trusted here.` };
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
  if (isLease(terms) && (policy.leases === undefined || terms.conditions.keyEpoch === 0)) {
    const message =
      policy.leases === undefined
        ? "No leases are kept up here."
        : "It names no key of its owner to encrypt the lease's ticket to.";
    return { reason: "RequirementsUnmet", message };
  }
  const { price, conditions } = terms;
  const { durationSeconds, royaltyBps = 0 } = conditions;
  const rateWei = policy.minRateWei ?? offer.rateWei;
  const seconds = BigInt(price.metered ? 1 : durationSeconds);
  if (priceWei < rateWei * seconds) {
    const message = `It pays ${priceWei} wei for ${seconds} s; the lowest price is ${rateWei} wei per second.`;
    const numbers = { needed: `${rateWei * seconds} wei`, offered: `${priceWei} wei` };
    return { reason: "PriceTooLow", message, ...numbers };
  }
  if (!policy.coverGas || gasPriceWei === undefined) return undefined;
  const costWei = price.metered ? priceWei * BigInt(durationSeconds) : priceWei;
  const earnedWei = (costWei * BigInt(10_000 - feeBps - royaltyBps)) / 10_000n;
  const gasWei = gasOfTask({ terms }) * gasPriceWei;
  const share = isLease(terms) ? BigInt(policy.leases?.maxGasBps ?? 0) : 10_000n;
  if ((earnedWei * share) / 10_000n > gasWei) return undefined;
  const allowed = isLease(terms) ? `, of which ${share} bps may go into gas` : "";
  const message = `It earns at most ${earnedWei} wei${allowed}; its gas costs ${gasWei} wei.`;
  const numbers = { needed: `more than ${(gasWei * 10_000n) / share} wei`, offered: `${earnedWei} wei` };
  return { reason: "PriceTooLow", message, ...numbers };
}

/** Why the work's description does not suit; nothing if it does. */
export function judgeManifest(
  manifest: Manifest,
  {
    policy,
    offer,
    applications,
    machine,
    calibrations = BUILT_IN_CALIBRATIONS,
    isLease: isKeptUp = false,
  }: {
    policy: Policy;
    offer: Offer;
    applications: readonly string[];
    machine: Machine;
    /** Those that are known here. Default: those that are built in. */
    calibrations?: readonly Calibration[];
    /** Whether it is to be kept up. */
    isLease?: boolean;
  },
): Refusal | undefined {
  const { application, limits, needs = {}, verification } = manifest;
  if ((manifest.service !== undefined) !== isKeptUp) {
    const [kind, has] = isKeptUp ? ["lease", "describes no service"] : ["job", "describes a service"];
    return { reason: "PayloadUnreadable", message: `It is a ${kind}, and its manifest ${has}.` };
  }
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
  // Whoever works towards a tolerance has to know it.
  if (verification !== undefined && !knowsTolerance(calibrations, verification)) {
    const { method, calibration = "" } = verification;
    const message = `It is verified by ${method} with the calibration ${calibration}, which is not known here.`;
    return { reason: "RequirementsUnmet", message, needed: `calibration ${calibration}` };
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

function addressIn(text: string): string | undefined {
  return isAddress(text) ? getAddress(text) : undefined;
}

/** The policy with the address of the deployment's jury in place of its word, `jury`. */
export function withJury(policy: Policy, { contracts }: Pick<Deployment, "contracts">): Policy {
  if (policy.arbiters === "any" || !policy.arbiters.includes(JURY)) return policy;
  const { Jury } = contracts;
  const others = policy.arbiters.filter((name) => name !== JURY);
  return { ...policy, arbiters: Jury === undefined ? others : [...others, Jury] };
}

function arbitersIn(file: Fields): Policy["arbiters"] {
  const names = file.names("arbiters", (name) => (name === "any" || name === JURY ? name : addressIn(name)));
  return names?.includes("any") === true ? "any" : (names ?? DEFAULT_POLICY.arbiters);
}

function choice(fields: Fields, read: (name: string) => string | undefined): Choice {
  const names = { allow: fields.names("allow", read), deny: fields.names("deny", read) ?? [] };
  fields.end();
  return names;
}

function readLeasePolicy(fields: Fields): LeasePolicy {
  const [tls, draw] = [fields.has("tls") ? fields.object("tls") : undefined, fields.object("draw")];
  const path = (name: string): string =>
    tls?.text(name, "is no absolute path", pathIn, { required: true }) ?? "";
  const policy: LeasePolicy = {
    listen: fields.text("listen", "is no address such as 127.0.0.1:4281", listenIn) ?? LEASE_LISTEN,
    tls: tls && { key: path("key"), cert: path("cert") },
    maxGasBps: fields.whole("maxGasBps", { from: 1, to: 10_000 }) ?? MAX_GAS_BPS,
    draw: {
      afterWei: draw.amount("afterWei"),
      afterSeconds: draw.whole("afterSeconds", { from: 1 }) ?? DRAW_SECONDS,
    },
  };
  for (const each of [tls, draw, fields]) each?.end();
  return policy;
}

function readJuryPolicy(fields: Fields): JuryPolicy | undefined {
  const isServing = fields.truth("serve") ?? false;
  const policy = {
    maxUnits: fields.whole("maxUnits", { from: 1 }),
    maxSeconds: fields.whole("maxSeconds", { from: 1 }),
    finishSeconds: fields.whole("finishSeconds", { to: 3600 }) ?? FINISH_SECONDS,
  };
  fields.end();
  return isServing ? policy : undefined;
}

function pathIn(text: string): string | undefined {
  return isAbsolute(text) ? text : undefined;
}

function confirmationsOf(file: Fields): Policy["confirmations"] | undefined {
  const steps = file.objects("confirmations")?.map((each) => {
    const step = { fromWei: each.amount("fromWei") ?? 0n, blocks: each.whole("blocks") ?? 0 };
    each.end();
    return step;
  });
  return steps?.toSorted((one, other) => (one.fromWei < other.fromWei ? -1 : 1));
}
