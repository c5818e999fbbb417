import { expect } from "chai";
import { network } from "hardhat";
import { type Signer, ZeroAddress } from "ethers";

import type { Deployment } from "../../src/deployment.ts";
import { balanceOf, depositWithPermit } from "../../src/wallet.ts";
import { MockERC20__factory } from "../../types/index.ts";
import { deployTaskMarket } from "../contracts/market/deploy.ts";
import { errorOf } from "./storage/support.ts";

describe("wallet: deposits with a permit", () => {
  async function market(token: "PermittedERC20" | "MockERC20" | undefined) {
    const { ethers } = await network.create();
    const [admin, owner] = await ethers.getSigners();
    if (admin === undefined || owner === undefined) throw new Error("no accounts");
    const erc20 =
      token === undefined
        ? undefined
        : MockERC20__factory.connect(await (await ethers.deployContract(token)).getAddress(), admin);
    const currency = erc20 === undefined ? ZeroAddress : await erc20.getAddress();
    const unbondingSeconds = 45 * 86_400;
    const registry = await ethers.deployContract("ProviderRegistry", [
      currency,
      unbondingSeconds,
      admin.address,
    ]);
    const deployed = await deployTaskMarket(ethers, { registry, currency });
    const address = await deployed.market.getAddress();
    const deployment: Deployment = {
      schema: "neura/deployment/1",
      chainId: 31337,
      block: 0,
      contracts: {
        KeyRegistry: address,
        ProviderRegistry: await registry.getAddress(),
        ModelRegistry: address,
        TaskMarket: address,
        ProviderRewards: address,
      },
      currency: { address: currency, symbol: "MOCK", decimals: 18 },
    };
    const signer: Signer = owner;
    return { deployment, signer, account: owner.address, erc20, address };
  }

  it("takes one transaction and leaves no allowance", async () => {
    const { deployment, signer, account, erc20, address } = await market("PermittedERC20");
    await erc20?.mint(account, 1_000n);
    const sentBefore = await signer.getNonce();
    await depositWithPermit({ deployment, signer }, { amountWei: 700n });
    expect(await signer.getNonce()).to.equal(sentBefore + 1);
    const { marketWei, ownWei } = await balanceOf({ deployment, signer }, account);
    expect({ marketWei, ownWei }).to.deep.equal({ marketWei: 700n, ownWei: 300n });
    expect(await erc20?.allowance(account, address)).to.equal(0n);
    const poor = await errorOf(depositWithPermit({ deployment, signer }, { amountWei: 301n }));
    expect(poor.code).to.equal("wallet.insufficient-funds");
  });

  it("says where there are none", async () => {
    for (const token of ["MockERC20", undefined] as const) {
      const { deployment, signer, account, erc20 } = await market(token);
      await erc20?.mint(account, 10n);
      const error = await errorOf(depositWithPermit({ deployment, signer }, { amountWei: 5n }));
      expect(error.code).to.equal("token.no-permit");
      expect(error.next).to.contain("without --permit");
    }
  });
});
