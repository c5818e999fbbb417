import { formatAmount, type Unit } from "../../src/amount.ts";
import { type JuryCase, type Move, movesOf, PANEL_SIZES, Step } from "../../src/jury/case.ts";
import { isBeforeJury } from "../../src/jury/check.ts";
import { lookAt } from "../../src/jury/owner.ts";
import { tallyOf } from "../../src/jury/tally.ts";
import type { MarketContext } from "../../src/market/context.ts";
import type { TaskStatus } from "../../src/market/status.ts";
import { action } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openMarketOf } from "../task/request.ts";

export default action("neura/jury-show/1", async ({ id }: { id: string }, context) => {
  const market = await openMarketOf(context);
  const { status, found } = await lookAt(market, id, context.signal);
  return {
    data: { ...found, moves: movesOf(found) },
    text: caseText(status, found, market.deployment.currency),
  };
});

type Row = readonly [label: string, value: string];

export function caseText({ id }: Pick<TaskStatus, "id">, found: JuryCase, currency: Unit): string {
  const { dispute, appeal } = found;
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  return fields([
    ["Task", id],
    ["Jury", found.jury],
    ["Fee", `${amount(dispute.feeWei)}, a third for each juror of the majority`],
    ...juryRows(found),
    ...(appeal === undefined
      ? []
      : [["Appeal", `by ${appeal.appellant}, with a bond of ${amount(appeal.bondWei)}`] as const]),
    ...found.panels.flatMap(({ round, seats, voters }) =>
      seats.map((seat, at) => [`Juror ${round}.${at}`, `seat ${seat}, ${voters[at] ?? ""}`] as const),
    ),
  ]);
}

/** Where a case stands, and what can be done about it now. */
export function juryRows(found: JuryCase): Row[] {
  const { nowSeconds, ended, isMissing } = found;
  const moves = movesOf(found);
  const rows: Row[] = [["Case", ended === undefined ? headline(found) : endingOf(ended, isMissing)]];
  PANEL_SIZES.forEach((size, round) => {
    const votes = found.votes.filter((vote) => vote.round === round);
    if (votes.length === 0) return;
    const { isDecided, providerBps, strangers } = tallyOf(votes, size);
    const so = isDecided ? `${providerBps / 100} % for the provider` : "nothing yet";
    const odd = strangers === 0 ? "" : `, ${strangers} of work that is nobody else's`;
    rows.push([`Panel ${round + 1}`, `${votes.length} of ${size} have shown their verdict: ${so}${odd}`]);
  });
  return [...rows, ...moves.map((move) => ["Possible", possible(move, nowSeconds)] as const)];
}

/** The case of a task that is disputed before the jury, and what can be done; nothing for others. */
export async function juryOfTask(
  context: MarketContext,
  { id, dispute, terms, ended }: TaskStatus,
  signal: AbortSignal,
): Promise<(JuryCase & { readonly moves: readonly Move[] }) | undefined> {
  if (dispute === undefined || ended || !isBeforeJury(context, terms.arbiter)) return undefined;
  const { found } = await lookAt(context, id, signal);
  return { ...found, moves: movesOf(found) };
}

function headline({ step, isSilent, rules, until, ballots, nowBlock, round }: JuryCase): string {
  const committed = ballots.filter(({ isCommitted }) => isCommitted).length;
  const revealed = ballots.filter(({ isRevealed }) => isRevealed).length;
  const panel = round === 0 ? "the panel" : "the second panel";
  const each = formatDuration(rules.stepSeconds);
  switch (step) {
    case Step.None:
      return `no panel yet: its provider concedes or has one drawn, or anyone summons it; each step takes ${each} at most`;
    case Step.Summoned:
      return `summoned, since its provider kept its half of the seed: block ${until} decides, now is ${nowBlock}`;
    case Step.Drawn:
      return `${panel} is drawn${isSilent ? ", without its provider" : ""}: it waits for the owner's payload`;
    case Step.Committing:
      return `${panel} works: ${committed} of ${ballots.length} have committed`;
    default:
      return `${panel} compares: ${revealed} of ${ballots.length} have shown their verdict`;
  }
}

function endingOf({ isRuled, providerBps }: NonNullable<JuryCase["ended"]>, isMissing: boolean): string {
  if (isRuled) return `ended: ${providerBps / 100} % of the price for the provider`;
  return isMissing ? "ended: there are too few seats" : "ended without a verdict";
}

function possible(
  { who, action: verb, untilSeconds, document, positions }: Move,
  nowSeconds: number,
): string {
  const what = document === undefined ? verb : `${verb} of the ${document}`;
  const jurors = positions === undefined ? "" : ` ${positions.join(", ")}`;
  const by = who === "anyone" ? "anyone" : `the ${who}${jurors}`;
  return untilSeconds === undefined
    ? `${what} by ${by}`
    : `${what} by ${by}, for another ${formatDuration(untilSeconds - nowSeconds)}`;
}
