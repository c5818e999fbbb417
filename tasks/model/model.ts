import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { isHexString, ZeroAddress } from "ethers";
import type { ContractTransactionResponse } from "ethers";

import { formatAmount } from "../../src/amount.ts";
import { messageOf, NeuraError } from "../../src/errors.ts";
import { asking, type Contracts, type MarketContext } from "../../src/market/context.ts";
import { receiptOf } from "../../src/market/transaction.ts";
import { ownershipAt } from "../../src/ownership/context.ts";
import { readOwnership } from "../../src/ownership/show.ts";
import { modelRevenueOf } from "../../src/share/revenue.ts";
import type { Context } from "../context.ts";
import { type CommandResult, fields } from "../output.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";

const STATUSES = ["none", "active", "retired"] as const;

/** The SHA-256 of a file, or the one that is given. Error: `usage.weights`. */
export async function weightsHashOf(weights: string): Promise<string> {
  if (isHexString(weights, 32)) return weights;
  try {
    const hash = createHash("sha256");
    for await (const bytes of createReadStream(weights)) if (bytes instanceof Uint8Array) hash.update(bytes);
    return `0x${hash.digest("hex")}`;
  } catch (error) {
    throw new NeuraError("usage.weights", `${weights} cannot be read: ${messageOf(error)}.`, {
      next: "Name a file, or give the SHA-256 of the weights as 0x and 64 hexadecimal digits.",
    });
  }
}

/** Sends one call to the registry of models, and shows the model afterwards. */
export async function changeModel(
  context: Context,
  number: string,
  {
    title,
    send,
  }: {
    title: string;
    send: (models: Contracts["models"], model: number) => Promise<ContractTransactionResponse>;
  },
): Promise<CommandResult> {
  const market = await openMarketOf(context, { signing: true });
  const model = parseWhole(number, "model");
  const transaction = await context.out.step(title, async () =>
    receiptOf(await asking(send(market.contracts.models, model)), context.signal),
  );
  return await showModel(market, model, { transaction });
}

/** A model with its newest version. Error: `model.unknown`. */
export async function showModel(
  market: MarketContext,
  model: number,
  more: Record<string, unknown> = {},
): Promise<CommandResult> {
  const { models } = market.contracts;
  const found = await asking(models.modelOf(model));
  const newest = await asking(models.versionOf(model, found.versions - 1n));
  const next = found.revenueAt === 0n ? undefined : found.nextRevenue;
  const [share, nextShare] = await Promise.all([
    revenueShareOf(market, found.revenue),
    next === undefined ? undefined : revenueShareOf(market, next),
  ]);
  const owned = found.ownership === ZeroAddress ? undefined : await ownershipOf(market, found.ownership);
  const data = {
    model,
    controller: found.controller,
    status: STATUSES[Number(found.status)] ?? "none",
    royaltyBps: Number(found.royaltyBps),
    revenue: found.revenue,
    revenueShare: share?.share,
    nextRevenue: next,
    nextRevenueShare: nextShare?.share,
    nextRevenueAtSeconds: next === undefined ? undefined : Number(found.revenueAt),
    ownership: owned?.ownership,
    licence: found.licence,
    versions: Number(found.versions),
    weightsHash: newest.weightsHash,
    weights: newest.weights,
    ...more,
  };
  return {
    data,
    text: fields([
      ["Model", model],
      ["Status", data.status],
      ["Controlled by", data.controller],
      ["Royalty", `${data.royaltyBps / 100} %, to ${data.revenue}${share?.text ?? ""}`],
      ...(next === undefined
        ? []
        : [
            [
              "From then on",
              `${next}${nextShare?.text ?? ""} (${new Date(Number(found.revenueAt) * 1000).toISOString()})`,
            ] as const,
          ]),
      ["Owned through", owned?.text ?? "no token"],
      ["Licence", data.licence === "" ? "not said" : data.licence],
      ["Versions", data.versions],
      ["Newest", `${data.weightsHash}${data.weights === "" ? "" : ` at ${data.weights}`}`],
      ["Use", `./neura task submit … --model ${model}`],
    ]),
  };
}

/** What is said of the token that a model names as its ownership: the controller's word. */
async function ownershipOf(market: MarketContext, address: string) {
  const found = await ownershipAt(market, address);
  if (found === undefined) {
    return { ownership: { address }, text: `${address}, which is no ownership of \`model issue\`` };
  }
  const view = await readOwnership(market, found.ownership.address);
  const units = `${view.wholeUnits} units of ${formatAmount(view.unitWei, view)}`;
  return {
    ownership: view,
    text: `${view.symbol} (${view.name}), ${view.address}: ${units}, ${view.deeds} deeds at ${view.mirror}`,
  };
}

/** What is said of a revenue address that is a revenue share. */
async function revenueShareOf(market: MarketContext, address: string) {
  const revenue = await modelRevenueOf(market, address);
  if (revenue === undefined) return undefined;
  const { symbol, name } = revenue.share;
  const { symbol: currency } = market.deployment.currency;
  const warning = revenue.isUsable ? "" : `, which takes no ${currency}: royalties stay in the market`;
  return {
    share: { symbol, name, isUsable: revenue.isUsable },
    text: `, the revenue share ${symbol} (${name})${warning}`,
  };
}
