/**
 * `./neura bench gas [--json] [--update]`: the gas of whole jobs, both sides together, in the steady state: the second
 * job of a pair, without collateral, references of 46 bytes, protocol fee on, metered with an unused part going back.
 * Each figure stands next to the floor that it consists of. `--update` writes `test/gas.json`, with which the tests
 * compare.
 */
import { realpathSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import {
  type ContractTransactionReceipt,
  type ContractTransactionResponse,
  dataLength,
  getBytes,
  id,
  MaxUint256,
  parseEther,
  ZeroAddress,
} from "ethers";
import { network } from "hardhat";
import type { NetworkConnection } from "hardhat/types/network";

import { Outcome } from "../../src/market/outcome.ts";
import {
  encodeReport,
  encodeTerms,
  encodeWork,
  maximumCostWei,
  type Terms,
  type Work,
  workHash as workHashOf,
} from "../../src/market/terms.ts";
import {
  MockERC20__factory,
  ProviderRegistry__factory,
  TaskMarket__factory,
  TaskMarketExtension__factory,
} from "../../types/index.ts";

/** A figure and what it consists of [gas]. */
export interface Figure {
  gas: number;
  /** Of each transaction. */
  verbs: Record<string, number>;
  /** 21,000 for each transaction. */
  transactions: number;
  /** 4 for each zero byte, 16 for any other (EIP-2028). */
  calldata: number;
  /** Reading and writing storage, cold and warm (EIP-2929, EIP-2200). */
  storage: number;
  /** 375 for each log and each topic, 8 for each byte. */
  logs: number;
  /** The sum of these four: what no other code for the same data and words could do without. */
  floor: number;
  /** Everything else: hashing, checks, memory, calls. */
  rest: number;
}

/** What the two main figures must not exceed [gas]. */
export const LIMITS: Readonly<Record<string, number>> = { job: 105_000, failure: 95_000 };

export const SNAPSHOT = new URL("../../test/gas.json", import.meta.url);

/** No byte of these is zero, so that calldata costs the same whenever this runs. */
const START_SECONDS = 0x77_77_77_77;
const BETWEEN_JOBS_SECONDS = 0x1_11_11;
const DURATION_SECONDS = 0x11_11;
const USED_SECONDS = 0x09_99;
const RATE_WEI = 0x04_62_d5_37_e7_ef_4en;
const REFERENCE = "Qm123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJK";

interface Setting {
  /** Tasks are paid in an ERC-20. */
  token?: boolean;
  /** The owner pays from its balance in the market. */
  ledger?: boolean;
  /** The provider's hot key sends its transactions. */
  operator?: boolean;
}

type Verb = "submit" | "accept" | "deliver" | "cancel";

/** Measures everything, each figure on a fresh chain. */
export async function measureGas(): Promise<Record<string, Figure>> {
  return {
    job: await measure(["submit", "deliver"]),
    failure: await measure(["submit", "cancel"]),
    jobLedger: await measure(["submit", "deliver"], { ledger: true }),
    jobErc20: await measure(["submit", "deliver"], { token: true }),
    jobOperator: await measure(["submit", "deliver"], { operator: true }),
    jobAccepted: await measure(["submit", "accept", "deliver"]),
  };
}

/** The gas of the second job of a pair. */
async function measure(verbs: readonly Verb[], setting: Setting = {}): Promise<Figure> {
  const connection = await network.create();
  try {
    const send = await openMarket(connection, setting);
    for (const verb of ["submit", "deliver"] as const) await (await send(1, verb)).wait();
    const figure: Figure = {
      gas: 0,
      verbs: {},
      transactions: 0,
      calldata: 0,
      storage: 0,
      logs: 0,
      floor: 0,
      rest: 0,
    };
    for (const verb of verbs) {
      const transaction = await send(2, verb);
      const receipt = await transaction.wait();
      if (receipt === null) throw new Error(`${verb} has no receipt`);
      const gas = Number(receipt.gasUsed);
      figure.gas += gas;
      figure.verbs[verb] = gas;
      figure.transactions += 21_000;
      figure.calldata += calldataGas(transaction.data);
      figure.logs += logsGas(receipt);
      figure.storage += await storageGas(connection, receipt.hash);
    }
    figure.floor = figure.transactions + figure.calldata + figure.storage + figure.logs;
    figure.rest = figure.gas - figure.floor;
    return figure;
  } finally {
    await connection.close();
  }
}

/** Deploys the market and gives back a function that sends a verb of the job with this number. */
async function openMarket(
  { ethers, networkHelpers }: NetworkConnection,
  { token = false, ledger = false, operator = false }: Setting,
): Promise<(job: number, verb: Verb) => Promise<ContractTransactionResponse>> {
  const [admin, owner, provider, hotKey, treasury] = await ethers.getSigners();
  if (!admin || !owner || !provider || !hotKey || !treasury)
    throw new Error("the chain has too few accounts");
  const erc20 = token ? await new MockERC20__factory(admin).deploy() : undefined;
  const currency = erc20 === undefined ? ZeroAddress : await erc20.getAddress();
  const registry = await new ProviderRegistry__factory(admin).deploy(currency, 45 * 86_400, admin);
  const settings = {
    currency,
    registry,
    models: ZeroAddress,
    ...{ declineWindow: 600, keyWindow: 600, takeOverWindow: 3_600, concessionWindow: 3_600 },
    ...{ admin, treasury, feeBps: 250 },
  };
  const extension = await new TaskMarketExtension__factory(admin).deploy(settings);
  const market = await new TaskMarket__factory(admin).deploy(settings, extension);
  await registry.authorizeMarket(market);
  const offer = { shape: 0, rateWei: 1, slots: 1, metadata: "" };
  await registry.connect(provider).register(hotKey, provider, offer);
  if (erc20 !== undefined) {
    await erc20.mint(owner, parseEther("1000"));
    await erc20.connect(owner).approve(market, MaxUint256);
  }
  if (ledger) await market.connect(owner).deposit(parseEther("100"), { value: parseEther("100") });

  const ownerSide = market.connect(owner);
  const providerSide = market.connect(operator ? hotKey : provider);
  return async (job, verb) => {
    const start = START_SECONDS + job * BETWEEN_JOBS_SECONDS;
    const task = jobOf(job, start, { owner: owner.address, provider: provider.address });
    const terms = encodeTerms(task.terms);
    const workHash = workHashOf(task.work);
    switch (verb) {
      case "submit": {
        await networkHelpers.time.setNextBlockTimestamp(start);
        const value = token || ledger ? 0n : maximumCostWei(task.terms);
        return await ownerSide.submit(terms, encodeWork(task.work), { value });
      }
      case "accept":
        await networkHelpers.time.setNextBlockTimestamp(start + 0x11);
        return await providerSide.accept(terms, workHash);
      case "deliver":
        await networkHelpers.time.setNextBlockTimestamp(start + 0x1001);
        return await providerSide.deliver(terms, workHash, {
          report: encodeReport({ outcome: Outcome.Completed, secondsUsed: USED_SECONDS }),
          resultHash: id(`result ${job}`),
          evidenceHash: id(`evidence ${job}`),
          result: REFERENCE,
        });
      case "cancel":
        await networkHelpers.time.setNextBlockTimestamp(start + 0x11);
        return await ownerSide.cancel(terms, workHash);
    }
  };
}

function jobOf(
  job: number,
  start: number,
  parties: { owner: string; provider: string },
): { terms: Terms; work: Work } {
  return {
    terms: {
      ...parties,
      price: { amountWei: RATE_WEI, metered: true },
      conditions: {
        startBySeconds: start + DURATION_SECONDS,
        completeBySeconds: start + 3 * DURATION_SECONDS,
        durationSeconds: DURATION_SECONDS,
        keyEpoch: 1,
      },
      collateralWei: 0n,
      salt: id(`salt ${job}`),
    },
    work: {
      resources: {
        gpuCount: 1,
        gpuClass: 3,
        vramMiB: 24_576,
        ramMiB: 65_536,
        cpuMilli: 8_000,
        diskMiB: 102_400,
      },
      payloadHash: id(`payload ${job}`),
      payload: REFERENCE,
    },
  };
}

// ---- Floor ----

/** 4 for each zero byte, 16 for any other. */
function calldataGas(data: string): number {
  return getBytes(data).reduce((gas, byte) => gas + (byte === 0 ? 4 : 16), 0);
}

/** 375 for each log and each topic, 8 for each byte. */
function logsGas({ logs }: ContractTransactionReceipt): number {
  return logs.reduce((gas, { topics, data }) => gas + 375 + 375 * topics.length + 8 * dataLength(data), 0);
}

/** What the transaction paid for reading and writing storage. */
async function storageGas({ provider }: NetworkConnection, transaction: string): Promise<number> {
  const options = { disableStorage: true, disableMemory: true, disableStack: true };
  const trace: unknown = await provider.request({
    method: "debug_traceTransaction",
    params: [transaction, options],
  });
  const { structLogs } = trace as { structLogs: { op: string; gasCost: number }[] };
  return structLogs
    .filter(({ op }) => op === "SLOAD" || op === "SSTORE")
    .reduce((gas, { gasCost }) => gas + gasCost, 0);
}

// ---- Command ----

function tableOf(figures: Record<string, Figure>): string {
  const columns = ["gas", "transactions", "calldata", "storage", "logs", "floor", "rest"] as const;
  const table = new Table({ head: ["", ...columns, "limit"], style: { head: [], border: [] } });
  for (const [name, figure] of Object.entries(figures)) {
    const cells = columns.map((column) => figure[column].toLocaleString("en"));
    table.push([name, ...cells, LIMITS[name]?.toLocaleString("en") ?? ""]);
  }
  return table.toString();
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { json: { type: "boolean", default: false }, update: { type: "boolean", default: false } },
  });
  const figures = await measureGas();
  if (values.update) await writeFile(SNAPSHOT, `${JSON.stringify(figures, null, 2)}\n`);
  const totals = Object.fromEntries(Object.entries(figures).map(([name, { gas }]) => [name, gas]));
  console.log(
    values.json
      ? JSON.stringify({ schema: "neura/bench-gas/1", ...totals, limits: LIMITS, figures }, null, 2)
      : tableOf(figures),
  );
}
