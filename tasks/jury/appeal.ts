import { formatAmount, parseAmount, type Unit } from "../../src/amount.ts";
import type { AppealPlan } from "../../src/jury/owner.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "../task/request.ts";
import { caseText } from "./show.ts";

interface AppealArguments {
  readonly id: string;
  readonly maxBond: string | undefined;
  readonly dryRun: boolean;
}

export default action("neura/jury-appeal/1", async ({ id, maxBond, dryRun }: AppealArguments, context) => {
  const { out, signal } = context;
  const { client, deployment } = await openClient(context, { signing: !dryRun });
  const { currency } = deployment;
  const maximumBondWei = maxBond === undefined ? undefined : parseAmount(maxBond, currency, "bond");
  const plan = await client.planAppeal(id, { signal });
  if (dryRun) return { data: { dryRun, plan }, text: planText(plan, currency) };
  out.note(planText(plan, currency));
  const { status, found, transaction } = await out.step("Appealing", () =>
    client.appeal(id, { maximumBondWei, signal }),
  );
  return { data: { ...found, plan, transaction }, text: caseText(status, found, currency) };
});

function planText(plan: AppealPlan, currency: Unit): string {
  const { first, bondWei, eligible, untilSeconds, ownerGainWei, providerGainWei } = plan;
  const gain = (wei: bigint, percent: number): string =>
    wei <= 0n
      ? "nothing to win"
      : `${formatAmount(wei, currency)} more if it is turned; worth it from a chance of ${percent} % on`;
  return fields([
    ["So far", first.isDecided ? `${first.providerBps / 100} % for the provider` : "nothing is decided"],
    ["Bond", `${formatAmount(bondWei, currency)}, back if fifteen others decide otherwise, or not at all`],
    ["Seats", `${eligible} are old enough; eight have to be found`],
    ["Until", new Date(untilSeconds * 1000).toISOString()],
    ["The owner", gain(ownerGainWei, plan.ownerBreakEvenPercent)],
    ["The provider", gain(providerGainWei, plan.providerBreakEvenPercent)],
  ]);
}
