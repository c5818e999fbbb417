import { mkdir } from "node:fs/promises";
import { hexlify } from "ethers";

import { formatAmount, parseAmount } from "../../src/amount.ts";
import { generateKeyPair } from "../../src/envelope/index.ts";
import { NeuraError } from "../../src/errors.ts";
import { publishedKeys, publishKey } from "../../src/keys/publish.ts";
import { listKeys, saveKey } from "../../src/keystore.ts";
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

  const transactions: { what: string; hash: string; gasUsed: bigint }[] = [];
  const keyEpoch = await ensureKey();
  const registered = await out.step("Registering", () =>
    registerProvider({ deployment, signer }, { operator, payout, offer }),
  );
  transactions.push({ what: "register", ...registered });
  if (stakeWei > 0n) {
    const move = { kind: "add", amountWei: stakeWei } as const;
    const title = `Staking ${formatAmount(stakeWei, currency)}`;
    const staked = await out.step(title, () => moveStake({ deployment, signer }, move));
    transactions.push({ what: "stake", ...staked });
  }
  return {
    data: { account, operator, payout, ...offer, stakeWei, keyEpoch, transactions },
    text: fields([
      ["Provider", account],
      ["Operator", operator],
      ["Payout", payout],
      ["Offers", shapeText(shape)],
      ["Rate", `${formatAmount(rateWei, currency)} per second`],
      ["Slots", args.slots],
      ["Stake", formatAmount(stakeWei, currency)],
      ["Key epoch", keyEpoch],
      ["Transactions", transactions.map(({ hash }) => hash).join(", ")],
    ]),
  };

  /** The epoch of a published key that is on this machine; makes and publishes one if there is none. */
  async function ensureKey(): Promise<number> {
    const published = await publishedKeys(deployment, { signer, account });
    const local = await listKeys(home, account);
    const usable = published.findLast(
      ({ publicKey, revoked }) => !revoked && local.some((key) => hexlify(key.publicKey) === publicKey),
    );
    if (usable) return usable.epoch;
    // A key that is not published yet, or a new one: those that were revoked or lost can serve nobody.
    const known = new Set(published.map(({ publicKey }) => publicKey));
    const spare = local.findLast((key) => !known.has(hexlify(key.publicKey)));
    const key = spare ?? (await saveKey(home, account, generateKeyPair()));
    if (!spare)
      out.note(`Made the key that opens tasks: ${key.path}. Keep a copy: account key backup <file>`);
    const { epoch, ...sent } = await out.step("Publishing the key", () =>
      publishKey(deployment, { signer, key }),
    );
    transactions.push({ what: "publish key", ...sent });
    return epoch;
  }
});
