import {
  type ContractTransactionReceipt,
  type ContractTransactionResponse,
  dataLength,
  getBytes,
} from "ethers";
import type { NetworkConnection } from "hardhat/types/network";

/** A figure and what it consists of [gas]. */
export interface Figure {
  gas: number;
  /** Of all transactions of one kind. */
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

export const NOTHING: Figure = {
  ...{ gas: 0, verbs: {}, transactions: 0, calldata: 0, storage: 0, logs: 0, floor: 0, rest: 0 },
};

/** `figure` with one transaction more. */
export async function plusTransaction(
  figure: Figure,
  connection: NetworkConnection,
  verb: string,
  transaction: ContractTransactionResponse,
): Promise<Figure> {
  const receipt = await transaction.wait();
  if (receipt === null) throw new Error(`${verb} has no receipt`);
  const gas = Number(receipt.gasUsed);
  return summed({
    ...figure,
    gas: figure.gas + gas,
    verbs: { ...figure.verbs, [verb]: (figure.verbs[verb] ?? 0) + gas },
    transactions: figure.transactions + 21_000,
    calldata: figure.calldata + calldataGas(transaction.data),
    storage: figure.storage + (await storageGas(connection, receipt.hash)),
    logs: figure.logs + logsGas(receipt),
  });
}

function summed(figure: Figure): Figure {
  const floor = figure.transactions + figure.calldata + figure.storage + figure.logs;
  return { ...figure, floor, rest: figure.gas - floor };
}

/** One job's part of what several cost together; the whole is rounded up. */
export function shareOf(figure: Figure, jobs: number): Figure {
  const each = (gas: number): number => Math.round(gas / jobs);
  return summed({
    ...figure,
    gas: Math.ceil(figure.gas / jobs),
    verbs: Object.fromEntries(Object.entries(figure.verbs).map(([verb, gas]) => [verb, each(gas)])),
    transactions: each(figure.transactions),
    calldata: each(figure.calldata),
    storage: each(figure.storage),
    logs: each(figure.logs),
  });
}

export function difference(more: Figure, less: Figure): Figure {
  return {
    gas: more.gas - less.gas,
    verbs: Object.fromEntries(
      Object.entries(more.verbs).map(([verb, gas]) => [verb, gas - (less.verbs[verb] ?? 0)]),
    ),
    transactions: more.transactions - less.transactions,
    calldata: more.calldata - less.calldata,
    storage: more.storage - less.storage,
    logs: more.logs - less.logs,
    floor: more.floor - less.floor,
    rest: more.rest - less.rest,
  };
}

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
