import { formatAmount, parseAmount, type Unit } from "../../src/amount.ts";
import { isBeforeJury } from "../../src/jury/check.ts";
import type { DisputePlan } from "../../src/market/dispute.ts";
import { action } from "../context.ts";
import { formatDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openClient, parseWhole } from "./request.ts";
import { statusText } from "./show.ts";

interface DisputeArguments {
  readonly id: string;
  readonly unit: string;
  readonly maxBond: string | undefined;
  readonly revealSeed: boolean;
  readonly dryRun: boolean;
}

export default action("neura/task-dispute/1", async (given: DisputeArguments, context) => {
  const { id, revealSeed, maxBond } = given;
  const { out, signal } = context;
  const { client, deployment } = await openClient(context, { signing: !given.dryRun });
  const { currency } = deployment;
  const unit = BigInt(parseWhole(given.unit, "unit"));
  const maximumBondWei = maxBond === undefined ? undefined : parseAmount(maxBond, currency, "bond");
  const plan = await client.planDispute(id, { signal });
  if (given.dryRun) return { data: { dryRun: true, plan }, text: planText(plan, currency) };
  out.note(planText(plan, currency));
  const { status, transaction } = await out.step("Disputing the delivery", () =>
    client.dispute(id, { unit, maximumBondWei, revealSeed, signal }),
  );
  if (isBeforeJury({ deployment }, status.terms.arbiter)) {
    out.note(
      `Keep ./neura jury pursue ${id} running: what is not handed over to the jury in time loses the dispute.`,
    );
  }
  return { data: { ...status, transaction, plan }, text: statusText(status, currency) };
});

function planText(plan: DisputePlan, currency: Unit): string {
  const amount = (wei: bigint): string => formatAmount(wei, currency);
  return fields([
    ["Arbiter", `${plan.arbiter}, within ${formatDuration(plan.rulingSeconds)}`],
    ["Bond", `${amount(plan.bondWei)}, of it ${amount(plan.feeWei)} for the arbiter`],
    ["If you win", `${amount(plan.gainWei)} and the bond come back`],
    ["If you lose", `${amount(plan.lossWei)} are lost`],
    ["Worth it", `from a chance of ${plan.breakEvenPercent} % on`],
    ["Break-even", `below a price of ${amount(plan.breakEvenPriceWei)} winning brings nothing`],
  ]);
}
