import { expect } from "chai";
import {
  getAddress,
  hexlify,
  id as hashOf,
  makeError,
  type Provider,
  randomBytes,
  ZeroAddress,
} from "ethers";

import { ITaskMarket__factory } from "../../../types/factories/interfaces/ITaskMarket__factory.ts";
import { encodeTerms, encodeWork, taskId, type Terms, type Work } from "../../../src/market/terms.ts";
import { Feed, type News } from "../../../src/provider/feed.ts";
import type { BlockId } from "../../../src/provider/journal.ts";
import { MACHINE } from "../market/support.ts";
import { errorOf } from "../storage/support.ts";

const MARKET = `0x${"ab".repeat(20)}`;
const DOMAIN = { chainId: 267n, market: MARKET };
const ACCOUNT = getAddress(`0x${"cd".repeat(20)}`);
const OTHER = getAddress(`0x${"ef".repeat(20)}`);
const INTERFACE = ITaskMarket__factory.createInterface();

interface Announced {
  id: string;
  words: Record<string, unknown>;
  backup: string | undefined;
}

/** All tasks that a test has named, by their ids. */
const named = new Map<string, Announced>();

/** The id of a task of this name. */
function task(
  name: string,
  { provider = ACCOUNT, backup }: { provider?: string; backup?: string } = {},
): string {
  const terms: Terms = {
    owner: `0x${"11".repeat(20)}`,
    provider,
    price: { amountWei: 5n, metered: true },
    conditions: { startBySeconds: 10, completeBySeconds: 100, durationSeconds: 50, keyEpoch: 1 },
    collateralWei: 0n,
    salt: hashOf(name),
  };
  const work: Work = {
    resources: MACHINE,
    payloadHash: hashOf(name),
    payload: "ar://x",
    ...(backup === undefined ? {} : { backup }),
  };
  const id = taskId(DOMAIN, terms, work);
  named.set(id, { id, words: { ...encodeTerms(terms), ...encodeWork(work) }, backup });
  return id;
}

/** Blocks that can be replaced, and what they announce. */
class FakeBlocks {
  readonly blocks: { hash: string; tasks: Announced[] }[] = [];
  readonly ranges: [number, number][] = [];
  down = false;
  /** The head that the next answers pretend. */
  behind = 0;

  add(count: number, ...ids: string[]): void {
    for (let each = 0; each < count; each++) this.blocks.push({ hash: hexlify(randomBytes(32)), tasks: [] });
    for (const id of ids) this.blocks.at(-1)!.tasks.push({ ...named.get(id)! });
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
      getLogs: ({ fromBlock, toBlock, topics }: { fromBlock: number; toBlock: number; topics: Topics }) =>
        asked(() => {
          this.ranges.push([fromBlock, toBlock]);
          if (toBlock - fromBlock > 10_000) throw new Error("range too large");
          return this.blocks.slice(fromBlock, toBlock + 1).flatMap(({ hash, tasks }, offset) =>
            tasks
              .flatMap(({ id, words, backup }) => [
                INTERFACE.encodeEventLog("TaskSubmitted", Object.values({ id, ...words })),
                ...(backup === undefined ? [] : [INTERFACE.encodeEventLog("BackupNamed", [id, backup])]),
              ])
              .map((log, index) => ({ ...log, index, blockNumber: fromBlock + offset, blockHash: hash }))
              .filter((log) => matches(log.topics, topics)),
          );
        }),
    } as unknown as Provider;
  }
}

type Topics = (string | string[] | null)[];

/** As `eth_getLogs` takes logs. */
function matches(topics: readonly string[], wanted: Topics): boolean {
  return wanted.every((each, index) => each === null || [each].flat().includes(topics[index] ?? ""));
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

  const feed = (fromBlock = 1, { open = false, backup = false } = {}): Feed =>
    new Feed({
      provider: blocks.provider,
      domain: DOMAIN,
      account: ACCOUNT,
      open,
      backup,
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

  it("reads tasks that anybody may take only where it is to, and in the order of the chain", async () => {
    blocks.add(
      2,
      task("mine"),
      task("anybody's", { provider: ZeroAddress }),
      task("other's", { provider: OTHER }),
    );
    blocks.add(1, task("mine too"));
    await read(feed());
    expect(found()).to.deep.equal([task("mine"), task("mine too")]);
    noted = [];
    news = [];
    await read(feed(1, { open: true }));
    expect(found()).to.deep.equal([
      task("mine"),
      task("anybody's", { provider: ZeroAddress }),
      task("mine too"),
    ]);
  });

  it("reads tasks that it is the backup of, and names the backup of its own", async () => {
    const own = task("own", { backup: OTHER });
    const others = task("others'", { provider: OTHER, backup: ACCOUNT });
    const strangers = task("strangers'", { provider: OTHER, backup: MARKET });
    blocks.add(2, task("plain"), own);
    blocks.add(2, others, strangers);
    await read(feed());
    expect(found()).to.deep.equal([task("plain"), own]);
    noted = [];
    news = [];
    await read(feed(1, { backup: true }));
    const announced = news.flatMap(({ announcements }) => announcements);
    expect(announced.map(({ id, task: each }) => [id, each?.work.backup])).to.deep.equal([
      [task("plain"), undefined],
      [own, OTHER],
      [others, ACCOUNT],
    ]);
    for (const { id, task: each } of announced) expect(taskId(DOMAIN, each!.terms, each!.work)).to.equal(id);
  });

  it("N15_leaves a task alone whose id is not that of its terms", async () => {
    blocks.add(2, task("plain"), task("forged"));
    blocks.blocks.at(-1)!.tasks[1]!.words["payload"] = "ar://other";
    await read(feed());
    const [{ announcements }] = news as [News];
    expect(announcements.map((each) => each.task === undefined)).to.deep.equal([false, true]);
    expect(announcements[1]!.problem).to.include("is not the one that its terms and work name");
  });

  it("says that the node does not answer", async () => {
    blocks.add(3);
    blocks.down = true;
    expect((await errorOf(read(feed()))).code).to.equal("chain.unavailable");
  });
});
