import { keccak256, ZeroAddress } from "ethers";

import { RevenueShareFactory__factory } from "../../types/factories/model/RevenueShareFactory__factory.ts";
import { RevenueShareToken__factory } from "../../types/factories/model/RevenueShareToken__factory.ts";
import type { RevenueShareCreatedEvent } from "../../types/interfaces/IRevenueShareFactory.ts";
import { type Abortable, unlessAborted } from "../abort.ts";
import { NeuraError } from "../errors.ts";
import { asking, type ChainContext, requireSigner } from "../market/context.ts";
import { type Receipt, receiptFrom, requireReceipt } from "../market/transaction.ts";
import { factoryOf } from "./context.ts";

/** What is fixed for good when a share is made; amounts of its tokens have 18 decimals. */
export interface ShareSettings {
  readonly name: string;
  readonly symbol: string;
  /** Length of a period [s], 1 to 366 days. */
  readonly periodSeconds: number;
  /** Part of a period's revenue that is claimable [1/10,000]; the rest is redeemable by burning. Default: all. */
  readonly claimBps?: number | undefined;
  /** Who has how many tokens at the beginning. */
  readonly allocations: readonly { readonly account: string; readonly amountWei: bigint }[];
  /** How many tokens there may be in all, below 2^90. Default: what is allocated. */
  readonly capWei?: bigint | undefined;
  /** Who may mint what the cap leaves, and until when [Unix s]. Default: nobody. */
  readonly minting?: { readonly minter: string; readonly untilSeconds: number } | undefined;
  /** Gets what nobody has a part in. Default: the signer. */
  readonly beneficiary?: string | undefined;
  /** Whoever may exclude contracts that cannot claim. Default: the signer. */
  readonly owner?: string | undefined;
  /** The token bridge (ERC-7802). Default: none. */
  readonly bridge?: string | undefined;
  /** Tokens that count as revenue besides the chain's coin, at most 7. Default: the market's currency. */
  readonly tokens?: readonly string[] | undefined;
  /** Contracts that cannot claim: their tokens take no part from the beginning on. */
  readonly excluded?: readonly string[] | undefined;
}

export interface CreatedShare {
  readonly address: string;
  /** Its place in the list. */
  readonly number: number;
  readonly transaction: Receipt;
}

const DAY_SECONDS = 86_400;
const BPS = 10_000;
/** As the contract has it. */
const MAX_CAP_WEI = 2n ** 90n - 1n;
const MAX_TOKENS = 7;

/**
 * Makes a revenue share, once and for all: nothing of it can be changed. The most of its cost is its code, 4 million gas.
 *
 * Errors: `share.setting`, `share.no-factory`, `share.other-code`, `market.read-only`.
 */
export async function createShare(
  context: ChainContext,
  settings: ShareSettings,
  { signal }: Abortable = {},
): Promise<CreatedShare> {
  const factory = factoryOf(context);
  const self = await requireSigner(context).getAddress();
  const { currency } = context.deployment;
  const allocatedWei = settings.allocations.reduce((sum, { amountWei }) => sum + amountWei, 0n);
  const {
    name,
    symbol,
    periodSeconds,
    minting,
    claimBps = BPS,
    capWei = allocatedWei,
    beneficiary = self,
    owner = self,
    bridge = ZeroAddress,
    tokens = currency.address === ZeroAddress ? [] : [currency.address],
    excluded = [],
  } = settings;
  checkSettings({ ...settings, claimBps, capWei, tokens }, allocatedWei);
  const code = RevenueShareToken__factory.bytecode;
  const codeHash = keccak256(code);
  const expected = await unlessAborted(asking(factory.codeHash()), signal);
  if (codeHash !== expected) {
    throw new NeuraError("share.other-code", "The deployment's factory makes shares of another version.", {
      next: "Use the version of this package that it was deployed with.",
      details: { codeHash, expected },
    });
  }
  const call = factory.create(code, {
    ...{ name, symbol, periodSeconds, claimBps, beneficiary, owner, bridge, cap: capWei },
    minter: minting?.minter ?? ZeroAddress,
    mintUntil: minting?.untilSeconds ?? 0,
    tokens: [...tokens],
    excluded: [...excluded],
    allocations: settings.allocations.map(({ account, amountWei }) => ({ account, amount: amountWei })),
  });
  const response = await asking(call);
  const receipt = requireReceipt(await unlessAborted(asking(response.wait()), signal));
  const abi = RevenueShareFactory__factory.createInterface();
  const created = receipt.logs
    .map((log) => abi.parseLog(log))
    .find((event) => event?.name === "RevenueShareCreated");
  // The ABI that the types were generated from decodes the log.
  const args = created?.args.toObject() as RevenueShareCreatedEvent.OutputObject | undefined;
  if (args === undefined) throw new NeuraError("chain.failed", "The share was not made.");
  return {
    address: args.share,
    number: Number(args.number),
    transaction: receiptFrom(receipt),
  };
}

/** What the contract would refuse, said before its code is sent. Error: `share.setting`. */
function checkSettings(
  given: Pick<ShareSettings, "name" | "symbol" | "periodSeconds" | "minting"> & {
    claimBps: number;
    capWei: bigint;
    tokens: readonly string[];
  },
  allocatedWei: bigint,
): void {
  const { name, symbol, periodSeconds, claimBps, capWei, minting, tokens } = given;
  const faults = [
    ...(name.trim() === "" || symbol.trim() === "" ? ["it has no name or no symbol"] : []),
    ...(periodSeconds >= DAY_SECONDS && periodSeconds <= 366 * DAY_SECONDS
      ? []
      : ["a period is from 1 to 366 days long"]),
    ...(claimBps >= 0 && claimBps <= BPS ? [] : ["what is claimable is from 0 to 10,000 bps"]),
    ...(capWei > 0n && capWei <= MAX_CAP_WEI ? [] : ["there are from 1 to 2^90 - 1 of its smallest unit"]),
    ...(allocatedWei <= capWei ? [] : ["more is allocated than the cap"]),
    ...(allocatedWei === capWei || minting !== undefined ? [] : ["nobody may mint what the cap leaves"]),
    ...(tokens.length <= MAX_TOKENS ? [] : [`it has more than ${MAX_TOKENS} revenue tokens`]),
    ...(tokens.includes(ZeroAddress) ? ["the chain's coin is revenue anyway"] : []),
  ];
  if (faults.length === 0) return;
  throw new NeuraError("share.setting", `The share cannot be made: ${faults.join("; ")}.`, {
    next: "Correct that: nothing of a share can be changed later.",
  });
}
