import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { chainTime } from "../../src/market/context.ts";
import { setDelegate } from "../../src/wallet.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { parseWhole } from "../task/request.ts";

const DAY_SECONDS = 24 * 60 * 60;

interface DelegateArguments {
  delegate: string;
  limit: string;
  days: number;
  provider: string | undefined;
  model: string | undefined;
}

export default action("neura/wallet-delegate/1", async (args: DelegateArguments, context) => {
  const delegate = parseAddress(args.delegate, "delegate");
  const provider = args.provider === undefined ? undefined : parseAddress(args.provider, "provider");
  const model = args.model === undefined ? undefined : parseWhole(args.model, "model");
  if (args.days < 1) throw new NeuraError("usage.days", `--days is ${args.days}, where 1 or more belongs.`);
  const signer = await context.signer();
  const deployment = await context.deployment();
  const { currency } = deployment;
  const limitWei = parseAmount(args.limit, currency, "limit");
  const expiresAtSeconds = (await chainTime(context.provider)) + args.days * DAY_SECONDS;
  const { hash, gasUsed } = await context.out.step("Setting the delegate", () =>
    setDelegate({ deployment, signer }, { delegate, limitWei, expiresAtSeconds, provider, model }),
  );
  return {
    data: {
      account: signer.address,
      delegate,
      limitWei,
      expiresAtSeconds,
      provider,
      model,
      transaction: hash,
      gasUsed,
    },
    text: fields([
      ["Delegate", delegate],
      ["May spend", limitWei === 0n ? "nothing any more" : formatAmount(limitWei, currency)],
      ["Until", new Date(expiresAtSeconds * 1000).toISOString()],
      ["On tasks of", provider ?? "any provider"],
      ["With model", model ?? "any, or none"],
      ["Transaction", hash],
    ]),
  };
});
