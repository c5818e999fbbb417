import { expect } from "chai";
import { network } from "hardhat";
import { verifyTypedData, type TypedDataField } from "ethers";

import { type RpcQuestion, serveRpc } from "../../../scripts/bench/bridge/rpc.ts";
import { attestationOf } from "../../../src/bridge/message.ts";
import { openRemoteSigner } from "../../../src/bridge/remote-signer.ts";
import { Cleanup, errorOf } from "../storage/support.ts";
import { ATTESTERS, walletAt } from "./support.ts";

const GATEWAY = `0x${"11".repeat(20)}`;

describe("a signer elsewhere", function () {
  this.timeout(60_000);
  const cleanup = new Cleanup();
  afterEach(() => cleanup.run());

  const attestation = attestationOf(
    { destinationChain: 5n, destinationGateway: GATEWAY },
    `0x${"22".repeat(32)}`,
    2n ** 64n - 1n,
  );

  async function serve(answer: (question: RpcQuestion) => Promise<unknown>): Promise<string> {
    const server = await serveRpc(answer);
    cleanup.add(() => server.close());
    return server.url;
  }

  /** One that knows this method only, as some do, and has these accounts. */
  const holder = (method: string, wallets: readonly (typeof ATTESTERS)[number][]) =>
    serve(async (question) => {
      if (question.method === "eth_accounts") return wallets.map(({ address }) => address.toLowerCase());
      if (question.method !== method) throw Object.assign(new Error("unknown method"), { code: -32601 });
      const [account, text] = question.params.map(String);
      const { domain, types, message } = JSON.parse(text ?? "") as {
        domain: object;
        types: Record<string, TypedDataField[]>;
        message: Record<string, unknown>;
      };
      const own = { Attestation: types["Attestation"] ?? [] };
      const wallet = wallets.find(({ address }) => address === account);
      if (wallet === undefined) throw new Error("locked");
      return await wallet.signTypedData(domain, own, message);
    });

  for (const method of ["eth_signTypedData_v4", "eth_signTypedData"]) {
    it(`signs as the key would itself, by ${method}`, async () => {
      const [wallet] = ATTESTERS;
      if (wallet === undefined) throw new Error("there are attesters");
      const signer = await openRemoteSigner(await holder(method, [wallet]));
      const { domain, types, value } = attestation;
      expect(await signer.getAddress()).to.equal(wallet.address);
      expect(await signer.signTypedData(domain, types, value)).to.equal(
        await wallet.signTypedData(domain, types, value),
      );
    });
  }

  it("is the one of its accounts that is named, or that is an attester", async () => {
    const connection = await network.create();
    const { provider } = connection;
    cleanup.add(() => connection.close());
    const url = await serve(({ method, params }) => provider.request({ method, params: [...params] }));
    const attester = walletAt(12).address;
    expect((await errorOf(openRemoteSigner(url))).code).to.equal("bridge.no-signer");
    for (const options of [{ account: attester }, { expected: [GATEWAY, attester] }]) {
      const signer = await openRemoteSigner(url, options);
      const { domain, types, value } = attestation;
      const signature = await signer.signTypedData(domain, types, value);
      expect(verifyTypedData(domain, types, value, signature)).to.equal(attester);
    }
    const expected = [walletAt(11).address, attester];
    expect((await errorOf(openRemoteSigner(url, { expected }))).code).to.equal("bridge.no-signer");
    expect((await errorOf(openRemoteSigner(url, { account: GATEWAY }))).code).to.equal("bridge.no-signer");
  });

  it("says why it does not sign", async () => {
    const [wallet] = ATTESTERS;
    if (wallet === undefined) throw new Error("there are attesters");
    const { domain, types, value } = attestation;
    const deaf = await openRemoteSigner(await holder("eth_sign", [wallet]));
    const unknown = await errorOf(deaf.signTypedData(domain, types, value));
    expect([unknown.code, unknown.message.includes("knows neither")]).to.deep.equal([
      "bridge.signer-refuses",
      true,
    ]);
    const locked = await openRemoteSigner(
      await serve(({ method }) =>
        method === "eth_accounts" ? Promise.resolve([wallet.address]) : Promise.reject(new Error("locked")),
      ),
    );
    expect((await errorOf(locked.signTypedData(domain, types, value))).message).to.contain("locked");
    const nobody = await errorOf(openRemoteSigner("http://127.0.0.1:1/secret"));
    expect([nobody.code, nobody.message.includes("secret")]).to.deep.equal(["bridge.signer-refuses", false]);
  });
});
