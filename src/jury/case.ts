import { AbiCoder, type ContractRunner, keccak256, type Log, type Provider, ZeroHash } from "ethers";

import { IJury__factory } from "../../types/factories/interfaces/IJury__factory.ts";
import { ITaskMarket__factory } from "../../types/factories/interfaces/ITaskMarket__factory.ts";
import type { IJury } from "../../types/interfaces/IJury.ts";
import type {
  AppealedEvent,
  HandedOverEvent,
  JuryDrawnEvent,
  JuryEndedEvent,
  JuryMissingEvent,
  RevealedEvent,
} from "../../types/interfaces/IJury.ts";
import { unlessAborted } from "../abort.ts";
import { readLogs } from "../chain/logs.ts";
import type { Deployment } from "../deployment.ts";
import { NeuraError } from "../errors.ts";
import { decodeTaskEvent, type DisputeFacts, TASK_TOPICS } from "../market/events.ts";
import type { Evidence } from "../market/evidence.ts";
import { Status, statusOf } from "../market/outcome.ts";

/** What reading a case takes. */
export interface JuryContext {
  readonly provider: Provider;
  readonly deployment: Deployment;
}

/** Where a case stands: the contract's steps. */
export const Step = { None: 0, Summoned: 1, Drawn: 2, Committing: 3, Revealing: 4, Ended: 5 } as const;
export type Step = (typeof Step)[keyof typeof Step];
export type StepName = keyof typeof Step;

/** Jurors of the first panel, and of the one that decides an appeal. */
export const PANEL_SIZES = [3, 15] as const;

/** What the jury and its market have fixed for all cases [s]. */
export interface JuryRules {
  readonly stepSeconds: number;
  readonly concessionWindowSeconds: number;
}

/** A panel as it was drawn: `seats` counted from 0, `voters` who voted for them then, both by position. */
export interface Panel {
  readonly round: number;
  readonly class: number;
  readonly seats: readonly number[];
  readonly voters: readonly string[];
  /** Decides the panel, and which units it looks at; 32 bytes as hex. */
  readonly seed: string;
  /** The provider's half of the seed; zero where it kept that. */
  readonly drawNonce: string;
  /** What the delivery committed to, or all zero; `unitCount` is what it says, however much that is. */
  readonly evidence: Evidence;
  /** The owner's last second to hand over the payload [Unix s]. */
  readonly untilSeconds: number;
  readonly block: number;
}

/** That the owner handed something over: the payload, or with step Revealing result and trace. */
export interface HandedOver {
  readonly round: number;
  readonly step: typeof Step.Committing | typeof Step.Revealing;
  readonly uri: string;
  readonly untilSeconds: number;
}

/** How far a juror of the panel that sits is. */
export interface Ballot {
  readonly isCommitted: boolean;
  readonly isRevealed: boolean;
  readonly fingerprint: bigint;
  readonly providerBps: number;
}

/** One vote that was shown. */
export interface Vote {
  readonly round: number;
  readonly position: number;
  readonly fingerprint: bigint;
  readonly providerBps: number;
}

/** A dispute before the jury, at one moment. Times in Unix seconds. */
export interface JuryCase {
  readonly id: string;
  readonly jury: string;
  readonly rules: JuryRules;
  readonly step: Step;
  readonly stepName: StepName;
  /** Last second of the step; of a summoned case the number of the block whose hash is awaited. */
  readonly until: number;
  /** 0, after an appeal 1. */
  readonly round: number;
  readonly class: number;
  /** Whether the provider kept its half of the seed. */
  readonly isSilent: boolean;
  /** Whether the market still waits for a ruling. */
  readonly isDisputed: boolean;
  readonly disputedAtSeconds: number;
  /** What its owner says is wrong, and its half of the seed, if it showed it. */
  readonly dispute: DisputeFacts;
  /** By round; none before the first draw. */
  readonly panels: readonly Panel[];
  readonly handedOver: readonly HandedOver[];
  /** Of the panel that sits, by position. */
  readonly ballots: readonly Ballot[];
  readonly votes: readonly Vote[];
  readonly appeal?: { readonly appellant: string; readonly bondWei: bigint };
  /** There were too few seats: nothing will be ruled. */
  readonly isMissing: boolean;
  readonly ended?: { readonly isRuled: boolean; readonly providerBps: number };
  readonly nowSeconds: number;
  /** Number of the chain's newest block. */
  readonly nowBlock: number;
}

// ---- Reading ----

/** The jury of a deployment. Error: `jury.none`. */
export function juryOf(deployment: Deployment, runner: ContractRunner): IJury {
  return IJury__factory.connect(juryAddress(deployment), runner);
}

/** Error: `jury.none`. */
export function juryAddress({ contracts }: Pick<Deployment, "contracts">): string {
  if (contracts.Jury !== undefined) return contracts.Jury;
  throw new NeuraError("jury.none", "This deployment has no jury.", {
    next: "Name another arbiter, or have the market's deployer run `deploy` again, which adds one.",
  });
}

const JURY = IJury__factory.createInterface();
const TOPICS = {
  JurySummoned: JURY.getEvent("JurySummoned").topicHash,
  JuryDrawn: JURY.getEvent("JuryDrawn").topicHash,
  JuryMissing: JURY.getEvent("JuryMissing").topicHash,
  HandedOver: JURY.getEvent("HandedOver").topicHash,
  Revealed: JURY.getEvent("Revealed").topicHash,
  Appealed: JURY.getEvent("Appealed").topicHash,
  JuryEnded: JURY.getEvent("JuryEnded").topicHash,
} as const;

/** Of the event that announces a panel; a node looks for its voters in it. */
export const JURY_DRAWN_TOPIC: string = TOPICS.JuryDrawn;

/** What a log of the event JuryDrawn says: whose case, and the panel. */
export function decodePanel(log: Pick<Log, "topics" | "data" | "blockNumber">): {
  id: string;
  panel: Panel;
} {
  // The ABI that the types were generated from decodes the log.
  const args = JURY.decodeEventLog(
    "JuryDrawn",
    log.data,
    log.topics,
  ) as unknown as JuryDrawnEvent.OutputTuple;
  const [id, round, ofClass, seats, voters, seed, drawNonce, evidence, until] = args;
  const { inputRoot, resultRoot, unitsRoot, unitCount, runHash, drawCommit } = evidence;
  return {
    id,
    panel: {
      round: Number(round),
      class: Number(ofClass),
      seats: seats.map(Number),
      voters: [...voters],
      seed,
      drawNonce,
      evidence: { inputRoot, resultRoot, unitsRoot, unitCount: Number(unitCount), runHash, drawCommit },
      untilSeconds: Number(until),
      block: log.blockNumber,
    },
  };
}

/**
 * A case from the chain: what the jury and the market say of a task now, and all that they announced from `fromBlock`, a
 * block at or before that of the dispute, on.
 *
 * Errors: `jury.none`, `jury.not-disputed`, those of `readLogs`.
 */
export async function readCase(
  { provider, deployment }: JuryContext,
  id: string,
  { fromBlock = deployment.block, signal }: { fromBlock?: number; signal?: AbortSignal | undefined } = {},
): Promise<JuryCase> {
  const jury = juryOf(deployment, provider);
  const market = ITaskMarket__factory.connect(deployment.contracts.TaskMarket, provider);
  const address = await jury.getAddress();
  const reading = Promise.all([
    jury.caseOf(id),
    market.taskOf(id),
    jury.stepSeconds(),
    market.concessionWindow(),
    provider.getBlock("latest"),
  ]);
  const [now, task, stepSeconds, concession, block] = await unlessAborted(reading, signal);
  if (block === null) throw new NeuraError("chain.unavailable", "The chain has no newest block.");
  const step = Number(now.step) as Step;
  const round = Number(now.round);
  const told = await announcedOf({ provider, deployment }, id, { fromBlock, signal });
  const { dispute, disputedBlock, ...announced } = told;
  if (dispute?.arbiter !== address || disputedBlock === undefined) {
    throw new NeuraError("jury.not-disputed", `Task ${id} is not disputed before the jury ${address}.`, {
      next: "See `task show` for its arbiter, and what can be done.",
    });
  }
  const isDisputed = statusOf(task.status) === Status.Disputed;
  const sits = step === Step.Drawn || step === Step.Committing || step === Step.Revealing;
  const size = sits ? (announced.panels[round]?.seats.length ?? 0) : 0;
  const positions = Array.from({ length: size }, (_, position) => position);
  const words = positions.map(async (position) => await jury.ballotOf(id, round, position));
  const ballots = await unlessAborted(Promise.all(words), signal);
  return {
    id,
    jury: address,
    rules: { stepSeconds: Number(stepSeconds), concessionWindowSeconds: Number(concession) },
    step,
    stepName: nameOf(step),
    until: Number(now.until),
    round,
    class: Number(now.class),
    isSilent: now.isSilent,
    isDisputed,
    disputedAtSeconds: isDisputed
      ? Number(task.since)
      : ((await unlessAborted(provider.getBlock(disputedBlock), signal))?.timestamp ?? 0),
    dispute,
    ...announced,
    ballots: ballots.map(({ isCommitted, isRevealed, fingerprint, providerBps }) => ({
      isCommitted,
      isRevealed,
      fingerprint,
      providerBps: Number(providerBps),
    })),
    nowSeconds: block.timestamp,
    nowBlock: block.number,
  };
}

function nameOf(step: Step): StepName {
  return (Object.keys(Step) as StepName[]).find((name) => Step[name] === step) ?? "None";
}

type Announced = Pick<JuryCase, "panels" | "handedOver" | "votes" | "appeal" | "isMissing" | "ended"> & {
  dispute?: DisputeFacts;
  disputedBlock?: number;
};

async function announcedOf(
  { provider, deployment }: JuryContext,
  id: string,
  { fromBlock, signal }: { fromBlock: number; signal: AbortSignal | undefined },
): Promise<Announced> {
  const { contracts } = deployment;
  const address = [contracts.TaskMarket, contracts.Jury ?? contracts.TaskMarket];
  const topics = [[TASK_TOPICS.TaskDisputed, ...Object.values(TOPICS)], id];
  let found: Announced = { panels: [], handedOver: [], votes: [], isMissing: false };
  for await (const { logs } of readLogs({ provider, address, topics, fromBlock, signal })) {
    for (const log of logs) found = after(found, log, contracts.TaskMarket);
  }
  return found;
}

/** What is known once a log is read. */
function after(before: Announced, log: Log, market: string): Announced {
  const { topics, data, blockNumber } = log;
  if (log.address === market) {
    const event = decodeTaskEvent(log);
    return event?.name === "TaskDisputed"
      ? { ...before, dispute: event.dispute, disputedBlock: blockNumber }
      : before;
  }
  const read = (name: keyof typeof TOPICS): unknown => JURY.decodeEventLog(name, data, topics);
  switch (topics[0]) {
    case TOPICS.JuryDrawn: {
      const { panel } = decodePanel(log);
      return { ...before, panels: [...before.panels, panel] };
    }
    case TOPICS.JuryMissing: {
      void (read("JuryMissing") as JuryMissingEvent.OutputTuple);
      return { ...before, isMissing: true };
    }
    case TOPICS.HandedOver: {
      const [, round, step, uri, until] = read("HandedOver") as HandedOverEvent.OutputTuple;
      const isPayload = Number(step) === Step.Committing;
      const handed: HandedOver = {
        round: Number(round),
        step: isPayload ? Step.Committing : Step.Revealing,
        uri,
        untilSeconds: Number(until),
      };
      return { ...before, handedOver: [...before.handedOver, handed] };
    }
    case TOPICS.Revealed: {
      const [, round, position, fingerprint, providerBps] = read("Revealed") as RevealedEvent.OutputTuple;
      const vote = { round: Number(round), position: Number(position), providerBps: Number(providerBps) };
      return { ...before, votes: [...before.votes, { ...vote, fingerprint }] };
    }
    case TOPICS.Appealed: {
      const [, appellant, bondWei] = read("Appealed") as AppealedEvent.OutputTuple;
      return { ...before, appeal: { appellant, bondWei } };
    }
    case TOPICS.JuryEnded: {
      const [, isRuled, providerBps] = read("JuryEnded") as JuryEndedEvent.OutputTuple;
      return { ...before, ended: { isRuled, providerBps: Number(providerBps) } };
    }
    default:
      return before;
  }
}

// ---- What can be done ----

/** Something that somebody can do now about a case. */
export interface Move {
  readonly who: "owner" | "provider" | "juror" | "anyone";
  readonly action: JuryAction;
  /** The last second of it [Unix s], where there is one. */
  readonly untilSeconds?: number;
  /** Of jurors: whose turn it is. */
  readonly positions?: readonly number[];
  /** Of the owner: what is waited for. */
  readonly document?: "payload" | "result";
}

/** The contract's verbs. */
export type JuryAction =
  "draw" | "summon" | "hand-over" | "commit" | "reveal" | "appeal" | "finish" | "lapse";

/** So many blocks back the chain knows hashes. */
const KNOWN_BLOCKS = 256;

/**
 * All that can be done now, by whom, until when: the contract's own rules, see `IJury`. What is sent now is in a block after
 * the newest one, at this case's time or later.
 */
export function movesOf(found: JuryCase, nowSeconds: number = found.nowSeconds): Move[] {
  const { step, until, round, rules, dispute, disputedAtSeconds, isDisputed } = found;
  const { stepSeconds } = rules;
  const conceded = disputedAtSeconds + rules.concessionWindowSeconds;
  if (step === Step.Ended) return [];
  const isBefore = (untilSeconds: number): boolean => nowSeconds <= untilSeconds;
  if (step === Step.None || step === Step.Summoned) {
    if (!isDisputed || !isBefore(dispute.rulingBySeconds)) return [];
    return movesBeforePanel(found, { nowSeconds, conceded });
  }
  // A task that is over otherwise, or whose time to rule is, is closed here at once.
  if (!isDisputed || !isBefore(dispute.rulingBySeconds)) return [{ who: "anyone", action: "finish" }];
  if (step === Step.Drawn) {
    if (!isBefore(until)) return [{ who: "anyone", action: "lapse" }];
    if (isBefore(conceded)) return [];
    return [{ who: "owner", action: "hand-over", document: "payload", untilSeconds: until }];
  }
  const moves: Move[] = [];
  const waiting = placesOf(found, ({ isCommitted }) => !isCommitted);
  const unrevealed = placesOf(found, ({ isCommitted, isRevealed }) => isCommitted && !isRevealed);
  const revealUntil = step === Step.Committing ? until + 2 * stepSeconds : until;
  if (step === Step.Committing) {
    if (isBefore(until) && waiting.length > 0) {
      moves.push({ who: "juror", action: "commit", positions: waiting, untilSeconds: until });
    }
    if ((waiting.length === 0 || !isBefore(until)) && isBefore(until + stepSeconds)) {
      const untilSeconds = until + stepSeconds;
      moves.push({ who: "owner", action: "hand-over", document: "result", untilSeconds });
    }
  }
  const mayReveal = step === Step.Revealing || !isBefore(until + stepSeconds);
  if (mayReveal && isBefore(revealUntil) && unrevealed.length > 0) {
    moves.push({ who: "juror", action: "reveal", positions: unrevealed, untilSeconds: revealUntil });
  }
  const appealUntil = revealUntil + stepSeconds;
  if (round === 0 && !isBefore(revealUntil) && isBefore(appealUntil)) {
    moves.push({ who: "anyone", action: "appeal", untilSeconds: appealUntil });
  }
  if (!isBefore(round === 0 ? appealUntil : revealUntil)) moves.push({ who: "anyone", action: "finish" });
  return moves;
}

function movesBeforePanel(
  { step, until, rules, dispute, nowBlock }: JuryCase,
  { nowSeconds, conceded }: { nowSeconds: number; conceded: number },
): Move[] {
  const isSeedShown = dispute.auditSeed !== ZeroHash;
  const drawUntil = conceded + rules.stepSeconds;
  const summonUntil = drawUntil + rules.stepSeconds;
  const moves: Move[] = [];
  if (step === Step.Summoned) {
    if (nowBlock >= until && nowBlock + 1 - until <= KNOWN_BLOCKS) {
      moves.push({ who: "anyone", action: "draw" });
    } else if (nowBlock >= until && nowSeconds <= summonUntil) {
      moves.push({ who: "anyone", action: "summon", untilSeconds: summonUntil });
    }
  } else if (isSeedShown && nowSeconds <= drawUntil) {
    moves.push({ who: "provider", action: "draw", untilSeconds: drawUntil });
  } else if (isSeedShown && nowSeconds <= summonUntil) {
    moves.push({ who: "anyone", action: "summon", untilSeconds: summonUntil });
  }
  if (nowSeconds > (isSeedShown ? summonUntil : conceded)) moves.push({ who: "anyone", action: "lapse" });
  return moves;
}

function placesOf({ ballots }: JuryCase, isTheirTurn: (ballot: Ballot) => boolean): number[] {
  return ballots.flatMap((ballot, position) => (isTheirTurn(ballot) ? [position] : []));
}

// ---- Units ----

/** How many units a panel draws besides the one that the owner names. */
const DRAWN_UNITS = 2;

/**
 * The units that a panel looks at, from 0: the one that the owner names, where there is such a one, and two others, fewer
 * where there are fewer: draw i is keccak256(seed, evidenceHash, uint256 i) % unitCount. The same for all of the panel. None
 * where the provider counts more of them than anybody could hand over.
 */
export function panelUnits({
  seed,
  evidenceHash,
  unitCount,
  named,
}: {
  seed: string;
  evidenceHash: string;
  unitCount: number;
  named: bigint;
}): number[] {
  if (!Number.isSafeInteger(unitCount)) return [];
  const units = new Set<number>(named < BigInt(unitCount) ? [Number(named)] : []);
  const wanted = Math.min(unitCount, units.size + DRAWN_UNITS);
  for (let i = 0n; units.size < wanted; i++) {
    const types = ["bytes32", "bytes32", "uint256"];
    const hash = keccak256(AbiCoder.defaultAbiCoder().encode(types, [seed, evidenceHash, i]));
    units.add(Number(BigInt(hash) % BigInt(unitCount)));
  }
  return [...units];
}
