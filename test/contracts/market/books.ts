import { expect } from "chai";
import type { BaseContract } from "ethers";

import { deployMarket } from "./fixture.ts";
import type { Fixture, MarketOptions } from "./fixture.ts";

/**
 * Everything that belongs to anybody, by name: `wallet.owner`, `ledger.owner`, `fees.provider` and so on in wei, the
 * provider's stake, what its record counts, and what the delegate may spend.
 */
export type Books = Record<string, bigint>;

/** Further accounts whose money is looked at, by name. */
export type Accounts = Record<string, string>;

export async function booksOf(fixture: Fixture, others: Accounts = {}): Promise<Books> {
  const { connection, market, registry, erc20, parties } = fixture;
  const contracts = { market: await market.getAddress(), registry: await registry.getAddress() };
  const people: Accounts = { ...others };
  for (const [name, party] of Object.entries(parties)) people[name] = party.address;

  const call = async (to: string, data: string): Promise<string> =>
    String(await connection.provider.request({ method: "eth_call", params: [{ to, data }, "latest"] }));
  const wallet = async (address: string): Promise<bigint> => {
    if (erc20 !== undefined) {
      const data = erc20.interface.encodeFunctionData("balanceOf", [address]);
      return BigInt(await call(await erc20.getAddress(), data));
    }
    return BigInt(
      String(await connection.provider.request({ method: "eth_getBalance", params: [address, "latest"] })),
    );
  };
  const ask = async (data: string): Promise<bigint> => BigInt(await call(contracts.market, data));

  const books: Books = {};
  for (const [name, address] of Object.entries({ ...people, ...contracts }))
    books[`wallet.${name}`] = await wallet(address);
  for (const [name, address] of Object.entries(people)) {
    books[`ledger.${name}`] = await ask(market.interface.encodeFunctionData("balanceOf", [address]));
    books[`fees.${name}`] = await ask(market.interface.encodeFunctionData("feesDue", [address]));
  }
  const { stake, locked, unbonding, declined, abandoned, failed, disputed, assigned } =
    await registry.providerOf(parties.provider.address);
  const [completed, secondsSold] = await market.recordOf(parties.provider.address);
  const { limitWei, expiresAt } = await market.delegationOf(parties.owner.address, parties.delegate.address);
  return {
    ...books,
    ...{ stake, locked, unbonding, declined, abandoned, failed, disputed, assigned },
    ...{ completed, secondsSold },
    ...{ delegateLimit: limitWei, delegateExpiresAt: expiresAt },
  };
}

/** Sends what `act` sends, and expects the books to change by `moves` and by nothing else. */
export async function expectMoves<Response>(
  fixture: Fixture,
  act: () => Promise<Response>,
  moves: Books,
  others: Accounts = {},
) {
  const expected = await booksOf(fixture, others);
  const response = await act();
  for (const [name, change] of Object.entries(moves)) {
    if (expected[name] === undefined) throw new Error(`there is no ${name} in the books`);
    expected[name] += change;
  }
  expect(await booksOf(fixture, others)).to.deep.equal(expected);
  return response;
}

/** Sends what `act` sends, and expects it to be refused with this error and the books to stay as they are. */
export async function expectRefusal(
  fixture: Fixture,
  act: () => Promise<unknown>,
  error: string,
  args: unknown[] = [],
  { of = fixture.market, others = {} }: { of?: BaseContract; others?: Accounts } = {},
) {
  const before = await booksOf(fixture, others);
  const refusal = expect(act()).to.be.revertedWithCustomError(of, error);
  await (args.length === 0 ? refusal : refusal.withArgs(...args));
  expect(await booksOf(fixture, others)).to.deep.equal(before);
}

/** A market for the tests of a `describe`; each of them finds it as `prepare` left it. */
export function useMarket(options: MarketOptions = {}, prepare?: (fixture: Fixture) => Promise<void>) {
  let fixture: Fixture | undefined;
  let prepared: Awaited<ReturnType<Fixture["networkHelpers"]["takeSnapshot"]>>;
  before(async () => {
    fixture = await deployMarket(options);
    await prepare?.(fixture);
    prepared = await fixture.networkHelpers.takeSnapshot();
  });
  beforeEach(() => prepared.restore());
  return () => {
    if (fixture === undefined) throw new Error("the market is deployed before the tests, not before that");
    return fixture;
  };
}
