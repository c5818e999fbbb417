import { NeuraError } from "../../src/errors.ts";
import { requireOwnership } from "../../src/ownership/context.ts";
import {
  planTransfer,
  transferDeed,
  type TransferResult,
  transferUnits,
} from "../../src/ownership/transfer.ts";
import { parseAddress } from "../address.ts";
import { openChainOf } from "../chain.ts";
import { action } from "../context.ts";
import { type CommandResult, fields } from "../output.ts";
import {
  deedsText,
  exemptionText,
  idsText,
  ownershipText,
  parseDeed,
  parseQuantity,
  parseReference,
  quantityText,
} from "./ownership.ts";

interface TransferArguments {
  readonly ownership: string;
  readonly to: string;
  readonly amount: string | undefined;
  readonly deed: string | undefined;
  readonly dryRun: boolean;
}

export default action("neura/model-transfer/1", async (given: TransferArguments, context) => {
  const { out, signal } = context;
  const reference = parseReference(given.ownership);
  const to = parseAddress(given.to, "account");
  if (
    (given.amount === undefined) === (given.deed === undefined) ||
    (given.deed !== undefined && given.dryRun)
  ) {
    throw new NeuraError("usage.transfer", "A transfer is of an amount, or of one deed with --deed.", {
      next: "Write `model transfer 0x… 0x… 2.5`, with --dry-run to see what it does to deeds, or `--deed 17`.",
    });
  }
  const chain = await openChainOf(context, { signing: true });
  if (given.deed !== undefined) {
    const id = parseDeed(given.deed);
    return transferred(
      await out.step(`Transferring deed ${id}`, () => transferDeed(chain, reference, { to, id }, { signal })),
    );
  }
  const ownership = await requireOwnership(chain, reference);
  const amountWei = parseQuantity(given.amount ?? "", ownership);
  if (given.dryRun) {
    const plan = await planTransfer(chain, ownership.address, { to, amountWei });
    const { handed, retired, made, pending, uncovered } = plan;
    return {
      data: { ...plan, sent: false },
      text: fields([
        ["Ownership", ownershipText(ownership)],
        ["Would move", `${quantityText(amountWei, ownership)} to ${to}`],
        ["Deeds", `${handed} go along, ${retired} are given back, ${made} are made`],
        ...(pending === 0
          ? []
          : [["Without a deed", `${pending} units: ${exemptionText(plan.to)}`] as const]),
        ...(uncovered === 0
          ? []
          : [["Uncovered", `${deedsText(uncovered)} of ${plan.from.account}`] as const]),
      ]),
    };
  }
  return transferred(
    await out.step(`Transferring ${quantityText(amountWei, ownership)}`, () =>
      transferUnits(chain, ownership.address, { to, amountWei }, { signal }),
    ),
  );
});

function transferred(result: TransferResult): CommandResult {
  const { ownership, before, after, handed, retired, made, amountWei, transaction } = result;
  const change = (who: "from" | "to"): string => {
    const [was, is] = [before[who], after[who]];
    const balances = `${quantityText(was.balanceWei, ownership)} → ${quantityText(is.balanceWei, ownership)}`;
    return `${is.account}: ${balances}, ${was.deeds} → ${deedsText(is.deeds)}`;
  };
  const { address } = ownership;
  return {
    data: { ...result, sent: true },
    text: fields([
      ["Ownership", ownershipText(ownership)],
      ["Moved", quantityText(amountWei, ownership)],
      ["From", change("from")],
      ["To", change("to")],
      ["Went along", idsText(handed)],
      ...(retired.length === 0 ? [] : [["Given back", idsText(retired)] as const]),
      ...(made.length === 0 ? [] : [["Made", idsText(made)] as const]),
      ...(after.to.pending === 0
        ? []
        : [
            [
              "Without a deed",
              `${after.to.pending} units of the receiver: \`model why ${address} --account ${after.to.account}\``,
            ] as const,
          ]),
      ...(after.from.uncovered === 0
        ? []
        : [
            [
              "Uncovered",
              `${deedsText(after.from.uncovered)}: anybody frees them with \`model release ${address} --uncovered ${after.from.account}\``,
            ] as const,
          ]),
      ...(after.to.isExempt ? [["Receiver", exemptionText(after.to)] as const] : []),
      ["Transaction", transaction.hash],
    ]),
  };
}
