import { expect } from "chai";
import { getCreateAddress, type Signer, ZeroAddress } from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import {
  DeedCertificate__factory,
  MockERC20__factory,
  type ModelDeeds,
  ModelDeeds__factory,
  type ModelOwnership,
  ModelOwnership__factory,
} from "../../../types/index.ts";
import { type Market, MARKETS, type OpenMarket } from "./pools.ts";

type Account = Signer & { readonly address: string };

interface Stage {
  readonly ownership: ModelOwnership;
  readonly deeds: ModelDeeds;
  readonly market: Market;
  readonly admin: Account;
  readonly trader: Account;
}

const UNIT = 10n ** 18n;
const SUPPLY = 10_000n;
const POOLED = 2_000n;
/** More than the fractions that trading leaves. */
const TRADER_HELD = 5n;

describe("ModelOwnership in Uniswap's pools", () => {
  let connection: NetworkConnection;

  beforeEach(async () => {
    connection = await network.create();
  });
  afterEach(() => connection.close());

  for (const [version, open] of Object.entries(MARKETS)) {
    describe(version, () => {
      for (const [when, prepare] of Object.entries({
        "made before the token exists": poolFirst,
        "made after the token": tokenFirst,
      })) {
        it(`a pool ${when} gets no deeds, buyers do, sellers give them back`, async () => {
          const stage = await prepare(connection, open);
          expect(await stage.ownership.getSkipNFT(stage.market.pool)).to.equal(true);
          await trade(stage, { pooledDeeds: 0n });
        });
      }

      it("a pool whose address held units before it was made trades with the deeds that it got", async () => {
        const stage = await unitsFirst(connection, open);
        const { ownership, deeds, market, admin } = stage;
        expect(await ownership.getSkipNFT(market.pool), "it was a person").to.equal(false);
        expect(await deeds.balanceOf(market.pool)).to.be.above(2n);
        await trade(stage, { pooledDeeds: undefined });

        await ownership.setExempt(market.pool, true);
        const before = await deeds.balanceOf(market.pool);
        await market.sell(stage.trader, 3n * UNIT);
        expect(await deeds.balanceOf(market.pool), "no more come").to.equal(before);
        await market.buy(admin, 2n * UNIT);
        await expectConsistent(stage);
      });
    });
  }
});

/** Buys and sells 1, 10 and 100 units, and looks at both sides after each. */
async function trade(stage: Stage, { pooledDeeds }: { pooledDeeds: bigint | undefined }): Promise<void> {
  const { ownership, deeds, market, trader } = stage;
  for (const count of [1n, 10n, 100n]) {
    const [held, owned] = [await ownership.balanceOf(trader), await deeds.balanceOf(trader)];
    const pooled = await ownership.balanceOf(market.pool);
    await market.buy(trader, count * UNIT);
    expect(await ownership.balanceOf(trader)).to.equal(held + count * UNIT);
    expect(await deeds.balanceOf(trader), `${count} bought`).to.equal(owned + count);
    expect(await ownership.balanceOf(market.pool)).to.equal(pooled - count * UNIT);
    await expectConsistent(stage);
    if (pooledDeeds !== undefined) expect(await deeds.balanceOf(market.pool)).to.equal(pooledDeeds);
  }
  for (const count of [1n, 10n, 100n]) {
    const [held, owned] = [await ownership.balanceOf(trader), await deeds.balanceOf(trader)];
    await market.sell(trader, count * UNIT);
    expect(await ownership.balanceOf(trader)).to.equal(held - count * UNIT);
    expect(await deeds.balanceOf(trader), `${count} sold`).to.equal(owned - count);
    await expectConsistent(stage);
    if (pooledDeeds !== undefined) expect(await deeds.balanceOf(market.pool)).to.equal(pooledDeeds);
  }
}

/** The logs of the deeds add up to what is said of them, and nobody has more than whole units. */
async function expectConsistent({ ownership, deeds, market, admin, trader }: Stage): Promise<void> {
  const owners = new Map<bigint, string>();
  for (const { args } of await deeds.queryFilter(deeds.filters.Transfer())) {
    expect(owners.get(args.tokenId) ?? ZeroAddress, `giver of ${args.tokenId}`).to.equal(args.from);
    if (args.to === ZeroAddress) owners.delete(args.tokenId);
    else owners.set(args.tokenId, args.to);
  }
  for (const account of [market.pool, admin.address, trader.address]) {
    const ids = [...owners].filter(([, owner]) => owner === account).map(([id]) => id);
    const listed = await deeds.deedsOf(account, 0, SUPPLY);
    expect([...listed].sort(), account).to.deep.equal(ids.sort());
    expect(BigInt(ids.length)).to.equal(await deeds.balanceOf(account));
    expect(BigInt(ids.length)).to.be.at.most((await ownership.balanceOf(account)) / UNIT);
  }
  expect(await deeds.totalSupply()).to.equal(BigInt(owners.size));
}

async function poolFirst(connection: NetworkConnection, open: OpenMarket): Promise<Stage> {
  const { admin, trader } = await parties(connection);
  // The token's address is that of a second account's first contract: it is known before.
  const address = getCreateAddress({ from: trader.address, nonce: 0 });
  const market = await open(connection, MockERC20__factory.connect(address, admin));
  const { ownership, deeds } = await deploy(trader, admin);
  expect(await ownership.getAddress()).to.equal(address);
  return await filled({ ownership, deeds, market, admin, trader });
}

async function tokenFirst(connection: NetworkConnection, open: OpenMarket): Promise<Stage> {
  const { admin, trader } = await parties(connection);
  const { ownership, deeds } = await deploy(trader, admin);
  const market = await open(connection, MockERC20__factory.connect(await ownership.getAddress(), admin));
  return await filled({ ownership, deeds, market, admin, trader });
}

async function unitsFirst(connection: NetworkConnection, open: OpenMarket): Promise<Stage> {
  const { admin, trader } = await parties(connection);
  const { ownership, deeds } = await deploy(trader, admin);
  const token = MockERC20__factory.connect(await ownership.getAddress(), admin);
  // From another account, so that the pool comes to the same address again.
  const snapshot = await connection.networkHelpers.takeSnapshot();
  const { pool } = await open(connection, token);
  await snapshot.restore();
  await ownership.connect(trader).transfer(pool, 3n * UNIT);
  expect(await deeds.balanceOf(pool)).to.equal(3n);
  const market = await open(connection, token);
  expect(market.pool).to.equal(pool);
  return await filled({ ownership, deeds, market, admin, trader });
}

async function parties({ ethers }: NetworkConnection): Promise<{ admin: Account; trader: Account }> {
  const [admin, trader] = await ethers.getSigners();
  if (!admin || !trader) throw new Error("the chain has too few accounts");
  return { admin, trader };
}

async function deploy(deployer: Account, owner: Account): Promise<Pick<Stage, "ownership" | "deeds">> {
  const metadata = await new DeedCertificate__factory(owner).deploy();
  const ownership = await new ModelOwnership__factory(deployer).deploy({
    ...{ name: "Letter reader", symbol: "READ", licence: "MIT", unit: UNIT, cap: SUPPLY * UNIT },
    ...{ minter: ZeroAddress, mintUntil: 0, owner, metadata },
    allocations: [
      { account: owner.address, amount: (SUPPLY - 3n - TRADER_HELD) * UNIT },
      { account: deployer.address, amount: (3n + TRADER_HELD) * UNIT },
    ],
  });
  const connected = ownership.connect(owner);
  return { ownership: connected, deeds: ModelDeeds__factory.connect(await ownership.mirrorERC721(), owner) };
}

async function filled(stage: Stage): Promise<Stage> {
  const { market, admin, trader } = stage;
  await market.join(admin);
  await market.join(trader);
  await market.fill(admin, POOLED * UNIT);
  return stage;
}
