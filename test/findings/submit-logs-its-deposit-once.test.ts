import { expect } from "chai";

import { COST_WEI, deployMarket } from "../contracts/market/fixture.ts";

// A submission in a token that transferred what the balance lacked logged that deposit twice, so that who rebuilt
// balances from events came to more than there was.

for (const token of [undefined, "MockERC20"] as const) {
  describe(`Events of a submission in ${token === undefined ? "the native coin" : "a token"}`, () => {
    for (const [paid, balance] of [
      ["by transfer", 0n],
      ["by transfer and balance", 9n],
      ["from the balance", COST_WEI],
    ] as const) {
      it(`what is deposited and spent ${paid} is the change of the balance`, async () => {
        const { market, parties, makeTask, valueOf } = await deployMarket(
          token === undefined ? {} : { token },
        );
        const asOwner = market.connect(parties.owner);
        if (balance !== 0n) await asOwner.deposit(balance, { value: valueOf(balance) });
        const task = await makeTask();
        const response = await asOwner.submit(task.terms, task.work, { value: valueOf(COST_WEI - balance) });
        const { logs } = (await response.wait())!;
        const sum = (name: string): bigint =>
          logs.reduce((total, log) => {
            const event = market.interface.parseLog(log);
            return event?.name === name ? total + BigInt(String(event.args.getValue("amount"))) : total;
          }, 0n);
        const [deposited, spent] = [sum("Deposited"), sum("Spent")];
        expect(await market.balanceOf(parties.owner.address)).to.equal(balance + deposited - spent);
        // The exact cost in native coin goes past the balance, without either event.
        const past = token === undefined && balance === 0n;
        expect([deposited, spent]).to.deep.equal(past ? [0n, 0n] : [COST_WEI - balance, COST_WEI]);
      });
    }
  });
}
