import { id as hashOfText, ZeroAddress, ZeroHash } from "ethers";

import { IJury__factory } from "../../types/factories/interfaces/IJury__factory.ts";
import type { IJury } from "../../types/interfaces/IJury.ts";
import type { Evidence } from "../market/evidence.ts";
import { encodeReport, encodeTerms, type Report, type Task, workHash } from "../market/terms.ts";
import { packResources } from "../market/resources.ts";

/** What a delivery committed to, as the jury takes it again. */
export interface DeliveredWords {
  readonly report: Report;
  readonly resultHash: string;
  readonly evidenceHash: string;
}

/** A disputed delivery, as every call of the jury about one takes it. */
export interface Disputed {
  readonly task: Pick<Task, "terms" | "work">;
  readonly delivered: DeliveredWords;
}

/** What drawing a panel takes. */
export interface Draw {
  readonly evidence: Evidence;
  /** The owner's half of the seed, and the provider's, which is not needed once the jury is summoned. */
  readonly auditSeed: string;
  readonly drawNonce?: string | undefined;
  /** How many seats are old enough: `eligibleSeats`. */
  readonly eligible: bigint;
}

/** The arguments of `finish`, `lapse` and `summon`. */
export function caseWords({ task: { terms, work }, delivered }: Disputed) {
  const { report, resultHash, evidenceHash } = delivered;
  const words = { report: encodeReport(report), resultHash, evidenceHash };
  return [encodeTerms(terms), workHash(work), words] as const;
}

/** The arguments of `draw` and `appeal`. */
export function drawWords(disputed: Disputed, { evidence, auditSeed, drawNonce = ZeroHash, eligible }: Draw) {
  const { resources, payloadHash, payload, backup = ZeroAddress } = disputed.task.work;
  const work = {
    resources: packResources(resources),
    payloadHash,
    referenceHash: hashOfText(payload),
    backup,
  };
  const [terms, , delivered] = caseWords(disputed);
  return [terms, work, delivered, evidence, auditSeed, drawNonce, eligible] as const;
}

/** How many seats are old enough to be drawn for a task, and their class. */
export async function eligibleFor(
  jury: IJury,
  { terms, work }: { terms: Task["terms"]; work: Pick<Task["work"], "resources"> },
): Promise<{ class: bigint; eligible: bigint }> {
  const ofClass = await jury.classOf(packResources(work.resources));
  const { startBySeconds } = terms.conditions;
  return { class: ofClass, eligible: await jury.eligibleSeats(ofClass, startBySeconds) };
}

const JURY = IJury__factory.createInterface();

/** The data of a call of the jury, for who sends it by itself. */
export const juryData = {
  draw: (disputed: Disputed, draw: Draw): string =>
    JURY.encodeFunctionData("draw", [...drawWords(disputed, draw)]),
  appeal: (disputed: Disputed, draw: Draw): string =>
    JURY.encodeFunctionData("appeal", [...drawWords(disputed, draw)]),
  lapse: (disputed: Disputed): string => JURY.encodeFunctionData("lapse", [...caseWords(disputed)]),
  finish: (disputed: Disputed): string => JURY.encodeFunctionData("finish", [...caseWords(disputed)]),
} as const;
