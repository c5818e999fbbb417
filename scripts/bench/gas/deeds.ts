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

/** What the same costs elsewhere, in the same EVM [gas]: Pandora's ERC-404 v2, DN404, and OpenZeppelin's ERC-20 or ERC-721. */
export const DEEDS_ELSEWHERE = {
  deedMint1: { pandora: 136_223, dn404: 124_317, openZeppelin: 51_315 },
  deedMint10: { pandora: 572_705, dn404: 220_798, openZeppelin: 51_315 },
  deedMint100: { pandora: 4_937_537, dn404: 1_273_235, openZeppelin: 51_315 },
  deedTransferHalf: { pandora: 95_945, dn404: 68_412, openZeppelin: 34_501 },
  deedTransfer1: { pandora: 84_272, dn404: 67_252, openZeppelin: 34_501 },
  deedTransfer10: { pandora: 393_566, dn404: 133_418, openZeppelin: 34_501 },
  deedTransfer100: { pandora: 3_486_518, dn404: 802_500, openZeppelin: 34_501 },
  deedPerUnit: { pandora: 34_366, dn404: 7_164 },
  deedNftTransfer: { pandora: 91_551, dn404: 72_871, openZeppelin: 42_732 },
  deedBuy10V3: { pandora: 628_339, dn404: 257_667, openZeppelin: 127_604 },
};

/** What these figures must not exceed: DN404's, but where the project asks for less [gas]. */
export const DEED_LIMITS = {
  ...Object.fromEntries(Object.entries(DEEDS_ELSEWHERE).map(([name, { dn404 }]) => [name, dn404])),
  deedTransferHalf: 60_000,
  deedPerUnit: 7_100,
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
/** No byte of it is zero, so that calldata costs the same whenever this runs. */
const AMOUNT = 0x11_11_11_11_11_11_11n;
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
    // No unit becomes whole, none is broken.
    deedTransferFraction: await measure("transfer", openFull, async ({ mint, token, from, to }) => {
      await mint(from, UNIT / 2n);
      return await token.connect(from).transfer(to, AMOUNT);
    }),
    // As many as are moved by themselves: the rest is made on demand.
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
