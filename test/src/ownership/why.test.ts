import { expect } from "chai";

import { materialiseDeeds, releaseUncovered } from "../../../src/ownership/deeds.ts";
import { setExempt } from "../../../src/ownership/rights.ts";
import { transferDeed, transferUnits } from "../../../src/ownership/transfer.ts";
import { explainDeeds, type WhyReport } from "../../../src/ownership/why.ts";
import { ACCEPTING, openStage, type OwnershipStage, UNIT } from "./support.ts";

describe("why an account sees the deeds that it sees", () => {
  let stage: OwnershipStage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.connection.close());

  const why = async (where: string, account: string): Promise<WhyReport> =>
    await explainDeeds(stage.contextOf(stage.maker), where, account);
  const codes = ({ reasons }: WhyReport): string[] => reasons.map(({ code }) => code);

  it("a whole unit is missing, or all is there and the wallet looks at the wrong contract", async () => {
    const { at } = stage;
    const { ownership } = await stage.issue([2, 0.4]);
    const none = await why(ownership.address, at(2).address);
    expect(codes(none)).to.deep.equal(["no-unit"]);
    expect(none.reasons[0]?.message).to.contain("has no READ");
    const half = await why(ownership.address, at(1).address);
    expect(codes(half)).to.deep.equal(["no-unit"]);
    expect(half.reasons[0]).to.include({
      message: `${at(1).address} has 0.4 READ, and a deed stands for 1 READ.`,
      next: "With 0.6 READ more it gets its first deed.",
    });
    const all = await why(ownership.address, at(0).address);
    expect(codes(all)).to.deep.equal(["has-deeds"]);
    expect(all.reasons[0]?.message).to.contain("2 of READ, numbers 1, 2.");
    expect(all.reasons[0]?.next).to.contain(`add ${ownership.mirror} as a collection`);
    const mirror = await why(ownership.mirror, at(0).address);
    expect(codes(mirror)).to.deep.equal(["mirror-address", "has-deeds"]);
    expect(mirror.reasons[0]?.message).to.contain(`counted at ${ownership.address}`);
  });

  it("it has chosen so, its owner has, or it is a contract that has said nothing", async () => {
    const { at, contextOf, maker, contract, connection } = stage;
    const { ownership } = await stage.issue([9]);
    const own = contextOf(at(0));
    const wallet = await contract(ACCEPTING);
    await transferUnits(own, ownership.address, { to: wallet.address, amountWei: 3n * UNIT });
    const silent = await why(ownership.address, wallet.address);
    expect(codes(silent)).to.deep.equal(["exempt-contract", "pending"]);
    expect(silent.reasons[0]?.message).to.contain("smart wallets are contracts");
    await setExempt(contextOf(maker), ownership.address, { exempt: true, account: wallet.address });
    const named = await why(ownership.address, wallet.address);
    expect(codes(named)).to.deep.equal(["exempt-owner", "pending"]);
    // What it is told to call does it.
    const { ownCall } = named;
    expect(ownCall?.to).to.equal(ownership.address);
    expect(named.reasons[0]?.next).to.contain(`call ${ownership.address} with ${ownCall?.data ?? ""}`);
    await wallet.sendTransaction({ to: ownCall?.to ?? null, data: ownCall?.data ?? null });
    const after = await why(ownership.address, wallet.address);
    expect(codes(after)).to.deep.equal(["has-deeds"]);
    expect(after).to.deep.include({ ownCall: undefined });
    await setExempt(contextOf(wallet), ownership.address, { exempt: true, giveUp: true });
    const unwilling = await why(ownership.address, wallet.address);
    expect(codes(unwilling)).to.deep.equal(["exempt-self", "pending"]);
    expect(unwilling.reasons[0]?.next).to.contain("setSkipNFT(false)");

    // A person, and one with a delegation (EIP-7702).
    await setExempt(own, ownership.address, { exempt: true });
    const person = await why(ownership.address, at(0).address);
    expect(codes(person)).to.deep.equal(["exempt-self", "has-deeds"]);
    expect(person.reasons[0]?.next).to.contain(`\`model exempt ${ownership.address} --undo\``);
    expect(person.ownCall).to.equal(undefined);
    const delegated = await contract(`0xef0100${wallet.address.slice(2)}`);
    await transferUnits(own, ownership.address, { to: delegated.address, amountWei: UNIT });
    expect(codes(await why(ownership.address, delegated.address))).to.deep.equal(["has-deeds"]);
    // One that got a deed as such, and more without.
    await transferUnits(own, ownership.address, { to: wallet.address, amountWei: UNIT });
    const id = (await materialiseDeeds(contextOf(wallet), ownership.address, { count: 1 })).ids[0] ?? 0;
    await connection.networkHelpers.setCode(at(3).address, ACCEPTING);
    await transferDeed(contextOf(wallet), ownership.address, { to: at(3).address, id });
    expect(codes(await why(ownership.address, at(3).address))).to.deep.equal([
      "exempt-contract",
      "has-deeds",
    ]);
  });

  it("one transfer makes at most 128; others hold numbers that they have sold the units of", async () => {
    const { at, contextOf } = stage;
    const { ownership } = await stage.issue([300]);
    const [seller, buyer] = [at(0), at(1)];
    const early = await why(ownership.address, seller.address);
    expect(codes(early)).to.deep.equal(["pending"]);
    expect(early.reasons[0]).to.deep.include({
      next: `Make the others with \`model materialise ${ownership.address}\`.`,
    });
    expect(early.reasons[0]?.message).to.contain("Of 300 whole units 128 have a deed, 172 do not");
    await materialiseDeeds(contextOf(seller), ownership.address);
    await transferUnits(contextOf(seller), ownership.address, { to: buyer.address, amountWei: 300n * UNIT });

    const sold = await why(ownership.address, seller.address);
    expect(codes(sold)).to.deep.equal(["no-unit", "uncovered"]);
    expect(sold.reasons[1]?.message).to.contain("172 deeds");
    const bought = await why(ownership.address, buyer.address);
    expect(codes(bought)).to.deep.equal(["ids-exhausted"]);
    expect(bought.reasons[0]?.message).to.contain(`${seller.address} (172)`);
    const command = `model release ${ownership.address} --uncovered ${seller.address}`;
    expect(bought.reasons[0]?.next).to.contain(`\`${command}\``);
    expect(sold.reasons[1]?.next).to.contain(`\`${command}\``);
    // As it is told.
    await releaseUncovered(contextOf(buyer), ownership.address, { account: seller.address });
    expect(codes(await why(ownership.address, buyer.address))).to.deep.equal(["pending"]);
    await materialiseDeeds(contextOf(buyer), ownership.address);
    expect(codes(await why(ownership.address, buyer.address))).to.deep.equal(["has-deeds"]);
    expect(codes(await why(ownership.address, seller.address))).to.deep.equal(["no-unit"]);
  });
});
