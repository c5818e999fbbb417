import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { network } from "hardhat";
import { formatEther, parseEther, ZeroAddress } from "ethers";

import { type Deployment, loadDeployment, parseDeployment, writeDeployment } from "../../src/deployment.ts";
import { parseRevenue } from "../../tasks/share/share.ts";
import { MockERC20__factory, RevenueShareToken__factory, TaskMarket__factory } from "../../types/index.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, SECOND, SECOND_KEY, startChain } from "./command.ts";

const THIRD = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const AS_SECOND = { NEURA_PRIVATE_KEY: SECOND_KEY };

describe("tasks: share", function () {
  this.timeout(180_000);
  const cleanup = new Cleanup();
  let run: ReturnType<typeof commands>;
  let connection: Awaited<ReturnType<typeof network.create>>;
  let deployment: Deployment;
  let record: string;

  before(async () => {
    const url = await startChain(cleanup);
    record = join(cleanup.directory(), "deployment.json");
    const environment = { NEURA_RPC_URL: url, NEURA_DEPLOYMENT: record, NEURA_HOME: cleanup.directory() };
    run = commands(environment);
    connection = await network.create({ network: "local", override: { url } });
    const deployed = await run(["deploy"]);
    expect(deployed.code, deployed.stderr).to.equal(0);
    deployment = await loadDeployment({ provider: connection.ethers.provider, environment });
  });
  after(() => cleanup.run());

  /** The result of a command that has to succeed. */
  async function json(words: string[], environment = {}): Promise<Record<string, unknown>> {
    const { code, stderr, json: found } = await run([...words, "--json"], environment);
    expect(code, stderr).to.equal(0);
    return found;
  }

  async function text(words: string[], environment = {}): Promise<string> {
    const { code, stderr, stdout } = await run(words, environment);
    expect(code, stderr).to.equal(0);
    return stdout;
  }

  async function errorCode(words: string[], environment = {}): Promise<unknown> {
    const { json: found } = await run([...words, "--json"], environment);
    const error: unknown = found["error"];
    return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  }

  it("goes from a model's royalty to what its holders are paid, and burn", async () => {
    const { ethers, networkHelpers } = connection;
    const [first] = await ethers.getSigners();
    if (first === undefined) throw new Error("no account");
    const token = await new MockERC20__factory(first).deploy();
    await token.mint(FIRST, parseEther("100"));
    const tokens = await token.getAddress();

    // ---- Made, and named as a model's revenue address ----
    const made = await json([
      ...["share", "create", "Letter reader", "READ", "1000", "--allocate", `${SECOND}=250`],
      ...["--period", "1d", "--claim-bps", "8000", "--tokens", tokens],
    ]);
    expect(made).to.include({
      schema: "neura/share-create/1",
      number: 0,
      symbol: "READ",
      periodSeconds: 86_400,
    });
    const address = String(made["share"]);
    const share = RevenueShareToken__factory.connect(address, first);
    expect(await share.balanceOf(SECOND)).to.equal(parseEther("250"));
    expect(await share.balanceOf(FIRST)).to.equal(parseEther("750"));
    const weights = `0x${"33".repeat(32)}`;
    const model = await json(["model", "register", weights, "--royalty-bps", "500", "--revenue", address]);
    expect(model["revenueShare"]).to.deep.equal({ symbol: "READ", name: "Letter reader", isUsable: true });

    // ---- Revenue ----
    const market = TaskMarket__factory.connect(deployment.contracts.TaskMarket, first);
    await market.depositFor(address, parseEther("0.5"), { value: parseEther("0.5") });
    const [shownModel, before] = await Promise.all([
      text(["model", "show", "1"]),
      text(["share", "show", address]),
    ]);
    const collected = await json(["share", "collect", address]);
    expect(collected).to.include({ amountWei: parseEther("0.5").toString(), snapshot: 1 });
    await share.deposit(ZeroAddress, parseEther("1.5"), { value: parseEther("1.5") });
    expect(await text(["share", "deposit", address, "20mock"])).to.contain("Revenue      20 MOCK");
    await token.transfer(address, parseEther("4"));
    expect(await json(["share", "sync", address, "--token", tokens])).to.include({
      amountWei: parseEther("4").toString(),
    });
    expect(shownModel).to.contain(`5 %, to ${address}, the revenue share READ (Letter reader)`);
    expect(before)
      .to.match(/^ANKR 0x0{40} +0 ANKR +0 ANKR +0 ANKR +0 ANKR +0\.5 ANKR$/m)
      .and.to.contain("Tokens         1000 READ, 1000 READ of them take part")
      .and.to.contain("each 1 d: 80 % to holders, the rest to who burns")
      .and.to.contain("Minting        none any more");

    // ---- What there is, for people and programs ----
    await networkHelpers.time.increaseTo(Number(await share.endOf(1)));
    const [early, explained, holders] = await Promise.all([
      json(["share", "claimable", address, "--account", SECOND]),
      text(["share", "portfolio", "--account", SECOND, "--explain"]),
      text(["share", "holders", address]),
    ]);
    const ended = new Date(Number(await share.endOf(1)) * 1000).toISOString().replace(".000Z", "Z");
    // A quarter of what is for holders, less what rounding takes.
    const dueWei = await share.claimableRevenue(SECOND, 1);
    const dueTokenWei = await share.claimableERC20(SECOND, 1, token);
    expect(parseEther("0.4") - dueWei < 2n && parseEther("4.8") - dueTokenWei < 2n).to.equal(true);
    const [due, dueToken] = [`${formatEther(dueWei)} ANKR`, `${formatEther(dueTokenWei)} MOCK`];
    const line = `1         ${ended}   2 ANKR     1.6 ANKR         250  1000 READ  ${due}`;
    expect(early).to.include({ schema: "neura/share-claimable/1", lastSnapshot: 1 });
    expect(early["lines"]).to.have.length(2);
    expect(early["sums"]).to.deep.include({
      token: { address: ZeroAddress, symbol: "ANKR", decimals: 18 },
      ...{ linesWei: dueWei.toString(), roundingWei: "0", totalWei: dueWei.toString() },
    });
    expect(explained).to.contain(line).and.to.contain(`Sum: ${due}`);
    expect(explained).to.contain(`To claim        ${due} and ${dueToken}`);
    expect(holders).to.match(new RegExp(`^${FIRST}  750 READ    75 %        75 %$`, "m"));

    // ---- Closed, claimed, burned ----
    const closed = await text(["share", "snapshot", address]);
    expect(closed).to.match(/^1 +2 ANKR +1\.6 ANKR +0\.4 ANKR +1000 READ$/m);
    const wallet = await ethers.provider.getBalance(SECOND);
    const claimed = await json(["share", "claim", address, "--for", SECOND]);
    expect((await ethers.provider.getBalance(SECOND)) - wallet).to.equal(dueWei);
    expect(await token.balanceOf(SECOND)).to.equal(dueTokenWei);
    expect(claimed["claims"]).to.have.length(1);
    const preview = await text(["share", "burn", address, "100", "--dry-run"], AS_SECOND);
    expect(preview).to.contain("Pays     0.04 ANKR and 0.48 MOCK, or more");
    const burned = await json(["share", "burn", address, "all", "--minimum", "0.1ANKR"], AS_SECOND);
    expect(burned).to.include({ sent: true, balanceWei: "0" });
    expect(burned["payment"]).to.deep.include({ account: SECOND, credited: [] });
    expect((await token.balanceOf(SECOND)) - dueTokenWei).to.equal(parseEther("1.2"));
    expect(await share.totalSupply()).to.equal(parseEther("750"));

    // ---- Who takes part, and who is paid ----
    expect(await text(["share", "recipient", address, THIRD])).to.contain(
      `Is paid                  ${THIRD}`,
    );
    expect(await text(["share", "refuse", address])).to.contain("Others may claim for it  no");
    const excluded = await json(["share", "exclude", address]);
    expect(excluded["position"]).to.include({ isExcluded: true, recipient: THIRD, refusesClaimFor: true });

    // ---- What cannot be done ----
    expect(
      await Promise.all([
        errorCode(["share", "claim", address, "--snapshots", "1", "--through", "1"]),
        errorCode(["share", "withdraw", address, "--token", "mock"]),
        errorCode(["share", "mint", address, FIRST, "1"]),
        errorCode(["share", "create", "A", "B", "1", "--allocate", `${SECOND}=2`]),
      ]),
    ).to.deep.equal(["usage.claim", "share.nothing", "share.not-minter", "usage.allocate"]);
  });

  it("finds the token of an amount by its symbol, where there is one of that name", () => {
    const coin = { address: ZeroAddress, symbol: "ANKR", decimals: 18 };
    const six = { address: FIRST, symbol: "USDC", decimals: 6 };
    const false_ = { address: SECOND, symbol: "usdc", decimals: 18 };
    const share = { address: THIRD, name: "Share", symbol: "S", decimals: 18, tokens: [coin, six] };
    expect(parseRevenue(share, "1.5")).to.deep.equal({ token: coin, amountWei: parseEther("1.5") });
    expect(parseRevenue(share, "7 wei")).to.deep.equal({ token: coin, amountWei: 7n });
    expect(parseRevenue(share, "2usdc")).to.deep.equal({ token: six, amountWei: 2_000_000n });
    expect(parseRevenue(share, "3", "usdc")).to.deep.equal({ token: six, amountWei: 3_000_000n });
    const two = { ...share, tokens: [coin, six, false_] };
    expect(parseRevenue(two, "3", SECOND)).to.deep.equal({ token: false_, amountWei: parseEther("3") });
    expect(() => parseRevenue(two, "2USDC")).to.throw("more than one revenue token of S");
    expect(() => parseRevenue(share, "2", "DAI")).to.throw("no revenue token of S");
    expect(() => parseRevenue(share, "2", THIRD)).to.throw("takes no revenue in");
    expect(() => parseRevenue(share, "2DAI")).to.throw("is not an amount of ANKR");
  });

  it("finds a deployment of before usable for all else, and adds what it lacks", async () => {
    const kept = await readFile(record, "utf8");
    const old = parseDeployment(kept);
    const contracts = { ...old.contracts };
    delete contracts.RevenueShareFactory;
    delete contracts.DeedCertificate;
    delete contracts.Jury;
    await writeDeployment(record, { ...old, contracts });
    const [none, model] = await Promise.all([
      run(["share", "portfolio", "--json"]),
      run(["model", "show", "1", "--json"]),
    ]);
    expect(none.json["error"]).to.include({ code: "share.no-factory" });
    expect(none.stderr).to.contain("Run `deploy` with its settings once more");
    expect(model.code, model.stderr).to.equal(0);
    const added = await json(["deploy"]);
    expect(added).to.include({ sent: true });
    const after = parseDeployment(await readFile(record, "utf8"));
    expect(after.contracts).to.deep.include(contracts);
    expect(after.contracts.RevenueShareFactory)
      .to.be.a("string")
      .and.not.to.equal(old.contracts.RevenueShareFactory);
    expect(after.contracts.DeedCertificate).to.be.a("string").and.not.to.equal(old.contracts.DeedCertificate);
    expect(after.contracts.Jury).to.be.a("string").and.not.to.equal(old.contracts.Jury);
    // The deeds' alone.
    const withShares = { ...after.contracts };
    delete withShares.DeedCertificate;
    await writeDeployment(record, { ...after, contracts: withShares });
    expect((await json(["deploy"]))["contracts"])
      .to.include(withShares)
      .and.to.have.property("DeedCertificate");
    expect(await text(["share", "portfolio"])).to.contain("has no revenue share");
  });
});
