import { type ChainContext, openChain } from "../src/market/context.ts";
import { parseAddress } from "./address.ts";
import type { Context } from "./context.ts";

/** What a command about a model's tokens works with; `signing`: with the account that pays. */
export async function openChainOf(
  context: Context,
  { signing = false }: { signing?: boolean } = {},
): Promise<ChainContext> {
  const deployment = await context.deployment();
  return openChain({ runner: signing ? await context.signer() : context.provider, deployment });
}

/** The account that a command is about: the own one unless another is named. Error: `usage.address`. */
export async function accountOf(context: Context, named: string | undefined): Promise<string> {
  return named === undefined ? (await context.signer()).address : parseAddress(named, "account");
}
