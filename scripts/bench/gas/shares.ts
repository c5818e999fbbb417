/** Gas of single transactions of a revenue share, with revenue in the native coin. */
import { type ContractTransactionResponse, parseEther, type Signer, ZeroAddress } from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { type RevenueShareToken, RevenueShareToken__factory } from "../../../types/index.ts";
import { type Figure, NOTHING, plusTransaction } from "./figure.ts";

/** What these figures must not exceed [gas]. */
export const SHARE_LIMITS = {
  shareTransfer: 36_000,
  shareFirstTransfer: 75_000,
  shareClaim: 75_000,
  shareClaimAll50: 65_000,
  shareSnapshot: 120_000,
};

const PERIOD_SECONDS = 7 * 86_400;
/** A beginning of a period. */
const START_SECONDS = Math.ceil(0x77_77_77_77 / PERIOD_SECONDS) * PERIOD_SECONDS;
/** No byte of these is zero, so that calldata costs the same whenever this runs. */
const AMOUNT = 0x11_11_11_11_11_11_11n;
const REVENUE_WEI = 0x22_22_22_22_22_22_22n;

/** Two holders and who pays; every call is in a block of its own. */
interface Stage {
  readonly share: RevenueShareToken;
  readonly from: Signer & { address: string };
  readonly to: Signer & { address: string };
  readonly payer: Signer;
  /** Goes to the beginning of a period; 0 is the one in which the share was made. */
  readonly period: (number: number) => Promise<void>;
  readonly transfer: () => Promise<ContractTransactionResponse>;
  readonly deposit: () => Promise<ContractTransactionResponse>;
}

/** What comes before, and the transaction that is measured. */
type Scenario = (stage: Stage) => Promise<ContractTransactionResponse>;

/** Measures everything, each figure on a fresh chain. */
export async function measureShares(): Promise<Record<string, Figure>> {
  return {
    shareTransfer: await measure("transfer", async ({ period, transfer }) => {
      await period(1);
      await transfer();
      return await transfer();
    }),
    shareFirstTransfer: await measure("transfer", async (stage) => {
      await earn(stage, 1);
      await stage.share.snapshot();
      return await stage.transfer();
    }),
    // The most that one can cost: both have moved in each of three periods and claimed nothing.
    shareFirstTransferKept: await measure("transfer", async (stage) => {
      for (const number of [1, 2]) {
        await stage.transfer();
        await stage.deposit();
        await stage.period(number);
      }
      return await stage.transfer();
    }),
    shareDeposit: await measure("deposit", async (stage) => {
      await earn(stage, 1);
      await stage.deposit();
      return await stage.deposit();
    }),
    shareSnapshot: await measure("snapshot", async (stage) => {
      await earn(stage, 1);
      await stage.share.snapshot();
      await stage.deposit();
      await stage.period(2);
      return await stage.share.snapshot();
    }),
    // One of many, before those that came earlier.
    shareClaim: await measure("claim", async (stage) => {
      await earn(stage, 50);
      await stage.share.snapshot();
      return await stage.share.connect(stage.from).claim(0x11);
    }),
    shareClaimAll50: await measure("claimAll", async (stage) => {
      await earn(stage, 50);
      await stage.share.snapshot();
      return await stage.share.connect(stage.from).claimAll();
    }),
    shareBurn: await measure("burn", async (stage) => {
      await earn(stage, 50);
      await stage.share.snapshot();
      return await stage.share.connect(stage.from).burn(AMOUNT);
    }),
  };
}

/** Revenue in each of the first periods, and the beginning of the next. */
async function earn({ deposit, period }: Stage, periods: number): Promise<void> {
  for (let number = 1; number <= periods; number += 1) {
    await deposit();
    await period(number);
  }
}

async function measure(verb: string, scenario: Scenario): Promise<Figure> {
  const connection = await network.create();
  try {
    const transaction = await scenario(await openStage(connection));
    return await plusTransaction(NOTHING, connection, verb, transaction);
  } finally {
    await connection.close();
  }
}

async function openStage({ ethers, networkHelpers }: NetworkConnection): Promise<Stage> {
  const [admin, from, to, payer] = await ethers.getSigners();
  if (!admin || !from || !to || !payer) throw new Error("the chain has too few accounts");
  await networkHelpers.time.setNextBlockTimestamp(START_SECONDS);
  const supply = parseEther("1000000");
  const share = await new RevenueShareToken__factory(admin).deploy({
    ...{ name: "Revenue share", symbol: "SHARE", periodSeconds: PERIOD_SECONDS, claimBps: 8_000 },
    ...{ minter: ZeroAddress, mintUntil: 0, cap: 2n * supply, beneficiary: admin, owner: admin },
    ...{ bridge: ZeroAddress, tokens: [], excluded: [] },
    allocations: [from, to].map(({ address }) => ({ account: address, amount: supply })),
  });
  return {
    ...{ share, from, to, payer },
    period: (number) => networkHelpers.time.increaseTo(START_SECONDS + number * PERIOD_SECONDS),
    transfer: () => share.connect(from).transfer(to, AMOUNT),
    deposit: () => share.connect(payer).deposit(ZeroAddress, REVENUE_WEI, { value: REVENUE_WEI }),
  };
}
