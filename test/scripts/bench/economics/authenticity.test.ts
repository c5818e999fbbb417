import { expect } from "chai";

import { type Authenticity, playAuthenticity } from "../../../../scripts/bench/economics/authenticity.ts";
import { RULES, settle, type Trial } from "../../../../scripts/bench/economics/settle.ts";

describe("the economics of authentic results", function () {
  this.timeout(120_000);
  let found: Authenticity;

  before(async () => {
    found = await playAuthenticity({ isQuick: true });
  });

  it("works out the money of a case as the contracts move it, to the wei", () => {
    expect(found.played).to.be.greaterThan(0);
    expect(found.differences).to.deep.equal([]);
  });

  it("lets nothing but known limits beat honesty", () => {
    const beating = found.results.filter(({ beatsHonesty, limit }) => beatsHonesty && limit === undefined);
    expect(beating).to.deep.equal([]);
    expect(found.beaten).to.equal(false);
    const names = found.results.map(({ party, strategy }) => `${party} ${strategy}`);
    expect(new Set(names).size, "no name twice").to.equal(names.length);
  });

  it("knows where a share of the seats is worth having", () => {
    for (const { collateral, owner, ownerUnanswered } of found.badStake) {
      expect(ownerUnanswered, `collateral ${collateral}`).to.be.lessThan(owner);
    }
    const twenty = found.panels.find(({ share }) => share === 0.2);
    expect(twenty?.first, "3 of 20 % each").to.equal(0.104);
  });

  it("neither makes nor loses a wei", () => {
    const work = { work: "w", bps: 0n };
    const other = { work: "x", bps: 10_000n };
    const trial: Trial = {
      priceWei: 10n ** 20n + 7n,
      collateralWei: 10n ** 19n + 3n,
      first: [work, work, other],
    };
    const { owner, provider, first, treasury } = settle(trial);
    expect(owner + provider + treasury + first.reduce((sum, each) => sum + each, 0n)).to.equal(0n);
    expect(RULES.seatWei % 10_000n).to.equal(0n);
  });
});
