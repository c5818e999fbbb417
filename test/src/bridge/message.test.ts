import { expect } from "chai";
import fc from "fast-check";
import { getAddress, hexlify } from "ethers";

import { parseBridge, verifyBridge } from "../../../src/bridge/deployment.ts";
import {
  attestationDigest,
  decodeMessages,
  decodeTransfer,
  encodeTransfer,
  messageId,
  TARGETS,
  transferKey,
} from "../../../src/bridge/message.ts";
import { routeFrom } from "../../../src/bridge/context.ts";
import { QuorumGateway__factory } from "../../../types/index.ts";
import { errorOf } from "../storage/support.ts";
import { ANKR, deployBridge, openChains, type Pair } from "./support.ts";

const account = fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => getAddress(hexlify(bytes)));
const bytes = fc.uint8Array({ maxLength: 100 }).map((each) => hexlify(each));
const word = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n });

describe("messages of the bridge", function () {
  this.timeout(120_000);
  let chains: Awaited<ReturnType<typeof openChains>>;
  let pair: Pair;
  before(async () => {
    chains = await openChains();
    pair = await deployBridge(chains.deployer);
  });
  after(() => chains.close());

  it("have the ids and digests that the contract gives them", async () => {
    const { gatewayContract, gateway, chainId } = pair.bridge.far;
    const property = fc.asyncProperty(
      fc.record({
        ...{ sourceChain: word, sourceGateway: account, nonce: word, sender: account },
        ...{ destinationChain: word, destinationGateway: account, recipient: account, payload: bytes },
      }),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      async (message, epoch) => {
        const id = messageId(message);
        expect(id).to.equal(await gatewayContract.idOf(message));
        const route = { destinationChain: BigInt(chainId), destinationGateway: gateway };
        expect(attestationDigest(route, id, epoch)).to.equal(await gatewayContract.digestOf(id, epoch));
      },
    );
    await fc.assert(property, { numRuns: 30 });
  });

  it("are read from logs as they were sent, whoever sent them", async () => {
    const { home } = pair.bridge;
    const route = routeFrom(pair.bridge, home);
    const gateway = QuorumGateway__factory.connect(home.gateway, chains.deployer.home);
    const sender = await chains.deployer.home.getAddress();
    const head = `0x0001000002${pair.bridge.far.chainId.toString(16).padStart(4, "0")}14`;
    const property = fc.asyncProperty(
      account.filter((each) => BigInt(each) !== 0n),
      bytes,
      async (recipient, payload) => {
        const sent = await gateway.sendMessage(head + recipient.slice(2).toLowerCase(), payload, []);
        const receipt = await sent.wait();
        const [found] = decodeMessages(route, receipt?.logs ?? []);
        const nonce = await gateway.sent();
        expect(found?.message).to.deep.equal({ ...route, nonce, sender, recipient, payload });
        expect(found?.block.hash).to.equal(receipt?.blockHash);
      },
    );
    await fc.assert(property, { numRuns: 10 });
  });

  it("are refused where an endpoint changes anything about them", async () => {
    const { home, far } = pair.bridge;
    const route = routeFrom(pair.bridge, home);
    const gateway = QuorumGateway__factory.connect(home.gateway, chains.deployer.home);
    const head = `0x0001000002${far.chainId.toString(16).padStart(4, "0")}14`;
    const sent = await gateway.sendMessage(head + "11".repeat(20), "0x1234", []);
    const logs = [...((await sent.wait())?.logs ?? [])];
    expect(decodeMessages(route, logs)).to.have.length(1);
    const elsewhere = { ...route, destinationChain: 1n };
    const forged = { ...route, destinationGateway: far.bridge };
    for (const other of [elsewhere, forged]) {
      expect(() => decodeMessages(other, logs)).to.throw(/message|address/);
    }
    const numberless = logs.filter(({ topics }) => topics.length !== 3);
    expect(() => decodeMessages(route, numberless)).to.throw("has no number");
  });

  it("hold transfers that are read as they were written", () => {
    const transfer = fc.record({
      ...{ number: word, from: account, to: account, amountWei: word },
      target: fc.constantFrom(...TARGETS),
    });
    fc.assert(
      fc.property(transfer, (each) => {
        expect(decodeTransfer(encodeTransfer(each))).to.deep.equal(each);
      }),
    );
    expect(() => decodeTransfer("0x1234")).to.throw("no transfer");
  });

  it("name a transfer as the contract does", async () => {
    const { home } = pair.bridge;
    const user = await chains.signer("home", 1);
    await pair.token.connect(user).approve(home.bridge, 2n * ANKR);
    const sent = await home.contract.connect(user).send(await user.getAddress(), ANKR, 0);
    const receipt = await sent.wait();
    const [log] = await home.contract.queryFilter(home.contract.filters.Sent(), receipt?.blockNumber);
    expect(log?.args.transfer).to.equal(transferKey(BigInt(home.chainId), home.bridge, 1n));
  });

  it("belong to a pair on record, which is checked against its chains", async () => {
    const { deployment, bridge } = pair;
    const providers = { home: bridge.home.provider, far: bridge.far.provider };
    expect(parseBridge(JSON.stringify(deployment))).to.deep.equal(deployment);
    expect(() => parseBridge(JSON.stringify({ ...deployment, home: { chainId: -1 } }))).to.throw("faults");
    const other = (change: object) => ({ ...deployment, far: { ...deployment.far, ...change } });
    const wrong = [
      [other({ gateway: deployment.far.bridge }), "bridge.unlike"],
      [other({ market: deployment.far.bridge }), "bridge.unlike"],
      [other({ bridge: `0x${"11".repeat(20)}` }), "deployment.no-code"],
      [other({ chainId: 1 }), "deployment.wrong-chain"],
    ] as const;
    for (const [record, code] of wrong) {
      const codes = [(await errorOf(verifyBridge(record, providers))).code];
      expect(codes).to.deep.equal([code]);
    }
  });
});
