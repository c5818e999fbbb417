import type { Signer, TypedDataDomain } from "ethers";

import type { IOrders } from "../../../types/interfaces/IOrders.ts";
import type { Fixture, Task } from "./fixture.ts";

/** How wallets sign for the market. */
export const TASK_TYPES = {
  Task: [
    { name: "owner", type: "address" },
    { name: "provider", type: "address" },
    { name: "price", type: "uint256" },
    { name: "conditions", type: "uint256" },
    { name: "assurance", type: "uint256" },
    { name: "salt", type: "bytes32" },
    { name: "work", type: "Work" },
  ],
  Work: [
    { name: "resources", type: "uint256" },
    { name: "payloadHash", type: "bytes32" },
    { name: "payload", type: "string" },
    { name: "backup", type: "address" },
  ],
};
export const QUOTE_TYPES = {
  Quote: [
    { name: "task", type: "bytes32" },
    { name: "nonce", type: "uint256" },
    { name: "expiresAt", type: "uint256" },
  ],
};

export async function domainOf({ ethers, market }: Fixture): Promise<TypedDataDomain> {
  const { chainId } = await ethers.provider.getNetwork();
  return { name: "Neura TaskMarket", version: "1", chainId, verifyingContract: await market.getAddress() };
}

/** An owner's signature of its order. */
export async function signOrder(fixture: Fixture, owner: Signer, { terms, work, backup }: Task) {
  return owner.signTypedData(await domainOf(fixture), TASK_TYPES, { ...terms, work: { ...work, backup } });
}

/** A provider's quote for a task. */
export async function signQuote(
  fixture: Fixture,
  provider: Signer,
  task: string,
  { nonce = 0n, expiresAt = 2n ** 40n - 1n }: { nonce?: bigint; expiresAt?: bigint } = {},
): Promise<IOrders.QuoteStruct> {
  const quote = { nonce, expiresAt };
  const signature = await provider.signTypedData(await domainOf(fixture), QUOTE_TYPES, { task, ...quote });
  return { ...quote, signature };
}

export const NO_QUOTE: IOrders.QuoteStruct = { nonce: 0n, expiresAt: 0n, signature: "0x" };

/** The order of a task, unsigned and without a quote unless they are given. */
export function orderOf(
  { terms, work, backup }: Task,
  {
    sponsored = false,
    signature = "0x",
    quote = NO_QUOTE,
  }: { sponsored?: boolean; signature?: string; quote?: IOrders.QuoteStruct } = {},
): IOrders.OrderStruct {
  return { terms, work, backup, sponsored, signature, quote };
}
