import { NeuraError } from "../../src/errors.ts";
import { claimRevenue } from "../../src/share/claims.ts";
import { parseAddress, parseAddresses } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { parseWhole } from "../task/request.ts";
import { parseSnapshots, paymentRows, shareText } from "./share.ts";

interface ClaimArguments {
  readonly share: string;
  readonly snapshots: string | undefined;
  readonly through: string | undefined;
  readonly for: string | undefined;
}

export default action("neura/share-claim/1", async (given: ClaimArguments, context) => {
  const { out, signal } = context;
  const named = [given.snapshots, given.through, given.for].filter((each) => each !== undefined);
  if (named.length > 1) {
    throw new NeuraError("usage.claim", "--snapshots, --through and --for do not go together.", {
      next: "Give one of them, or none: then everything of the own account is claimed.",
    });
  }
  const address = parseAddress(given.share, "share");
  const request = {
    snapshots: given.snapshots === undefined ? undefined : parseSnapshots(given.snapshots),
    through: given.through === undefined ? undefined : parseWhole(given.through, "snapshot"),
    accounts: parseAddresses(given.for, "account"),
  };
  const shares = await openChainOf(context, { signing: true });
  const result = await out.step("Claiming", () => claimRevenue(shares, address, request, { signal }));
  return {
    data: { ...result },
    text: fields([
      ["Share", shareText(result.share)],
      ...result.claims.flatMap(paymentRows),
      ...result.skipped.map(
        ({ account, snapshot, reason }) => [account, `snapshot ${snapshot} passed over: ${reason}`] as const,
      ),
      ["Transaction", result.transaction.hash],
    ]),
  };
});
