import { join } from "node:path";
import { expect } from "chai";
import { network } from "hardhat";
import { parseEther } from "ethers";

import type { Deployment } from "../../src/deployment.ts";
import { loadDeployment } from "../../src/deployment.ts";
import { MockERC20__factory, TaskMarket__factory } from "../../types/index.ts";
import { Cleanup } from "../src/storage/support.ts";
import { commands, FIRST, SECOND, SECOND_KEY, startChain } from "./command.ts";

describe("tasks: wallet", function () {
  this.timeout(120_000);

  for (const kind of ["the native coin", "a token"] as const) {
    describe(`in ${kind}`, () => {
      const cleanup = new Cleanup();
      let run: ReturnType<typeof commands>;
      let connection: Awaited<ReturnType<typeof network.create>>;
      let deployment: Deployment;

      before(async () => {
        const url = await startChain(cleanup);
        const environment = {
          NEURA_RPC_URL: url,
          NEURA_DEPLOYMENT: join(cleanup.directory(), "deployment.json"),
        };
        run = commands(environment);
        connection = await network.create({ network: "local", override: { url } });
        const [first] = await connection.ethers.getSigners();
        if (first === undefined) throw new Error("no account");
        const token = kind === "a token" ? await new MockERC20__factory(first).deploy() : undefined;
        await token?.mint(FIRST, parseEther("10000"));
        const deployed = await run(["deploy", ...(token ? ["--token", await token.getAddress()] : [])]);
        expect(deployed.code, deployed.stderr).to.equal(0);
        deployment = await loadDeployment({ provider: connection.ethers.provider, environment });
      });
      after(() => cleanup.run());

      const market = () =>
        TaskMarket__factory.connect(deployment.contracts.TaskMarket, connection.ethers.provider);

      it("deposits, for another account too, and withdraws a part and the rest", async () => {
        const deposit = await run(["wallet", "deposit", "1.5", "--json"]);
        expect(deposit.code, deposit.stderr).to.equal(0);
        expect(deposit.json).to.include({
          schema: "neura/wallet-deposit/1",
          marketWei: parseEther("1.5").toString(),
        });
        await run(["wallet", "deposit", "7wei", "--account", SECOND]);
        expect(await market().balanceOf(SECOND)).to.equal(7n);

        const part = await run(["wallet", "withdraw", "500000000gwei", "--to", SECOND, "--json"]);
        expect(part.json).to.include({ to: SECOND, marketWei: parseEther("1").toString() });
        const rest = await run(["wallet", "withdraw", "all", "--json"]);
        expect(rest.json).to.include({ amountWei: parseEther("1").toString(), marketWei: "0" });

        const { symbol } = deployment.currency;
        const balance = await run(["wallet", "balance", "--account", SECOND]);
        expect(balance.stdout).to.contain(`In the market   0.000000000000000007 ${symbol}`);
      });

      it("refuses amounts that nobody has, and says how much is missing", async () => {
        const { symbol } = deployment.currency;
        const deposit = await run(["wallet", "deposit", "20000", "--json"]);
        expect(deposit.code).to.equal(1);
        expect(deposit.json["error"]).to.include({ code: "wallet.insufficient-funds" });
        expect(deposit.stderr).to.match(new RegExp(`Send [\\d.]+ ${symbol} to ${FIRST} on chain 31337`));
        const withdrawal = await run(["wallet", "withdraw", "3", "--json"]);
        expect(withdrawal.json["error"]).to.include({ code: "wallet.insufficient-funds" });
        expect((await run(["wallet", "deposit", "1.5 ETH"])).code).to.equal(2);
      });

      it("lets another account spend, and stops it", async () => {
        const words = [
          "wallet",
          "delegate",
          SECOND,
          "--limit",
          "2",
          "--days",
          "3",
          "--provider",
          FIRST,
          "--json",
        ];
        const given = await run(words);
        expect(given.code, given.stderr).to.equal(0);
        const delegation = await market().delegationOf(FIRST, SECOND);
        expect(delegation.limitWei).to.equal(parseEther("2"));
        expect(delegation.provider).to.equal(FIRST);
        expect(Number(delegation.expiresAt)).to.equal(given.json["expiresAtSeconds"]);

        const taken = await run(["wallet", "delegate", SECOND]);
        expect(taken.stdout).to.contain("nothing any more");
        expect((await market().delegationOf(FIRST, SECOND)).limitWei).to.equal(0n);
      });

      it("uses the account of NEURA_PRIVATE_KEY", async () => {
        const { json } = await run(["wallet", "balance", "--json"], { NEURA_PRIVATE_KEY: SECOND_KEY });
        expect(json["account"]).to.equal(SECOND);
      });
    });
  }
});
