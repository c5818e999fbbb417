import { formatAmount, parseAmount } from "../../src/amount.ts";
import { generateKeyPair } from "../../src/envelope/index.ts";
import { NeuraError } from "../../src/errors.ts";
import { publishedKeys, publishKey } from "../../src/keys/publish.ts";
import { listKeys, saveKey } from "../../src/keystore.ts";
import { mkdir } from "node:fs/promises";
import { detectHardware } from "../../src/provider/hardware.ts";
import { moveStake, providerRecord, registerProvider } from "../../src/provider/registration.ts";
import { parseAddress } from "../address.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { shapeFrom, shapeText } from "./shape.ts";

interface RegisterArguments {
  shape: string | undefined;
  rate: string;
  slots: number;
  metadata: string;
  operator: string | undefined;
  payout: string | undefined;
  stake: string | undefined;
}

export default action("neura/provider-register/1", async (args: RegisterArguments, context) => {
  const { home, out, provider } = context;
  const signer = await context.signer();
  const deployment = await context.deployment();
  const { currency } = deployment;
  const account = signer.address;
  const rateWei = parseAmount(args.rate, currency, "rate");
  const stakeWei = args.stake === undefined ? 0n : parseAmount(args.stake, currency, "stake");
  const operator = args.operator === undefined ? account : parseAddress(args.operator, "operator");
  const payout = args.payout === undefined ? account : parseAddress(args.payout, "payout");
  if (await providerRecord({ deployment, provider }, account)) {
    throw new NeuraError("provider.registered", `${account} is registered already.`, {
      next: "Change its offer with `provider update`, or add stake with `provider stake`.",
    });
  }
  await mkdir(home, { recursive: true, mode: 0o700 });
  const { shape: detected } = await detectHardware(home);
  const shape = shapeFrom(args.shape, detected);
  const offer = { shape, rateWei, slots: args.slots, metadata: args.metadata };

  const key = await ensureKey();
  const { hash, gasUsed } = await out.step("Registering", () =>
    registerProvider({ deployment, signer }, { operator, payout, offer }),
  );
  if (stakeWei > 0n) {
    const move = { kind: "add", amountWei: stakeWei } as const;
    await out.step(`Staking ${formatAmount(stakeWei, currency)}`, () =>
      moveStake({ deployment, signer }, move),
    );
  }
  return {
    data: { account, operator, payout, ...offer, stakeWei, keyEpoch: key, transaction: hash, gasUsed },
    text: fields([
      ["Provider", account],
      ["Operator", operator],
      ["Payout", payout],
      ["Offers", shapeText(shape)],
      ["Rate", `${formatAmount(rateWei, currency)} per second`],
      ["Slots", args.slots],
      ["Stake", formatAmount(stakeWei, currency)],
      ["Key epoch", key],
      ["Transaction", hash],
    ]),
  };

  /** The epoch of a published key that is on this machine; makes and publishes one if there is none. */
  async function ensureKey(): Promise<number> {
    const published = await publishedKeys(deployment, { signer, account });
    const valid = published.findLast(({ revoked }) => !revoked);
    if (valid) return valid.epoch;
    const existing = (await listKeys(home, account)).at(-1);
    const created = existing ?? (await saveKey(home, account, generateKeyPair()));
    if (!existing) {
      out.note(`Created the key that opens tasks: ${created.path}. Keep a copy: account key backup <file>`);
    }
    const { epoch } = await out.step("Publishing the key", () =>
      publishKey(deployment, { signer, key: created }),
    );
    return epoch;
  }
});
