import { parseAmount } from "../../src/amount.ts";
import { sendCanary } from "../../src/mirror/canary.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { openMirrors } from "../mirror/open.ts";
import { fields } from "../output.ts";

interface SendArguments {
  readonly canary: string;
  readonly provider: string | undefined;
  readonly anyProvider: boolean;
  readonly maxCost: string | undefined;
}

export default action(
  "neura/canary-send/1",
  async ({ canary, provider, anyProvider, maxCost }: SendArguments, context) => {
    const { mirrors, deployment } = await openMirrors(context);
    const order = await context.out.step("Ordering", () =>
      sendCanary(mirrors, canary, {
        provider: provider === undefined ? undefined : parseAddress(provider, "provider"),
        anyProvider,
        maxCostWei: maxCost === undefined ? undefined : parseAmount(maxCost, deployment.currency, "cost"),
        signal: context.signal,
      }),
    );
    return {
      data: { canary, ...order },
      text: fields([
        ["Task", order.id],
        ["Provider", order.provider],
        ["From", order.account],
        ["Check", `./neura canary check --canary ${canary}`],
      ]),
    };
  },
);
