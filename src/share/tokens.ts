import { ZeroAddress } from "ethers";

import type { Unit } from "../amount.ts";
import { isOutage, told, unavailable } from "../chain/errors.ts";
import { Erc20 } from "../chain/erc20.ts";
import { NeuraError } from "../errors.ts";
import { printable } from "../text.ts";
import type { ChainContext } from "../market/context.ts";
import { requireShare } from "./context.ts";

/** A token that a share takes as revenue, or the chain's coin. */
export interface RevenueToken extends Unit {
  /** The zero address for the chain's coin. */
  readonly address: string;
}

/** So much of one revenue token, in its smallest unit. */
export interface RevenueAmount {
  readonly token: RevenueToken;
  readonly amountWei: bigint;
}

/** What a share is called and takes as revenue. */
export interface ShareName extends Unit {
  readonly address: string;
  readonly name: string;
  /** The chain's coin first. */
  readonly tokens: readonly RevenueToken[];
}

const COIN_DECIMALS = 18;
/** What of a stranger's name is shown. */
const MAX_SYMBOL = 16;
const MAX_NAME = 64;
/** More than any token has; ethers writes amounts with up to 80. */
const MAX_DECIMALS = 77;

/** Name and tokens of a share. Error: `share.unknown`. */
export async function nameOf(context: ChainContext, address: string): Promise<ShareName> {
  const share = await requireShare(context, address);
  const [name, symbol, decimals, tokens] = await Promise.all([
    share.name(),
    share.symbol(),
    share.decimals(),
    share.tokens(),
  ]).catch((cause: unknown) => {
    if (isOutage(cause)) throw unavailable(cause);
    throw new NeuraError("share.unknown", `${address} is an ERC-7641 token of another kind.`, {
      next: "Use the commands of who made it: this one works with shares of `share create`.",
      cause,
    });
  });
  return {
    address,
    name: printable(name, MAX_NAME),
    symbol: printable(symbol, MAX_SYMBOL),
    decimals: Number(decimals),
    tokens: await revenueTokensOf(context, tokens),
  };
}

/**
 * How amounts of these tokens are written. Anybody names a token as he likes, so that its address alone says what it
 * is; one that does not tell its decimals is counted in its smallest unit.
 */
export async function revenueTokensOf(
  { provider, deployment: { currency } }: ChainContext,
  addresses: readonly string[],
): Promise<RevenueToken[]> {
  return await Promise.all(
    addresses.map(async (address): Promise<RevenueToken> => {
      if (address === currency.address) return currency;
      if (address === ZeroAddress) return { address, symbol: "coin", decimals: COIN_DECIMALS };
      const erc20 = new Erc20(address, provider);
      const short = `${address.slice(0, 6)}…${address.slice(-4)}`;
      const symbol = await told(erc20.symbol());
      const decimals = await told(erc20.decimals());
      if (decimals === undefined || decimals > MAX_DECIMALS) {
        return { address, symbol: `units of ${short}`, decimals: 0 };
      }
      return { address, symbol: printable(symbol ?? short, MAX_SYMBOL), decimals };
    }),
  );
}

/** The amounts of a list in the order of a share's tokens; zeros are left out unless `zeros` is set. */
export function amountsOf(
  { tokens }: Pick<ShareName, "tokens">,
  amountsWei: readonly bigint[],
  { zeros = false } = {},
): RevenueAmount[] {
  return tokens
    .map((token, index) => ({ token, amountWei: amountsWei[index] ?? 0n }))
    .filter(({ amountWei }) => zeros || amountWei !== 0n);
}

/** Amounts of the same token, added up; nothing of a token is left out. */
export function totalsOf(amounts: readonly RevenueAmount[]): RevenueAmount[] {
  const sums = new Map<string, RevenueAmount>();
  for (const { token, amountWei } of amounts) {
    const before = sums.get(token.address)?.amountWei ?? 0n;
    if (amountWei !== 0n) sums.set(token.address, { token, amountWei: before + amountWei });
  }
  return [...sums.values()];
}

/** The token with this address. Error: `share.unknown-token`. */
export function tokenAt(share: ShareName, address: string): RevenueToken {
  const found = share.tokens.find((token) => token.address === address);
  if (found !== undefined) return found;
  const known = share.tokens.map((token) => `${token.symbol} (${token.address})`).join(", ");
  throw new NeuraError("share.unknown-token", `${share.symbol} takes no revenue in ${address}.`, {
    next: `Its revenue tokens were fixed when it was made: ${known}.`,
    details: { share: share.address, token: address },
  });
}
