import { parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import { requireProvider, updateProvider } from "../../src/provider/registration.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { shapeFrom, shapeText, wholeFrom } from "./shape.ts";

interface UpdateArguments {
  shape: string | undefined;
  rate: string | undefined;
  slots: string | undefined;
  metadata: string | undefined;
  operator: string | undefined;
  payout: string | undefined;
  status: string | undefined;
}

const STATUSES = ["active", "paused"] as const;

export default action("neura/provider-update/1", async (args: UpdateArguments, context) => {
  const { provider, out } = context;
  const status = STATUSES.find((each) => each === args.status);
  if (status !== args.status) {
    throw new NeuraError(
      "usage.status",
      `--status is ${JSON.stringify(args.status)}, where active or paused belongs.`,
    );
  }
  const signer = await context.signer();
  const deployment = await context.deployment();
  const { currency } = deployment;
  const before = await requireProvider({ deployment, provider }, signer.address);
  const offer = {
    shape: shapeFrom(args.shape, before.shape),
    rateWei: args.rate === undefined ? before.rateWei : parseAmount(args.rate, currency, "rate"),
    slots: wholeFrom("slots", args.slots) ?? before.slots,
    metadata: args.metadata ?? before.metadata,
  };
  const { shape, rateWei, slots, metadata } = before;
  const isSame = textOf(offer) === textOf({ shape, rateWei, slots, metadata });
  const change = {
    offer: isSame ? undefined : offer,
    operator: args.operator === undefined ? undefined : parseAddress(args.operator, "operator"),
    payout: args.payout === undefined ? undefined : parseAddress(args.payout, "payout"),
    status: status === before.status ? undefined : status,
  };
  const transactions = await out.step("Updating", () => updateProvider({ deployment, signer }, change));
  const after = await requireProvider({ deployment, provider }, signer.address);
  return {
    data: { ...after, transactions: transactions.map(({ hash }) => hash) },
    text: fields([
      ["Provider", after.account],
      ["Status", after.status],
      ["Operator", after.operator],
      ["Payout", after.payout],
      ["Offers", shapeText(after.shape)],
      ["Transactions", transactions.map(({ hash }) => hash).join(", ") || "none: nothing has changed"],
    ]),
  };
});

function textOf(offer: object): string {
  return JSON.stringify(offer, (_, value: unknown) => (typeof value === "bigint" ? value.toString() : value));
}
