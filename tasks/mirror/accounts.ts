import { formatAmount } from "../../src/amount.ts";
import { readPool } from "../../src/mirror/accounts.ts";
import { action } from "../context.ts";
import { table } from "../output.ts";
import { openMirrors } from "./open.ts";

export default action("neura/mirror-account-list/1", async (_: object, context) => {
  const { mirrors, deployment } = await openMirrors(context);
  const pool = await readPool(mirrors);
  const accounts = pool.map(({ account: { address, createdAt }, ...state }) => ({
    address,
    createdAt,
    ...state,
  }));
  return {
    data: { accounts },
    text:
      accounts.length === 0
        ? "There are none: make some with `mirror account create`."
        : table(
            ["Account", "Has", "Key", "Used for"],
            accounts.map(({ address, fundsWei, isPublished, usedFor }) => [
              address,
              formatAmount(fundsWei, deployment.currency),
              isPublished ? "published" : "-",
              usedFor ?? "-",
            ]),
          ),
  };
});
