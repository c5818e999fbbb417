import { expect } from "chai";

import { deployRegistry, FUNDS_WEI, KINDS, Manner, Moment, OFFER, PERIOD, plain, Record } from "./fixture.ts";
import type { Kind } from "./fixture.ts";

const STAKE_WEI = 100n * 10n ** 18n;
const LOCK_WEI = 60n * 10n ** 18n;

/** Two contracts as provider and as market, both with money; the provider has staked, the market locked a part. */
async function deploy({ kind, tokenName = "HookERC20" }: { kind: Kind; tokenName?: string }) {
  const fixture = await deployRegistry({ kind, tokenName });
  const { ethers, networkHelpers, registry, address, parties, fund, balances } = fixture;
  const provider = await ethers.deployContract("Actor");
  const market = await ethers.deployContract("Actor");
  const [providerAddress, marketAddress] = [await provider.getAddress(), await market.getAddress()];
  const encode = registry.interface.encodeFunctionData.bind(registry.interface);
  await registry.connect(parties.admin).authorizeMarket(marketAddress);
  await networkHelpers.time.increase(PERIOD);
  await fund(providerAddress, FUNDS_WEI);
  await fund(marketAddress, kind === "native" ? FUNDS_WEI : 0n);
  /** What the provider and the market call the registry with. */
  const asProvider = (data: string, valueWei = 0n) => provider.execute(address, valueWei, data);
  const asMarket = (data: string) => market.execute(address, 0n, data);
  const stakeValue = (amountWei: bigint) => (kind === "native" ? amountWei : 0n);
  await asProvider(encode("register", [providerAddress, providerAddress, OFFER]));
  await asProvider(encode("stake", [STAKE_WEI]), stakeValue(STAKE_WEI));
  await asMarket(encode("lock", [providerAddress, LOCK_WEI]));

  /** Everything that can be seen from outside. */
  const views = async () => ({
    balances: await balances([providerAddress, marketAddress]),
    provider: plain(await registry.providerOf(providerAddress)),
    free: await registry.freeStakeOf(providerAddress),
  });
  const hook =
    kind === "token" ? await ethers.getContractAt("HookERC20", await fixture.token!.getAddress()) : undefined;
  return {
    ...fixture,
    provider,
    market,
    providerAddress,
    marketAddress,
    encode,
    asProvider,
    asMarket,
    stakeValue,
    views,
    hook,
  };
}

type Hostile = Awaited<ReturnType<typeof deploy>>;

/** Every function of the registry that somebody could gain by, called by the one who could, and how it fails. */
const entries = ({ encode, providerAddress, marketAddress, stakeValue, provider, market }: Hostile) => {
  const guard = "ReentrancyGuardReentrantCall";
  const register = encode("register", [providerAddress, providerAddress, OFFER]);
  const withdraw = encode("withdrawStake", [providerAddress]);
  return [
    { name: "stake", by: provider, data: encode("stake", [1n]), value: stakeValue(1n), error: guard },
    { name: "withdrawStake", by: provider, data: withdraw, value: 0n, error: guard },
    ...[0n, 1n].map((slashed) => {
      const data = encode("release", [providerAddress, 1n, slashed, Record.Failed, false]);
      return { name: `release with ${String(slashed)}`, by: market, data, value: 0n, error: guard };
    }),
    // The rest changes what is its caller's own to change, and has its own bounds.
    ...[
      {
        name: "lock",
        by: market,
        data: encode("lock", [providerAddress, STAKE_WEI]),
        error: "ProviderRegistry_InsufficientFreeStake",
      },
      {
        name: "unstake",
        by: provider,
        data: encode("unstake", [STAKE_WEI]),
        error: "ProviderRegistry_InsufficientFreeStake",
      },
      { name: "register", by: provider, data: register, error: "ProviderRegistry_AlreadyRegistered" },
      {
        name: "authorizeMarket",
        by: market,
        data: encode("authorizeMarket", [marketAddress]),
        error: "OwnableUnauthorizedAccount",
      },
    ].map((entry) => ({ ...entry, value: 0n })),
  ];
};

/** Every function of the registry that moves money, with what it moves. */
const transfers = ({ asProvider, asMarket, encode, providerAddress, stakeValue }: Hostile) => [
  { name: "stake", pays: false, call: () => asProvider(encode("stake", [5n]), stakeValue(5n)) },
  { name: "withdrawStake", pays: true, call: () => asProvider(encode("withdrawStake", [providerAddress])) },
  {
    name: "slash",
    pays: true,
    call: () => asMarket(encode("release", [providerAddress, LOCK_WEI, 7n, Record.Failed, false])),
  },
];

/** Lets ten wei be ready to leave. */
async function unbond({ asProvider, encode, networkHelpers }: Hostile) {
  await asProvider(encode("unstake", [10n]));
  await networkHelpers.time.increase(PERIOD);
}

/** The transfer with the entry in its middle ends as it does without. */
async function expectNothingGained(
  { registry, networkHelpers, address, views }: Hostile,
  transfer: ReturnType<typeof transfers>[number],
  entry: ReturnType<typeof entries>[number],
  setTrap: () => Promise<void>,
) {
  const what = `${entry.name} inside ${transfer.name}`;
  const start = await networkHelpers.takeSnapshot();
  await transfer.call();
  const alone = await views();
  await start.restore();
  await entry.by.arm(address, entry.value, entry.data);
  await setTrap();
  await transfer.call();
  expect(await entry.by.entries(), what).to.equal(1n);
  expect(await entry.by.succeeded(), what).to.equal(false);
  const reason = registry.interface.parseError(await entry.by.returned())?.name;
  expect(reason, what).to.equal(entry.error);
  expect(await views(), what).to.deep.equal(alone);
}

describe("ProviderRegistry among hostile parties", () => {
  describe("A01 a token calls back before and after it moves", () => {
    for (const moment of ["Before", "After"] as const) {
      it(`A01_second entry ${moment.toLowerCase()} the transfer reverts or changes nothing`, async () => {
        const hostile = await deploy({ kind: "token" });
        const { networkHelpers, hook } = hostile;
        await unbond(hostile);
        const start = await networkHelpers.takeSnapshot();
        for (const transfer of transfers(hostile)) {
          for (const entry of entries(hostile)) {
            await expectNothingGained(hostile, transfer, entry, async () => {
              const enter = entry.by.interface.encodeFunctionData("reenter");
              await hook!.setHook(Moment[moment], await entry.by.getAddress(), enter);
            });
            await start.restore();
          }
        }
      });
    }

    it("A01_stake on its way in is not free yet, stake on its way out no longer", async () => {
      for (const moment of [Moment.Before, Moment.After]) {
        const hostile = await deploy({ kind: "token" });
        const { registry, hook, market, provider, providerAddress, address, encode, asProvider, asMarket } =
          hostile;
        const lockAll = STAKE_WEI - LOCK_WEI + 1n;
        const reenter = market.interface.encodeFunctionData("reenter");
        await hook!.setHook(moment, await market.getAddress(), reenter);
        for (const isFree of [false, true]) {
          await market.arm(address, 0n, encode("lock", [providerAddress, lockAll]));
          await asProvider(encode("stake", [1n]));
          expect(await market.entries()).to.equal(1n);
          expect(await market.succeeded()).to.equal(isFree);
        }
        const { stake, locked } = await registry.providerOf(providerAddress);
        expect({ stake, locked }).to.deep.equal({ stake: STAKE_WEI + 2n, locked: STAKE_WEI + 1n });
        await hook!.setHook(moment, providerAddress, reenter);
        for (const [amount, isFree] of [
          [2n, false],
          [1n, true],
        ] as const) {
          await provider.arm(address, 0n, encode("unstake", [amount]));
          const slashed = isFree ? 1n : STAKE_WEI;
          await asMarket(encode("release", [providerAddress, slashed, slashed, Record.Failed, false]));
          expect(await provider.entries()).to.equal(1n);
          expect(await provider.succeeded()).to.equal(isFree);
        }
        const end = await registry.providerOf(providerAddress);
        expect([end.stake, end.locked, end.unbonding]).to.deep.equal([1n, 0n, 1n]);
      }
    });
  });

  it("A02 a receiver of the native coin re-enters: reverts or changes nothing", async () => {
    const hostile = await deploy({ kind: "native" });
    const { networkHelpers, market, provider } = hostile;
    await unbond(hostile);
    const start = await networkHelpers.takeSnapshot();
    for (const transfer of transfers(hostile).filter(({ pays }) => pays)) {
      for (const entry of entries(hostile)) {
        const receiver = transfer.name === "slash" ? market : provider;
        await expectNothingGained(hostile, transfer, entry, async () => {
          // Who receives makes the entry, if need be through the other one.
          if (entry.by === receiver) return;
          const enter = receiver.interface.encodeFunctionData("reenter");
          await receiver.arm(await entry.by.getAddress(), 0n, enter);
        });
        await start.restore();
      }
    }
  });

  it("A04 what is seen in the middle is what was before or what is after", async () => {
    for (const kind of KINDS) {
      for (const moment of kind === "token" ? (["Before", "After"] as const) : (["After"] as const)) {
        for (let t = 0; t < 3; ++t) {
          const hostile = await deploy({ kind });
          const { registry, hook, address, market, provider, providerAddress } = hostile;
          await unbond(hostile);
          const transfer = transfers(hostile)[t]!;
          // Nobody is called when the native coin comes in.
          if (kind === "native" && !transfer.pays) continue;
          const receiver = transfer.name === "slash" ? market : provider;
          const view = async () => await registry.providerOf(providerAddress);
          const encoded = (provider: Awaited<ReturnType<typeof view>>) =>
            registry.interface.encodeFunctionResult("providerOf", [provider]);
          const before = encoded(await view());
          await receiver.arm(
            address,
            0n,
            registry.interface.encodeFunctionData("providerOf", [providerAddress]),
          );
          if (hook !== undefined) {
            await hook.setHook(
              Moment[moment],
              await receiver.getAddress(),
              receiver.interface.encodeFunctionData("reenter"),
            );
          }
          await transfer.call();
          const seen = await receiver.returned();
          expect(await receiver.succeeded()).to.equal(true);
          expect([before, encoded(await view())], `${kind} ${moment} ${transfer.name}`).to.include(seen);
        }
      }
    }
  });

  it("A05 a token that takes a fee is refused", async () => {
    const { ethers, registry, parties, token, balances } = await deployRegistry({
      kind: "token",
      tokenName: "FeeERC20",
    });
    const { provider } = parties;
    await registry.connect(provider).register(provider.address, provider.address, OFFER);
    const before = await balances();
    await expect(registry.connect(provider).stake(1_000n))
      .to.be.revertedWithCustomError(registry, "Currency_InexactTransfer")
      .withArgs(1_000n, 990n);
    expect(await balances()).to.deep.equal(before);
    // Without the fee it is a token like any other; a fee that comes later is the receiver's loss alone.
    const fee = await ethers.getContractAt("FeeERC20", await token!.getAddress());
    await fee.setFee(0n);
    await registry.connect(provider).stake(1_000n);
    expect((await registry.providerOf(provider.address)).stake).to.equal(1_000n);
  });

  it("A06 A08 a token that answers oddly moves what is booked, or nothing", async () => {
    const answers = {
      True: true,
      False: false,
      FalseAfterMoving: false,
      TrueWithoutMoving: false,
      Nothing: true,
      Two: false,
      TwoWords: true,
      Megabyte: true,
      RevertMegabyte: false,
      BurnGas: false,
    };
    for (const [index, [answer, works]] of Object.entries(answers).entries()) {
      const { ethers, registry, parties, token, balances, balanceOf, address } = await deployRegistry({
        kind: "token",
        tokenName: "OddERC20",
      });
      const { provider } = parties;
      const as = registry.connect(provider);
      await as.register(provider.address, provider.address, OFFER);
      const odd = await ethers.getContractAt("OddERC20", await token!.getAddress());
      await odd.setAnswer(BigInt(index));
      const before = await balances();
      const staking = as.stake(1_000n, { gasLimit: 6_000_000n });
      if (works) {
        await staking;
        expect(await balanceOf(address), answer).to.equal(1_000n);
        expect((await registry.providerOf(provider.address)).stake, answer).to.equal(1_000n);
      } else {
        await expect(staking, answer).to.revert(ethers);
        expect(await balances(), answer).to.deep.equal(before);
        expect((await registry.providerOf(provider.address)).stake, answer).to.equal(0n);
      }
    }
  });

  it("A07 who cannot receive waits alone, and can name another receiver", async () => {
    const hostile = await deploy({ kind: "token", tokenName: "BlocklistERC20" });
    const {
      ethers,
      registry,
      asProvider,
      asMarket,
      encode,
      providerAddress,
      parties,
      token,
      views,
      balanceOf,
    } = hostile;
    const list = await ethers.getContractAt("BlocklistERC20", await token!.getAddress());
    await unbond(hostile);
    await list.setBlocked(providerAddress, true);
    const before = await views();
    await expect(asProvider(encode("withdrawStake", [providerAddress])))
      .to.be.revertedWithCustomError(list, "BlocklistERC20_Blocked")
      .withArgs(providerAddress);
    await expect(asProvider(encode("stake", [1n]))).to.be.revertedWithCustomError(
      list,
      "BlocklistERC20_Blocked",
    );
    expect(await views()).to.deep.equal(before);
    // The market gets what it slashes of a blocked provider all the same.
    await asMarket(encode("release", [providerAddress, 20n, 20n, Record.Failed, false]));
    expect(await balanceOf(hostile.marketAddress)).to.equal(20n);
    await asProvider(encode("withdrawStake", [parties.stranger.address]));
    expect(await balanceOf(parties.stranger.address)).to.equal(FUNDS_WEI + 10n);
    // While the token is paused nothing moves, and nothing is lost.
    await list.setPaused(true);
    const paused = await views();
    for (const call of [
      () => asProvider(encode("stake", [1n])),
      () => asMarket(encode("release", [providerAddress, 20n, 20n, Record.Failed, false])),
    ])
      await expect(call()).to.be.revertedWithCustomError(list, "BlocklistERC20_Paused");
    expect(await views()).to.deep.equal(paused);
    await asMarket(encode("release", [providerAddress, 20n, 0n, Record.None, false]));
    expect((await registry.providerOf(providerAddress)).locked).to.equal(LOCK_WEI - 40n);
  });

  it("A07 A08 a native receiver that refuses, burns gas or returns a megabyte harms only itself", async () => {
    for (const manner of [Manner.Refuse, Manner.RefuseMegabyte, Manner.BurnGas]) {
      const hostile = await deploy({ kind: "native" });
      const { ethers, asProvider, encode, provider, providerAddress, parties, views, balanceOf } = hostile;
      await unbond(hostile);
      await provider.setManner(manner);
      const before = await views();
      const call = provider.interface.encodeFunctionData("execute", [
        hostile.address,
        0n,
        encode("withdrawStake", [providerAddress]),
      ]);
      const tx = { to: providerAddress, data: call, gasLimit: 5_000_000n };
      await expect(parties.stranger.sendTransaction(tx)).to.revert(ethers);
      expect(await views()).to.deep.equal(before);
      await asProvider(encode("withdrawStake", [parties.stranger.address]));
      expect(await balanceOf(parties.stranger.address)).to.equal(FUNDS_WEI + 10n);
    }
  });

  it("A08 a token that lies about balances is refused", async () => {
    for (const lie of [1n, -1n, -5_000n]) {
      const { ethers, registry, parties, token, balances } = await deployRegistry({
        kind: "token",
        tokenName: "LyingERC20",
      });
      const { provider } = parties;
      await registry.connect(provider).register(provider.address, provider.address, OFFER);
      const liar = await ethers.getContractAt("LyingERC20", await token!.getAddress());
      await liar.setLie(lie);
      const before = await balances();
      const seen = 1_000n + lie < 0n ? 0n : 1_000n + lie;
      await expect(registry.connect(provider).stake(1_000n))
        .to.be.revertedWithCustomError(registry, "Currency_InexactTransfer")
        .withArgs(1_000n, seen);
      expect(await balances()).to.deep.equal(before);
    }
  });

  it("A09 money that comes without a call changes no stake and cannot be taken", async () => {
    for (const kind of KINDS) {
      const hostile = await deploy({ kind });
      const { networkHelpers, address, erc20, views, balanceOf, parties, registry } = hostile;
      const before = await views();
      const held = await balanceOf(address);
      if (erc20 === undefined) {
        // A plain transfer is refused; coins can still come by mining or a self-destruct.
        await expect(parties.stranger.sendTransaction({ to: address, value: 5n })).to.revert(hostile.ethers);
        await networkHelpers.setBalance(address, held + 5n);
      } else await erc20.connect(parties.stranger).transfer(address, 5n);
      const after = await views();
      expect({ provider: after.provider, free: after.free }).to.deep.equal({
        provider: before.provider,
        free: before.free,
      });
      expect(await balanceOf(address)).to.equal(held + 5n);
      // All that was staked leaves, and only that.
      const { asProvider, asMarket, encode, providerAddress, marketAddress } = hostile;
      const had = await balanceOf(marketAddress);
      await asMarket(encode("release", [providerAddress, LOCK_WEI, LOCK_WEI, Record.Failed, false]));
      await asProvider(encode("unstake", [STAKE_WEI - LOCK_WEI]));
      await networkHelpers.time.increase(PERIOD);
      await asProvider(encode("withdrawStake", [providerAddress]));
      expect(await balanceOf(address)).to.equal(5n);
      expect(await balanceOf(marketAddress)).to.equal(had + LOCK_WEI);
      expect(await balanceOf(providerAddress)).to.equal(FUNDS_WEI - LOCK_WEI);
      expect((await registry.providerOf(providerAddress)).stake).to.equal(0n);
    }
  });
});
