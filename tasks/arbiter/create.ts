import { formatAmount, parseAmount } from "../../src/amount.ts";
import { createArbiter } from "../../src/market/dispute.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { formatDuration, parseDuration } from "../duration.ts";
import { fields } from "../output.ts";
import { openMarketOf, parseWhole } from "../task/request.ts";

interface CreateArguments {
  readonly account: string | undefined;
  readonly feeBps: string;
  readonly minimumFee: string;
  readonly time: string;
}

export default action("neura/arbiter-create/1", async (given: CreateArguments, context) => {
  const market = await openMarketOf(context, { signing: true });
  const { currency } = market.deployment;
  const arbiter =
    given.account === undefined ? (await context.signer()).address : parseAddress(given.account, "account");
  const terms = {
    arbiter,
    feeBps: parseWhole(given.feeBps, "fee"),
    minimumFeeWei: parseAmount(given.minimumFee, currency, "fee"),
    rulingSeconds: parseDuration(given.time, "time"),
  };
  const { address, transaction } = await context.out.step("Making the arbiter", () =>
    createArbiter(market, terms),
  );
  return {
    data: { address, ...terms, transaction },
    text: fields([
      ["Arbiter", address],
      ["Decides", `${arbiter}, within ${formatDuration(terms.rulingSeconds)}`],
      ["Fee", `${terms.feeBps / 100} %, at least ${formatAmount(terms.minimumFeeWei, currency)}`],
      ["Use", `./neura task submit … --challenge 1d --arbiter ${address} --collateral …`],
    ]),
  };
});
