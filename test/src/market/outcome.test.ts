import { readFileSync } from "node:fs";

import { expect } from "chai";
import { network } from "hardhat";

import * as outcomes from "../../../src/market/outcome.ts";
import { deployMarketAlone } from "./contract.ts";

describe("market: outcomes", () => {
  const source = readFileSync(new URL("../../../contracts/market/Tasks.sol", import.meta.url), "utf8");

  /** The members of an enumeration in the contract's source, in order. */
  function membersOf(name: string): string[] {
    const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(source)?.[1] ?? "";
    return body
      .replaceAll(/\/\/.*$/gm, "")
      .split(",")
      .map((member) => member.trim())
      .filter((member) => member !== "");
  }

  for (const name of ["Kind", "Status", "Outcome", "Fault"] as const) {
    it(`${name} is the contract's, number for number`, () => {
      const members = membersOf(name);
      expect(members).to.not.be.empty;
      expect(outcomes[name]).to.deep.equal(
        Object.fromEntries(members.map((member, index) => [member, index])),
      );
    });
  }

  it("finds the same side at fault as the contract, for every outcome", async () => {
    const market = await deployMarketAlone(await network.create());
    for (const outcome of Object.values(outcomes.Outcome)) {
      expect(outcomes.faultOf(outcome), outcomes.outcomeName(outcome)).to.equal(
        Number(await market.faultOf(outcome)),
      );
    }
  });

  it("sorts outcomes into deliveries and declines as the contract's enumeration groups them", () => {
    const { Outcome, isDelivered, isDecline } = outcomes;
    const of = (test: (outcome: outcomes.Outcome) => boolean): string[] =>
      Object.values(Outcome).filter(test).map(outcomes.outcomeName);
    expect(of(isDelivered)).to.deep.equal(membersOf("Outcome").slice(1, 6));
    expect(of(isDecline)).to.deep.equal(membersOf("Outcome").slice(6, 15));
  });

  it("reads numbers of the chain, and refuses those that are none", () => {
    expect(outcomes.outcomeOf(29n)).to.equal(outcomes.Outcome.ArbiterSilent);
    expect(() => outcomes.outcomeOf(30n)).to.throw(RangeError);
    expect(outcomes.statusOf(13n)).to.equal(outcomes.Status.Resolved);
    expect(() => outcomes.statusOf(14)).to.throw(RangeError);
  });

  it("holds those statuses final that no transition leaves", () => {
    const final = Object.values(outcomes.Status).filter(outcomes.isTerminal).map(outcomes.statusName);
    expect(final).to.deep.equal([
      "Settled",
      "Cancelled",
      "Expired",
      "Declined",
      "Failed",
      "Abandoned",
      "Resolved",
    ]);
  });
});
