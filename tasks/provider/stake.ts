import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { moveStake, requireProvider, type StakeMove } from "../../src/provider/registration.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";

interface StakeArguments {
  amount: string;
  unstake: boolean;
  keep: boolean;
  withdrawTo: string | undefined;
}

export default action("neura/provider-stake/1", async (args: StakeArguments, context) => {
  const { provider, out } = context;
  const signer = await context.signer();
  const deployment = await context.deployment();
  const { currency } = deployment;
  const move = moveFrom(args, parseAmount(args.amount, currency));
  const { account } = await requireProvider({ deployment, provider }, signer.address);
  const { hash, gasUsed } = await out.step("Moving stake", () => moveStake({ deployment, signer }, move));
  const after = await requireProvider({ deployment, provider }, account);
  const { stakeWei, freeStakeWei, lockedWei, unbondingWei, unbondsAtSeconds } = after;
  const stakes = { stakeWei, freeStakeWei, lockedWei, unbondingWei, unbondsAtSeconds };
  return {
    data: { account, move: move.kind, ...stakes, transaction: hash, gasUsed },
    text: fields([
      ["Provider", account],
      ["Stake", formatAmount(stakeWei, currency)],
      ["Free", formatAmount(freeStakeWei, currency)],
      ["Locked", formatAmount(lockedWei, currency)],
      ["Unbonding", formatAmount(unbondingWei, currency)],
      ["Transaction", hash],
    ]),
  };
});

function moveFrom({ unstake, keep, withdrawTo }: StakeArguments, amountWei: bigint): StakeMove {
  const chosen = [unstake, keep, withdrawTo !== undefined].filter(Boolean).length;
  const needsAmount = !keep && withdrawTo === undefined;
  if (chosen > 1 || needsAmount !== amountWei > 0n) {
    throw new NeuraError("usage.stake", "It is not clear what to do with the stake.", {
      next: "Give an amount to add, an amount and --unstake, --keep, or --withdraw-to and an account.",
    });
  }
  if (keep) return { kind: "keep" };
  if (withdrawTo !== undefined) return { kind: "withdraw", to: parseAddress(withdrawTo, "account") };
  return { kind: unstake ? "unstake" : "add", amountWei };
}
