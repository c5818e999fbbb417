import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { network } from "hardhat";
import { type HDNodeWallet, Transaction } from "ethers";

import { type RpcQuestion, serveRpc } from "../../../scripts/bench/bridge/rpc.ts";
import { type Side, SIDES } from "../../../src/bridge/deployment.ts";
import { freePort } from "../../../scripts/demo/processes.ts";
import { type Chains, CHAINS, connect, walletAt } from "./support.ts";

type Next = (question: RpcQuestion) => Promise<unknown>;

/** What a node does otherwise than Hardhat's. */
export type Quirk = (question: RpcQuestion, next: Next) => Promise<unknown>;

/** A kind of node. */
export interface NodeKind {
  readonly quirks: readonly Quirk[];
  readonly override?: { initialBaseFeePerGas?: bigint; allowBlocksWithSameTimestamp?: boolean };
}

const ask = (next: Next, method: string, ...params: unknown[]): Promise<unknown> => next({ method, params });
const head = async (next: Next): Promise<number> => Number(await ask(next, "eth_blockNumber"));
const at = (number: number): string => `0x${number.toString(16)}`;

/** Logs beyond the head, and from a block after the last, are an error; so are more than 10,000 blocks between the two. */
const strictLogs: Quirk = async ({ method, params }, next) => {
  if (method !== "eth_getLogs") return await next({ method, params });
  const [{ fromBlock, toBlock }] = params as [{ fromBlock: string; toBlock: string }];
  const [from, to] = [Number(fromBlock), Number(toBlock)];
  if (to > (await head(next))) throw new Error("invalid block range: beyond the head");
  if (from > to) throw new Error("invalid block range");
  if (to - from > 10_000) throw new Error("maximum [from, to] blocks distance: 10000");
  if (from < 1) throw new Error("there is no such block");
  return await next({ method, params });
};

/** The first block is the one with number 1. */
const noGenesis: Quirk = async (question, next) => {
  const { method, params } = question;
  if (method !== "eth_getBlockByNumber") return await next(question);
  if (params[0] === "earliest") return await ask(next, method, "0x1", params[1]);
  return params[0] === "0x0" ? null : await next(question);
};

/** The gas that a transaction is said to have used, and pays for, is half of its limit at least. */
const halfOfLimit: Quirk = async (question, next) => {
  const answer = await next(question);
  if (question.method !== "eth_getTransactionReceipt" || !isObject(answer)) return answer;
  const transaction = await ask(next, "eth_getTransactionByHash", answer["transactionHash"]);
  if (!isObject(transaction)) return answer;
  const [used, limit] = [BigInt(String(answer["gasUsed"])), BigInt(String(transaction["gas"]))];
  return { ...answer, gasUsed: `0x${(used > limit / 2n ? used : limit / 2n).toString(16)}` };
};

/** A receipt of a hash that it does not know comes late; one of a transaction that waits never, but an error. */
const noReceiptBefore: Quirk = async (question, next) => {
  const { method, params } = question;
  if (method === "eth_getTransactionByHash") {
    const answer = await next(question);
    return isObject(answer) && answer["blockNumber"] === null ? null : answer;
  }
  if (method !== "eth_getTransactionReceipt") return await next(question);
  const receipt = await next(question);
  if (receipt !== null) return receipt;
  await new Promise((resolve) => setTimeout(resolve, 15));
  if (isObject(await ask(next, "eth_getTransactionByHash", params[0]))) throw new Error("request timed out");
  return null;
};

/** Every second block has the time of the one before. */
const sameSecond = (): Quirk => {
  let count = 0;
  return async (question, next) => {
    if (question.method === "eth_sendRawTransaction" && ++count % 2 === 0) {
      const block = await ask(next, "eth_getBlockByNumber", "latest", false);
      if (isObject(block)) await ask(next, "evm_setNextBlockTimestamp", block["timestamp"]);
    }
    return await next(question);
  };
};

/** What is final is so many blocks behind the head. */
const lateFinality =
  (blocks: number): Quirk =>
  async (question, next) => {
    const { method, params } = question;
    if (method !== "eth_getBlockByNumber" || params[0] !== "finalized") return await next(question);
    return await ask(next, method, at(Math.max(0, (await head(next)) - blocks)), params[1]);
  };

/** Refuses a transaction without a tip. */
const noFreeRide: Quirk = async ({ method, params }, next) => {
  if (method === "eth_sendRawTransaction") {
    const tip = Transaction.from(String(params[0])).maxPriorityFeePerGas;
    if (tip === 0n) throw new Error("transaction underpriced: gas tip cap 0, minimum needed 1");
  }
  return await next({ method, params });
};

/** Right after a transaction of an account it still tells the nonce of before, once. */
const staleNonce = (account: string): Quirk => {
  let isStale = false;
  return async ({ method, params }, next) => {
    const answer = await next({ method, params });
    if (method === "eth_sendRawTransaction") isStale = Transaction.from(String(params[0])).from === account;
    if (method !== "eth_getTransactionCount" || params[1] !== "pending" || !isStale) return answer;
    if (String(params[0]).toLowerCase() !== account.toLowerCase()) return answer;
    isStale = false;
    return at(Number(answer) - 1);
  };
};

/** Fewer than with those that were measured, which takes as many blocks. */
export const LAG = 3;

/** Nodes as they were measured; what is not here is as with Hardhat's. */
export const NODES = {
  cosmos: (): NodeKind => ({
    quirks: [strictLogs, noGenesis, halfOfLimit, noReceiptBefore, sameSecond()],
    override: { initialBaseFeePerGas: 0n, allowBlocksWithSameTimestamp: true },
  }),
  geth: (): NodeKind => ({
    quirks: [strictLogs, lateFinality(LAG), noFreeRide, staleNonce(walletAt(1).address)],
  }),
} as const;

/** Two chains behind nodes of such a kind, which programs reach by HTTP. */
export async function openNodes(kinds: Readonly<Record<Side, NodeKind>>): Promise<Chains> {
  const open = async (side: Side) => {
    const { quirks, override = {} } = kinds[side];
    const connection = await network.create({ override: { chainId: CHAINS[side], ...override } });
    const own: Next = ({ method, params }) => connection.provider.request({ method, params: [...params] });
    const answer = quirks.reduce<Next>((next, quirk) => (question) => quirk(question, next), own);
    const server = await serveRpc(answer);
    return {
      url: server.url,
      close: async () => {
        await server.close();
        await connection.close();
      },
    };
  };
  return chainsAt({ home: await open("home"), far: await open("far") });
}

/** Two anvils, each a process: at home with its own finality, far away with one of two blocks. Throws where there is none. */
export async function openAnvils(anvil: string): Promise<Chains> {
  const open = async (side: Side) => {
    const port = await freePort();
    const words = ["--port", `${port}`, "--chain-id", `${CHAINS[side]}`, "--no-cors"];
    const epoch = side === "far" ? ["--slots-in-an-epoch", "1"] : [];
    const child = spawn(anvil, [...words, ...epoch], { stdio: ["ignore", "pipe", "ignore"] });
    for await (const line of createInterface({ input: child.stdout })) {
      if (!line.includes("Listening on")) continue;
      child.stdout.resume();
      return { url: `http://127.0.0.1:${port}`, close: () => end(child) };
    }
    throw new Error("anvil ended before it listened");
  };
  return chainsAt({ home: await open("home"), far: await open("far") });
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  // The command of the package is no anvil itself, and hands this on.
  child.kill("SIGTERM");
  await ended;
}

function chainsAt(nodes: Readonly<Record<Side, { url: string; close: () => Promise<unknown> }>>): Chains {
  const providers = { home: connect(nodes.home.url, CHAINS.home), far: connect(nodes.far.url, CHAINS.far) };
  const signer = (side: Side, index: number): HDNodeWallet => walletAt(index, providers[side]);
  return {
    request: async (side, method, params = []) => {
      const answer: unknown = await providers[side].send(method, [...params]);
      return answer;
    },
    signer: (side, index) => Promise.resolve(signer(side, index)),
    deployer: { home: signer("home", 0), far: signer("far", 0) },
    close: () =>
      Promise.all(
        SIDES.map(async (side) => {
          providers[side].destroy();
          await nodes[side].close();
        }),
      ),
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
