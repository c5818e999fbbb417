import { closeSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";

import { createHardhatRuntimeEnvironment } from "hardhat/hre";

import type { RpcQuestion } from "./rpc.ts";

interface Step {
  readonly raw: string;
  /** Of its block [Unix s]. */
  readonly timestamp: number;
}

/** What changes the chain, or asks for what the chain is not made for here. */
const CHANGING = /^(?:evm|hardhat|anvil|debug|miner)_|^eth_(?:send|sign)/;

/**
 * A chain of Hardhat's that a killed process loses nothing of: each transaction is in a journal, durable, before the chain has
 * it, and a new process makes the same blocks of the journal again, with the same hashes.
 */
export class JournalledChain {
  readonly #request: (method: string, params: readonly unknown[]) => Promise<unknown>;
  readonly #close: () => Promise<void>;
  readonly #file: number;
  #timestamp: number;
  #queue: Promise<unknown> = Promise.resolve();

  private constructor(parts: {
    request: (method: string, params: readonly unknown[]) => Promise<unknown>;
    close: () => Promise<void>;
    file: number;
    timestamp: number;
  }) {
    this.#request = parts.request;
    this.#close = parts.close;
    this.#file = parts.file;
    this.#timestamp = parts.timestamp;
  }

  static async open(path: string, chainId: number): Promise<JournalledChain> {
    const { genesis, steps } = journalIn(path);
    const file = openSync(path, "a");
    const begin = genesis ?? Math.floor(Date.now() / 1000);
    if (genesis === undefined) append(file, { genesis: begin });
    const hre = await createHardhatRuntimeEnvironment({});
    const connection = await hre.network.create({
      network: "default",
      override: { chainId, initialDate: new Date(begin * 1000) },
    });
    const chain = new JournalledChain({
      request: (method, params) => connection.provider.request({ method, params: [...params] }),
      close: () => connection.close(),
      ...{ file, timestamp: begin },
    });
    // What the chain refused before, it refuses again.
    for (const step of steps) await chain.#apply(step).catch(() => undefined);
    return chain;
  }

  async answer({ method, params }: RpcQuestion): Promise<unknown> {
    if (method === "eth_sendRawTransaction") return await this.#inTurn(() => this.#send(String(params[0])));
    if (CHANGING.test(method)) throw new Error(`${method} would not be in the journal`);
    return await this.#request(method, params);
  }

  async close(): Promise<void> {
    await this.#queue;
    closeSync(this.#file);
    await this.#close();
  }

  async #send(raw: string): Promise<unknown> {
    const timestamp = Math.max(this.#timestamp + 1, Math.floor(Date.now() / 1000));
    append(this.#file, { raw, timestamp });
    return await this.#apply({ raw, timestamp });
  }

  async #apply({ raw, timestamp }: Step): Promise<unknown> {
    this.#timestamp = timestamp;
    await this.#request("evm_setNextBlockTimestamp", [timestamp]);
    return await this.#request("eth_sendRawTransaction", [raw]);
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(work, work);
    this.#queue = turn.catch(() => undefined);
    return await turn;
  }
}

/** What is on record, without a last line that was not written whole. */
function journalIn(path: string): { genesis: number | undefined; steps: Step[] } {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return { genesis: undefined, steps: [] };
  }
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  truncateSync(path, Buffer.byteLength(whole));
  const [first, ...steps] = whole.split("\n").filter((line) => line !== "");
  const { genesis } = JSON.parse(first ?? "{}") as { genesis?: number };
  return { genesis, steps: steps.map((line) => JSON.parse(line) as Step) };
}

function append(file: number, entry: Step | { genesis: number }): void {
  writeSync(file, `${JSON.stringify(entry)}\n`);
  fsyncSync(file);
}
