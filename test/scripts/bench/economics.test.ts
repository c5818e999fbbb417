import { expect } from "chai";

import { type Economics, playEconomics, type StrategyResult } from "../../../scripts/bench/economics.ts";
import { OWNERS, PROVIDERS } from "../../../scripts/bench/economics/strategies.ts";

/** Few tasks, so that this is quick: what holds whatever chance does. */
const SMALL = { tasks: 120, providers: 20 };

describe("the economics of misbehaving", function () {
  this.timeout(120_000);
  let economics: Economics;
  const of = (results: readonly StrategyResult[], name: string): StrategyResult => {
    const found = results.find(({ strategy }) => strategy === name);
    if (found === undefined) throw new Error(`nobody plays ${name}`);
    return found;
  };

  before(async () => {
    economics = await playEconomics(SMALL);
  });

  it("lets every strategy play, and loses no wei and no record of it", () => {
    expect(economics.schema).to.equal("neura/bench-economics/1");
    const { providers, owners, counts } = economics;
    expect(providers.map(({ strategy }) => strategy)).to.deep.equal(Object.keys(PROVIDERS));
    expect(owners.map(({ strategy }) => strategy)).to.deep.equal(Object.keys(OWNERS));
    expect(providers.reduce((sum, { parties }) => sum + parties, 0)).to.equal(SMALL.providers);
    for (const { strategy, tasks } of owners) expect(tasks, strategy).to.equal(6);
    expect(economics.missingWei).to.equal("0");
    expect(economics.differences, "of the chain from its events").to.equal(0);
    const names = [
      "delivered",
      "delivered rubbish",
      "stalled",
      "disputed",
      "leased",
      "key withheld",
      "dust",
      "probe",
    ];
    expect(counts).to.include.keys(names);
  });

  it("pays honest parties, and takes from those who stall, deal with themselves or spam", () => {
    const { providers, owners, kept } = economics;
    expect(of(providers, "honest").payoff).to.be.greaterThan(0);
    expect(of(owners, "honest").payoff).to.be.greaterThan(0);
    for (const name of ["stall", "selfDealing"]) expect(of(providers, name).payoff, name).to.be.lessThan(0);
    for (const name of ["withheld", "missing", "dust", "flood", "probe"]) {
      expect(of(owners, name).payoff, name).to.be.lessThan(0);
      expect(of(owners, name).received, `${name}: no more than gas`).to.equal(0);
    }
    const { gas, rewards, payoff, received } = of(providers, "selfDealing");
    expect(Math.abs(payoff - (received + rewards - gas))).to.be.lessThan(0.02);
    expect(kept.providers).to.be.at.least(1);
    expect(kept.owners).to.be.at.least(0.9);
  });

  it("is the same for the same seed", async () => {
    expect(await playEconomics(SMALL)).to.deep.equal(economics);
  });
});
