import { formatAmount, parseAmount } from "../../src/amount.ts";
import { loadAttestationPolicy } from "../../src/attestation/policy.ts";
import { openMarket } from "../../src/market/context.ts";
import { findProviders } from "../../src/market/providers.ts";
import { NO_RESOURCES } from "../../src/market/resources.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { parseMachineNeeds } from "../task/request.ts";
import { attestationText } from "./attested.ts";
import { shapeFrom, shapeText } from "./shape.ts";

interface ListArguments {
  shape: string | undefined;
  maxRate: string | undefined;
  duration: number;
  collateral: string | undefined;
  application: string | undefined;
  needs: string | undefined;
  attested: string | undefined;
}

export default action("neura/provider-list/1", async (args: ListArguments, context) => {
  const { provider, home, storage, signal, allowLoopback } = context;
  const deployment = await context.deployment();
  const { currency } = deployment;
  const resources = shapeFrom(args.shape, NO_RESOURCES);
  const query = {
    resources,
    maxRateWei: args.maxRate === undefined ? undefined : parseAmount(args.maxRate, currency, "rate"),
    durationSeconds: args.duration,
    collateralWei: args.collateral === undefined ? 0n : parseAmount(args.collateral, currency, "collateral"),
    application: args.application,
    needs: parseMachineNeeds(args.needs),
  };
  const attestation = args.attested === undefined ? undefined : await loadAttestationPolicy(args.attested);
  const market = openMarket({ runner: provider, deployment, storage, home, allowLoopback });
  const providers = await findProviders(market, { ...query, attestation }, { signal });
  return {
    data: { query, providers },
    text:
      providers.length === 0
        ? "No provider is registered yet."
        : providers
            .map((each) =>
              fields([
                [each.eligible ? `${each.rank}.` : "–", each.account],
                ["", `${formatAmount(each.rateWei, currency)} per second; ${shapeText(each.shape)}`],
                ["", each.reason],
                ...(each.eligible ? [["", each.claims.reason] as const] : []),
                // Why one is out says its reason.
                ...(each.eligible && each.attestation
                  ? [["", attestationText(each.attestation)] as const]
                  : []),
              ]),
            )
            .join("\n"),
  };
});
