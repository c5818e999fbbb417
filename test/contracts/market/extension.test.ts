import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

import { expect } from "chai";
import type { FunctionFragment, Interface } from "ethers";

import {
  ITaskMarket__factory,
  TaskMarket__factory,
  TaskMarketExtension__factory,
} from "../../../types/index.ts";
import { booksOf, expectMoves, useMarket } from "./books.ts";
import { COST_WEI, DAY, deployMarket } from "./fixture.ts";
import type { Fixture } from "./fixture.ts";
import { orderOf, signOrder, signQuote } from "./signatures.ts";

// The market is two contracts with one storage. What it answers to is in either of them, and nothing that is sent to the
// wrong one is lost.

const ROOT = new URL("../../../", import.meta.url);

const functionsOf = (of: Interface): FunctionFragment[] => {
  const found: FunctionFragment[] = [];
  of.forEachFunction((call) => found.push(call));
  return found;
};
const WHOLE = functionsOf(ITaskMarket__factory.createInterface());
const MARKET = functionsOf(TaskMarket__factory.createInterface());
const EXTENSION = functionsOf(TaskMarketExtension__factory.createInterface());

describe("TaskMarket and its extension", () => {
  it("A40_each call of the interface is answered by one of the two, as it is declared", () => {
    const bySelector = new Map([...EXTENSION, ...MARKET].map((call) => [call.selector, call]));
    for (const call of WHOLE) {
      const answered = bySelector.get(call.selector);
      expect(answered?.format("sighash"), call.name).to.equal(call.format("sighash"));
      expect(answered?.stateMutability, call.name).to.equal(call.stateMutability);
      const types = (fragment: FunctionFragment | undefined) => fragment?.outputs.map(({ type }) => type);
      expect(types(answered), call.name).to.deep.equal(types(call));
    }
  });

  it("A40_no selector means two things, and both answer only for what they share", () => {
    const all = [...WHOLE, ...MARKET, ...EXTENSION];
    const signatures = new Map<string, Set<string>>();
    for (const call of all)
      signatures.set(call.selector, (signatures.get(call.selector) ?? new Set()).add(call.format("sighash")));
    for (const meanings of signatures.values()) expect([...meanings]).to.have.length(1);
    const here = new Set(MARKET.map(({ selector }) => selector));
    const both = EXTENSION.filter(({ selector }) => here.has(selector)).map(({ name }) => name);
    expect(both.sort()).to.deep.equal(["eip712Domain", "settingsHash"]);
    // What is in neither half's interface would be a way in that nobody reads about.
    const declared = new Set(WHOLE.map(({ selector }) => selector));
    const extra = [...MARKET, ...EXTENSION].filter(({ selector }) => !declared.has(selector));
    expect(extra.map(({ name }) => name).sort()).to.deep.equal(["pendingOwner", "renounceOwnership"]);
  });

  it("A40_what the extension knows of storage is where the market has it", async () => {
    const layouts = await layoutsOf(["TaskMarket", "TaskMarketExtension"]);
    const [market, extension] = [layouts.get("TaskMarket")!, layouts.get("TaskMarketExtension")!];
    expect(extension.length).to.be.greaterThan(9);
    expect(market.slice(0, extension.length)).to.deep.equal(extension);
    // The rest is the market's admin, whom the extension has nothing to do with.
    expect(market.slice(extension.length).map(({ label }) => label)).to.deep.equal([
      "_owner",
      "_pendingOwner",
    ]);
  });

  it("A06_RevertWhen a call is nobody's: coins that come with it go back", async () => {
    const fixture = await deployMarket();
    const { ethers, market, parties } = fixture;
    const before = await booksOf(fixture);
    for (const data of ["0x12345678", "0xff", "0x00000000"])
      await expect(
        parties.owner.sendTransaction({ to: await market.getAddress(), data, value: 5n }),
      ).to.be.revert(ethers);
    expect(await booksOf(fixture)).to.deep.equal(before);
  });

  for (const token of [false, true]) {
    describe(`sent to the extension itself, in ${token ? "a token" : "the native coin"}`, () => {
      const use = useMarket(token ? { token: "MockERC20" } : {});

      it("A09_I19_no call takes money, whoever makes it", async () => {
        const fixture = use();
        const { ethers, extension, market, erc20, parties, networkHelpers } = fixture;
        const to = await extension.getAddress();
        for (const party of [parties.owner, parties.provider, parties.stranger])
          await erc20?.connect(party).approve(to, 2n ** 256n - 1n);
        const others = { extension: to };
        const before = await booksOf(fixture, others);
        const calls = await callsOf(fixture);
        // Each call of the extension that changes anything is among them.
        const changing = EXTENSION.filter(({ stateMutability }) => !/view|pure/.test(stateMutability));
        expect(changing.map(({ name }) => name).filter((name) => !calls.has(name))).to.deep.equal([]);
        const refused = new Set<string>();
        for (const party of [parties.owner, parties.provider, parties.stranger]) {
          for (const [name, all] of calls) {
            const payable = EXTENSION.find((call) => call.name === name)?.payable === true;
            for (const data of all) {
              for (const value of payable ? [0n, COST_WEI] : [0n]) {
                const sent = await party.sendTransaction({ to, data, value, gasLimit: 2_000_000n }).then(
                  () => undefined,
                  (error: unknown) => String(error),
                );
                if (sent === undefined) continue;
                refused.add(name);
                if (name === "order" || name === "depositWithPermit")
                  expect(sent, name).to.contain("TaskMarket_NotTheMarket");
              }
            }
          }
        }
        for (const name of ["order", "depositWithPermit", "topUp", "dispute"])
          expect(refused, name).to.include(name);
        // Nor does it later, nor plainly.
        await networkHelpers.time.increase(DAY);
        await expect(parties.owner.sendTransaction({ to, value: 5n })).to.be.revert(ethers);
        expect(await booksOf(fixture, others)).to.deep.equal(before);
        expect(await market.balanceOf(to)).to.equal(0n);
      });

      it("I05_what is written there is not the market's", async () => {
        const fixture = use();
        const { extension, market, parties } = fixture;
        const task = await fixture.makeTask();
        await extension.connect(parties.provider).cancelQuotes(0n, 1n);
        // The id there is another one.
        await extension.connect(parties.owner).revokeOrder(task.terms, task.workHash);
        expect(await market.usedQuotes(parties.provider.address, 0n)).to.equal(0n);
        expect((await market.taskOf(task.id)).status).to.equal(0n);
        await expectMoves(
          fixture,
          () =>
            market.connect(parties.owner).submit(task.terms, task.work, { value: fixture.valueOf(COST_WEI) }),
          { "wallet.owner": -COST_WEI, "wallet.market": COST_WEI },
        );
      });
    });
  }
});

/** Every changing call of the extension with good arguments, for several kinds of tasks. */
async function callsOf(fixture: Fixture): Promise<Map<string, string[]>> {
  const { ethers, extension, parties } = fixture;
  const { owner, provider, stranger } = parties;
  const calls = new Map<string, string[]>();
  const untyped: Interface = extension.interface;
  const add = (name: string, args: readonly unknown[]) =>
    calls.set(name, [...(calls.get(name) ?? []), untyped.encodeFunctionData(name, args)]);
  const open = { provider: ethers.ZeroAddress, collateral: 1n, maximum: 2n * 10n ** 15n };
  const kinds = [
    {},
    { backup: stranger.address },
    open,
    { ...open, flags: 1n },
    { heartbeat: 60n, flags: 2n },
    { arbiter: stranger.address, challengePeriod: 60n },
  ];
  const delivered = { report: 1n, resultHash: ethers.id("result"), evidenceHash: ethers.id("evidence") };
  for (const kind of kinds) {
    const task = await fixture.makeTask(kind);
    const { terms, work, workHash, id } = task;
    const signature = await signOrder(fixture, owner, task);
    const quote = await signQuote(fixture, provider, id);
    add("order", [orderOf(task)]);
    add("order", [orderOf(task, { signature })]);
    add("order", [orderOf(task, { signature, sponsored: true })]);
    add("order", [orderOf(task, { signature, quote })]);
    for (const name of ["revokeOrder", "abandon", "fail", "draw", "endLease"]) add(name, [terms, workHash]);
    add("acceptOpen", [terms, work, provider.address]);
    add("publishPayloadKey", [terms, workHash, "0x01"]);
    add("takeOver", [terms, work, stranger.address]);
    add("ready", [terms, workHash, "0x01"]);
    add("heartbeat", [[id]]);
    add("topUp", [terms, workHash, 600n]);
    for (const reason of [20n, 21n, 22n]) add("close", [terms, workHash, reason]);
    add("dispute", [terms, workHash, delivered, 0n, ethers.ZeroHash, 2n ** 200n]);
    add("concede", [terms, workHash, delivered]);
    add("rule", [terms, workHash, delivered, 5_000n]);
    add("resolve", [terms, workHash, delivered]);
  }
  add("cancelQuotes", [7n, 1n]);
  add("depositWithPermit", [5n, 2n ** 40n, 27n, ethers.ZeroHash, ethers.ZeroHash]);
  return calls;
}

// ---- Storage layout ----

interface Place {
  label: string;
  slot: string;
  offset: number;
  type: string;
}

/** Where the compiler puts what contracts of the market store; without the code, which takes a minute. */
async function layoutsOf(contracts: readonly string[]): Promise<Map<string, Place[]>> {
  const require = createRequire(import.meta.url);
  const solc = require("solc") as { compile: (input: string) => string };
  const sources: Record<string, { content: string }> = {};
  const wanted = contracts.map((name) => `contracts/market/${name}.sol`);
  for (let path = wanted.pop(); path !== undefined; path = wanted.pop()) {
    if (path in sources) continue;
    const file = path.startsWith("contracts/") ? path : `node_modules/${path}`;
    const content = await readFile(new URL(file, ROOT), "utf8");
    sources[path] = { content };
    for (const [, imported] of content.matchAll(/from\s+"([^"]+)"/g))
      wanted.push(
        imported!.startsWith(".") ? new URL(imported!, `file:///${path}`).pathname.slice(1) : imported!,
      );
  }
  const output = JSON.parse(
    solc.compile(
      JSON.stringify({
        language: "Solidity",
        sources,
        settings: {
          evmVersion: "cancun",
          outputSelection: Object.fromEntries(
            contracts.map((name) => [`contracts/market/${name}.sol`, { [name]: ["storageLayout"] }]),
          ),
        },
      }),
    ),
  ) as { contracts: Record<string, Record<string, { storageLayout: { storage: Place[] } }>> };
  return new Map(
    contracts.map((name) => {
      const { storage } = output.contracts[`contracts/market/${name}.sol`]![name]!.storageLayout;
      return [name, storage.map(({ label, slot, offset, type }) => ({ label, slot, offset, type }))];
    }),
  );
}
