import { expect } from "chai";

import { createChain, DAY } from "./fixture.ts";

const Status = { None: 0n, Active: 1n, Retired: 2n } as const;
const DELAY = 7n * DAY;
const ROYALTY_BPS = 250n;
const WEIGHTS = "ar://weights";
const LICENCE = "Apache-2.0";

/** A registry with one model; `refuses` expects a refusal that leaves the model as it was. */
async function deploy() {
  const { ethers, networkHelpers } = await createChain();
  const [controller, other, stranger, revenue, token] = await ethers.getSigners();
  if (!controller || !other || !stranger || !revenue || !token)
    throw new Error("the simulated network has too few accounts");
  const registry = await ethers.deployContract("ModelRegistry");
  const hash = ethers.id("weights");
  const as = registry.connect(controller);
  const registering = await as.register(hash, WEIGHTS, LICENCE, ROYALTY_BPS, revenue.address);
  const model = 1n;

  const state = async () => [
    await registry.modelCount(),
    plain(await registry.modelOf(model)),
    await registry.offeredControllerOf(model),
  ];
  const refuses = async (call: () => Promise<unknown>, error: string, args: readonly unknown[] = []) => {
    const before = await state();
    const refusal = expect(call()).to.be.revertedWithCustomError(registry, error);
    await (args.length === 0 ? refusal : refusal.withArgs(...args));
    expect(await state()).to.deep.equal(before);
  };
  const now = async () => BigInt(await networkHelpers.time.latest());
  const parties = { controller, other, stranger, revenue, token };
  return { ethers, networkHelpers, registry, as, hash, model, registering, refuses, now, parties };
}

type Fixture = Awaited<ReturnType<typeof deploy>>;

const plain = (model: Awaited<ReturnType<Fixture["registry"]["modelOf"]>>) => {
  const { controller, status, royaltyBps, updatedAt, versions } = model;
  const { revenue, nextRevenue, revenueAt, ownership, licence } = model;
  return {
    ...{ controller, status, royaltyBps, updatedAt, versions },
    ...{ revenue, nextRevenue, revenueAt, ownership, licence },
  };
};

describe("ModelRegistry", () => {
  describe("register", () => {
    it("keeps and announces the model, its licence and its first version", async () => {
      const { ethers, registry, registering, hash, model, now, parties } = await deploy();
      const { controller, revenue } = parties;
      await expect(registering)
        .to.emit(registry, "ModelRegistered")
        .withArgs(model, controller.address, revenue.address, ROYALTY_BPS);
      await expect(registering).to.emit(registry, "LicenceChanged").withArgs(model, LICENCE);
      await expect(registering).to.emit(registry, "VersionAdded").withArgs(model, 0n, hash, WEIGHTS);
      expect(plain(await registry.modelOf(model))).to.deep.equal({
        controller: controller.address,
        status: Status.Active,
        royaltyBps: ROYALTY_BPS,
        updatedAt: await now(),
        versions: 1n,
        revenue: revenue.address,
        nextRevenue: ethers.ZeroAddress,
        revenueAt: 0n,
        ownership: ethers.ZeroAddress,
        licence: LICENCE,
      });
      expect(await registry.versionOf(model, 0n)).to.deep.equal([hash, await now(), WEIGHTS]);
      expect(await registry.modelCount()).to.equal(1n);
      expect(await registry.royaltyOf(model)).to.equal(ROYALTY_BPS);
      expect(await registry.revenueOf(model)).to.equal(revenue.address);
    });

    it("numbers models from 1, those with the same weights too", async () => {
      const { registry, hash, parties } = await deploy();
      const { other } = parties;
      await registry.connect(other).register(hash, WEIGHTS, "", 0n, other.address);
      expect(await registry.modelCount()).to.equal(2n);
      expect((await registry.modelOf(2n)).controller).to.equal(other.address);
      const [page, next] = await registry.models(1n, 10n);
      expect(page.map(({ controller }) => controller)).to.deep.equal([
        parties.controller.address,
        other.address,
      ]);
      expect(next).to.equal(0n);
    });

    it("RevertWhen_there is no hash or no revenue address", async () => {
      const { ethers, as, hash, refuses, parties } = await deploy();
      const { revenue } = parties;
      const register = (weights: string, to: string) => () => as.register(weights, WEIGHTS, LICENCE, 0n, to);
      await refuses(register(ethers.ZeroHash, revenue.address), "ModelRegistry_ZeroHash");
      await refuses(register(hash, ethers.ZeroAddress), "ModelRegistry_ZeroAddress", ["revenue"]);
    });

    it("A24_texts are counted in bytes", async () => {
      const { registry, as, hash, model, refuses } = await deploy();
      await as.addVersion(model, hash, "é".repeat(128));
      expect((await registry.versionOf(model, 1n)).weights).to.equal("é".repeat(128));
      await as.setLicence(model, "é".repeat(64));
      expect((await registry.modelOf(model)).licence).to.equal("é".repeat(64));
      const longer = () => as.addVersion(model, hash, `${"é".repeat(128)}x`);
      await refuses(longer, "ModelRegistry_TextLength", [257n, 256n]);
      const licence = () => as.setLicence(model, `${"é".repeat(64)}x`);
      await refuses(licence, "ModelRegistry_TextLength", [129n, 128n]);
    });
  });

  describe("change", () => {
    it("adds versions, and sets royalty, licence and status", async () => {
      const { ethers, registry, as, model, refuses, now, parties } = await deploy();
      const next = ethers.id("better weights");
      await expect(as.addVersion(model, next, ""))
        .to.emit(registry, "VersionAdded")
        .withArgs(model, 1n, next, "");
      const addedAt = await now();
      await expect(as.setRoyalty(model, 8_000n)).to.emit(registry, "RoyaltyChanged").withArgs(model, 8_000n);
      await expect(as.setLicence(model, "MIT")).to.emit(registry, "LicenceChanged").withArgs(model, "MIT");
      await expect(as.setStatus(model, Status.Retired))
        .to.emit(registry, "ModelStatusChanged")
        .withArgs(model, Status.Retired);
      await expect(registry.royaltyOf(model))
        .to.be.revertedWithCustomError(registry, "ModelRegistry_Retired")
        .withArgs(model);
      const found = plain(await registry.modelOf(model));
      expect(found).to.deep.include({
        ...{ status: Status.Retired, royaltyBps: 8_000n, updatedAt: addedAt, versions: 2n, licence: "MIT" },
      });
      expect(found.revenue).to.equal(parties.revenue.address);
      await expect(as.setStatus(model, Status.Active))
        .to.emit(registry, "ModelStatusChanged")
        .withArgs(model, Status.Active);
      expect(await registry.royaltyOf(model)).to.equal(8_000n);
      await refuses(() => as.setStatus(model, Status.None), "ModelRegistry_InvalidStatus");
      await refuses(() => as.setRoyalty(model, 8_001n), "ModelRegistry_RoyaltyTooHigh", [8_001n, 8_000n]);
      await refuses(() => as.addVersion(model, ethers.ZeroHash, ""), "ModelRegistry_ZeroHash");
    });

    it("announces where revenue goes a week before", async () => {
      const { ethers, registry, networkHelpers, as, model, refuses, now, parties } = await deploy();
      const { other, revenue } = parties;
      const scheduling = await as.scheduleRevenue(model, other.address);
      const effectiveAt = (await now()) + DELAY;
      await expect(scheduling)
        .to.emit(registry, "RevenueScheduled")
        .withArgs(model, other.address, effectiveAt);
      await networkHelpers.time.increaseTo(effectiveAt - 1n);
      expect(await registry.revenueOf(model)).to.equal(revenue.address);
      expect(plain(await registry.modelOf(model))).to.deep.include({
        ...{ revenue: revenue.address, nextRevenue: other.address, revenueAt: effectiveAt },
      });
      await networkHelpers.time.increaseTo(effectiveAt);
      expect(await registry.revenueOf(model)).to.equal(other.address);
      expect(plain(await registry.modelOf(model))).to.deep.include({
        ...{ revenue: other.address, nextRevenue: ethers.ZeroAddress, revenueAt: 0n },
      });
      const toNobody = () => as.scheduleRevenue(model, ethers.ZeroAddress);
      await refuses(toNobody, "ModelRegistry_ZeroAddress", ["revenue"]);
    });

    it("A40_names the token that owns the model once", async () => {
      const { ethers, registry, as, model, refuses, parties } = await deploy();
      const { token, other } = parties;
      const nobody = () => as.setOwnership(model, ethers.ZeroAddress);
      await refuses(nobody, "ModelRegistry_ZeroAddress", ["token"]);
      await expect(as.setOwnership(model, token.address))
        .to.emit(registry, "OwnershipSet")
        .withArgs(model, token.address);
      expect((await registry.modelOf(model)).ownership).to.equal(token.address);
      for (const again of [other.address, token.address]) {
        const call = () => as.setOwnership(model, again);
        await refuses(call, "ModelRegistry_OwnershipSet", [model, token.address]);
      }
    });

    it("A40_hands the entry over in two steps", async () => {
      const { ethers, registry, as, model, refuses, parties } = await deploy();
      const { controller, other, stranger } = parties;
      await expect(as.offerController(model, stranger.address))
        .to.emit(registry, "ControllerOffered")
        .withArgs(model, stranger.address);
      await as.offerController(model, ethers.ZeroAddress);
      const withdrawn = () => registry.connect(stranger).acceptController(model);
      await refuses(withdrawn, "ModelRegistry_NotController", [model, stranger.address]);
      await as.offerController(model, other.address);
      await refuses(withdrawn, "ModelRegistry_NotController", [model, stranger.address]);
      await expect(registry.connect(other).acceptController(model))
        .to.emit(registry, "ControllerChanged")
        .withArgs(model, other.address);
      expect((await registry.modelOf(model)).controller).to.equal(other.address);
      const former = () => as.setRoyalty(model, 0n);
      await refuses(former, "ModelRegistry_NotController", [model, controller.address]);
      await registry.connect(other).setRoyalty(model, 0n);
      expect(await registry.royaltyOf(model)).to.equal(0n);
    });
  });

  it("A39_there is no admin, no pause and no way to remove a model", async () => {
    const { registry } = await deploy();
    const writes = registry.interface.fragments.flatMap((fragment) =>
      fragment.type === "function" && "constant" in fragment && fragment.constant === false
        ? [fragment.format("sighash").split("(")[0]]
        : [],
    );
    expect(writes.sort()).to.deep.equal([
      ...["acceptController", "addVersion", "offerController", "register", "scheduleRevenue"],
      ...["setLicence", "setOwnership", "setRoyalty", "setStatus"],
    ]);
  });
});
