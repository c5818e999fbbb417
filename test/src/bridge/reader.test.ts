import { expect } from "chai";
import type { Provider } from "ethers";

import { headsOf } from "../../../src/bridge/context.ts";
import { SourceReader, type ReaderOptions } from "../../../src/bridge/reader.ts";
import { BridgeStore } from "../../../src/bridge/store.ts";
import { errorOf } from "../storage/support.ts";
import { ANKR } from "./support.ts";
import { endpoint, World } from "./world.ts";

describe("the bridge's reader of a chain", function () {
  this.timeout(120_000);
  let world: World;
  beforeEach(async () => {
    world = await World.open();
  });
  afterEach(() => world.cleanup.run());

  async function open(provider: Provider, change: Partial<ReaderOptions> = {}) {
    const { bridge, cleanup } = world;
    const store = await BridgeStore.open(cleanup.directory());
    const source = { ...bridge.home, provider };
    return { store, reader: new SourceReader({ bridge, source, store, stallMs: 0, ...change }) };
  }

  it("notices that a node keeps back what was sent last, and reads it once it does not", async () => {
    const { home } = world.bridge;
    let isHiding = false;
    const node = endpoint(home.provider, {
      getLogs: async (filter) => (isHiding ? [] : await home.provider.getLogs(filter)),
    });
    const { store, reader } = await open(node);
    const first = await world.send("home", ANKR);
    expect(await reader.read()).to.equal(1);
    const second = await world.send("home", ANKR);
    isHiding = true;
    expect((await errorOf(reader.read())).code).to.equal("bridge.gap");
    expect(reader.health).to.deep.include({ isDown: false });
    expect(reader.health.trouble).to.contain("2 were sent");
    isHiding = false;
    expect(await reader.read()).to.equal(1 + 1);
    const ids = store.messages(reader.route, "sent").map(({ id }) => id);
    expect(ids).to.deep.equal([first.message, second.message]);
  });

  it("goes back where a number is left out, on a node that tells nothing of old state", async () => {
    const { bridge } = world;
    const { home } = bridge;
    let isHiding = true;
    const node = endpoint(home.provider, {
      getLogs: async (filter) => (isHiding ? [] : await home.provider.getLogs(filter)),
    });
    const pruned = endpoint(home.provider, {
      call: () => Promise.reject(new Error("missing trie node")),
    });
    const store = await BridgeStore.open(world.cleanup.directory());
    const source = { ...home, provider: node, gatewayContract: home.gatewayContract.connect(pruned) };
    const reader = new SourceReader({ bridge, source, store, stallMs: 0 });
    await world.send("home", ANKR);
    expect(await reader.read(), "nobody could know").to.equal(0);
    await world.send("home", ANKR);
    isHiding = false;
    expect((await errorOf(reader.read())).code).to.equal("bridge.gap");
    expect(await reader.read()).to.equal(2);
    expect(reader.health.trouble).to.equal(undefined);
  });

  it("does not wait for ever for a node that does not answer", async () => {
    const { home } = world.bridge;
    const silent = endpoint(home.provider, { getBlock: () => new Promise(() => undefined) });
    const { reader } = await open(silent, { answerMs: 5 });
    expect((await errorOf(reader.read())).code).to.equal("chain.unavailable");
    expect(reader.health.isDown).to.equal(true);
    const stop = AbortSignal.abort(new Error("over"));
    const late = await open(silent);
    const ended: unknown = await late.reader.read(stop).catch((error: unknown) => error);
    expect(ended).to.have.property("message", "over");
    expect(late.reader.health.isDown, "nothing is known of it").to.equal(false);
  });

  it("takes a chain that has no final block yet for one that has none", async () => {
    const { home } = world.bridge;
    const young = endpoint(home.provider, {
      getBlock: async (tag) => {
        if (tag === "finalized") throw new Error("finalized block not found");
        return await home.provider.getBlock(tag);
      },
    });
    const { head, final } = await headsOf({ provider: young, finality: "finalized" });
    expect([head.number > 0, final]).to.deep.equal([true, undefined]);
    const { reader } = await open(young);
    await world.send("home", ANKR);
    expect(await reader.read()).to.equal(0);
    expect(reader.health).to.deep.include({ finalBlock: 0, isDown: false, trouble: undefined });
  });
});
