import { expect } from "chai";
import type { Signer } from "ethers";

import { deployPair, type PairPlan, type PairSettings } from "../../../modules/bridge.ts";
import { verifyBridge } from "../../../src/bridge/deployment.ts";
import { MockERC20__factory, QuorumGateway__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";
import { ATTESTERS, DAY, openChains, settingsOf, walletAt } from "./support.ts";

/** A signer that is cut off before its transaction with this number. */
function cutOff(signer: Signer, after: number): Signer {
  let sent = 0;
  return new Proxy(signer, {
    get: (target, name) => {
      if (name === "sendTransaction" && ++sent > after) throw new Error("cut off");
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

describe("deploying a pair", function () {
  this.timeout(120_000);
  let chains: Awaited<ReturnType<typeof openChains>>;
  let settings: PairSettings;
  before(async () => {
    chains = await openChains();
    const token = await (await new MockERC20__factory(chains.deployer.home).deploy()).getAddress();
    settings = {
      token: { address: token, symbol: "ANKR", decimals: 18 },
      ...{ kind: "minted", markets: {}, attesters: ATTESTERS.map(({ address }) => address), threshold: 3 },
      ...{ guardian: walletAt(8).address, admin: walletAt(7).address, delaySeconds: DAY },
      settings: settingsOf(),
    };
  });
  after(() => chains.close());

  it("goes on where it was cut off, with the addresses of before", async () => {
    const { home, far } = chains.deployer;
    let plan: PairPlan | undefined;
    const record = (made: PairPlan): void => void (plan = made);
    for (const after of [1, 2]) {
      const signers = { home: cutOff(home, after), far: cutOff(far, after) };
      await deployPair(signers, settings, { known: plan, record }).then(
        () => expect.fail("it was cut off"),
        (error: unknown) => expect(error).to.have.property("message", "cut off"),
      );
    }
    const other = deployPair({ home, far }, { ...settings, delaySeconds: 1 }, { known: plan });
    expect((await errorOf(other)).code).to.equal("bridge.deploy-unlike");
    const deployment = await deployPair({ home, far }, settings, { known: plan, record });
    const providers = {
      home: chains.connections.home.ethers.provider,
      far: chains.connections.far.ethers.provider,
    };
    await verifyBridge(deployment, providers);
    const gateway = QuorumGateway__factory.connect(deployment.far.gateway, far);
    expect(await gateway.owner()).to.equal(deployment.far.owner);
    // Once it is whole, nothing is sent.
    const again = { home: cutOff(home, 0), far: cutOff(far, 0) };
    expect(await deployPair(again, settings, { known: plan })).to.deep.equal(deployment);
  });

  it("says where another transaction came between", async () => {
    const { home, far } = chains.deployer;
    let plan: PairPlan | undefined;
    await deployPair({ home: cutOff(home, 1), far }, settings, {
      record: (made) => void (plan = made),
    }).catch(() => undefined);
    await home.sendTransaction({ to: walletAt(1).address });
    const late = deployPair({ home, far }, settings, { known: plan });
    expect((await errorOf(late)).code).to.equal("bridge.deploy-interrupted");
  });
});
