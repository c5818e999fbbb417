import { expect } from "chai";
import {
  AbstractProvider,
  FetchRequest,
  FetchResponse,
  type Filter,
  type FilterByBlockHash,
  Log,
  makeError,
  Network,
} from "ethers";
import fc from "fast-check";

import { type LogPage, type LogQuery, readLogs } from "../../../src/chain/logs.ts";
import { isNeuraError, type NeuraError } from "../../../src/errors.ts";

const ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const TOPIC = `0x${"ab".repeat(32)}`;

/** A node with limits of its own: one log in every block that `logsIn` names. */
class LimitedNode extends AbstractProvider {
  readonly requests: [number, number][] = [];
  readonly #options: { head: number | (() => number); maxSpan: number; logsIn: (block: number) => boolean };

  constructor(options: {
    head: number | (() => number);
    maxSpan?: number;
    logsIn?: (block: number) => boolean;
  }) {
    super(Network.from(267));
    this.#options = { maxSpan: Infinity, logsIn: () => true, ...options };
  }

  get head(): number {
    const { head } = this.#options;
    return typeof head === "number" ? head : head();
  }

  override getBlockNumber(): Promise<number> {
    return Promise.resolve(this.head);
  }

  override async getLogs(filter: Filter | FilterByBlockHash): Promise<Log[]> {
    await Promise.resolve();
    const { fromBlock, toBlock } = "fromBlock" in filter ? filter : {};
    const [from, to] = [Number(fromBlock), Number(toBlock)];
    this.requests.push([from, to]);
    // What Cosmos and geth refuse, CHAINS.md section 3.
    if (from > to || from < 1 || to > this.head) {
      throw makeError("invalid block range params", "UNKNOWN_ERROR");
    }
    if (to - from > this.#options.maxSpan) {
      throw makeError("maximum [from, to] blocks distance", "UNKNOWN_ERROR");
    }
    const blocks = Array.from({ length: to - from + 1 }, (_, index) => from + index);
    return blocks.filter(this.#options.logsIn).map((block) => this.#log(block));
  }

  #log(blockNumber: number): Log {
    const hash = `0x${blockNumber.toString(16).padStart(64, "0")}`;
    return new Log(
      {
        address: ADDRESS,
        topics: [TOPIC],
        data: "0x",
        index: 0,
        removed: false,
        blockHash: hash,
        blockNumber,
        transactionHash: hash,
        transactionIndex: 0,
      },
      this,
    );
  }
}

function query(provider: LimitedNode, more: Partial<LogQuery> = {}): LogQuery {
  return { provider, address: ADDRESS, topics: [TOPIC], fromBlock: 1, ...more };
}

async function pagesOf(options: LogQuery): Promise<LogPage[]> {
  const pages = [];
  for await (const page of readLogs(options)) pages.push(page);
  return pages;
}

async function collectLogs(options: LogQuery): Promise<readonly Log[]> {
  return (await pagesOf(options)).flatMap(({ logs }) => logs);
}

async function errorOf(promise: Promise<unknown>): Promise<NeuraError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!isNeuraError(error)) throw new Error(`expected a NeuraError, got ${String(error)}`);
  return error;
}

describe("chain: readLogs", () => {
  it("N09_ covers any range once, in order, whatever the node allows", async () => {
    const numbers = fc.record({
      head: fc.integer({ min: 0, max: 400 }),
      from: fc.integer({ min: 0, max: 420 }),
      length: fc.integer({ min: 0, max: 420 }),
      maxSpan: fc.integer({ min: 0, max: 50 }),
      maxBlocks: fc.integer({ min: 1, max: 100 }),
      direction: fc.constantFrom("forward" as const, "backward" as const),
    });
    await fc.assert(
      fc.asyncProperty(numbers, async ({ head, from, length, maxSpan, maxBlocks, direction }) => {
        const node = new LimitedNode({ head, maxSpan });
        const toBlock = from + length;
        const pages = await pagesOf(query(node, { fromBlock: from, toBlock, maxBlocks, direction }));
        if (direction === "backward") pages.reverse();
        const first = Math.max(from, 1);
        const count = Math.max(0, Math.min(toBlock, head) - first + 1);
        const expected = Array.from({ length: count }, (_, index) => first + index);
        expect(pages.flatMap(({ logs }) => logs.map(({ blockNumber }) => blockNumber))).to.deep.equal(
          expected,
        );
        expect(pages.at(-1)?.toBlock).to.equal(expected.at(-1));
      }),
    );
  });

  it("asks for at most 10,000 blocks at once", async () => {
    const node = new LimitedNode({ head: 25_000, maxSpan: 9_999, logsIn: (block) => block % 5_000 === 0 });
    const logs = await collectLogs(query(node));
    expect(logs.map(({ blockNumber }) => blockNumber)).to.deep.equal([5_000, 10_000, 15_000, 20_000, 25_000]);
    expect(node.requests).to.deep.equal([
      [1, 10_000],
      [10_001, 20_000],
      [20_001, 25_000],
    ]);
  });

  it("grows again after a range was refused", async () => {
    const node = new LimitedNode({ head: 2_000, maxSpan: 99 });
    await collectLogs(query(node, { maxBlocks: 800 }));
    const spans = node.requests.map(([from, to]) => to - from + 1);
    expect(spans.slice(0, 6)).to.deep.equal([800, 400, 200, 100, 200, 100]);
  });

  it("asks nothing for a range ahead of the head, and never for from > to", async () => {
    const node = new LimitedNode({ head: 10 });
    expect(await pagesOf(query(node, { fromBlock: 11 }))).to.deep.equal([]);
    expect(await pagesOf(query(node, { fromBlock: 7, toBlock: 3 }))).to.deep.equal([]);
    expect(node.requests).to.deep.equal([]);
  });

  it("N06_ stops, without an error, where the node that answers is behind", async () => {
    let asked = 0;
    // The first answer comes from a node that is three blocks ahead of the others.
    const node = new LimitedNode({ head: () => (asked++ === 0 ? 13 : 10) });
    const pages = await pagesOf(query(node));
    expect(pages.at(-1)?.toBlock).to.equal(10);
  });

  it("says which block the node refuses", async () => {
    const node = new LimitedNode({ head: 8, maxSpan: -1 });
    const error = await errorOf(pagesOf(query(node)));
    expect(error.code).to.equal("chain.logs-refused");
    expect(error.details["block"]).to.equal(1);
  });

  /** A node that fails so many times before it answers. */
  class Failing extends LimitedNode {
    #failures: number;
    readonly #error: () => Error;
    constructor(failures: number, error: () => Error) {
      super({ head: 8 });
      this.#failures = failures;
      this.#error = error;
    }
    override async getLogs(filter: Filter): Promise<Log[]> {
      this.requests.push([Number(filter.fromBlock), Number(filter.toBlock)]);
      if (this.#failures-- > 0) throw this.#error();
      this.requests.pop();
      return await super.getLogs(filter);
    }
  }
  const request = new FetchRequest("http://127.0.0.1:8545");
  const status = (code: number) => () =>
    makeError(`server response ${code}`, "SERVER_ERROR", {
      request,
      response: new FetchResponse(code, "", {}, null, request),
    });
  const outages: Record<string, () => Error> = {
    "a refused connection": () =>
      Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:8545"), { code: "ECONNREFUSED" }),
    "too many requests (429)": status(429),
    "an overload (503)": status(503),
    "a time-out": () =>
      makeError("request timeout", "TIMEOUT", { operation: "request.send", reason: "timeout", request }),
    "a rate limit in JSON": () =>
      makeError("could not coalesce error", "UNKNOWN_ERROR", {
        error: { code: -32_005, message: "rate limit exceeded" },
      }),
  };
  for (const [name, error] of Object.entries(outages)) {
    it(`N06_ asks again after ${name}, without halving, and not for ever`, async () => {
      const back = new Failing(3, error);
      const logs = await collectLogs(query(back, { pauseMs: 1 }));
      expect(logs).to.have.length(8);
      expect(back.requests).to.deep.equal(Array.from({ length: 4 }, () => [1, 8]));
      const gone = new Failing(Infinity, error);
      expect((await errorOf(pagesOf(query(gone, { pauseMs: 1 })))).code).to.equal("chain.unavailable");
      expect(gone.requests).to.deep.equal(Array.from({ length: 5 }, () => [1, 8]));
    });
  }

  it("halves where a node says with a status of 400 or 500 that the range is too large", async () => {
    for (const code of [400, 500]) {
      const node = new Failing(1, status(code));
      expect(await collectLogs(query(node, { pauseMs: 1 }))).to.have.length(8);
      expect(node.requests.slice(0, 2)).to.deep.equal([
        [1, 8],
        [1, 4],
      ]);
    }
  });

  it("ends at once when it is aborted, even if the node hangs", async () => {
    class Hanging extends LimitedNode {
      override getLogs(): Promise<Log[]> {
        return new Promise(() => undefined);
      }
    }
    const controller = new AbortController();
    const reading = pagesOf(query(new Hanging({ head: 8 }), { signal: controller.signal }));
    setTimeout(() => controller.abort(new Error("enough")), 10);
    const error: unknown = await reading.catch((thrown: unknown) => thrown);
    expect(error).to.have.property("message", "enough");
  });
});
