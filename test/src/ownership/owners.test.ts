import { expect } from "chai";
import fc from "fast-check";
import { Contract, Interface, type Log, ZeroAddress } from "ethers";

import { decodeOwnershipEvent } from "../../../src/ownership/events.ts";
import { readOwners } from "../../../src/ownership/owners.ts";
import { planTransfer, transferUnits } from "../../../src/ownership/transfer.ts";
import { ACCEPTING, openStage, type OwnershipStage, type Pair, UNIT } from "./support.ts";

/** What a wallet knows, and nothing else: the standards' own functions and events. */
const ERC20 = [
  "function balanceOf(address) view returns (uint256)",
  "event Transfer(address indexed from, address indexed to, uint256 value)",
  "event Approval(address indexed owner, address indexed spender, uint256 value)",
];
const ERC721 = [
  "function balanceOf(address) view returns (uint256)",
  "function ownerOf(uint256) view returns (address)",
  "event Transfer(address indexed from, address indexed to, uint256 indexed tokenId)",
  "event Approval(address indexed owner, address indexed approved, uint256 indexed tokenId)",
  "event ApprovalForAll(address indexed owner, address indexed operator, bool approved)",
];
/** Those of ERC-7631, ERC-5805, ERC-5313's ownership and ERC-4906, which other programs watch. */
const BESIDES = [
  "event SkipNFTSet(address indexed owner, bool status)",
  "event DelegateChanged(address indexed delegator, address indexed fromDelegate, address indexed toDelegate)",
  "event DelegateVotesChanged(address indexed delegate, uint256 previousVotes, uint256 newVotes)",
  "event OwnershipTransferred(address indexed previousOwner, address indexed newOwner)",
  "event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner)",
  "event MetadataSet(address indexed metadata)",
  "event RoyaltySet(address indexed receiver, uint256 bps)",
  "event BatchMetadataUpdate(uint256 fromTokenId, uint256 toTokenId)",
];

/** One thing that somebody does; what the contract refuses, he did not do. Amounts are in tenths of a unit. */
type Action =
  | { do: "transfer"; from: number; to: number; tenths: number }
  | { do: "deed"; from: number; to: number; index: number; facade: boolean }
  | { do: "approve"; from: number; to: number }
  | { do: "skip"; who: number; skips: boolean; givesUp: boolean }
  | { do: "materialise"; who: number; count: number }
  | { do: "release"; who: number; count: number };

const PEOPLE = 4;
const who = fc.nat(PEOPLE);
const count = fc.nat(4);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("transfer" as const),
      ...{ from: who, to: who, tenths: fc.integer({ min: 0, max: 60 }) },
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("deed" as const),
      ...{ from: who, to: who, index: fc.nat(5), facade: fc.boolean() },
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("approve" as const), from: who, to: who }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("skip" as const),
      ...{ who, skips: fc.boolean(), givesUp: fc.boolean() },
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("materialise" as const), who, count }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("release" as const), who, count }) },
);

describe("owners of a model, from the logs alone", () => {
  let stage: OwnershipStage;
  before(async () => {
    stage = await openStage();
  });
  after(() => stage.connection.close());

  /** An ownership with four people and a contract, and all that was done to it. */
  async function play(actions: readonly Action[]): Promise<Pair & { accounts: string[] }> {
    const pair = await stage.issue([5.3, 4.7, 2]);
    const { base, mirror, ownership } = pair;
    const parties = [0, 1, 2, 3].map((each) => stage.at(each));
    parties.push(await stage.contract(ACCEPTING));
    const party = (number: number) => parties[number] ?? stage.at(0);
    for (const each of actions) {
      if (each.do === "transfer" || each.do === "deed" || each.do === "approve") {
        const [from, to] = [party(each.from), party(each.to)];
        if (each.do === "transfer") {
          const request = { to: to.address, amountWei: (BigInt(each.tenths) * UNIT) / 10n };
          const balanceWei = await base.balanceOf(from);
          if (request.amountWei === 0n || request.amountWei > balanceWei) continue;
          // What is planned is what is done.
          const plan = await planTransfer(stage.contextOf(from), ownership.address, request);
          const done = await transferUnits(stage.contextOf(from), ownership.address, request);
          expect([done.handed.length, done.retired.length, done.made.length]).to.deep.equal([
            plan.handed,
            plan.retired,
            plan.made,
          ]);
          continue;
        }
        const [id] = await mirror.deedsOf(from, each.do === "deed" ? each.index : 0, 1);
        if (id === undefined) continue;
        if (each.do === "approve") await mirror.connect(from).approve(to, id);
        else if (each.facade && !(await base.standingOf(to)).spoken) {
          await base.connect(from).transferFrom(from, to, id | (1n << 255n));
        } else await mirror.connect(from).transferFrom(from, to, id);
        continue;
      }
      const own = base.connect(party(each.who));
      if (each.do === "materialise") await own.materialise(each.count);
      else if (each.do === "release") await own.release(each.count);
      else if (each.givesUp) await own.setSelfERC721TransferExempt(each.skips);
      else await own.setSkipNFT(each.skips);
    }
    return { ...pair, accounts: parties.map(({ address }) => address) };
  }

  it("are those that balanceOf and ownerOf name, after whatever happened", async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 5, maxLength: 25 }), async (actions) => {
        const { ownership, mirror, base, accounts } = await play(actions);
        const { owners, supplyWei } = await readOwners(stage.contextOf(stage.maker), ownership.address);
        expect(supplyWei).to.equal(await base.totalSupply());
        for (const account of accounts) {
          const found = owners.find((each) => each.account === account);
          expect(found?.balanceWei ?? 0n).to.equal(await base.balanceOf(account));
          expect(BigInt(found?.ids.length ?? 0)).to.equal(await mirror.balanceOf(account));
          const ids = (await mirror.deedsOf(account, 0, 100)).map(Number);
          expect((found?.ids ?? []).toSorted((a, b) => a - b)).to.deep.equal(ids.toSorted((a, b) => a - b));
          expect(found?.uncovered ?? 0).to.equal(0);
          for (const id of ids) expect(await mirror.ownerOf(id)).to.equal(account);
        }
        expect(owners.map(({ account }) => account)).to.have.members(
          owners.map(({ account }) => account).filter((each) => accounts.includes(each)),
        );
      }),
      { numRuns: 7 },
    );
  });

  it("are what a wallet sees: each contract is of one standard, and every log of it decodes as such", async () => {
    const { ownership, base, mirror, accounts } = await play([
      { do: "transfer", from: 0, to: 3, tenths: 17 },
      { do: "deed", from: 1, to: 4, index: 1, facade: true },
      { do: "deed", from: 1, to: 2, index: 0, facade: false },
      { do: "approve", from: 2, to: 0 },
      { do: "skip", who: 0, skips: true, givesUp: true },
      { do: "skip", who: 0, skips: false, givesUp: false },
    ]);
    const [owner, operator] = [stage.at(2), stage.at(0)];
    await base.connect(owner).approve(operator, 7n);
    await base.connect(owner).setApprovalForAll(operator, true);
    await base
      .connect(owner)
      .erc721Approve(operator, ((await mirror.deedsOf(owner, 0, 1))[0] ?? 0n) | (1n << 255n));
    await base.connect(owner).delegate(owner);
    await mirror.setRoyalty(owner, 500);
    await mirror.setMetadata(stage.deployment.contracts.DeedCertificate ?? "");
    await base.transferOwnership(owner);

    // ERC-165: an ERC-721 contract is one, an ERC-20 contract says nothing of it.
    const said = async (of: Pair["base"] | Pair["mirror"], id: string) => await of.supportsInterface(id);
    const ids = { erc165: "0x01ffc9a7", erc721: "0x80ac58cd", metadata: "0x5b5e139f", erc2981: "0x2a55205a" };
    const more = { erc4906: "0x49064906", erc20: "0x36372b07", none: "0xffffffff", erc404: "0xcaf91ff5" };
    const answers = await Promise.all(
      Object.entries({ ...ids, ...more }).map(async ([name, id]) => [
        name,
        await said(base, id),
        await said(mirror, id),
      ]),
    );
    expect(answers).to.deep.equal([
      ["erc165", true, true],
      ["erc721", false, true],
      ["metadata", false, true],
      ["erc2981", false, true],
      ["erc4906", false, true],
      ["erc20", true, false],
      ["none", false, false],
      ["erc404", true, false],
    ]);

    // Every log, by that one ABI; balances and owners from these are those that the contracts name.
    const { provider } = stage.connection.ethers;
    const events = async (address: string, abi: readonly string[]) => {
      const plain = new Interface([...abi, ...BESIDES]);
      const logs = await provider.getLogs({ address, fromBlock: 0, toBlock: "latest" });
      expect(logs.length).to.be.greaterThan(10);
      return logs.map((log: Log) => {
        const parsed = plain.parseLog(log);
        if (parsed === null) throw new Error(`${address} logs ${log.topics[0] ?? ""}`);
        return { name: parsed.name, args: parsed.args, log };
      });
    };
    const [ofBase, ofMirror] = [
      await events(ownership.address, ERC20),
      await events(ownership.mirror, ERC721),
    ];
    expect(new Set(ofBase.map(({ name }) => name))).to.include.keys(
      "Transfer",
      "Approval",
      "DelegateVotesChanged",
    );
    expect(new Set(ofMirror.map(({ name }) => name))).to.include.keys(
      ...["Transfer", "Approval", "ApprovalForAll", "MetadataSet", "RoyaltySet", "BatchMetadataUpdate"],
    );
    const balances = new Map<string, bigint>();
    for (const { name, args } of ofBase) {
      if (name !== "Transfer") continue;
      const [from, to] = [String(args[0]), String(args[1])];
      const value = BigInt(String(args[2]));
      balances.set(from, (balances.get(from) ?? 0n) - value);
      balances.set(to, (balances.get(to) ?? 0n) + value);
    }
    const holders = new Map<bigint, string>();
    for (const { name, args } of ofMirror)
      if (name === "Transfer") holders.set(BigInt(String(args[2])), String(args[1]));
    const token = new Contract(ownership.address, ERC20, provider);
    const collection = new Contract(ownership.mirror, ERC721, provider);
    for (const account of accounts) {
      expect(await token.getFunction("balanceOf")(account)).to.equal(balances.get(account) ?? 0n);
      const held = [...holders.values()].filter((each) => each === account);
      expect(await collection.getFunction("balanceOf")(account)).to.equal(BigInt(held.length));
    }
    for (const [id, account] of holders) {
      if (account === ZeroAddress) continue;
      expect(await collection.getFunction("ownerOf")(id)).to.equal(account);
    }
    // The client decodes those that tell who has what.
    const decoded = [...ofBase, ...ofMirror].map(({ log }) => decodeOwnershipEvent(ownership, log)?.name);
    expect(new Set(decoded)).to.deep.equal(
      new Set(["Transfer", "DeedTransfer", "SkipNFTSet", "DelegateChanged", undefined]),
    );
    const stranger = { address: stage.maker.address, topics: [], data: "0x" };
    expect(decodeOwnershipEvent(ownership, stranger)).to.equal(undefined);
  });
});
