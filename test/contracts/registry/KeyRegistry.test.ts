import { expect } from "chai";
import { SigningKey } from "ethers";
import type { BytesLike } from "ethers";

import { createChain } from "./fixture.ts";

const NAME = "Neura KeyRegistry";
const TYPES = {
  EncryptionKey: [
    { name: "account", type: "address" },
    { name: "epoch", type: "uint32" },
  ],
};

async function deploy() {
  const { ethers, networkHelpers } = await createChain();
  const [owner, other] = await ethers.getSigners();
  if (!owner || !other) throw new Error("the simulated network has too few accounts");
  const registry = await ethers.deployContract("KeyRegistry");
  const domain = {
    name: NAME,
    version: "1",
    chainId: (await ethers.provider.getNetwork()).chainId,
    verifyingContract: await registry.getAddress(),
  };

  /** A key, its coordinates, and what proves it for an account and an epoch, made without the contract. */
  const newKey = () => {
    const key = new SigningKey(ethers.randomBytes(32));
    const x = ethers.dataSlice(key.publicKey, 1, 33);
    const y = ethers.dataSlice(key.publicKey, 33);
    const prove = (account: string, epoch: bigint, over = domain) =>
      key.sign(ethers.TypedDataEncoder.hash(over, TYPES, { account, epoch }));
    return { key, x, y, prove, compressed: key.compressedPublicKey, address: ethers.computeAddress(key) };
  };
  return { ethers, networkHelpers, registry, domain, owner, other, newKey };
}

describe("KeyRegistry", () => {
  describe("publish", () => {
    it("keeps the compressed key under the next epoch and announces it", async () => {
      const { registry, networkHelpers, owner, other, newKey } = await deploy();
      for (const epoch of [1n, 2n, 3n]) {
        const { x, y, prove, compressed } = newKey();
        const publishing = registry.publish(x, y, prove(owner.address, epoch).serialized);
        await expect(publishing).to.emit(registry, "KeyPublished").withArgs(owner.address, epoch, compressed);
        const publishedAt = BigInt(await networkHelpers.time.latest());
        expect(await registry.latestEpoch(owner.address)).to.equal(epoch);
        expect(await registry.keyAt(owner.address, epoch)).to.deep.equal([compressed, publishedAt, 0n]);
        expect(await registry.currentKey(owner.address)).to.deep.equal([
          [compressed, publishedAt, 0n],
          epoch,
        ]);
      }
      expect(await registry.latestEpoch(other.address)).to.equal(0n);
      expect(await registry.currentKey(other.address)).to.deep.equal([["0x", 0n, 0n], 0n]);
    });

    it("takes keys with either parity of y", async () => {
      const { registry, owner, newKey } = await deploy();
      const wanted = new Set(["0x02", "0x03"]);
      for (let epoch = 1n; wanted.size > 0; ++epoch) {
        const { x, y, prove, compressed } = newKey();
        await registry.publish(x, y, prove(owner.address, epoch).serialized);
        expect((await registry.keyAt(owner.address, epoch)).publicKey).to.equal(compressed);
        wanted.delete(compressed.slice(0, 4));
      }
    });

    it("says what has to be signed", async () => {
      const { ethers, registry, domain, owner } = await deploy();
      expect(await registry.possessionDigest(owner.address, 7n)).to.equal(
        ethers.TypedDataEncoder.hash(domain, TYPES, { account: owner.address, epoch: 7n }),
      );
      const [, name, version, chainId, contract] = await registry.eip712Domain();
      expect([name, version, chainId, contract]).to.deep.equal([
        domain.name,
        domain.version,
        domain.chainId,
        domain.verifyingContract,
      ]);
    });
  });

  describe("proof of possession", () => {
    it("A27_RevertWhen_proof is for another account, epoch, registry, chain, name or version", async () => {
      const { ethers, registry, domain, owner, other, newKey } = await deploy();
      const { x, y, prove, address } = newKey();
      const another = await (await ethers.deployContract("KeyRegistry")).getAddress();
      const proofs = [
        prove(other.address, 1n),
        prove(owner.address, 0n),
        prove(owner.address, 2n),
        prove(owner.address, 1n, { ...domain, verifyingContract: another }),
        prove(owner.address, 1n, { ...domain, chainId: 1n }),
        prove(owner.address, 1n, { ...domain, name: "Neura TaskMarket" }),
        prove(owner.address, 1n, { ...domain, version: "2" }),
      ];
      for (const proof of proofs) {
        const recovered = ethers.recoverAddress(await registry.possessionDigest(owner.address, 1n), proof);
        await expect(registry.publish(x, y, proof.serialized))
          .to.be.revertedWithCustomError(registry, "KeyRegistry_NoPossession")
          .withArgs(owner.address, 1n, recovered, address);
      }
      // Who sees a proof under way cannot make the key its own.
      const seen = prove(owner.address, 1n).serialized;
      await expect(registry.connect(other).publish(x, y, seen)).to.be.revertedWithCustomError(
        registry,
        "KeyRegistry_NoPossession",
      );
      await registry.publish(x, y, seen);
      await expect(registry.publish(x, y, seen)).to.be.revertedWithCustomError(
        registry,
        "KeyRegistry_NoPossession",
      );
      expect(await registry.latestEpoch(owner.address)).to.equal(1n);
      expect(await registry.latestEpoch(other.address)).to.equal(0n);
    });

    it("A28_RevertWhen_proof has a high s, 64 bytes, another length, a wrong v, or is empty", async () => {
      const { ethers, registry, owner, newKey } = await deploy();
      const { x, y, prove, address } = newKey();
      const proof = prove(owner.address, 1n);
      const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
      const highS = ethers.toBeHex(order - BigInt(proof.s), 32);
      const malformed: BytesLike[] = [
        ethers.concat([proof.r, highS, proof.v === 27 ? "0x1c" : "0x1b"]),
        proof.compactSerialized,
        ethers.dataSlice(proof.serialized, 0, 64),
        ethers.concat([proof.serialized, "0x00"]),
        ethers.concat([proof.r, proof.s, ethers.toBeHex(proof.yParity, 1)]),
        ethers.concat([ethers.ZeroHash, ethers.ZeroHash, "0x1b"]),
        "0x",
      ];
      for (const bytes of malformed) {
        await expect(registry.publish(x, y, bytes))
          .to.be.revertedWithCustomError(registry, "KeyRegistry_NoPossession")
          .withArgs(owner.address, 1n, ethers.ZeroAddress, address);
      }
      await registry.publish(x, y, proof.serialized);
    });

    it("A28_takes keys of an account with code as of any other", async () => {
      const { ethers, registry, newKey } = await deploy();
      const actor = await ethers.deployContract("Actor");
      const account = await actor.getAddress();
      const { x, y, prove, compressed } = newKey();
      const call = registry.interface.encodeFunctionData("publish", [x, y, prove(account, 1n).serialized]);
      await actor.execute(await registry.getAddress(), 0n, call);
      expect((await registry.keyAt(account, 1n)).publicKey).to.equal(compressed);
    });

    it("RevertWhen_point is not the key's", async () => {
      const { ethers, registry, owner, newKey } = await deploy();
      const { x, y, prove } = newKey();
      const other = newKey();
      const proof = prove(owner.address, 1n).serialized;
      for (const [px, py] of [
        [other.x, other.y],
        [x, other.y],
        [y, x],
        [ethers.ZeroHash, ethers.ZeroHash],
      ] as const) {
        await expect(registry.publish(px, py, proof)).to.be.revertedWithCustomError(
          registry,
          "KeyRegistry_NoPossession",
        );
      }
    });
  });

  describe("revoke", () => {
    it("keeps old epochs readable, and none of them takes the place of a revoked newest key", async () => {
      const { registry, networkHelpers, owner, newKey } = await deploy();
      const keys = [newKey(), newKey(), newKey()];
      for (const [index, { x, y, prove }] of keys.entries())
        await registry.publish(x, y, prove(owner.address, BigInt(index + 1)).serialized);
      await expect(registry.revoke(3n)).to.emit(registry, "KeyRevoked").withArgs(owner.address, 3n);
      const revokedAt = BigInt(await networkHelpers.time.latest());
      expect((await registry.keyAt(owner.address, 3n)).revokedAt).to.equal(revokedAt);
      expect((await registry.keyAt(owner.address, 3n)).publicKey).to.equal(keys[2]!.compressed);
      expect((await registry.keyAt(owner.address, 2n)).revokedAt).to.equal(0n);
      expect(await registry.currentKey(owner.address)).to.deep.equal([["0x", 0n, 0n], 0n]);
      expect(await registry.latestEpoch(owner.address)).to.equal(3n);
      // The next key is a new epoch, whatever was revoked.
      const next = newKey();
      await registry.publish(next.x, next.y, next.prove(owner.address, 4n).serialized);
      expect((await registry.currentKey(owner.address)).epoch).to.equal(4n);
    });

    it("RevertWhen_epoch is unknown or revoked already", async () => {
      const { registry, networkHelpers, owner, other, newKey } = await deploy();
      const { x, y, prove } = newKey();
      await registry.publish(x, y, prove(owner.address, 1n).serialized);
      for (const epoch of [0n, 2n, 2n ** 32n - 1n]) {
        await expect(registry.revoke(epoch))
          .to.be.revertedWithCustomError(registry, "KeyRegistry_UnknownEpoch")
          .withArgs(owner.address, epoch);
        await expect(registry.keyAt(owner.address, epoch))
          .to.be.revertedWithCustomError(registry, "KeyRegistry_UnknownEpoch")
          .withArgs(owner.address, epoch);
      }
      await expect(registry.connect(other).revoke(1n))
        .to.be.revertedWithCustomError(registry, "KeyRegistry_UnknownEpoch")
        .withArgs(other.address, 1n);
      await registry.revoke(1n);
      const revokedAt = await networkHelpers.time.latest();
      await expect(registry.revoke(1n))
        .to.be.revertedWithCustomError(registry, "KeyRegistry_AlreadyRevoked")
        .withArgs(owner.address, 1n, revokedAt);
    });
  });
});
