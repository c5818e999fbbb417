import { setTimeout as sleep } from "node:timers/promises";
import { type ContractTransactionResponse, ZeroAddress } from "ethers";

import { type Abortable, unlessAborted } from "../abort.ts";
import { formatAmount } from "../amount.ts";
import { Erc20 } from "../chain/erc20.ts";
import { isNeuraError, NeuraError } from "../errors.ts";
import { closeTask } from "../market/close.ts";
import { asking, isRefusal, type MarketContext, requireSigner } from "../market/context.ts";
import { evidenceHash, UNKNOWN_EVIDENCE } from "../market/evidence.ts";
import { loadEvidence } from "../market/records.ts";
import { settleSpending } from "../market/spending.ts";
import { taskStatus, type TaskStatus } from "../market/status.ts";
import { chargeWei, encodeTerms, workHash } from "../market/terms.ts";
import { type Receipt, receiptOf } from "../market/transaction.ts";
import { caseWords, type Disputed, drawWords, eligibleFor } from "./calls.ts";
import {
  type JuryAction,
  type JuryCase,
  juryOf,
  type Move,
  movesOf,
  PANEL_SIZES,
  readCase,
  Step,
} from "./case.ts";
import { isBeforeJury } from "./check.ts";
import { encodeHandOver, type Handing, handOverOf } from "./hand-over.ts";
import { type Tally, tallyOf } from "./tally.ts";

/** Error: `jury.not-arbiter`. */
function requireJury(context: MarketContext, { id, terms }: TaskStatus): void {
  if (isBeforeJury(context, terms.arbiter)) return;
  throw new NeuraError("jury.not-arbiter", `The jury is not the arbiter of task ${id}.`, {
    next: "See `task show` for who is.",
  });
}

// ---- One call ----

/** A case after something was done about it. */
export interface JuryStep {
  readonly found: JuryCase;
  readonly status: TaskStatus;
  readonly transaction: Receipt;
}

/** What can be done about a case without more than the chain knows. */
export type OpenAction = Extract<JuryAction, "summon" | "draw" | "finish" | "lapse">;

/**
 * Does what anybody may do about a case: summons the jury, draws it once it is summoned, finishes a case, or lets it lapse.
 * Errors: `jury.not-possible`, `jury.not-arbiter`, those of `taskStatus` and `readCase`, what the contract refuses.
 */
export async function moveCase(
  context: MarketContext,
  id: string,
  action: OpenAction,
  { signal }: Abortable = {},
): Promise<JuryStep> {
  requireSigner(context);
  const seen = await lookAt(context, id, signal);
  requireMove(seen.found, ({ who, action: each }) => who === "anyone" && each === action, action);
  return await sending(context, id, send(context, seen, action), signal);
}

async function send(
  context: MarketContext,
  { status, found }: Seen,
  action: OpenAction,
): Promise<ContractTransactionResponse> {
  const jury = juryOf(context.deployment, requireSigner(context));
  const disputed = disputedOf(status);
  if (action !== "draw") return await asking(jury[action](...caseWords(disputed)));
  const { eligible } = await asking(eligibleFor(jury, disputed.task));
  const { auditSeed } = found.dispute;
  const kept = await loadEvidence(context.home, status.id);
  const isRight = kept !== undefined && evidenceHash(kept.evidence) === disputed.delivered.evidenceHash;
  const evidence = isRight ? kept.evidence : UNKNOWN_EVIDENCE;
  return await asking(jury.draw(...drawWords(disputed, { evidence, auditSeed, eligible })));
}

interface Seen {
  readonly status: TaskStatus;
  readonly found: JuryCase;
}

/** A task and its case. Errors: `jury.not-arbiter`, those of `taskStatus` and `readCase`. */
export async function lookAt(context: MarketContext, id: string, signal?: AbortSignal): Promise<Seen> {
  const status = await taskStatus(context, id, { signal });
  requireJury(context, status);
  const fromBlock = status.phases.find(({ phase }) => phase === "disputed")?.block;
  const found = await readCase(context, id, { ...(fromBlock === undefined ? {} : { fromBlock }), signal });
  return { status, found };
}

/** Error: `jury.not-possible`. */
function requireMove(found: JuryCase, isWanted: (move: Move) => boolean, action: string): void {
  const moves = movesOf(found);
  if (moves.some(isWanted)) return;
  const possible = moves.map(({ action: each, who }) => `${each} (${who})`).join(", ");
  throw new NeuraError(
    "jury.not-possible",
    `The case of task ${found.id} is in step ${found.stepName}, and \`${action}\` is not possible now.`,
    {
      next: possible === "" ? "See `jury show` for what comes next." : `Possible now: ${possible}.`,
    },
  );
}

async function sending(
  context: MarketContext,
  id: string,
  response: Promise<ContractTransactionResponse>,
  signal: AbortSignal | undefined,
): Promise<JuryStep> {
  const transaction = await receiptOf(await unlessAborted(asking(response), signal), signal);
  const seen = await lookAt(context, id, signal);
  await settleSpending(context, seen.status);
  return { ...seen, transaction };
}

function disputedOf({ id, terms, work, delivery }: TaskStatus): Disputed {
  if (delivery !== undefined) return { task: { terms, work }, delivered: { ...delivery, report: delivery } };
  throw new NeuraError("task.not-possible", `Task ${id} has not been delivered.`);
}

// ---- Owner ----

/**
 * Hands the panel over what it waits for: encrypts it, stores it, and tells the jury where it is. For the owner, on the
 * machine that has its keys, or with its keys for its delegate.
 *
 * Errors: `jury.not-possible`, those of `handOverOf` and of the storage, what the contract refuses.
 */
export async function handOver(
  context: MarketContext,
  id: string,
  { signal }: Abortable = {},
): Promise<JuryStep & { readonly of: Handing; readonly uri: string }> {
  const signer = requireSigner(context);
  const { status, found } = await lookAt(context, id, signal);
  requireMove(found, ({ action }) => action === "hand-over", "hand-over");
  const of = found.step === Step.Drawn ? "payload" : "result";
  const document = await handOverOf(context, { found, status, of }, { signal });
  const storage = await context.storage({ write: true });
  const transfer = signal === undefined ? {} : { signal };
  const stored = await storage.put(new TextEncoder().encode(encodeHandOver(document)), transfer);
  await storage.readBack(stored, transfer);
  const jury = juryOf(context.deployment, signer);
  const call = jury.handOver(encodeTerms(status.terms), workHash(status.work), stored.uri);
  return { ...(await sending(context, id, call, signal)), of, uri: stored.uri };
}

/** What was done while a case was pursued. */
export type Pursued = { readonly found: JuryCase } & (
  | {
      readonly did: OpenAction | "resolve" | "hand-over";
      readonly transaction: Receipt;
      readonly of?: Handing;
    }
  /** Others have something to do. */
  | { readonly did: "wait"; readonly moves: readonly Move[] }
);

export interface PursueOptions extends Abortable {
  /** How often the chain is looked at [ms]. Default: 15,000. */
  readonly intervalMs?: number | undefined;
  /** Told of everything that is done, and once each time when others have to do something. */
  readonly onProgress?: ((progress: Pursued) => void) | undefined;
}

const INTERVAL_MS = 15_000;
/** A case lasts for days: so many failures in a row are put up with. */
const MAX_FAILURES = 30;

/**
 * Does all that is due for the owner of a disputed task until it has ended: hands over the payload, and, when the panel has
 * committed, the result; summons and draws the jury where the provider kept its half of the seed; finishes the case, and
 * has the dispute resolved where nothing was ruled. It never lets the case lapse, which would be lost. What was done is on the
 * chain: stopped at any point, it goes on where it was when it is called again.
 *
 * Errors: `jury.not-arbiter`, `jury.key-missing`, `jury.no-readers`, those of `lookAt`.
 */
export async function pursueCase(
  context: MarketContext,
  id: string,
  { intervalMs = INTERVAL_MS, onProgress, signal }: PursueOptions = {},
): Promise<Seen> {
  requireSigner(context);
  let failures = 0;
  let waitsFor = "";
  for (;;) {
    try {
      const seen = await lookAt(context, id, signal);
      const { found, status } = seen;
      const moves = movesOf(found);
      if (status.ended && moves.length === 0) return seen;
      const mine = dueOf(status, moves);
      if (mine !== undefined) {
        const done = await doDue(context, id, mine, signal);
        failures = 0;
        onProgress?.(done);
        continue;
      }
      const summary = [found.step, ...moves.map(({ who, action }) => `${who} ${action}`)].join();
      if (summary !== waitsFor) onProgress?.({ found, did: "wait", moves });
      waitsFor = summary;
      failures = 0;
    } catch (error) {
      signal?.throwIfAborted();
      failures += 1;
      if (!isPassing(error) || failures > MAX_FAILURES) throw error;
    }
    await sleep(intervalMs, undefined, signal === undefined ? {} : { signal });
  }
}

type Due = OpenAction | "hand-over" | "resolve";

function dueOf({ next }: TaskStatus, moves: readonly Move[]): Due | undefined {
  const has = (action: JuryAction): boolean =>
    moves.some((move) => move.action === action && (move.who === "anyone" || move.who === "owner"));
  const first = (["hand-over", "draw", "summon", "finish"] as const).find(has);
  if (first !== undefined) return first;
  return next.some(({ action }) => action === "resolve") ? "resolve" : undefined;
}

async function doDue(
  context: MarketContext,
  id: string,
  due: Due,
  signal: AbortSignal | undefined,
): Promise<Pursued> {
  if (due === "hand-over") {
    const { found, transaction, of } = await handOver(context, id, { signal });
    return { found, did: due, transaction, of };
  }
  if (due === "resolve") {
    const { transaction } = await closeTask(context, id, "resolve", { signal });
    return { found: (await lookAt(context, id, signal)).found, did: due, transaction };
  }
  const { found, transaction } = await moveCase(context, id, due, { signal });
  return { found, did: due, transaction };
}

/** Whether the next look may be better: somebody was faster, or a node or a storage did not answer. */
function isPassing(error: unknown): boolean {
  if (isRefusal(error)) return true;
  return isNeuraError(error) && /^(chain|storage)\.|^(jury|task)\.not-possible$/.test(error.code);
}

// ---- Appeal ----

/** What an appeal takes, and could bring to each side [wei]. */
export interface AppealPlan {
  readonly id: string;
  readonly bondWei: bigint;
  /** The last second to appeal [Unix s]. */
  readonly untilSeconds: number;
  /** What the first panel decides. */
  readonly first: Tally;
  /** How many seats are old enough; the second panel has fifteen, and needs eight. */
  readonly eligible: bigint;
  /** What the owner, and the provider, would have more if the opposite were ruled. */
  readonly ownerGainWei: bigint;
  readonly providerGainWei: bigint;
  /** From this chance of the second panel turning it on, it is worth it for that side, on average [%]. */
  readonly ownerBreakEvenPercent: number;
  readonly providerBreakEvenPercent: number;
}

/** What appealing would take now, and could bring. Nothing is sent. Errors: `jury.not-possible`, those of `lookAt`. */
export async function planAppeal(
  context: MarketContext,
  id: string,
  { signal }: Abortable = {},
): Promise<AppealPlan> {
  return await planOf(context, await lookAt(context, id, signal));
}

async function planOf(context: MarketContext, { status, found }: Seen): Promise<AppealPlan> {
  requireMove(found, ({ action }) => action === "appeal", "appeal");
  const jury = juryOf(context.deployment, context.provider);
  const [bondWei, { eligible }] = await Promise.all([
    asking(jury.appealBondOf(found.id)),
    asking(eligibleFor(jury, status)),
  ]);
  const first = tallyOf(found.votes, PANEL_SIZES[0]);
  const isForProvider = first.isDecided && first.providerBps >= 5_000;
  const [now, turned] = [
    // Where nothing is decided, the provider is paid and the bond comes back.
    first.isDecided ? moneyAt(status, found, first.providerBps) : undecidedAt(status),
    moneyAt(status, found, isForProvider || !first.isDecided ? 0 : 10_000),
  ];
  const gains = [turned.ownerWei - now.ownerWei, turned.providerWei - now.providerWei] as const;
  const [owner, provider] = gains.map((gain) =>
    gain <= 0n ? 100 : Number((bondWei * 10_000n) / (bondWei + gain)) / 100,
  );
  const until = movesOf(found).find(({ action }) => action === "appeal")?.untilSeconds;
  return {
    id: found.id,
    bondWei,
    untilSeconds: until ?? 0,
    first,
    eligible,
    ownerGainWei: gains[0],
    providerGainWei: gains[1],
    ownerBreakEvenPercent: owner ?? 100,
    providerBreakEvenPercent: provider ?? 100,
  };
}

interface Money {
  readonly ownerWei: bigint;
  readonly providerWei: bigint;
}

const BPS = 10_000n;

/** What each side has more, or less, than before the task, protocol fee and royalty aside: as `Disputes.rule` divides it. */
export function moneyAt(
  status: Pick<TaskStatus, "terms" | "delivery" | "priceWei">,
  { dispute: { bondWei, feeWei } }: Pick<JuryCase, "dispute">,
  providerBps: number,
): Money {
  const due = BigInt(providerBps);
  const { collateralWei } = status.terms;
  const slashedWei = (collateralWei * (BPS - due) + BPS - 1n) / BPS;
  const owedWei = feeWei - (feeWei * due) / BPS;
  const feeByProviderWei = owedWei < slashedWei ? owedWei : slashedWei;
  const penaltyWei = ((bondWei - feeWei) * due) / BPS;
  const compensationWei = (slashedWei - feeByProviderWei) / 2n;
  const paidWei = (costOf(status) * due) / BPS;
  return {
    ownerWei: compensationWei - paidWei - (feeWei - feeByProviderWei) - penaltyWei,
    providerWei: paidWei + penaltyWei - slashedWei,
  };
}

function undecidedAt(status: TaskStatus): Money {
  const paidWei = costOf(status);
  return { ownerWei: -paidWei, providerWei: paidWei };
}

function costOf({ terms, delivery, priceWei }: Pick<TaskStatus, "terms" | "delivery" | "priceWei">): bigint {
  return delivery === undefined ? 0n : chargeWei(terms, delivery, priceWei);
}

/**
 * Has fifteen others decide, for a bond that comes back if they decide otherwise, or not at all. By anybody.
 *
 * Errors: `jury.not-possible`, `jury.bond-too-high`, `wallet.insufficient-funds`, those of `lookAt`, what the
 * contract refuses.
 */
export async function appealCase(
  context: MarketContext,
  id: string,
  { maximumBondWei, signal }: Abortable & { maximumBondWei?: bigint | undefined } = {},
): Promise<JuryStep & { readonly plan: AppealPlan }> {
  const signer = requireSigner(context);
  const seen = await lookAt(context, id, signal);
  const { status, found } = seen;
  const plan = await planOf(context, seen);
  const { deployment, provider } = context;
  const { currency } = deployment;
  const { bondWei, eligible } = plan;
  if (maximumBondWei !== undefined && bondWei > maximumBondWei) {
    const [bond, most] = [bondWei, maximumBondWei].map((each) => formatAmount(each, currency));
    throw new NeuraError(
      "jury.bond-too-high",
      `The bond is ${bond}, more than the ${most} that were allowed.`,
      {
        next: "Allow more with --max-bond, or leave it.",
      },
    );
  }
  const account = await signer.getAddress();
  const isNative = currency.address === ZeroAddress;
  const token = isNative ? undefined : new Erc20(currency.address, signer);
  const hasWei = token === undefined ? await provider.getBalance(account) : await token.balanceOf(account);
  if (hasWei < bondWei) {
    const [has, bond] = [hasWei, bondWei].map((each) => formatAmount(each, currency));
    throw new NeuraError("wallet.insufficient-funds", `${account} has ${has}, and the bond is ${bond}.`, {
      next: `Send ${formatAmount(bondWei - hasWei, currency)} to it: bonds of appeals are not taken from the market.`,
    });
  }
  const [panel] = found.panels;
  if (panel === undefined) throw new Error("an appeal against no panel");
  const jury = juryOf(deployment, signer);
  await token?.allow(account, await jury.getAddress(), bondWei);
  const { auditSeed } = found.dispute;
  const { evidence, drawNonce } = panel;
  const draw = { evidence, auditSeed, drawNonce, eligible };
  const call = jury.appeal(...drawWords(disputedOf(status), draw), { value: isNative ? bondWei : 0n });
  return { ...(await sending(context, id, call, signal)), plan };
}

// ---- Money ----

/**
 * Sends what the signer has with the jury to `to`: fees of a juror, bonds of an appellant. Errors: `jury.none`, what the
 * contract refuses.
 */
export async function withdrawFromJury(
  context: MarketContext,
  { to, signal }: Abortable & { to: string },
): Promise<{ readonly amountWei: bigint; readonly transaction: Receipt }> {
  const signer = requireSigner(context);
  const jury = juryOf(context.deployment, signer);
  const amountWei = await asking(jury.creditOf(await signer.getAddress()));
  const response = await unlessAborted(asking(jury.withdraw(to)), signal);
  return { amountWei, transaction: await receiptOf(response, signal) };
}
