import { expect } from "chai";

import { booksOf, expectMoves, expectRefusal, useMarket } from "./books.ts";
import { deployTaskMarket } from "./deploy.ts";
import { COST_WEI, DAY, deployMarket, FEE_BPS, PRICE_WEI } from "./fixture.ts";
import type { Fixture, MarketOptions } from "./fixture.ts";

const AMOUNT_WEI = 10n ** 17n + 1n;
const PAID_WEI = PRICE_WEI * 10n;
const FEE_WEI = (PAID_WEI * FEE_BPS) / 10_000n;

/** Ways for an `Actor` to meet the native coin. */
const Manner = { Accept: 0, Reenter: 1, Refuse: 2, RefuseMegabyte: 3, BurnGas: 4 } as const;

/** The provider earns `PAID_WEI` less the fee. */
async function earn(fixture: Fixture, salt = "earned") {
  const { market, parties, networkHelpers, makeTask, deliveryOf, valueOf } = fixture;
  const task = await makeTask({ salt: fixture.ethers.id(salt) });
  await market.connect(parties.owner).submit(task.terms, task.work, { value: valueOf(COST_WEI) });
  await networkHelpers.time.increase(20n);
  await market.connect(parties.provider).deliver(task.terms, task.workHash, deliveryOf(1, 10n));
}

/** An account that is a contract, with `AMOUNT_WEI` in its balance. */
async function deployActor({ ethers, market, parties, valueOf }: Fixture) {
  const actor = await ethers.deployContract("Actor");
  const address = await actor.getAddress();
  await market.connect(parties.stranger).depositFor(address, AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) });
  return { actor, address };
}

const CURRENCIES: [string, MarketOptions][] = [
  ["native coin", {}],
  ["token", { token: "MockERC20" }],
];

for (const [currency, options] of CURRENCIES) {
  describe(`Escrow in the ${currency}`, () => {
    const use = useMarket(options);

    // ---- Deposit ----

    it("deposit moves the amount from the wallet to the balance", async () => {
      const fixture = use();
      const { market, parties, valueOf } = fixture;
      const response = await expectMoves(
        fixture,
        () => market.connect(parties.owner).deposit(AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) }),
        { "wallet.owner": -AMOUNT_WEI, "wallet.market": AMOUNT_WEI, "ledger.owner": AMOUNT_WEI },
      );
      await expect(response)
        .to.emit(market, "Deposited")
        .withArgs(parties.owner.address, parties.owner.address, AMOUNT_WEI);
    });

    it("depositFor gives it to another account", async () => {
      const fixture = use();
      const { market, parties, valueOf } = fixture;
      const response = await expectMoves(
        fixture,
        () =>
          market
            .connect(parties.stranger)
            .depositFor(parties.owner.address, AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) }),
        { "wallet.stranger": -AMOUNT_WEI, "wallet.market": AMOUNT_WEI, "ledger.owner": AMOUNT_WEI },
      );
      await expect(response)
        .to.emit(market, "Deposited")
        .withArgs(parties.owner.address, parties.stranger.address, AMOUNT_WEI);
    });

    it("RevertWhen a deposit is of nothing, for nobody or with another value", async () => {
      const fixture = use();
      const { ethers, market, parties, valueOf } = fixture;
      const asOwner = market.connect(parties.owner);
      await expectRefusal(fixture, () => asOwner.deposit(0n), "Escrow_ZeroAmount");
      await expectRefusal(
        fixture,
        () => asOwner.depositFor(ethers.ZeroAddress, 1n, { value: valueOf(1n) }),
        "Escrow_ZeroAddress",
      );
      const expected = valueOf(AMOUNT_WEI);
      for (const value of [expected + 1n, ...(expected === 0n ? [] : [0n, expected - 1n])]) {
        await expectRefusal(fixture, () => asOwner.deposit(AMOUNT_WEI, { value }), "Currency_WrongValue", [
          value,
          expected,
        ]);
      }
    });

    // ---- Withdraw ----

    it("withdraw pays out to the caller, to the last wei", async () => {
      const fixture = use();
      const { market, parties, valueOf } = fixture;
      const asOwner = market.connect(parties.owner);
      await asOwner.deposit(AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) });
      for (const amount of [1n, AMOUNT_WEI - 1n]) {
        const response = await expectMoves(fixture, () => asOwner.withdraw(amount), {
          "wallet.owner": amount,
          "wallet.market": -amount,
          "ledger.owner": -amount,
        });
        await expect(response)
          .to.emit(market, "Withdrawn")
          .withArgs(parties.owner.address, parties.owner.address, amount);
      }
    });

    it("withdrawTo pays out to another account", async () => {
      const fixture = use();
      const { market, parties, valueOf } = fixture;
      const asOwner = market.connect(parties.owner);
      await asOwner.deposit(AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) });
      const response = await expectMoves(
        fixture,
        () => asOwner.withdrawTo(parties.stranger.address, AMOUNT_WEI),
        { "wallet.stranger": AMOUNT_WEI, "wallet.market": -AMOUNT_WEI, "ledger.owner": -AMOUNT_WEI },
      );
      await expect(response)
        .to.emit(market, "Withdrawn")
        .withArgs(parties.owner.address, parties.stranger.address, AMOUNT_WEI);
    });

    it("I19_RevertWhen a withdrawal or a payout goes to the market itself", async () => {
      const fixture = use();
      const { market, registry, parties, valueOf } = fixture;
      const to = await market.getAddress();
      const asProvider = market.connect(parties.provider);
      await asProvider.deposit(AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) });
      await expectRefusal(fixture, () => asProvider.withdrawTo(to, AMOUNT_WEI), "Escrow_ToItself");
      await registry.connect(parties.provider).setPayout(to);
      await expectRefusal(fixture, () => asProvider.payout(parties.provider.address), "Escrow_ToItself");
    });

    it("RevertWhen a withdrawal is of nothing, to nobody or above the balance", async () => {
      const fixture = use();
      const { ethers, market, parties, valueOf } = fixture;
      const asOwner = market.connect(parties.owner);
      await asOwner.deposit(AMOUNT_WEI, { value: valueOf(AMOUNT_WEI) });
      await expectRefusal(fixture, () => asOwner.withdraw(0n), "Escrow_ZeroAmount");
      await expectRefusal(fixture, () => asOwner.withdrawTo(ethers.ZeroAddress, 1n), "Escrow_ZeroAddress");
      for (const amount of [AMOUNT_WEI + 1n, 2n ** 256n - 1n])
        await expectRefusal(fixture, () => asOwner.withdraw(amount), "Escrow_InsufficientBalance", [
          parties.owner.address,
          AMOUNT_WEI,
          amount,
        ]);
      // What others have does not help.
      await expectRefusal(
        fixture,
        () => market.connect(parties.stranger).withdraw(1n),
        "Escrow_InsufficientBalance",
        [parties.stranger.address, 0n, 1n],
      );
    });

    // ---- Fees ----

    it("a provider's withdrawal takes its fees along to the treasury", async () => {
      const fixture = use();
      const { market, parties } = fixture;
      await earn(fixture);
      const response = await expectMoves(fixture, () => market.connect(parties.provider).withdraw(1n), {
        "wallet.provider": 1n,
        "wallet.market": -1n,
        "ledger.provider": -1n,
        "fees.provider": -FEE_WEI,
        "ledger.treasury": FEE_WEI,
      });
      await expect(response).to.emit(market, "FeesCollected").withArgs(parties.provider.address, FEE_WEI);
    });

    it("anyone collects fees, once, also for accounts that owe none", async () => {
      const fixture = use();
      const { market, parties } = fixture;
      await earn(fixture);
      const accounts = [parties.stranger, parties.provider, parties.provider].map(({ address }) => address);
      const collect = () => market.connect(parties.stranger).collectFees(accounts);
      await expectMoves(fixture, collect, { "fees.provider": -FEE_WEI, "ledger.treasury": FEE_WEI });
      await expectMoves(fixture, collect, {});
      await expectMoves(fixture, () => market.connect(parties.stranger).collectFees([]), {});
      await expectMoves(fixture, () => market.connect(parties.treasury).withdraw(FEE_WEI), {
        "wallet.treasury": FEE_WEI,
        "wallet.market": -FEE_WEI,
        "ledger.treasury": -FEE_WEI,
      });
    });

    it("a new treasury receives the fees that are due and all later ones", async () => {
      const fixture = use();
      const { market, parties } = fixture;
      await earn(fixture, "first");
      await market.collectFees([parties.provider.address]);
      await earn(fixture, "second");
      const response = await expectMoves(
        fixture,
        () => market.connect(parties.admin).setTreasury(parties.payout.address),
        {},
      );
      await expect(response).to.emit(market, "TreasuryChanged").withArgs(parties.payout.address);
      expect(await market.treasury()).to.equal(parties.payout.address);
      await expectMoves(fixture, () => market.collectFees([parties.provider.address]), {
        "fees.provider": -FEE_WEI,
        "ledger.payout": FEE_WEI,
      });
    });

    it("a treasury that is the provider itself keeps its fees", async () => {
      const fixture = use();
      const { market, parties } = fixture;
      await earn(fixture);
      await market.connect(parties.admin).setTreasury(parties.provider.address);
      await expectMoves(fixture, () => market.collectFees([parties.provider.address]), {
        "fees.provider": -FEE_WEI,
        "ledger.provider": FEE_WEI,
      });
    });

    // ---- Payout ----

    for (const role of ["provider", "operator"] as const) {
      it(`payout by the ${role} sends the provider's whole balance to its payout address`, async () => {
        const fixture = use();
        const { market, parties } = fixture;
        await earn(fixture);
        const net = PAID_WEI - FEE_WEI;
        const payout = market.connect(parties[role]).payout;
        expect(await payout.staticCall(parties.provider.address)).to.equal(net);
        const response = await expectMoves(fixture, () => payout(parties.provider.address), {
          "wallet.payout": net,
          "wallet.market": -net,
          "ledger.provider": -net,
          "fees.provider": -FEE_WEI,
          "ledger.treasury": FEE_WEI,
        });
        await expect(response)
          .to.emit(market, "Withdrawn")
          .withArgs(parties.provider.address, parties.payout.address, net);
        await expectRefusal(fixture, () => payout(parties.provider.address), "Escrow_ZeroAmount");
      });
    }

    it("RevertWhen a payout is asked for by anybody else", async () => {
      const fixture = use();
      const { ethers, market, registry, parties } = fixture;
      await earn(fixture);
      for (const role of ["stranger", "owner", "payout", "admin"] as const)
        await expectRefusal(
          fixture,
          () => market.connect(parties[role]).payout(parties.provider.address),
          "TaskMarket_NotProvider",
          [ethers.ZeroHash, parties[role].address],
        );
      // A replaced operator is a stranger at once.
      await registry.connect(parties.provider).setOperator(parties.stranger.address);
      await expectRefusal(
        fixture,
        () => market.connect(parties.operator).payout(parties.provider.address),
        "TaskMarket_NotProvider",
        [ethers.ZeroHash, parties.operator.address],
      );
    });

    it("RevertWhen an account without a payout address asks for its payout: it withdraws instead", async () => {
      const fixture = use();
      const { market, parties, valueOf } = fixture;
      const asStranger = market.connect(parties.stranger);
      await asStranger.deposit(5n, { value: valueOf(5n) });
      await expectRefusal(fixture, () => asStranger.payout(parties.stranger.address), "Escrow_ZeroAddress");
      await expectMoves(fixture, () => asStranger.withdraw(5n), {
        "wallet.stranger": 5n,
        "wallet.market": -5n,
        "ledger.stranger": -5n,
      });
    });
  });
}

describe("Escrow in the native coin: how it comes and goes", () => {
  const use = useMarket();

  it("a plain transfer is a deposit of the sender's", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const to = await market.getAddress();
    await expectMoves(fixture, () => parties.owner.sendTransaction({ to, value: AMOUNT_WEI }), {
      "wallet.owner": -AMOUNT_WEI,
      "wallet.market": AMOUNT_WEI,
      "ledger.owner": AMOUNT_WEI,
    });
    await expectRefusal(fixture, () => parties.owner.sendTransaction({ to, value: 0n }), "Escrow_ZeroAmount");
  });

  // Enough gas for the receiver to misbehave in full.
  for (const [manner, gasLimit] of [
    ["Refuse", 200_000n],
    ["RefuseMegabyte", 5_000_000n],
    ["BurnGas", 200_000n],
  ] as const) {
    it(`A07_A08_a receiver that does ${manner} waits alone`, async () => {
      const fixture = use();
      const { ethers, market, parties } = fixture;
      const { actor, address } = await deployActor(fixture);
      await earn(fixture);
      await actor.setManner(Manner[manner]);
      const others = { actor: address };
      const withdraw = market.interface.encodeFunctionData("withdraw", [AMOUNT_WEI]);
      const before = await booksOf(fixture, others);
      await expect(actor.execute(await market.getAddress(), 0n, withdraw, { gasLimit })).to.be.revert(ethers);
      expect(await booksOf(fixture, others)).to.deep.equal(before);
      // Everybody else goes on, and its money leaves by another way.
      await expectMoves(fixture, () => market.connect(parties.provider).payout(parties.provider.address), {
        "wallet.payout": PAID_WEI - FEE_WEI,
        "wallet.market": FEE_WEI - PAID_WEI,
        "ledger.provider": FEE_WEI - PAID_WEI,
        "fees.provider": -FEE_WEI,
        "ledger.treasury": FEE_WEI,
      });
      const elsewhere = market.interface.encodeFunctionData("withdrawTo", [
        parties.stranger.address,
        AMOUNT_WEI,
      ]);
      await expectMoves(
        fixture,
        async () => actor.execute(await market.getAddress(), 0n, elsewhere),
        { "wallet.stranger": AMOUNT_WEI, "wallet.market": -AMOUNT_WEI, "ledger.actor": -AMOUNT_WEI },
        others,
      );
    });
  }

  it("A07_a payout address that refuses delays its provider alone, until it names another", async () => {
    const fixture = use();
    const { market, registry, parties } = fixture;
    const { actor, address } = await deployActor(fixture);
    await actor.setManner(Manner.Refuse);
    await registry.connect(parties.provider).setPayout(address);
    await earn(fixture);
    const net = PAID_WEI - FEE_WEI;
    await expectRefusal(
      fixture,
      () => market.connect(parties.provider).payout(parties.provider.address),
      "Actor_Refused",
      [await market.getAddress(), net],
      { of: actor, others: { actor: address } },
    );
    await registry.connect(parties.provider).setPayout(parties.payout.address);
    await expectMoves(fixture, () => market.connect(parties.provider).payout(parties.provider.address), {
      "wallet.payout": net,
      "wallet.market": -net,
      "ledger.provider": -net,
      "fees.provider": -FEE_WEI,
      "ledger.treasury": FEE_WEI,
    });
  });

  it("RevertWhen stake is withdrawn into a market, authorised or not: it would be nobody's", async () => {
    const fixture = use();
    const { ethers, market, registry, networkHelpers, parties } = fixture;
    const { market: foreign } = await deployTaskMarket(ethers, { registry });
    const asProvider = registry.connect(parties.provider);
    await asProvider.unstake(AMOUNT_WEI);
    await networkHelpers.time.increase(45n * DAY);
    const to = await market.getAddress();
    await expectRefusal(fixture, () => asProvider.withdrawStake(to), "ProviderRegistry_ToContract", [to], {
      of: registry,
    });
    const others = { foreign: await foreign.getAddress() };
    await expectRefusal(
      fixture,
      () => asProvider.withdrawStake(others.foreign),
      "TaskMarket_StakeToMarket",
      [],
      { others },
    );
    await expectMoves(fixture, () => asProvider.withdrawStake(parties.provider.address), {
      "wallet.provider": AMOUNT_WEI,
      "wallet.registry": -AMOUNT_WEI,
      stake: -AMOUNT_WEI,
      unbonding: -AMOUNT_WEI,
    });
  });
});

describe("Escrow in a token: how it comes and goes", () => {
  it("RevertWhen native coins are sent to it", async () => {
    const fixture = await deployMarket({ token: "MockERC20" });
    const { market, parties } = fixture;
    const to = await market.getAddress();
    await expectRefusal(
      fixture,
      () => parties.owner.sendTransaction({ to, value: 5n }),
      "Currency_WrongValue",
      [5n, 0n],
    );
    expect(await fixture.ethers.provider.getBalance(to)).to.equal(0n);
  });

  it("A05_a token that takes a fee on transfer is refused on its way in", async () => {
    const fixture = await deployMarket({ token: "MockERC20" });
    const { ethers, parties } = fixture;
    const token = await ethers.deployContract("FeeERC20");
    const currency = await token.getAddress();
    const admin = parties.admin.address;
    const registry = await ethers.deployContract("ProviderRegistry", [currency, 45n * DAY, admin]);
    const { market } = await deployTaskMarket(ethers, { registry, currency });
    await token.mint(parties.owner.address, 10_000n);
    await token.connect(parties.owner).approve(await market.getAddress(), 10_000n);
    await expect(market.connect(parties.owner).deposit(10_000n))
      .to.be.revertedWithCustomError(market, "Currency_InexactTransfer")
      .withArgs(10_000n, 9_900n);
    const task = await fixture.makeTask({ price: 10_000n });
    await expect(market.connect(parties.owner).submit(task.terms, task.work))
      .to.be.revertedWithCustomError(market, "Currency_InexactTransfer")
      .withArgs(10_000n, 9_900n);
    expect(await token.balanceOf(parties.owner.address)).to.equal(10_000n);
    expect(await market.balanceOf(parties.owner.address)).to.equal(0n);
  });

  it("A07_an account that the token blocks waits alone, and takes its money elsewhere", async () => {
    const fixture = await deployMarket({ token: "BlocklistERC20" });
    const { ethers, market, parties } = fixture;
    const token = await ethers.getContractAt("BlocklistERC20", fixture.currency);
    await earn(fixture);
    await market.connect(parties.owner).deposit(AMOUNT_WEI);
    const before = await booksOf(fixture);
    await token.setBlocked(parties.owner.address, true);
    await expectRefusal(
      fixture,
      () => market.connect(parties.owner).withdraw(AMOUNT_WEI),
      "BlocklistERC20_Blocked",
      [parties.owner.address],
      { of: token },
    );
    // Its tasks settle all the same: that moves ledger words only.
    const task = await fixture.makeTask({ salt: ethers.id("blocked") });
    await market.connect(parties.owner).submit(task.terms, task.work);
    await market.connect(parties.provider).accept(task.terms, task.workHash);
    await market.connect(parties.provider).decline(task.terms, task.workHash, 12);
    const rest = before["ledger.owner"]!;
    await expectMoves(
      fixture,
      () => market.connect(parties.owner).withdrawTo(parties.stranger.address, rest),
      { "wallet.stranger": rest, "wallet.market": -rest, "ledger.owner": -rest },
    );
  });

  it("A07_a paused token stops what moves tokens and nothing else", async () => {
    const fixture = await deployMarket({ token: "BlocklistERC20" });
    const { ethers, market, parties } = fixture;
    const token = await ethers.getContractAt("BlocklistERC20", fixture.currency);
    await market.connect(parties.owner).deposit(COST_WEI);
    await token.setPaused(true);
    const asOwner = market.connect(parties.owner);
    for (const act of [() => asOwner.deposit(1n), () => asOwner.withdraw(1n)])
      await expectRefusal(fixture, act, "BlocklistERC20_Paused", [], { of: token });
    const task = await fixture.makeTask();
    await expectMoves(fixture, () => asOwner.submit(task.terms, task.work), { "ledger.owner": -COST_WEI });
    await expectMoves(fixture, () => asOwner.cancel(task.terms, task.workHash), {
      "ledger.owner": COST_WEI,
    });
    await token.setPaused(false);
    await expectMoves(fixture, () => asOwner.withdraw(COST_WEI), {
      "wallet.owner": COST_WEI,
      "wallet.market": -COST_WEI,
      "ledger.owner": -COST_WEI,
    });
  });
});
