import { join } from "node:path";

import { expect } from "chai";
import { network } from "hardhat";

import {
  type Deployment,
  deploymentPath,
  loadDeployment,
  parseDeployment,
  writeDeployment,
} from "../../src/deployment.ts";
import { Cleanup, errorOf } from "./storage/support.ts";
import { createWorld, type World } from "./market/support.ts";

describe("deployment", () => {
  const cleanup = new Cleanup();
  let world: World;
  let directory: string;
  before(async () => {
    world = await createWorld(cleanup);
    directory = cleanup.directory();
  });
  after(() => cleanup.run());

  async function load(change: Partial<Deployment> = {}): Promise<Deployment> {
    const path = join(directory, "deployment.json");
    await writeDeployment(path, { ...world.deployment, ...change });
    const { provider } = world.connection.ethers;
    return await loadDeployment({ provider, environment: { NEURA_DEPLOYMENT: path } });
  }

  it("reads back what was written, and checks it against the chain", async () => {
    expect(await load()).to.deep.equal(world.deployment);
  });

  it("reads a file of before there were revenue shares or deeds", async () => {
    const { DeedCertificate, ...withShares } = world.deployment.contracts;
    const { RevenueShareFactory, ...first } = withShares;
    expect([DeedCertificate, RevenueShareFactory]).not.to.include(undefined);
    for (const contracts of [withShares, first]) {
      expect((await load({ contracts })).contracts).to.deep.equal(contracts);
    }
  });

  it("finds the file by the chain's id", async () => {
    const { provider } = world.connection.ethers;
    const path = deploymentPath({ chainId: world.deployment.chainId, directory });
    expect(path).to.equal(join(directory, `chain-${world.deployment.chainId}.json`));
    const error = await errorOf(loadDeployment({ provider, directory, environment: {} }));
    expect(error.code).to.equal("deployment.missing");
    expect(error.message).to.contain(path);
    await writeDeployment(path, world.deployment);
    expect(await loadDeployment({ provider, directory, environment: {} })).to.deep.equal(world.deployment);
  });

  it("refuses another chain", async () => {
    const error = await errorOf(load({ chainId: 267 }));
    expect(error.code).to.equal("deployment.wrong-chain");
    expect(error.message).to.contain("267").and.to.contain("31337");
  });

  it("refuses addresses without code, and names them", async () => {
    const contracts = { ...world.deployment.contracts, TaskMarket: world.owner.address };
    const error = await errorOf(load({ contracts }));
    expect(error.code).to.equal("deployment.no-code");
    expect(error.message).to.contain(`TaskMarket ${world.owner.address}`).and.not.to.contain("KeyRegistry");
    const currency = { ...world.deployment.currency, address: world.owner.address };
    expect((await errorOf(load({ currency }))).code).to.equal("deployment.no-code");
    const fresh = (await network.create()).ethers.provider;
    const path = join(directory, "deployment.json");
    await writeDeployment(path, world.deployment);
    const gone = await errorOf(loadDeployment({ provider: fresh, environment: { NEURA_DEPLOYMENT: path } }));
    expect(gone.code).to.equal("deployment.no-code");
  });

  it("refuses a file that is not a deployment of version 1", () => {
    const good: Record<string, unknown> = { ...world.deployment };
    for (const change of [
      { schema: "neura/deployment/2" },
      { chainId: "31337" },
      { block: -1 },
      { contracts: { ...world.deployment.contracts, KeyRegistry: "0x12" } },
      { contracts: { ...world.deployment.contracts, RevenueShareFactory: 7 } },
      { contracts: { ...world.deployment.contracts, DeedCertificate: "0x12" } },
      { contracts: null },
      { currency: { ...world.deployment.currency, symbol: "" } },
      { currency: { ...world.deployment.currency, decimals: 1.5 } },
    ]) {
      expect(() => parseDeployment(JSON.stringify({ ...good, ...change })), JSON.stringify(change)).to.throw(
        "cannot be read",
      );
    }
    expect(() => parseDeployment("{")).to.throw("cannot be read");
  });
});
