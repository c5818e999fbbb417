import { readFile } from "node:fs/promises";
import { expect } from "chai";

import { LIMITS, measureGas, SNAPSHOT } from "../../../scripts/bench/gas.ts";

describe("gas of whole jobs", () => {
  it("is what the snapshot says, and within its limits", async () => {
    const figures = await measureGas();
    expect(figures, "each limit has its figure").to.include.keys(Object.keys(LIMITS));
    for (const [name, most] of Object.entries(LIMITS)) expect(figures[name]?.gas, name).to.be.at.most(most);
    const snapshot: unknown = JSON.parse(await readFile(SNAPSHOT, "utf8"));
    expect(figures, "if it has to change: ./neura bench gas --update").to.deep.equal(snapshot);

    const gasOf = (name: string): number => figures[name]?.gas ?? NaN;
    expect(gasOf("quoted"), "a quote saves a transaction").to.be.below(gasOf("jobAccepted"));
    expect(gasOf("leaseDayOf20"), "heartbeats are shared").to.be.below(gasOf("leaseDay") / 2);
    for (const [name, { verbs, gas, floor, rest }] of Object.entries(figures)) {
      const sum = Object.values(verbs).reduce((total, each) => total + each, 0);
      // A share's parts are rounded each.
      expect(sum, name).to.be.closeTo(gas, Object.keys(verbs).length);
      expect(floor + rest, name).to.equal(gas);
    }
  });
});
