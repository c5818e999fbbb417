import { expect } from "chai";
import { getAddress, ZeroAddress } from "ethers";

import { isNeuraError } from "../../../src/errors.ts";
import { findOwnership, type OwnershipReference } from "../../../src/ownership/context.ts";
import {
  estimateIssue,
  issueOwnership,
  nameOwnership,
  type OwnershipSettings,
} from "../../../src/ownership/create.ts";
import { materialiseDeeds, releaseDeeds, releaseUncovered } from "../../../src/ownership/deeds.ts";
import { delegateVotes, mintUnits, setExempt } from "../../../src/ownership/rights.ts";
import { readOwnership } from "../../../src/ownership/show.ts";
import { readStanding } from "../../../src/ownership/standing.ts";
import { planTransfer, transferDeed, transferUnits } from "../../../src/ownership/transfer.ts";
import { ModelOwnership__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";
import { ACCEPTING, openStage, type OwnershipStage, REFUSING, UNIT } from "./support.ts";

const DAY = 86_400;
const WEIGHTS = `0x${"11".repeat(32)}`;

describe("a model's ownership", () => {
  let stage: OwnershipStage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.connection.close());

  const register = async (): Promise<number> => {
    await stage.models.register(WEIGHTS, "ar://weights", "MIT", 500, stage.maker.address);
    return Number(await stage.models.modelCount());
  };

  // ---- Made ----

  it("is made with all that is fixed, named by its model, and shown", async () => {
    const { contextOf, maker, at, connection, deployment, models } = stage;
    const [holder, minter, owner] = [at(0).address, at(1), at(2).address];
    const until = (await connection.networkHelpers.time.latest()) + 100 * DAY;
    const settings: OwnershipSettings = {
      ...{ name: "Letter\u001b[31m reader", symbol: "READ", licence: "Apache-2.0", unitWei: 100n * UNIT },
      allocations: [{ account: holder, amountWei: 1_250n * UNIT }],
      ...{ capWei: 2_000n * UNIT, minting: { minter: minter.address, untilSeconds: until }, owner },
      model: await register(),
    };
    const { gas, feeWei } = await estimateIssue(contextOf(maker), settings);
    const wallet = await connection.ethers.provider.getBalance(maker);
    const { ownership, transaction, named } = await issueOwnership(contextOf(maker), settings);
    expect(transaction.gasUsed <= gas && gas < (transaction.gasUsed * 11n) / 10n, `${gas}`).to.equal(true);
    const paidWei = wallet - (await connection.ethers.provider.getBalance(maker));
    expect(paidWei > feeWei / 4n && feeWei > paidWei / 4n, `${feeWei}, ${paidWei}`).to.equal(true);
    expect(named?.hash).to.be.a("string");
    expect((await models.modelOf(1)).ownership).to.equal(ownership.address);

    // By its model, its token and its deeds.
    for (const [reference, given] of [
      [1, "model"],
      [ownership.address, "base"],
      [ownership.mirror, "mirror"],
    ] as [OwnershipReference, string][]) {
      expect(await findOwnership(contextOf(maker), reference)).to.deep.equal({ ownership, given });
    }
    expect(await readOwnership(contextOf(maker), 1)).to.deep.equal({
      ...{ address: ownership.address, mirror: ownership.mirror, name: "Letter?[31m reader", symbol: "READ" },
      ...{ decimals: 18, unitWei: 100n * UNIT, licence: "Apache-2.0" },
      ...{
        supplyWei: 1_250n * UNIT,
        capWei: 2_000n * UNIT,
        wholeUnits: 12,
        maxUnits: 20,
        deeds: 12,
        queued: 0,
      },
      ...{ minter: minter.address, mintUntilSeconds: until, owner },
      ...{ metadata: deployment.contracts.DeedCertificate, isDrawn: true },
      ...{ royaltyBps: 0, royaltyReceiver: undefined },
    });

    // Minting, while it is possible.
    const mint = (account = minter, amountWei = 50n * UNIT) =>
      mintUnits(contextOf(account), 1, { to: holder, amountWei });
    expect((await errorOf(mint(maker))).code).to.equal("ownership.not-minter");
    const { standing } = await mint();
    expect(standing).to.deep.include({ balanceWei: 1_300n * UNIT, wholeUnits: 13, deeds: 13, pending: 0 });
    expect((await errorOf(mint(minter, 701n * UNIT))).code).to.equal("ownership.cap");
    await connection.networkHelpers.time.increaseTo(until + 1);
    expect((await errorOf(mint())).code).to.equal("ownership.minting-over");
    expect(await readOwnership(contextOf(maker), 1)).to.include({
      minter: undefined,
      mintUntilSeconds: undefined,
    });
  });

  it("is refused before anything is paid where a setting is wrong, or the model cannot name it", async () => {
    const { contextOf, maker, at, connection, deployment } = stage;
    const context = contextOf(maker);
    const good = { name: "A", symbol: "B", allocations: [{ account: maker.address, amountWei: 5n * UNIT }] };
    const minting = { minter: maker.address, untilSeconds: 2 ** 33 };
    for (const [change, fault] of [
      [{ name: " " }, "no name"],
      [{ name: "ä".repeat(16) }, "32 bytes, of at most 31"],
      [{ symbol: "Units" }, "what commands count in"],
      [{ licence: "x".repeat(129) }, "129 bytes"],
      [{ unitWei: 0n }, "of nothing"],
      [{ allocations: [] }, "2^96"],
      [{ capWei: 2n ** 96n, minting }, "2^96"],
      [{ unitWei: 1n }, "of at most 16777215"],
      [{ unitWei: 6n * UNIT }, "not one whole unit"],
      [{ capWei: 4n * UNIT }, "more is allocated"],
      [{ capWei: 6n * UNIT }, "nobody may mint"],
      [{ capWei: 6n * UNIT, minting: { ...minting, untilSeconds: 1 } }, "over already"],
    ] as const) {
      const error = await errorOf(issueOwnership(context, { ...good, ...change }));
      expect([error.code, error.message.includes(fault)], error.message).to.deep.equal([
        "ownership.setting",
        true,
      ]);
    }
    // More than one transaction may use: each account gets its first 128 deeds.
    const many = [...Array(20).keys()].map((each) => ({
      account: getAddress(`0x${(each + 1_000).toString(16).padStart(40, "0")}`),
      amountWei: 200n * UNIT,
    }));
    const large = await errorOf(estimateIssue(context, { ...good, allocations: many }));
    expect(large.code, large.message).to.equal("ownership.setting");
    expect(large.next).to.contain("fewer accounts");

    const none = { ...deployment.contracts };
    delete none.DeedCertificate;
    const before = { ...context, deployment: { ...deployment, contracts: none } };
    const old = await errorOf(issueOwnership(before, good));
    expect([old.code, old.next?.includes("`deploy`")]).to.deep.equal(["ownership.no-certificate", true]);
    expect((await errorOf(issueOwnership({ ...context, signer: undefined }, good))).code).to.equal(
      "market.read-only",
    );

    // ---- Its model ----
    const code = async (call: Promise<unknown>): Promise<string> => (await errorOf(call)).code;
    const model = await register();
    const block = await connection.ethers.provider.getBlockNumber();
    expect(await code(issueOwnership(contextOf(at(0)), { ...good, model }))).to.equal("model.not-controller");
    expect(await code(issueOwnership(context, { ...good, model: 9 }))).to.equal("model.unknown");
    expect(await code(findOwnership(context, model))).to.equal("model.no-ownership");
    expect(await connection.ethers.provider.getBlockNumber(), "nothing was sent").to.equal(block);
    const { ownership } = await issueOwnership(context, good);
    await nameOwnership(context, model, ownership.mirror);
    expect((await findOwnership(context, model)).ownership).to.deep.equal(ownership);
    const twice = await errorOf(issueOwnership(context, { ...good, model }));
    expect(twice.code).to.equal("model.owned");
    expect(twice.message).to.contain(`${ownership.address} (B)`);
    // Two at once: both are made, and the entry names one.
    const contested = await register();
    const ended = await Promise.allSettled(
      [0, 1].map(async () => await issueOwnership(context, { ...good, model: contested })),
    );
    const named = (await findOwnership(context, contested)).ownership.address;
    expect(
      ended.flatMap((each) => (each.status === "fulfilled" ? each.value.ownership.address : [])),
    ).to.deep.equal([named]);
    const late: unknown = ended.find((each) => each.status === "rejected")?.reason;
    if (!isNeuraError(late, "ownership.not-named")) throw new Error(String(late));
    const other = String(late.details["address"]);
    expect(late.next).to.contain(`\`model name ${contested} ${other}\``);
    expect((await findOwnership(context, other)).ownership.symbol).to.equal("B");
    // Something else in the registry.
    const last = await register();
    await stage.models.setOwnership(last, deployment.contracts.ModelRegistry);
    const strange = await errorOf(findOwnership(context, last));
    expect([strange.code, strange.message.includes("which model 3 names")]).to.deep.equal([
      "ownership.unknown",
      true,
    ]);
  });

  it("is told from everything else at an address", async () => {
    const { contextOf, maker, contract } = stage;
    const context = contextOf(maker);
    const { ownership } = await stage.issue([1]);
    // Names the base of the other one as its own, but is no mirror of it.
    const false_ = await contract(`0x73${ownership.address.slice(2)}60005260206000f3`);
    for (const address of [maker.address, ZeroAddress, (await contract(REFUSING)).address, false_.address]) {
      expect((await errorOf(findOwnership(context, address))).code, address).to.equal("ownership.unknown");
    }
  });

  // ---- Transferred ----

  it("moves deeds with units as it is planned, and says which", async () => {
    const { contextOf, at } = stage;
    const { ownership } = await stage.issue([3.5, 0.5]);
    const [from, to] = [at(0), at(1)];
    const context = contextOf(from);
    // 3.5 and 0.5: one goes, another one is broken up, and the receiver's becomes whole.
    const request = { to: to.address, amountWei: (UNIT * 3n) / 2n };
    const plan = await planTransfer(context, ownership.address, request);
    expect(plan).to.include({ handed: 1, retired: 0, made: 1, pending: 0, uncovered: 0 });
    const done = await transferUnits(context, ownership.mirror, request);
    expect(done).to.deep.include({ handed: [3], retired: [], made: [4] });
    expect(done.before.from).to.deep.include({ balanceWei: (UNIT * 7n) / 2n, ids: [1, 2, 3] });
    expect(done.after.from).to.deep.include({ balanceWei: UNIT * 2n, ids: [1, 2], missingWei: UNIT });
    expect(done.after.to).to.deep.include({ balanceWei: UNIT * 2n, ids: [3, 4], deeds: 2 });
    const broken = await transferUnits(context, ownership.address, { to: to.address, amountWei: UNIT / 4n });
    expect(broken).to.deep.include({ handed: [], retired: [2], made: [] });
    const self = { to: from.address, amountWei: UNIT };
    expect(await planTransfer(context, ownership.address, self)).to.include({
      handed: 0,
      retired: 0,
      made: 0,
    });
    expect((await transferUnits(context, ownership.address, self)).after.from).to.deep.include({ ids: [1] });
    // By number, the middle one.
    const given = await transferDeed(contextOf(to), ownership.address, { to: from.address, id: 3 });
    expect(given).to.deep.include({ handed: [3], retired: [], made: [] });
    expect(given.after.from).to.deep.include({ ids: [4], balanceWei: (UNIT * 5n) / 4n });

    // ---- Refused before anything is sent ----
    const codes = await Promise.all(
      [
        transferUnits(context, ownership.address, { to: to.address, amountWei: 100n * UNIT }),
        transferUnits(context, ownership.address, { to: to.address, amountWei: 0n }),
        transferUnits(context, ownership.address, { to: ownership.address, amountWei: 1n }),
        transferUnits(context, ownership.address, { to: ZeroAddress, amountWei: 1n }),
        transferDeed(context, ownership.address, { to: ownership.mirror, id: 1 }),
        transferDeed(context, ownership.address, { to: to.address, id: 2 }),
        transferDeed(context, ownership.address, { to: to.address, id: 4 }),
      ].map(async (call) => (await errorOf(call)).code),
    );
    expect(codes).to.deep.equal([
      ...["ownership.insufficient", "ownership.insufficient", "ownership.receiver", "ownership.receiver"],
      ...["ownership.receiver", "deed.unknown", "deed.not-owner"],
    ]);
  });

  it("takes a deed to a contract that accepts it, with its unit, and to people in any case", async () => {
    const { contextOf, at, contract } = stage;
    const { ownership, mirror } = await stage.issue([5]);
    const context = contextOf(at(0));
    const [accepting, refusing] = [await contract(ACCEPTING), await contract(REFUSING)];
    const done = await transferDeed(context, ownership.address, { to: accepting.address, id: 2 });
    expect(done.after.to).to.deep.include({ isExempt: true, deeds: 1, ids: [2], balanceWei: UNIT });
    const refused = await errorOf(transferDeed(context, ownership.address, { to: refusing.address, id: 1 }));
    expect(refused.code).to.equal("deed.refused");
    expect(refused.next).to.contain(`\`model transfer ${ownership.address} ${refusing.address} 1\``);
    // A person with a delegation (EIP-7702), to code that knows nothing of deeds.
    const person = await contract(`0xef0100${refusing.address.slice(2)}`);
    expect(
      (await transferDeed(context, ownership.address, { to: person.address, id: 1 })).handed,
    ).to.deep.equal([1]);
    expect(await mirror.ownerOf(1)).to.equal(person.address);
  });

  // ---- Large transfers ----

  it("makes what did not come, and releases what did not go, in parts", async () => {
    const { contextOf, at } = stage;
    const { ownership, base } = await stage.issue([300]);
    const [seller, buyer] = [at(0), at(1)];
    const [selling, buying] = [contextOf(seller), contextOf(buyer)];
    const { standing: first } = await readStanding(selling, ownership.address, seller.address, { limit: 2 });
    expect(first).to.deep.include({ wholeUnits: 300, deeds: 128, pending: 172, ids: [1, 2] });
    const options = { perTransaction: 100 };
    const made = await materialiseDeeds(selling, ownership.address, options);
    expect(made.transactions).to.have.length(2);
    expect(made.ids).to.deep.equal([...Array(172).keys()].map((each) => each + 129));
    expect(made.standing).to.include({ deeds: 300, pending: 0 });

    const all = { to: buyer.address, amountWei: 300n * UNIT };
    expect(await planTransfer(selling, ownership.address, all)).to.include({
      ...{ handed: 128, retired: 0, made: 0, pending: 172, uncovered: 172 },
    });
    const sold = await transferUnits(selling, ownership.address, all);
    expect(sold.handed).to.have.length(128);
    expect(sold.after.from).to.include({ deeds: 0, uncovered: 172, balanceWei: 0n });
    expect(sold.after.to).to.include({ deeds: 128, pending: 172 });
    expect(await base.deedOwnerOf(1)).to.equal(ZeroAddress);

    // All numbers are given out: nothing can be made before some are released.
    const early = await materialiseDeeds(buying, ownership.address, options);
    expect([early.ids, early.transactions.length]).to.deep.equal([[], 1]);
    const account = seller.address;
    const freed = await releaseUncovered(buying, ownership.address, {
      account,
      count: 150,
      perTransaction: 100,
    });
    expect(freed.ids).to.have.length(150);
    expect(freed.standing).to.include({ account, uncovered: 22 });
    const next = await materialiseDeeds(buying, ownership.address, { count: 160 });
    expect(next.ids, "the first that came back first").to.deep.equal(freed.ids);
    expect(next.standing).to.include({ deeds: 278, pending: 22 });

    const given = await releaseDeeds(buying, ownership.address, { count: 3 });
    expect(given.ids).to.deep.equal(next.ids.slice(-3).toReversed());
    const nothing = await errorOf(releaseUncovered(buying, ownership.address, { account: buyer.address }));
    expect(nothing.code).to.equal("ownership.nothing");
    expect((await errorOf(materialiseDeeds(selling, ownership.address))).code).to.equal("ownership.nothing");
    expect((await errorOf(releaseDeeds(contextOf(at(2)), ownership.address))).code).to.equal(
      "ownership.nothing",
    );
  });

  // ---- Who gets deeds, and votes ----

  it("lets accounts choose, and its owner for contracts that have not", async () => {
    const { contextOf, maker, at, contract } = stage;
    const { ownership } = await stage.issue([4]);
    const own = contextOf(at(0));
    const kept = await setExempt(own, ownership.address, { exempt: true });
    expect(kept.standing).to.include({ isExempt: true, saidBy: "itself", deeds: 4 });
    const given = await setExempt(own, ownership.address, { exempt: true, giveUp: true });
    expect(given.standing).to.include({ isExempt: true, deeds: 0, pending: 4 });
    const back = await setExempt(own, ownership.address, { exempt: false });
    expect(back.standing).to.include({ isExempt: false, saidBy: "itself", deeds: 4 });

    const pool = await contract(ACCEPTING);
    const where = { account: pool.address };
    const read = async () => (await readStanding(own, ownership.address, pool.address)).standing;
    expect(await read()).to.include({ isExempt: true, saidBy: "default", isContract: true });
    const named = await setExempt(contextOf(maker), ownership.address, { exempt: true, ...where });
    expect(named.standing).to.include({ isExempt: true, saidBy: "owner" });
    const undone = await setExempt(contextOf(maker), ownership.address, { exempt: false, ...where });
    expect(undone.standing, "as contracts are").to.include({ isExempt: true, saidBy: "default" });
    const codes = await Promise.all(
      [
        setExempt(own, ownership.address, { exempt: true, ...where }),
        setExempt(contextOf(maker), ownership.address, { exempt: true, account: at(0).address }),
      ].map(async (call) => (await errorOf(call)).code),
    );
    expect(codes).to.deep.equal(["chain.not-owner", "ownership.not-contract"]);
    await setExempt(contextOf(pool), ownership.address, { exempt: false });
    expect(await read()).to.include({ isExempt: false, saidBy: "itself" });
    const late = setExempt(contextOf(maker), ownership.address, { exempt: true, ...where });
    expect((await errorOf(late)).code).to.equal("ownership.spoken");
    // Without an owner, nobody else chooses; who has, is told apart all the same.
    await ModelOwnership__factory.connect(ownership.address, maker).renounceOwnership();
    expect(await read()).to.include({ saidBy: "itself" });
  });

  it("counts votes by balance, for whom they are given to", async () => {
    const { contextOf, at } = stage;
    const { ownership, base } = await stage.issue([2.5]);
    const own = contextOf(at(0));
    const { standing } = await delegateVotes(own, ownership.address, { delegatee: at(1).address });
    expect(standing).to.include({ delegate: at(1).address, votesWei: 0n });
    expect(await base.getVotes(at(1))).to.equal((UNIT * 5n) / 2n);
    const self = await delegateVotes(own, ownership.address, { delegatee: at(0).address });
    expect(self.standing).to.include({ delegate: at(0).address, votesWei: (UNIT * 5n) / 2n });
    const none = await delegateVotes(own, ownership.address, { delegatee: ZeroAddress });
    expect(none.standing).to.include({ delegate: undefined, votesWei: 0n });
  });
});
