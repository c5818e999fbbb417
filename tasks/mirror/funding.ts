import { formatAmount, parseAmount } from "../../src/amount.ts";
import { fundAccounts } from "../../src/mirror/accounts.ts";
import { parseAddresses } from "../address.ts";
import { action } from "../context.ts";
import { table } from "../output.ts";
import { openMirrors } from "./open.ts";

/** What `mirror account fund` and `canary fund` do; the second one collects the protocol's fees before. */
export function fundAction(schema: string, { collectFees = false }: { collectFees?: boolean } = {}) {
  return action(
    schema,
    async ({ amount, accounts: named }: { amount: string; accounts: string | undefined }, context) => {
      const { mirrors, deployment } = await openMirrors(context, { signing: true });
      const { currency } = deployment;
      const eachWei = parseAmount(amount, currency);
      const accounts = parseAddresses(named, "account");
      const funded = await context.out.step("Funding", () =>
        fundAccounts(mirrors, { eachWei, accounts, collectFees }),
      );
      return {
        data: { funded },
        text:
          funded.length === 0
            ? "No account lacks it."
            : table(
                ["Account", "Got", "Transaction"],
                funded.map(({ account, amountWei, hash }) => [
                  account,
                  formatAmount(amountWei, currency),
                  hash,
                ]),
              ),
      };
    },
  );
}
