import { formatAmount } from "../amount.ts";
import { NeuraError } from "../errors.ts";
import { asking, type MarketContext } from "../market/context.ts";
import { rulesOf } from "../market/rules.ts";
import { maximumCostWei, type Terms, type Work } from "../market/terms.ts";
import { methodOf, type Verification } from "../verify/verification.ts";
import { eligibleFor } from "./calls.ts";
import { juryOf, PANEL_SIZES } from "./case.ts";

/** Whether the arbiter of these terms is the deployment's jury. */
export function isBeforeJury(
  { deployment }: Pick<MarketContext, "deployment">,
  arbiter: string | undefined,
): boolean {
  return arbiter !== undefined && arbiter === deployment.contracts.Jury;
}

/**
 * Checks that the jury could decide about a task, before it is ordered; says what is worth knowing.
 * Errors: `jury.no-method`, `jury.public`, `jury.too-dear`, `jury.too-few`.
 */
export async function checkJury(
  { deployment, provider, contracts }: Pick<MarketContext, "deployment" | "provider" | "contracts">,
  {
    terms,
    work,
    verification,
  }: { terms: Terms; work: Pick<Work, "resources">; verification: Verification | undefined },
): Promise<string[]> {
  const jury = juryOf(deployment, provider);
  const [capacityWei, seats, { disputeBps }] = await Promise.all([
    asking(jury.capacityWei()),
    asking(eligibleFor(jury, { terms, work })),
    rulesOf(contracts),
  ]);
  const method = verification && methodOf(verification);
  if (method === undefined || method.tolerance === "never" || method.isRechecked) {
    const how = verification === undefined ? "nothing says how" : `by ${verification.method}`;
    throw new NeuraError(
      "jury.no-method",
      `A jury decides where work that is done again comes to the same; ${how} this work is verified.`,
      { next: "Name exact, numeric, embedding or text with --verification, or another arbiter." },
    );
  }
  if (terms.conditions.keyEpoch === 0) {
    throw new NeuraError(
      "jury.public",
      "A public result's payload is encrypted to its provider alone: its owner could not hand it over to a jury.",
      { next: "Have the result encrypted to the owner, or name another arbiter." },
    );
  }
  const costWei = maximumCostWei(terms);
  const atStakeWei = costWei + (costWei * disputeBps + 9_999n) / 10_000n + terms.collateralWei;
  if (atStakeWei > capacityWei) {
    const [moved, most] = [atStakeWei, capacityWei].map((each) => formatAmount(each, deployment.currency));
    throw new NeuraError(
      "jury.too-dear",
      `Price, penalty and collateral come to ${moved}; nobody is drawn for more than ${most}.`,
      { next: "Ask for less collateral, split the task, or name another arbiter." },
    );
  }
  const [first, second] = PANEL_SIZES;
  if (seats.eligible < BigInt(first)) {
    throw new NeuraError(
      "jury.too-few",
      `Class ${seats.class} has ${seats.eligible} seats that are old enough for this task; a panel has ${first}.`,
      { next: "Name another arbiter, or ask again when more providers have taken seats: `jury seats`." },
    );
  }
  if (seats.eligible >= 2n * BigInt(first + second)) return [];
  return [
    `Its class has ${seats.eligible} seats that are old enough: parties and seats at risk are passed over, so that an appeal, which takes ${second}, may find too few.`,
  ];
}
