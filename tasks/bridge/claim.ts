import { formatAmount } from "../../src/amount.ts";
import { claimCredit } from "../../src/bridge/claim.ts";
import type { End } from "../../src/bridge/context.ts";
import { NeuraError } from "../../src/errors.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { type BridgeArguments, type OpenedBridge, openPair } from "./bridge.ts";

interface ClaimArguments extends BridgeArguments {
  readonly to: string | undefined;
}

export default action("neura/bridge-claim/1", async (args: ClaimArguments, context, hre) => {
  const { out, signal } = context;
  const { here, there, signerOn } = await openPair(args, context, hre);
  const wanted = args.to === undefined ? undefined : parseAddress(args.to, "to");
  const { end, signer, account, restWei } = await claimableOn([there, here], signerOn);
  const to = wanted ?? account;
  const { amountWei, transaction } = await out.step("Claiming", () =>
    claimCredit(end, { to, signer, signal }),
  );
  return {
    data: { chainId: end.chainId, amountWei, to, transaction },
    text: fields([
      ["Claimed", `${formatAmount(amountWei, end.currency)} to ${to} on chain ${end.chainId}`],
      ["Transaction", transaction.hash],
      ...(restWei > 0n ? [["Next", "bridge claim, for what is left on the other chain"] as const] : []),
    ]),
  };
});

/** The first end at which the own account has something to claim, and what it has at the other. */
async function claimableOn(ends: readonly End[], signerOn: OpenedBridge["signerOn"]) {
  const claims = [];
  for (const end of ends) {
    const signer = await signerOn(end);
    const account = await signer.getAddress();
    claims.push({ end, signer, account, claimableWei: await end.contract.claimableOf(account) });
  }
  const [first, rest] = claims.filter(({ claimableWei }) => claimableWei > 0n);
  if (first !== undefined) return { ...first, restWei: rest?.claimableWei ?? 0n };
  const where = claims.map(({ end, account }) => `${account} on chain ${end.chainId}`).join(" and ");
  throw new NeuraError("bridge.nothing-claimable", `There is nothing to claim for ${where}.`, {
    next: "See `bridge status` for where a transfer is.",
  });
}
