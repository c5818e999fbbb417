import { expect } from "chai";
import { Signature, Wallet } from "ethers";
import type { Signer } from "ethers";

import { booksOf, expectMoves, expectRefusal, useMarket } from "./books.ts";
import { deployTaskMarket } from "./deploy.ts";
import { COLLATERAL_WEI, COST_WEI, deployMarket, METERED, PRICE_WEI } from "./fixture.ts";
import type { Fixture, Task } from "./fixture.ts";
import { orderOf, QUOTE_TYPES, signOrder, signQuote, TASK_TYPES, domainOf } from "./signatures.ts";

// A27, A28 and A29: signatures are good for one thing, once, however they are written down and whoever can make them;
// a permit gives no more than the allowance that it is.

/** Half of the order of secp256k1 is the highest `s` that is good. */
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

/** What a wallet outside of Hardhat has to be told on a chain without gas prices. */
const FREE = { gasPrice: 0n };

/** Puts the cost of a task into the owner's balance, from which signed orders are paid. */
async function endow({ market, parties }: Fixture, owner: string, tasks = 2n) {
  const value = tasks * COST_WEI;
  await market.connect(parties.stranger).depositFor(owner, value, { value });
}

describe("TaskMarket: signatures are good once, for one thing", () => {
  const use = useMarket();

  it("A27_an order is good for the market, the chain and the terms that were signed, and no other", async () => {
    const fixture = use();
    const { ethers, market, registry, parties } = fixture;
    await endow(fixture, parties.owner.address);
    const task = await fixture.makeTask();
    const { terms, work, backup } = task;
    const domain = await domainOf(fixture);
    const value = { ...terms, work: { ...work, backup } };
    const send = async (signature: string, changes: object = {}) =>
      market.connect(parties.stranger).order({ ...orderOf(task, { signature }), ...changes });
    const { market: other } = await deployTaskMarket(ethers, { registry });
    for (const change of [
      { chainId: 1n },
      { verifyingContract: await other.getAddress() },
      { verifyingContract: await fixture.extension.getAddress() },
      { version: "2" },
      { name: "Neura" },
    ]) {
      const signature = await parties.owner.signTypedData({ ...domain, ...change }, TASK_TYPES, value);
      await expectRefusal(fixture, () => send(signature), "Orders_BadSignature", [
        task.id,
        parties.owner.address,
      ]);
    }
    const signature = await signOrder(fixture, parties.owner, task);
    const changes: [object, object][] = [
      [{ price: (2n * PRICE_WEI) | METERED }, {}],
      [{ conditions: terms.conditions + 1n }, {}],
      [{ provider: parties.stranger.address }, {}],
      [{ salt: ethers.id("other") }, {}],
      [{ assurance: 1n }, {}],
      [{}, { payload: "ar://other" }],
      [{}, { resources: 1n }],
      [{}, { payloadHash: ethers.id("other") }],
    ];
    for (const [inTerms, inWork] of changes) {
      const changed = { terms: { ...terms, ...inTerms }, work: { ...work, ...inWork } };
      const id = await market.idOf(changed.terms, await market.hashWork(changed.work, backup));
      await expectRefusal(fixture, () => send(signature, changed), "Orders_BadSignature", [
        id,
        parties.owner.address,
      ]);
    }
    const named = { backup: parties.stranger.address };
    await expect(send(signature, named)).to.be.revertedWithCustomError(market, "Orders_BadSignature");
    // There, it is not the owner's either.
    await endow({ ...fixture, market: other }, parties.owner.address);
    await expect(
      other.connect(parties.stranger).order(orderOf(task, { signature })),
    ).to.be.revertedWithCustomError(other, "Orders_BadSignature");
    await expectMoves(fixture, () => send(signature), { "ledger.owner": -COST_WEI });
  });

  it("A27_a fork with another chain id, where the market has the same address, takes no order of here", async () => {
    const fixture = use();
    const fork = await deployMarket({ chainId: 4_242 });
    expect(await fork.market.getAddress()).to.equal(await fixture.market.getAddress());
    await endow(fork, fork.parties.owner.address);
    const task = await fork.makeTask();
    const signature = await signOrder(fixture, fixture.parties.owner, task);
    await expectRefusal(
      fork,
      () => fork.market.connect(fork.parties.stranger).order(orderOf(task, { signature })),
      "Orders_BadSignature",
      [task.id, fork.parties.owner.address],
    );
    const own = await signOrder(fork, fork.parties.owner, task);
    await expectMoves(
      fork,
      () => fork.market.connect(fork.parties.stranger).order(orderOf(task, { signature: own })),
      { "ledger.owner": -COST_WEI },
    );
  });

  it("A27_an order is no quote, a quote no order, and neither outlives its end or its use", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    // One account is owner and provider, so that whose signature it is cannot tell them apart.
    const self = parties.provider;
    await endow(fixture, self.address, 5n);
    const task = await fixture.makeTask({ owner: self.address, salt: ethers.id("one") });
    const asStranger = market.connect(parties.stranger);
    const signature = await signOrder(fixture, self, task);
    const quote = await signQuote(fixture, self, task.id, { nonce: 3n, expiresAt: task.startBy - 10n });
    const order = (changes: object) => () =>
      asStranger.order({ ...orderOf(task, { signature }), ...changes });
    await expectRefusal(fixture, order({ signature: quote.signature }), "Orders_BadSignature", [
      task.id,
      self.address,
    ]);
    for (const wrong of [{ signature }, { nonce: 4n }, { expiresAt: task.startBy }])
      await expectRefusal(fixture, order({ quote: { ...quote, ...wrong } }), "Orders_BadQuote", [
        task.id,
        self.address,
      ]);
    const start = await networkHelpers.takeSnapshot();
    // Expired, to the second.
    await networkHelpers.time.setNextBlockTimestamp(task.startBy - 9n);
    await expectRefusal(fixture, order({ quote }), "Orders_QuoteExpired", [
      task.id,
      task.startBy - 10n,
      task.startBy - 9n,
    ]);
    await start.restore();
    // Cancelled by its provider, and by nobody else.
    await asStranger.cancelQuotes(0n, 2n ** 256n - 1n);
    const cancelled = await networkHelpers.takeSnapshot();
    await market.connect(self).cancelQuotes(0n, 1n << 3n);
    await expectRefusal(fixture, order({ quote }), "Orders_QuoteUsed", [self.address, 3n]);
    await cancelled.restore();
    // Revoked by its owner, and by nobody else.
    await expectRefusal(
      fixture,
      () => asStranger.revokeOrder(task.terms, task.workHash),
      "TaskMarket_NotOwner",
      [task.id, parties.stranger.address],
    );
    const open = await networkHelpers.takeSnapshot();
    await market.connect(self).revokeOrder(task.terms, task.workHash);
    await expectRefusal(fixture, order({}), "TaskMarket_TaskExists", [task.id]);
    await open.restore();
    // Used: the order once, the place of the quote once.
    await order({ quote })();
    await expectRefusal(fixture, order({ quote }), "TaskMarket_TaskExists", [task.id]);
    const next = await fixture.makeTask({ owner: self.address, salt: ethers.id("two") });
    const again = await signQuote(fixture, self, next.id, { nonce: 3n });
    const signed = await signOrder(fixture, self, next);
    await expectRefusal(
      fixture,
      () => asStranger.order(orderOf(next, { signature: signed, quote: again })),
      "Orders_QuoteUsed",
      [self.address, 3n],
    );
    // Ended, the task is no new one.
    await networkHelpers.time.increase(1_000n);
    await market.fail(task.terms, task.workHash);
    await expect(order({})()).to.be.revertedWithCustomError(market, "Tasks_InvalidSchedule");
  });

  it("A28_the other ways to write a signature down are not one, and none makes a second order", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    await endow(fixture, parties.owner.address);
    const task = await fixture.makeTask({ collateral: COLLATERAL_WEI });
    const good = Signature.from(await signOrder(fixture, parties.owner, task));
    const high = ethers.concat([
      good.r,
      ethers.toBeHex(ORDER - BigInt(good.s), 32),
      good.v === 27 ? "0x1c" : "0x1b",
    ]);
    const zeroV = ethers.concat([good.r, good.s, good.v === 27 ? "0x00" : "0x01"]);
    const asStranger = market.connect(parties.stranger);
    for (const signature of [high, good.compactSerialized, zeroV, `${good.serialized}00`, "0x01"])
      await expectRefusal(
        fixture,
        () => asStranger.order(orderOf(task, { signature })),
        "Orders_BadSignature",
        [task.id, parties.owner.address],
      );
    const whole = await signQuote(fixture, parties.provider, task.id);
    const quote = Signature.from(ethers.hexlify(whole.signature));
    await expectRefusal(
      fixture,
      () =>
        asStranger.order(
          orderOf(task, {
            signature: good.serialized,
            quote: { ...whole, signature: quote.compactSerialized },
          }),
        ),
      "Orders_BadQuote",
      [task.id, parties.provider.address],
    );
    await expectMoves(fixture, () => asStranger.order(orderOf(task, { signature: good.serialized })), {
      "ledger.owner": -COST_WEI,
    });
    for (const signature of [good.serialized, high, good.compactSerialized])
      await expectRefusal(
        fixture,
        () => asStranger.order(orderOf(task, { signature })),
        "TaskMarket_TaskExists",
        [task.id],
      );
  });

  it("A28_the zero address owns nothing, whatever signature is said to be its own", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    await endow(fixture, ethers.ZeroAddress.replace(/0$/, "1"));
    const task = await fixture.makeTask({ owner: ethers.ZeroAddress });
    for (const signature of [
      ethers.concat([ethers.ZeroHash, ethers.ZeroHash, "0x1b"]),
      ethers.concat([ethers.id("r"), ethers.toBeHex(1n, 32), "0x1d"]),
      `0x${"00".repeat(65)}`,
    ])
      for (const sponsored of [false, true])
        await expectRefusal(
          fixture,
          () =>
            market
              .connect(parties.stranger)
              .order(orderOf(task, { signature, sponsored }), { value: sponsored ? COST_WEI : 0n }),
          "Orders_BadSignature",
          [task.id, ethers.ZeroAddress],
        );
  });

  it("A28_a contract's signature is good while its signer is, and its order is made once", async () => {
    const fixture = use();
    const { ethers, market, parties } = fixture;
    const account = await ethers.deployContract("ContractAccount");
    const owner = await account.getAddress();
    const others = { account: owner };
    await account.sign(parties.owner.address, 0n);
    await endow(fixture, owner);
    const task = await fixture.makeTask({ owner });
    const signature = await signOrder(fixture, parties.owner, task);
    const asStranger = market.connect(parties.stranger);
    const send = (bytes: string) => () => asStranger.order(orderOf(task, { signature: bytes }));
    // The signer is another one now; then it is the same again.
    await account.sign(parties.provider.address, 0n);
    await expectRefusal(fixture, send(signature), "Orders_BadSignature", [task.id, owner], { others });
    await account.sign(parties.owner.address, 0n);
    await expectMoves(fixture, send(signature), { "ledger.account": -COST_WEI }, others);
    await account.sign(parties.provider.address, 0n);
    const second = await signOrder(fixture, parties.provider, task);
    for (const bytes of [signature, second])
      await expectRefusal(fixture, send(bytes), "TaskMarket_TaskExists", [task.id], { others });
  });

  it("A28_a contract can be provider and operator: its quote is good as its order is", async () => {
    const fixture = use();
    const { ethers, market, registry, parties } = fixture;
    const account = await ethers.deployContract("ContractAccount");
    const provider = await account.getAddress();
    await account.sign(parties.stranger.address, 0n);
    const offer = { shape: 0n, rateWei: 1n, slots: 1n, metadata: "" };
    const register = registry.interface.encodeFunctionData("register", [
      parties.operator.address,
      provider,
      offer,
    ]);
    await account.execute(registry, 0n, register);
    for (const [i, signer] of [parties.stranger, parties.operator].entries()) {
      const task = await fixture.makeTask({ provider, salt: ethers.id(`by ${i}`) });
      const quote = await signQuote(fixture, signer, task.id, { nonce: BigInt(i) });
      await market.connect(parties.owner).order(orderOf(task, { quote }), { value: COST_WEI });
      expect((await market.taskOf(task.id)).status).to.equal(3n);
      expect(await market.usedQuotes(provider, 0n)).to.equal((1n << BigInt(i + 1)) - 1n);
    }
    await registry.connect(parties.provider).setOperator(provider);
    const task = await fixture.makeTask({ salt: ethers.id("contract as operator") });
    const quote = await signQuote(fixture, parties.stranger, task.id);
    await market.connect(parties.owner).order(orderOf(task, { quote }), { value: COST_WEI });
    expect((await market.taskOf(task.id)).status).to.equal(3n);
  });

  it("A28_an account with EIP-7702 code signs by its key or by its code, and sends as ever", async () => {
    const fixture = use();
    const { ethers, market, networkHelpers, parties } = fixture;
    const code = await ethers.deployContract("ContractAccount");
    const wallet = new Wallet(ethers.id("an account with code"), ethers.provider);
    const others = { wallet: wallet.address };
    await networkHelpers.setBalance(wallet.address, 10n * COST_WEI);
    await endow(fixture, wallet.address, 5n);
    await delegateTo(fixture, wallet, await code.getAddress());
    // Its code signs for another key.
    const account = code.attach(wallet.address) as typeof code;
    await account.connect(wallet).sign(parties.admin.address, 0n);
    const asStranger = market.connect(parties.stranger);
    for (const [i, signer] of ([wallet, parties.admin] as Signer[]).entries()) {
      const task = await fixture.makeTask({ owner: wallet.address, salt: ethers.id(`signed ${i}`) });
      const signature = await signOrder(fixture, signer, task);
      await expectMoves(
        fixture,
        () => asStranger.order(orderOf(task, { signature })),
        { "ledger.wallet": -COST_WEI },
        others,
      );
      await expectRefusal(
        fixture,
        () => asStranger.order(orderOf(task, { signature })),
        "TaskMarket_TaskExists",
        [task.id],
        { others },
      );
    }
    const foreign = await fixture.makeTask({ owner: wallet.address, salt: ethers.id("foreign") });
    const wrong = await signOrder(fixture, parties.stranger, foreign);
    await expectRefusal(
      fixture,
      () => asStranger.order(orderOf(foreign, { signature: wrong })),
      "Orders_BadSignature",
      [foreign.id, wallet.address],
      { others },
    );
    // It sends, takes back and withdraws as an account without code does.
    const own = await fixture.makeTask({ owner: wallet.address, salt: ethers.id("own") });
    const asWallet = market.connect(wallet);
    await expectMoves(
      fixture,
      () => asWallet.submit(own.terms, own.work, { value: COST_WEI, ...FREE }),
      { "wallet.wallet": -COST_WEI, "wallet.market": COST_WEI },
      others,
    );
    await expectMoves(
      fixture,
      () => asWallet.cancel(own.terms, own.workHash, FREE),
      { "ledger.wallet": COST_WEI },
      others,
    );
    await expectMoves(
      fixture,
      () => asWallet.withdraw(COST_WEI, FREE),
      { "wallet.wallet": COST_WEI, "wallet.market": -COST_WEI, "ledger.wallet": -COST_WEI },
      others,
    );
  });
});

/** Gives an account the code of a contract (EIP-7702). */
async function delegateTo({ ethers, parties }: Fixture, wallet: Wallet, address: string) {
  const { chainId } = await ethers.provider.getNetwork();
  const authorization = await wallet.authorize({ address, chainId, nonce: 0 });
  const sender = new Wallet(ethers.id("sends the authorisation"), ethers.provider);
  await parties.admin.sendTransaction({ to: sender.address, value: 10n ** 18n });
  const response = await sender.sendTransaction({
    type: 4,
    to: parties.admin.address,
    authorizationList: [authorization],
  });
  await response.wait();
  expect(await ethers.provider.getCode(wallet.address)).to.equal(
    ethers.concat(["0xef0100", address]).toLowerCase(),
  );
}

describe("TaskMarket: permits", () => {
  const AMOUNT_WEI = 10n ** 17n + 1n;
  const use = useMarket({ token: "PermittedERC20" });

  async function permit(fixture: Fixture, { deadline = 2n ** 40n, amount = AMOUNT_WEI } = {}) {
    const { ethers, market, parties } = fixture;
    const token = await ethers.getContractAt("PermittedERC20", fixture.currency);
    const spender = await market.getAddress();
    await token.connect(parties.owner).approve(spender, 0n);
    const owner = parties.owner.address;
    const { name, version, chainId, verifyingContract } = await token.eip712Domain();
    const types = {
      Permit: [
        { name: "owner", type: "address" },
        { name: "spender", type: "address" },
        { name: "value", type: "uint256" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
      ],
    };
    const value = { owner, spender, value: amount, nonce: await token.nonces(owner), deadline };
    const { v, r, s } = Signature.from(
      await parties.owner.signTypedData({ name, version, chainId, verifyingContract }, types, value),
    );
    return { token, spender, deadline, amount, v, r, s };
  }
  const deposited = {
    "wallet.owner": -AMOUNT_WEI,
    "wallet.market": AMOUNT_WEI,
    "ledger.owner": AMOUNT_WEI,
  };

  it("A29_a permit that somebody sent before is no obstacle, and is good once", async () => {
    const fixture = use();
    const { market, parties } = fixture;
    const { token, spender, amount, deadline, v, r, s } = await permit(fixture);
    const asOwner = market.connect(parties.owner);
    const start = await fixture.networkHelpers.takeSnapshot();
    await expectMoves(fixture, () => asOwner.depositWithPermit(amount, deadline, v, r, s), deposited);
    await start.restore();
    await token.connect(parties.stranger).permit(parties.owner.address, spender, amount, deadline, v, r, s);
    await expectMoves(fixture, () => asOwner.depositWithPermit(amount, deadline, v, r, s), deposited);
    await expectRefusal(
      fixture,
      () => asOwner.depositWithPermit(amount, deadline, v, r, s),
      "ERC20InsufficientAllowance",
      [spender, 0n, amount],
      { of: token },
    );
  });

  it("A29_RevertWhen a permit is expired, too small or another's: it gives nobody authority", async () => {
    const fixture = use();
    const { market, networkHelpers, parties } = fixture;
    const now = BigInt(await networkHelpers.time.latest());
    const { token, spender, amount, deadline, v, r, s } = await permit(fixture, { deadline: now + 100n });
    const start = await networkHelpers.takeSnapshot();
    const refused = [spender, 0n, amount];
    const name = "ERC20InsufficientAllowance";
    // Sent by a stranger, it is the stranger's deposit, which nobody permitted.
    await token.connect(parties.stranger).approve(spender, 0n);
    const asStranger = market.connect(parties.stranger);
    await expectRefusal(
      fixture,
      () => asStranger.depositWithPermit(amount, deadline, v, r, s),
      name,
      refused,
      { of: token },
    );
    const asOwner = market.connect(parties.owner);
    for (const [wanted, until] of [
      [amount + 1n, deadline],
      [amount, deadline + 1n],
    ] as const)
      await expectRefusal(
        fixture,
        () => asOwner.depositWithPermit(wanted, until, v, r, s),
        name,
        [spender, 0n, wanted],
        { of: token },
      );
    await networkHelpers.time.setNextBlockTimestamp(deadline + 1n);
    await expectRefusal(fixture, () => asOwner.depositWithPermit(amount, deadline, v, r, s), name, refused, {
      of: token,
    });
    await start.restore();
    await networkHelpers.time.setNextBlockTimestamp(deadline);
    await expectMoves(fixture, () => asOwner.depositWithPermit(amount, deadline, v, r, s), deposited);
    await expectRefusal(fixture, () => asOwner.depositWithPermit(0n, deadline, v, r, s), "Escrow_ZeroAmount");
  });

  it("A29_a token that answers a permit it does not know deposits what its sender allowed, or nothing", async () => {
    const fixture = await deployMarket({ token: "PhantomERC20" });
    const { ethers, market, erc20, parties } = fixture;
    const spender = await market.getAddress();
    const call = (who: Signer) =>
      market.connect(who).depositWithPermit(AMOUNT_WEI, 2n ** 40n, 27n, ethers.id("r"), ethers.id("s"));
    // The owner's allowance is no help to a stranger that allowed nothing.
    await erc20!.connect(parties.stranger).approve(spender, 0n);
    await expectRefusal(
      fixture,
      () => call(parties.stranger),
      "ERC20InsufficientAllowance",
      [spender, 0n, AMOUNT_WEI],
      { of: erc20! },
    );
    await expectMoves(fixture, () => call(parties.owner), deposited);
  });

  it("A29_RevertWhen there is no token to permit", async () => {
    const fixture = await deployMarket();
    const { ethers, market, parties } = fixture;
    const before = await booksOf(fixture);
    await expect(
      market.connect(parties.owner).depositWithPermit(5n, 2n ** 40n, 27n, ethers.ZeroHash, ethers.ZeroHash),
    )
      .to.be.revertedWithCustomError(market, "Currency_NoCode")
      .withArgs(ethers.ZeroAddress);
    expect(await booksOf(fixture)).to.deep.equal(before);
  });

  it("A27_the digests are those that wallets compute", async () => {
    const fixture = use();
    const { ethers, market } = fixture;
    const task: Task = await fixture.makeTask();
    const domain = await domainOf(fixture);
    const quote = { task: task.id, nonce: 2n ** 200n, expiresAt: 77n };
    const digest = ethers.TypedDataEncoder.hash(domain, QUOTE_TYPES, quote);
    expect(await market.quoteDigest(task.id, quote.nonce, quote.expiresAt)).to.equal(digest);
  });
});
