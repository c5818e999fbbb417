import { expect } from "chai";
import { hexlify, id as hashOf, makeError, type Provider, randomBytes } from "ethers";

import { TaskMarket__factory } from "../../../types/factories/market/TaskMarket__factory.ts";
import { encodeTerms, encodeWork, type Terms, type Work } from "../../../src/market/terms.ts";
import { Feed, type News } from "../../../src/provider/feed.ts";
import type { BlockId } from "../../../src/provider/journal.ts";
import { MACHINE } from "../market/support.ts";
import { errorOf } from "../storage/support.ts";

const MARKET = `0x${"ab".repeat(20)}`;
const ACCOUNT = `0x${"cd".repeat(20)}`;
const INTERFACE = TaskMarket__factory.createInterface();

/** Blocks that can be replaced, and what they announce. */
class FakeBlocks {
  readonly blocks: { hash: string; tasks: { id: string; words: Record<string, unknown> }[] }[] = [];
  readonly ranges: [number, number][] = [];
  down = false;
  /** The head that the next answers pretend. */
  behind = 0;

  add(count: number, ...ids: string[]): void {
    for (let each = 0; each < count; each++) this.blocks.push({ hash: hexlify(randomBytes(32)), tasks: [] });
    for (const id of ids) this.blocks.at(-1)!.tasks.push({ id, words: words() });
  }

  /** Forgets all from this block on. */
  cut(from: number): void {
    this.blocks.length = from;
  }

  get provider(): Provider {
    const head = (): number => this.blocks.length - 1 - this.behind;
    const block = (number: number) => {
      const found = number <= head() ? this.blocks[number] : undefined;
      return found ? { number, hash: found.hash, timestamp: 1_000 + number } : null;
    };
    const asked = async <T>(value: () => T): Promise<T> => {
      await Promise.resolve();
      if (this.down) throw makeError("connect ECONNREFUSED", "NETWORK_ERROR", { event: "test" });
      return value();
    };
    return {
      getBlockNumber: () => asked(head),
      getBlock: (tag: number | "latest") => asked(() => block(tag === "latest" ? head() : tag)),
      getLogs: ({ fromBlock, toBlock }: { fromBlock: number; toBlock: number }) =>
        asked(() => {
          this.ranges.push([fromBlock, toBlock]);
          if (toBlock - fromBlock > 10_000) throw new Error("range too large");
          return this.blocks.slice(fromBlock, toBlock + 1).flatMap(({ hash, tasks }, index) =>
            tasks.map(({ id, words: args }) => ({
              ...INTERFACE.encodeEventLog("TaskSubmitted", Object.values({ id, ...args })),
              blockNumber: fromBlock + index,
              blockHash: hash,
            })),
          );
        }),
    } as unknown as Provider;
  }
}

function words(): Record<string, unknown> {
  const terms: Terms = {
    owner: `0x${"11".repeat(20)}`,
    provider: ACCOUNT,
    price: { amountWei: 5n, metered: true },
    conditions: { startBySeconds: 10, completeBySeconds: 100, durationSeconds: 50, keyEpoch: 1 },
    collateralWei: 0n,
    salt: hexlify(randomBytes(32)),
  };
  const work: Work = { resources: MACHINE, payloadHash: hexlify(randomBytes(32)), payload: "ar://x" };
  return { ...encodeTerms(terms), ...encodeWork(work) };
}

describe("Feed", () => {
  let blocks: FakeBlocks;
  let noted: BlockId[];
  let news: News[];

  beforeEach(() => {
    blocks = new FakeBlocks();
    noted = [];
    news = [];
  });

  const feed = (fromBlock = 1): Feed =>
    new Feed({
      provider: blocks.provider,
      market: MARKET,
      account: ACCOUNT,
      fromBlock,
      checkpoints: {
        checkpoints: () => noted,
        checkpoint: (block) => {
          noted = [block, ...noted.filter(({ number }) => number < block.number)];
        },
      },
    });
  const read = (from: Feed) => from.read((each) => void news.push(each));
  const found = (): string[] => news.flatMap(({ announcements }) => announcements.map(({ id }) => id));
  const task = (name: string): string => hashOf(name);

  it("N09_reads everything since the deployment, in ranges that every node takes, and then only what is new", async () => {
    blocks.add(5, task("early"));
    blocks.add(25_000, task("late"));
    const head = await read(feed(3));
    expect(head).to.include({ number: 25_004, timestamp: 26_004 });
    expect(found()).to.deep.equal([task("early"), task("late")]);
    expect(blocks.ranges).to.deep.equal([
      [3, 10_002],
      [10_003, 20_002],
      [20_003, 25_004],
    ]);
    await read(feed(3));
    expect(blocks.ranges).to.have.length(3);
    blocks.add(1, task("new"));
    await read(feed(3));
    expect(blocks.ranges.at(-1)).to.deep.equal([25_005, 25_005]);
    expect(found().at(-1)).to.equal(task("new"));
  });

  it("N09_loses nothing when it is interrupted: what was not noted comes again", async () => {
    blocks.add(5, task("one"));
    const interrupted = feed().read(() => {
      throw new Error("killed");
    });
    await interrupted.catch(() => undefined);
    expect(noted).to.deep.equal([]);
    await read(feed());
    expect(found()).to.deep.equal([task("one")]);
  });

  it("N07_notices a reorganisation, and reads again from the last block that is still there", async () => {
    const reader = feed();
    blocks.add(10);
    await read(reader);
    blocks.add(5, task("kept"));
    await read(reader);
    blocks.add(5, task("gone"));
    await read(reader);
    blocks.cut(17);
    blocks.add(8, task("other"));
    news = [];
    await read(reader);
    expect(news.map(({ reorganisedFrom }) => reorganisedFrom)).to.deep.equal([15]);
    expect(found()).to.deep.equal([task("other")]);
    expect(noted[0]).to.deep.equal({ number: 24, hash: blocks.blocks[24]!.hash });

    // All that was noted may be gone, too.
    blocks.cut(2);
    blocks.add(30, task("all new"));
    news = [];
    await read(reader);
    expect(news[0]!.reorganisedFrom).to.equal(1);
    expect(found()).to.deep.equal([task("all new")]);
    // It is told once.
    blocks.add(1);
    news = [];
    await read(reader);
    expect(news.map(({ reorganisedFrom }) => reorganisedFrom)).to.deep.equal([undefined]);
  });

  it("N06_takes a node that is behind for what it is, and no reorganisation", async () => {
    const reader = feed();
    blocks.add(20, task("one"));
    await read(reader);
    blocks.behind = 5;
    news = [];
    expect((await read(reader)).number).to.equal(14);
    expect(news).to.deep.equal([]);
    blocks.behind = 0;
    blocks.add(1);
    await read(reader);
    expect(news.map(({ reorganisedFrom }) => reorganisedFrom)).to.deep.equal([undefined]);
  });

  it("N15_passes on that it does not understand a task, and reads the others", async () => {
    blocks.add(3, task("odd"), task("plain"));
    const [odd] = blocks.blocks.at(-1)!.tasks;
    odd!.words["conditions"] = 1n << 255n;
    await read(feed());
    const [{ announcements }] = news as [News];
    expect(announcements.map((each) => [each.id, each.task === undefined])).to.deep.equal([
      [task("odd"), true],
      [task("plain"), false],
    ]);
    expect(announcements[0]!.problem).to.include("unknown bits");
  });

  it("says that the node does not answer", async () => {
    blocks.add(3);
    blocks.down = true;
    expect((await errorOf(read(feed()))).code).to.equal("chain.unavailable");
  });
});
