import type { Provider } from "ethers";

import { unlessAborted } from "../abort.ts";
import { told, unavailable } from "../chain/errors.ts";
import { isNeuraError, messageOf, NeuraError } from "../errors.ts";
import {
  blockAt,
  type BlockTime,
  type Bridge,
  type End,
  headsOf,
  readMessages,
  routeFrom,
} from "./context.ts";
import type { Route, SentMessage } from "./message.ts";
import type { BridgeStore } from "./store.ts";

/** How the reading of a source stands. */
export interface SourceHealth {
  readonly chain: number;
  /** The newest block of each endpoint. */
  readonly heads: readonly number[];
  /** The newest block that all of them call final. */
  readonly finalBlock: number;
  readonly readTo: number;
  /** Final blocks that were not read yet. */
  readonly behindBlocks: number;
  /** How long the endpoint that has stood still longest has shown no new block [ms]. */
  readonly stillMs: number;
  /** Whether that is too long, or one of them does not answer. */
  readonly isDown: boolean;
  /** What keeps it from reading on. */
  readonly trouble: string | undefined;
}

export interface ReaderOptions {
  readonly bridge: Bridge;
  readonly source: End;
  /** A second, unlike endpoint of the source's chain, which has to say the same. */
  readonly witness?: Provider | undefined;
  readonly store: BridgeStore;
  /** An endpoint that shows no new block for so long counts as down [ms]; 0: never. Default: 10 minutes. */
  readonly stallMs?: number | undefined;
  /** One that has not told its newest block for so long does not answer [ms]. Default: 20,000. */
  readonly answerMs?: number;
}

const STALL_MS = 600_000;
const ANSWER_MS = 20_000;

interface Endpoint {
  readonly provider: Provider;
  head: number;
  /** When the head was last a new one [ms of the monotonic clock]. */
  movedAt: number;
  answers: boolean;
}

/** Reads the messages of final blocks of one chain, in order, each block once, into a store. */
export class SourceReader {
  readonly route: Route;
  readonly #options: ReaderOptions;
  readonly #endpoints: readonly Endpoint[];
  #finalBlock = 0;
  /** The number of the last message that was read, once that is known. */
  #last: bigint | undefined;
  #trouble: string | undefined;

  constructor(options: ReaderOptions) {
    const { bridge, source, witness } = options;
    this.#options = options;
    this.route = routeFrom(bridge, source);
    this.#endpoints = [source.provider, ...(witness === undefined ? [] : [witness])].map((provider) => ({
      ...{ provider, head: -1, movedAt: performance.now(), answers: true },
    }));
  }

  /**
   * Reads on up to the last block that every endpoint calls final, and says how many messages came.
   *
   * Errors: `chain.unavailable`, `chain.logs-refused`, `bridge.malformed`, `bridge.endpoints-disagree`, `bridge.gap`,
   * `bridge.reorganised`, `bridge.equivocation`.
   */
  async read(signal?: AbortSignal): Promise<number> {
    try {
      const count = await this.#read(signal);
      this.#trouble = undefined;
      return count;
    } catch (error) {
      signal?.throwIfAborted();
      this.#trouble = isNeuraError(error) ? `${error.code}: ${error.message}` : messageOf(error);
      throw error;
    }
  }

  get health(): SourceHealth {
    const { source, stallMs = STALL_MS } = this.#options;
    const readTo = this.#readTo();
    const stillMs = Math.max(...this.#endpoints.map(({ movedAt }) => performance.now() - movedAt));
    return {
      chain: source.chainId,
      heads: this.#endpoints.map(({ head }) => head),
      finalBlock: this.#finalBlock,
      readTo,
      behindBlocks: Math.max(0, this.#finalBlock - readTo),
      stillMs: Math.round(stillMs),
      isDown: this.#endpoints.some(({ answers }) => !answers) || (stallMs > 0 && stillMs > stallMs),
      trouble: this.#trouble,
    };
  }

  #readTo(): number {
    const { source, store } = this.#options;
    const { number } = store.cursor(this.route) ?? {};
    if (number !== undefined) return number;
    return Math.max((store.lastMessage(this.route)?.block.number ?? source.block) - 1, 0);
  }

  async #read(signal: AbortSignal | undefined): Promise<number> {
    const { source, store } = this.#options;
    const finals = await Promise.all(this.#endpoints.map((each) => this.#look(each, signal)));
    const finalBlock = Math.min(...finals.map((each) => each?.number ?? 0));
    this.#finalBlock = Math.max(this.#finalBlock, finalBlock);
    const cursor = store.cursor(this.route);
    if (cursor !== undefined && cursor.number <= finalBlock) await this.#checkCursor(cursor);
    const fromBlock = this.#readTo() + 1;
    if (finalBlock < fromBlock) return 0;
    let count = 0;
    const { provider } = source;
    const pages = readMessages(this.route, { provider, fromBlock, toBlock: finalBlock, signal });
    let from = fromBlock;
    this.#last ??= store.lastMessage(this.route)?.message.nonce ?? 0n;
    for await (const { toBlock, messages } of pages) {
      const readTo = await this.#agreedBlock(toBlock);
      await this.#checkWitnesses(messages, from, toBlock, signal);
      const last = this.#checkNumbers(messages, this.#last);
      if (toBlock === finalBlock) await this.#checkCount(toBlock, last);
      store.add(this.route, { messages, readTo });
      this.#last = last;
      count += messages.length;
      from = toBlock + 1;
    }
    return count;
  }

  async #look(endpoint: Endpoint, signal: AbortSignal | undefined): Promise<BlockTime | undefined> {
    const { source, answerMs = ANSWER_MS } = this.#options;
    const limit = AbortSignal.timeout(answerMs);
    try {
      const { provider } = endpoint;
      const { head, final } = await unlessAborted(
        headsOf({ provider, finality: source.finality }),
        signal === undefined ? limit : AbortSignal.any([signal, limit]),
      );
      endpoint.answers = true;
      // One behind a load balancer may answer with an older block: that is no news.
      if (head.number > endpoint.head) {
        endpoint.head = head.number;
        endpoint.movedAt = performance.now();
      }
      return final;
    } catch (error) {
      signal?.throwIfAborted();
      endpoint.answers = false;
      throw unavailable(error);
    }
  }

  /** What was final is so for good. */
  async #checkCursor(cursor: { number: number; hash: string }): Promise<void> {
    const { chainId } = this.#options.source;
    for (const { provider } of this.#endpoints) {
      const block = await blockAt(provider, cursor.number);
      if (block === undefined || block.hash === cursor.hash) continue;
      throw new NeuraError(
        "bridge.reorganised",
        `Block ${cursor.number} of chain ${chainId} was final as ${cursor.hash}, and is now ${block.hash}.`,
        {
          next: "Nothing more is read of this chain: find out which is right, and use a finality that holds.",
          details: { block: cursor.number },
        },
      );
    }
  }

  async #agreedBlock(number: number): Promise<{ number: number; hash: string }> {
    const blocks = await Promise.all(this.#endpoints.map(({ provider }) => blockAt(provider, number)));
    const [first] = blocks;
    if (first !== undefined && blocks.every((each) => each?.hash === first.hash)) return first;
    throw this.#disagreement(`block ${number}: ${blocks.map((each) => each?.hash ?? "none").join(" and ")}`);
  }

  async #checkWitnesses(
    messages: readonly SentMessage[],
    fromBlock: number,
    toBlock: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (const { provider } of this.#endpoints.slice(1)) {
      const seen: SentMessage[] = [];
      let readTo = fromBlock - 1;
      for await (const page of readMessages(this.route, { provider, fromBlock, toBlock, signal })) {
        seen.push(...page.messages);
        readTo = page.toBlock;
      }
      if (readTo === toBlock && textOf(seen) === textOf(messages)) continue;
      throw this.#disagreement(
        `the messages of blocks ${fromBlock} to ${toBlock}: ${messages.length} and ${seen.length}`,
      );
    }
  }

  /**
   * Numbers follow each other. Where one is left out, an endpoint has kept back what it was asked for before, as one that
   * lags behind the others of its address does: that is asked for again.
   */
  #checkNumbers(messages: readonly SentMessage[], before: bigint): bigint {
    let last = before;
    for (const { message } of messages) {
      if (message.nonce > last + 1n) throw this.#gap(`message ${message.nonce} follows message ${last}`);
      if (message.nonce > last) last = message.nonce;
    }
    return last;
  }

  /** As many were sent up to a block as were read, where the node still knows. */
  async #checkCount(block: number, last: bigint): Promise<void> {
    const sent = await told(this.#options.source.gatewayContract.sent({ blockTag: block }));
    if (sent !== undefined && sent > last)
      throw this.#gap(`${sent} were sent up to block ${block}, and ${last} read`);
  }

  #gap(what: string): NeuraError {
    const { source, store } = this.#options;
    store.rewind(this.route);
    return new NeuraError("bridge.gap", `Chain ${source.chainId} keeps messages back: ${what}.`, {
      next: "It is read again; if that goes on, use a node that keeps the logs of old blocks.",
    });
  }

  #disagreement(what: string): NeuraError {
    const { chainId } = this.#options.source;
    return new NeuraError(
      "bridge.endpoints-disagree",
      `The endpoints of chain ${chainId} do not say the same of ${what}.`,
      { next: "Nothing is signed meanwhile: find out which of them is wrong, and use another in its place." },
    );
  }
}

function textOf(messages: readonly SentMessage[]): string {
  return messages
    .map(({ id, block, transactionHash }) => `${id} ${block.number} ${block.hash} ${transactionHash}`)
    .join("\n");
}
