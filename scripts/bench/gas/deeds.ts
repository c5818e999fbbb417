/**
 * Gas of single transactions of a model's ownership: ERC-20 transfers that make and move deeds, and deeds that are
 * transferred as such. The receiver holds five, where it holds any, as in the figures of other implementations.
 */
import { type ContractTransactionResponse, type Signer } from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import {
  BareOwnership__factory,
  DeedCertificate__factory,
  type MockERC20,
  MockERC20__factory,
  type ModelDeeds,
  ModelDeeds__factory,
  type ModelOwnership,
  ModelOwnership__factory,
} from "../../../types/index.ts";
import { difference, type Figure, NOTHING, plusTransaction, shareOf } from "./figure.ts";
import { openV3Market } from "./uniswap.ts";

/** What these figures must not exceed: those of DN404, but where the project asks for less [gas]. */
export const DEED_LIMITS = {
  deedMint1: 124_317,
  deedMint10: 220_798,
  deedMint100: 1_273_235,
  deedTransferHalf: 60_000,
  deedTransfer1: 67_252,
  deedTransfer10: 133_418,
  deedTransfer100: 802_500,
  deedPerUnit: 7_100,
  deedNftTransfer: 72_871,
  deedBuy10V3: 257_667,
};

type Account = Signer & { readonly address: string };

/** A token with a holder of 300 units and one of five; every call is in a block of its own. */
interface Stage {
  readonly connection: NetworkConnection;
  readonly token: MockERC20;
  readonly from: Account;
  readonly to: Account;
  readonly fresh: Account;
  readonly mint: (to: Account, amount: bigint) => Promise<ContractTransactionResponse>;
}

interface FullStage extends Stage {
  readonly ownership: ModelOwnership;
  readonly deeds: ModelDeeds;
}

type Scenario<S extends Stage> = (stage: S) => Promise<ContractTransactionResponse>;

const UNIT = 10n ** 18n;
const HELD = 300n;
const RECEIVER_HELD = 5n;

/** Measures everything, each figure on a fresh chain. */
export async function measureDeeds(): Promise<Record<string, Figure>> {
  const transfer10 = await measure("transfer", openFull, transferOf(10n));
  const transfer100 = await measure("transfer", openFull, transferOf(100n));
  const bare = {
    deedMint1Bare: await measure("mint", openBare, mintOf(1n)),
    deedTransferHalfBare: await measure("transfer", openBare, transferHalf),
    deedTransfer1Bare: await measure("transfer", openBare, transferOf(1n)),
    deedTransfer100Bare: await measure("transfer", openBare, transferOf(100n)),
  };
  return {
    deedMint1: await measure("mint", openFull, mintOf(1n)),
    deedMint10: await measure("mint", openFull, mintOf(10n)),
    deedMint100: await measure("mint", openFull, mintOf(100n)),
    deedTransferHalf: await measure("transfer", openFull, transferHalf),
    deedTransfer1: await measure("transfer", openFull, transferOf(1n)),
    deedTransfer10: transfer10,
    deedTransfer100: transfer100,
    deedPerUnit: shareOf(difference(transfer100, transfer10), 90),
    deedNftTransfer: await measure("transferFrom", openFull, async ({ deeds, from, to }) => {
      return await deeds.connect(from).transferFrom(from, to, HELD / 2n);
    }),
    deedBuy10V3: await measure("swap", openFull, buyOf(10n)),
    // All that are moved by themselves, and the rest on demand.
    deedTransfer10000: await measure("transfer", openFull, async (stage) => {
      await stage.mint(stage.from, 10_000n * UNIT);
      return await transferOf(10_000n)(stage);
    }),
    // Both sides have delegated their votes.
    deedTransfer1Votes: await measure("transfer", openFull, async (stage) => {
      await delegate(stage);
      return await transferOf(1n)(stage);
    }),
    ...bare,
  };
}

/** The supply's record of it has a word of its own: every second one does. */
function mintOf(count: bigint): Scenario<Stage> {
  return ({ mint, fresh }) => mint(fresh, count * UNIT);
}

function transferOf(count: bigint): Scenario<Stage> {
  return ({ token, from, to }) => token.connect(from).transfer(to, count * UNIT);
}

/** Half a unit, whose deed goes to the end of the queue. */
async function transferHalf({ token, from, to, fresh }: Stage): Promise<ContractTransactionResponse> {
  await token.connect(from).transfer(fresh, 7n * UNIT);
  await token.connect(fresh).transfer(from, UNIT / 2n);
  return await token.connect(from).transfer(to, UNIT / 2n + 1n);
}

/** From a pool, by an account that holds five. */
function buyOf(count: bigint): Scenario<Stage> {
  return async ({ connection, token, from, to }) => {
    const market = await openV3Market(connection, token);
    await market.join(from);
    await market.join(to);
    await market.fill(from, (HELD / 2n) * UNIT);
    return await market.buy(to, count * UNIT);
  };
}

async function delegate({ ownership, from, to }: FullStage): Promise<void> {
  await ownership.connect(from).delegate(from);
  await ownership.connect(to).delegate(to);
}

async function measure<S extends Stage>(
  verb: string,
  open: (connection: NetworkConnection) => Promise<S>,
  scenario: Scenario<S>,
): Promise<Figure> {
  const connection = await network.create();
  try {
    const transaction = await scenario(await open(connection));
    return await plusTransaction(NOTHING, connection, verb, transaction);
  } finally {
    await connection.close();
  }
}

async function openFull(connection: NetworkConnection): Promise<FullStage> {
  const { admin, from, to, fresh } = await parties(connection);
  const ownership = await new ModelOwnership__factory(admin).deploy({
    ...{ name: "Letter reader", symbol: "READ", licence: "MIT", unit: UNIT, cap: 100_000n * UNIT },
    ...{ minter: admin, mintUntil: 2n ** 32n - 1n, owner: admin },
    metadata: await new DeedCertificate__factory(admin).deploy(),
    allocations: [
      { account: from, amount: 0n },
      { account: to, amount: 0n },
    ],
  });
  const deeds = ModelDeeds__factory.connect(await ownership.mirrorERC721(), admin);
  const stage: FullStage = {
    ...{ connection, ownership, deeds, from, to, fresh },
    token: MockERC20__factory.connect(await ownership.getAddress(), admin),
    mint: (account, amount) => ownership.mint(account, amount),
  };
  await allocate(stage);
  return stage;
}

async function openBare(connection: NetworkConnection): Promise<Stage> {
  const { admin, from, to, fresh } = await parties(connection);
  const bare = await new BareOwnership__factory(admin).deploy(
    await new DeedCertificate__factory(admin).deploy(),
  );
  const stage: Stage = {
    ...{ connection, from, to, fresh },
    token: MockERC20__factory.connect(await bare.getAddress(), admin),
    mint: (account, amount) => bare.mint(account, amount),
  };
  await allocate(stage);
  return stage;
}

/** In parts, each of which makes all its deeds. */
async function allocate({ mint, from, to }: Stage): Promise<void> {
  for (let part = 0n; part < HELD / 100n; part += 1n) await mint(from, 100n * UNIT);
  await mint(to, RECEIVER_HELD * UNIT);
}

async function parties({
  ethers,
}: NetworkConnection): Promise<Record<"admin" | "from" | "to" | "fresh", Account>> {
  const [admin, from, to, fresh] = await ethers.getSigners();
  if (!admin || !from || !to || !fresh) throw new Error("the chain has too few accounts");
  return { admin, from, to, fresh };
}
