import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { artifacts, network } from "hardhat";
import { keccak256 } from "ethers";

import { parseDeployment } from "../../src/deployment.ts";
import { DEPLOY_GAS } from "../../tasks/deploy/action.ts";
import {
  IJury__factory,
  ITaskMarket__factory,
  MockERC20__factory,
  ProviderRegistry__factory,
  ProviderRewards__factory,
  RevenueShareFactory__factory,
  RevenueShareToken__factory,
  TaskMarket__factory,
} from "../../types/index.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, SECOND, startChain } from "./command.ts";

describe("tasks: deploy", function () {
  this.timeout(120_000);
  const cleanup = new Cleanup();
  let url: string;
  let record: string;
  let run: ReturnType<typeof commands>;

  beforeEach(async () => {
    url = await startChain(cleanup);
    record = join(cleanup.directory(), "deployment.json");
    run = commands({ NEURA_RPC_URL: url, NEURA_DEPLOYMENT: record });
  });
  afterEach(() => cleanup.run());

  const connect = () => network.create({ network: "local", override: { url } });

  it("deploys, records, and finds everything there the next time", async () => {
    const first = await run(["deploy", "--json"]);
    expect(first.code, first.stderr).to.equal(0);
    expect(first.json).to.include({ schema: "neura/deploy/1", chainId: 31337, record, sent: true });
    expect(first.stderr).to.contain(`Network local, chain 31337, ${url}`);

    const deployment = parseDeployment(await readFile(record, "utf8"));
    expect(first.json["contracts"]).to.deep.equal(deployment.contracts);
    const { ethers } = await connect();
    const market = ITaskMarket__factory.connect(deployment.contracts.TaskMarket, ethers.provider);
    const rewards = ProviderRewards__factory.connect(deployment.contracts.ProviderRewards, ethers.provider);
    const registry = ProviderRegistry__factory.connect(
      deployment.contracts.ProviderRegistry,
      ethers.provider,
    );
    expect(await market.owner()).to.equal(FIRST);
    expect(await market.treasury()).to.equal(FIRST);
    expect(await market.feeBps()).to.equal(250n);
    expect(await market.declineWindow()).to.equal(600n);
    expect(await market.keyWindow()).to.equal(1_800n);
    expect(await market.takeOverWindow()).to.equal(3_600n);
    expect(await market.concessionWindow()).to.equal(43_200n);
    expect(await market.registry()).to.equal(deployment.contracts.ProviderRegistry);
    expect(await market.models()).to.equal(deployment.contracts.ModelRegistry);
    expect(await rewards.market()).to.equal(deployment.contracts.TaskMarket);
    expect(await rewards.capBps()).to.equal(5_000n);
    const shares = RevenueShareFactory__factory.connect(
      deployment.contracts.RevenueShareFactory ?? "",
      ethers.provider,
    );
    expect(await shares.codeHash()).to.equal(keccak256(RevenueShareToken__factory.bytecode));
    expect(await shares.count()).to.equal(0n);
    const certificate = deployment.contracts.DeedCertificate ?? "";
    expect(await ethers.provider.getCode(certificate)).to.equal(
      (await artifacts.readArtifact("DeedCertificate")).deployedBytecode,
    );
    const jury = IJury__factory.connect(deployment.contracts.Jury ?? "", ethers.provider);
    expect(await jury.market()).to.equal(deployment.contracts.TaskMarket);
    expect(await jury.seatWei()).to.equal(1_000n * 10n ** 18n);
    expect([await jury.feeBps(), await jury.minimumFeeWei()]).to.deep.equal([600n, 3n * 10n ** 16n]);
    expect([await jury.stepSeconds(), await jury.seasoningSeconds()]).to.deep.equal([21_600n, 30n * 86_400n]);
    // Seats can be taken at once.
    const { timestamp } = (await ethers.provider.getBlock("latest")) ?? { timestamp: 0 };
    const since = await registry.marketEffectiveAt(jury);
    expect(since !== 0n && since <= BigInt(timestamp)).to.equal(true);
    let gasUsed = 0n;
    for (let block = await ethers.provider.getBlockNumber(); block > 0; block--) {
      gasUsed += (await ethers.provider.getBlock(block))?.gasUsed ?? 0n;
    }
    expect(gasUsed <= DEPLOY_GAS && gasUsed > (DEPLOY_GAS * 9n) / 10n, `${gasUsed}`).to.equal(true);
    expect(await registry.unbondingPeriod()).to.equal(45n * 86_400n);
    expect(await registry.marketEffectiveAt(market)).to.not.equal(0n);

    const second = await run(["deploy", "--json"]);
    expect(second.json).to.deep.equal({ ...first.json, sent: false });
  });

  it("refuses to take a deployment with other settings for the one that is asked for", async () => {
    await run(["deploy"]);
    const other = await run(["deploy", "--fee-bps", "300", "--json"]);
    expect(other.code).to.equal(1);
    expect(other.json["error"]).to.include({ code: "deploy.exists" });
    expect(other.stderr).to.contain("feeBps 250 instead of 300").and.to.contain("--fresh");

    const fresh = await run(["deploy", "--fee-bps", "300", "--fresh"]);
    expect(fresh.code, fresh.stderr).to.equal(0);
    expect(fresh.stdout).to.contain("300 bps");
  });

  it("deploys again on a chain that was started anew", async () => {
    await run(["deploy"]);
    const again = await run(["deploy"], { NEURA_RPC_URL: await startChain(cleanup) });
    expect(again.code, again.stderr).to.equal(0);
    expect(again.stderr).to.contain("started anew");
  });

  it("takes a token, another admin and another treasury", async () => {
    const { ethers } = await connect();
    const [admin] = await ethers.getSigners();
    if (admin === undefined) throw new Error("no account");
    const token = await (await new MockERC20__factory(admin).deploy()).getAddress();
    const { code, stderr, json } = await run([
      "deploy",
      "--token",
      token,
      "--admin",
      SECOND,
      "--treasury",
      SECOND,
      "--json",
    ]);
    expect(code, stderr).to.equal(0);
    const { contracts, currency } = parseDeployment(await readFile(record, "utf8"));
    expect(currency).to.deep.equal({ address: token, symbol: "MOCK", decimals: 18 });
    expect(json["settings"]).to.include({ currency: token, admin: SECOND, treasury: SECOND });
    const registry = ProviderRegistry__factory.connect(contracts.ProviderRegistry, ethers.provider);
    expect(await registry.pendingOwner()).to.equal(SECOND);
    expect(await TaskMarket__factory.connect(contracts.TaskMarket, ethers.provider).owner()).to.equal(SECOND);
  });

  it("names what is missing: a token, money, a chain, an address", async () => {
    const token = await run(["deploy", "--token", SECOND, "--json"]);
    expect(token.json["error"]).to.include({ code: "deploy.no-token" });

    const poor = await run(["deploy", "--json"], { NEURA_PRIVATE_KEY: `0x${"5a".repeat(32)}` });
    expect(poor.code).to.equal(1);
    expect(poor.json["error"]).to.include({ code: "wallet.insufficient-funds" });
    expect(poor.stderr).to.match(/has 0 ANKR\.\nSend [\d.]+ ANKR to 0x\w{40} and run the command again/);

    const nobody = await run(["deploy", "--json"], { NEURA_RPC_URL: "http://127.0.0.1:1" });
    expect(nobody.json["error"]).to.include({ code: "network.unreachable" });

    const address = await run(["deploy", "--admin", "me"]);
    expect(address.code).to.equal(2);
  });

  it("leaves the record of another chain alone", async () => {
    await run(["deploy"]);
    const text = (await readFile(record, "utf8")).replace("31337", "1");
    await writeFile(record, text);
    const { code, json } = await run(["deploy", "--json"]);
    expect(code).to.equal(1);
    expect(json["error"]).to.include({ code: "deployment.wrong-chain" });
    expect(await readFile(record, "utf8")).to.equal(text);
  });
});
