import { toUtf8Bytes, type TransactionRequest, ZeroAddress } from "ethers";

import { ModelOwnership__factory } from "../../types/factories/model/ModelOwnership__factory.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { isOutage } from "../chain/errors.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import { asking, type ChainContext, chainTime, connectContracts, requireSigner } from "../market/context.ts";
import { type Receipt, receiptFrom, sendCall } from "../market/transaction.ts";
import { findOwnership, type OwnershipName, ownershipAt, requireOwnership } from "./context.ts";

/** What is fixed for good when a model's ownership is made; its token has 18 decimals. */
export interface OwnershipSettings {
  /** The model's, at most 31 bytes. */
  readonly name: string;
  readonly symbol: string;
  /** SPDX id or URI, at most 128 bytes. Default: it is not said. */
  readonly licence?: string | undefined;
  /** How many of the smallest unit have a deed. Default: those of one token. */
  readonly unitWei?: bigint | undefined;
  /** Who has how much at the beginning; each gets its first 128 deeds with it. */
  readonly allocations: readonly { readonly account: string; readonly amountWei: bigint }[];
  /** How much there may be in all. Default: what is allocated. */
  readonly capWei?: bigint | undefined;
  /** Who may mint what the cap leaves, through when [Unix s]. Default: nobody. */
  readonly minting?: { readonly minter: string; readonly untilSeconds: number } | undefined;
  /** Whoever may exempt contracts and choose how deeds look. Default: the signer. */
  readonly owner?: string | undefined;
  /** A registered model of the signer's that is to name this, once and for all. Default: none. */
  readonly model?: number | undefined;
}

/** What making one takes. */
export interface IssueCost {
  readonly gas: bigint;
  /** At the node's present price [wei of the chain's coin]. */
  readonly feeWei: bigint;
}

export interface IssuedOwnership {
  readonly ownership: OwnershipName;
  readonly transaction: Receipt;
  /** Of the registry, where a model names it now. */
  readonly named: Receipt | undefined;
}

export const TOKEN_WEI = 10n ** 18n;
/** As the contract has it. */
export const MAX_DEEDS = 2 ** 24 - 1;
const MAX_CAP_WEI = 2n ** 96n - 1n;
const MAX_NAME_BYTES = 31;
const MAX_LICENCE_BYTES = 128;
/** As the contract has it: so many deeds come with one amount. */
const AUTO_DEEDS = 128n;
/** So many fit one transaction beside the contracts themselves. */
const MAX_FIRST_DEEDS = 800n;

/** What {@link issueOwnership} will take. Its errors. */
export async function estimateIssue(
  context: ChainContext,
  settings: OwnershipSettings,
  { signal }: Abortable = {},
): Promise<IssueCost> {
  const { gas } = await unlessAborted(prepare(context, settings), signal);
  const { maxFeePerGas, gasPrice } = await unlessAborted(asking(context.provider.getFeeData()), signal);
  return { gas, feeWei: gas * (gasPrice ?? maxFeePerGas ?? 0n) };
}

/**
 * Makes a model's ownership: its ERC-20 contract, which makes the ERC-721 contract of its deeds. Nothing of its settings
 * can be changed. With `model`, the model's entry names it afterwards, in a second transaction.
 *
 * Errors: `ownership.setting`, `ownership.no-certificate`, `market.read-only`; with `model` those of {@link nameOwnership},
 * before anything is sent, and `ownership.not-named` where it was made and the registry then refused.
 */
export async function issueOwnership(
  context: ChainContext,
  settings: OwnershipSettings,
  { signal }: Abortable = {},
): Promise<IssuedOwnership> {
  const { transaction, gas } = await unlessAborted(prepare(context, settings), signal);
  const receipt = await sendCall(context, Promise.resolve(transaction), { gas, signal });
  const address = receipt.contractAddress ?? ZeroAddress;
  const ownership = await asking(requireOwnership(context, address));
  const made = { ownership, transaction: receiptFrom(receipt) };
  if (settings.model === undefined) return { ...made, named: undefined };
  try {
    return { ...made, named: await sendName(context, settings.model, address, { signal }) };
  } catch (cause) {
    throw new NeuraError(
      "ownership.not-named",
      `The ownership was made at ${address}, but model ${settings.model} does not name it: ${messageOf(cause)}`,
      {
        next: `Run \`model name ${settings.model} ${address}\`.`,
        cause,
        details: { address, model: settings.model },
      },
    );
  }
}

/**
 * Has a registered model of the signer's name its ownership, once and for all.
 *
 * Errors: `ownership.unknown`, `model.unknown`, `model.not-controller`, `model.owned`.
 */
export async function nameOwnership(
  context: ChainContext,
  model: number,
  address: string,
  { signal }: Abortable = {},
): Promise<{ ownership: OwnershipName; transaction: Receipt }> {
  const { ownership } = await findOwnership(context, address);
  await checkModel(context, model);
  return { ownership, transaction: await sendName(context, model, ownership.address, { signal }) };
}

async function sendName(
  context: ChainContext,
  model: number,
  address: string,
  { signal }: Abortable,
): Promise<Receipt> {
  const { models } = connectContracts(context.deployment, context.provider);
  const call = models.setOwnership.populateTransaction(model, address);
  return receiptFrom(await sendCall(context, call, { signal }));
}

/** Checks that the signer can have a model name its ownership. Errors: as {@link nameOwnership}. */
async function checkModel(context: ChainContext, model: number): Promise<void> {
  const { deployment, provider } = context;
  const self = await requireSigner(context).getAddress();
  const found = await asking(connectContracts(deployment, provider).models.modelOf(model));
  if (found.controller !== self) {
    throw new NeuraError("model.not-controller", `Model ${model} is controlled by ${found.controller}.`, {
      next: "Use that account, or register a model of your own with `model register`.",
      details: { model, controller: found.controller, account: self },
    });
  }
  if (found.ownership === ZeroAddress) return;
  const present = await ownershipAt(context, found.ownership);
  const name = present === undefined ? "" : ` (${present.ownership.symbol})`;
  throw new NeuraError(
    "model.owned",
    `Model ${model} names ${found.ownership}${name} as its ownership, once and for all.`,
    {
      next: `See it with \`model show ${model}\`; another one takes another entry.`,
      details: { model, token: found.ownership },
    },
  );
}

/** The transaction that makes it and the gas that it takes, once everything is checked that can be. */
async function prepare(
  context: ChainContext,
  settings: OwnershipSettings,
): Promise<{ transaction: TransactionRequest; gas: bigint }> {
  const signer = requireSigner(context);
  const self = await signer.getAddress();
  const metadata = context.deployment.contracts.DeedCertificate;
  if (metadata === undefined) {
    throw new NeuraError(
      "ownership.no-certificate",
      `The deployment on chain ${context.deployment.chainId} is of before there were deeds.`,
      { next: "Run `deploy` with its settings once more: that adds DeedCertificate and nothing else." },
    );
  }
  const allocatedWei = settings.allocations.reduce((sum, { amountWei }) => sum + amountWei, 0n);
  const { name, symbol, licence = "", unitWei = TOKEN_WEI, capWei = allocatedWei, minting } = settings;
  checkSettings(
    { name, symbol, licence, unitWei, capWei, minting },
    { allocatedWei, nowSeconds: await chainTime(context.provider) },
  );
  if (settings.model !== undefined) await checkModel(context, settings.model);
  const transaction = await new ModelOwnership__factory().getDeployTransaction({
    ...{ name, symbol, licence, unit: unitWei, cap: capWei, metadata },
    minter: minting?.minter ?? ZeroAddress,
    mintUntil: minting?.untilSeconds ?? 0,
    owner: settings.owner ?? self,
    allocations: settings.allocations.map(({ account, amountWei }) => ({ account, amount: amountWei })),
  });
  try {
    return { transaction, gas: await asking(signer.estimateGas(transaction)) };
  } catch (cause) {
    const deeds = settings.allocations
      .map(({ amountWei }) => amountWei / unitWei)
      .reduce((sum, units) => sum + (units < AUTO_DEEDS ? units : AUTO_DEEDS), 0n);
    // Nodes have no common word for what needs more than a transaction may use.
    if (deeds <= MAX_FIRST_DEEDS || isNeuraError(cause) || isOutage(cause)) throw cause;
    throw new NeuraError(
      "ownership.setting",
      `The ownership cannot be made: ${deeds} deeds come with what is allocated, more than one transaction makes.`,
      {
        next: `Allocate to fewer accounts, and transfer to the others afterwards: at most ${MAX_FIRST_DEEDS} deeds, ${AUTO_DEEDS} for each.`,
        cause,
        details: { deeds, maximum: MAX_FIRST_DEEDS },
      },
    );
  }
}

/** What the contract would refuse, and what would make no sense. Error: `ownership.setting`. */
function checkSettings(
  {
    name,
    symbol,
    licence,
    unitWei,
    capWei,
    minting,
  }: Pick<OwnershipSettings, "name" | "symbol" | "minting"> & {
    licence: string;
    unitWei: bigint;
    capWei: bigint;
  },
  { allocatedWei, nowSeconds }: { allocatedWei: bigint; nowSeconds: number },
): void {
  const nameBytes = toUtf8Bytes(name).length;
  const licenceBytes = toUtf8Bytes(licence).length;
  const faults = [
    ...(name.trim() === "" || symbol.trim() === "" ? ["it has no name or no symbol"] : []),
    ...(nameBytes <= MAX_NAME_BYTES ? [] : [`its name has ${nameBytes} bytes, of at most ${MAX_NAME_BYTES}`]),
    ...(/^units?$/i.test(symbol) ? [`${symbol} is what commands count in, and no symbol`] : []),
    ...(licenceBytes <= MAX_LICENCE_BYTES
      ? []
      : [`its licence has ${licenceBytes} bytes, of at most ${MAX_LICENCE_BYTES}`]),
    ...(unitWei > 0n ? [] : ["a unit is of nothing"]),
    ...(capWei > 0n && capWei <= MAX_CAP_WEI ? [] : ["there are from 1 to 2^96 - 1 of its smallest unit"]),
    ...(unitWei <= 0n || capWei / unitWei <= BigInt(MAX_DEEDS)
      ? []
      : [`there are ${capWei / unitWei} whole units, of at most ${MAX_DEEDS}`]),
    ...(unitWei <= capWei ? [] : ["there is not one whole unit"]),
    ...(allocatedWei <= capWei ? [] : ["more is allocated than the cap"]),
    ...(allocatedWei === capWei || minting !== undefined ? [] : ["nobody may mint what the cap leaves"]),
    ...(minting === undefined || minting.untilSeconds > nowSeconds ? [] : ["minting is over already"]),
  ];
  if (faults.length === 0) return;
  throw new NeuraError("ownership.setting", `The ownership cannot be made: ${faults.join("; ")}.`, {
    next: "Correct that: nothing of it can be changed later.",
  });
}
