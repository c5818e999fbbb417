import { readFile } from "node:fs/promises";
import { expect } from "chai";

import { LIMITS, measureGas, SNAPSHOT } from "../../../scripts/bench/gas.ts";

describe("gas of whole jobs", () => {
  it("is what the snapshot says, and within its limits", async () => {
    const figures = await measureGas();
    for (const [name, most] of Object.entries(LIMITS)) expect(figures[name]?.gas, name).to.be.at.most(most);
    const snapshot: unknown = JSON.parse(await readFile(SNAPSHOT, "utf8"));
    expect(figures, "if it has to change: ./neura bench gas --update").to.deep.equal(snapshot);
  });
});
