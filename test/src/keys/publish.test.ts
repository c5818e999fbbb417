import { expect } from "chai";
import { hexlify } from "ethers";
import { network } from "hardhat";

import type { Deployment } from "../../../src/deployment.ts";
import { generateKeyPair } from "../../../src/envelope/index.ts";
import { publishedKeys, publishKey } from "../../../src/keys/publish.ts";
import { KeyRegistry__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";

describe("publishing keys", () => {
  async function deploy() {
    const { ethers } = await network.create();
    const [signer] = await ethers.getSigners();
    if (signer === undefined) throw new Error("no account");
    const registry = await new KeyRegistry__factory(signer).deploy();
    const address = await registry.getAddress();
    const deployment: Deployment = {
      schema: "neura/deployment/1",
      chainId: 31337,
      block: 0,
      contracts: {
        KeyRegistry: address,
        ProviderRegistry: address,
        ModelRegistry: address,
        TaskMarket: address,
        ProviderRewards: address,
      },
      currency: { address, symbol: "ANKR", decimals: 18 },
    };
    return { registry, signer, deployment };
  }

  it("publishes each key as the next epoch, once", async () => {
    const { registry, signer, deployment } = await deploy();
    const account = signer.address;
    expect(await publishedKeys(deployment, { signer, account })).to.deep.equal([]);
    const keys = [generateKeyPair(), generateKeyPair(), generateKeyPair()];
    for (const [index, key] of keys.entries()) {
      expect((await publishKey(deployment, { signer, key })).epoch).to.equal(index + 1);
      expect(await errorOf(publishKey(deployment, { signer, key }))).to.include({ code: "key.published" });
    }
    await registry.revoke(2);
    const published = await publishedKeys(deployment, { signer, account });
    expect(published.map(({ publicKey }) => publicKey)).to.deep.equal(
      keys.map((key) => hexlify(key.publicKey)),
    );
    expect(published.map(({ revoked }) => revoked)).to.deep.equal([false, true, false]);
  });
});
