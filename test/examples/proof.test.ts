import { expect } from "chai";
import { id as hashOf, keccak256 } from "ethers";

import { FIELD, layer, type Matrix, proveLayer, signInput } from "../../examples/proof.ts";
import { IProvenArbiter__factory } from "../../src/contracts.ts";
import { Outcome } from "../../src/market/outcome.ts";
import { evidenceHash } from "../../src/verify/index.ts";
import { COST_WEI, deployMarket } from "../contracts/market/fixture.ts";

const SIZE = 8;

function matrixOf(name: string): Matrix {
  return Array.from({ length: SIZE }, (_, row) =>
    Array.from({ length: SIZE }, (_, column) => BigInt(hashOf(`${name} ${row} ${column}`)) % FIELD),
  );
}

describe("examples: a proof", () => {
  it("is paid at once, within the challenge period, and nothing else is", async () => {
    const { ethers, market, parties, makeTask, networkHelpers } = await deployMarket();
    const { owner, provider, stranger } = parties;
    const verifier = await ethers.deployContract("MatrixProductVerifier", [SIZE]);
    const deployed = await ethers.deployContract("ProvenArbiter", [verifier, 3_600]);
    const arbiter = IProvenArbiter__factory.connect(await deployed.getAddress(), stranger);
    const work = { weights: matrixOf("weights"), inputs: matrixOf("inputs") };

    const salt = hashOf("salt");
    const signature = await signInput(owner, arbiter, { salt, ...work });
    const options = { salt, price: COST_WEI, challengePeriod: 86_400n };
    const task = await makeTask({ ...options, arbiter: await deployed.getAddress() });
    await market.connect(owner).submit(task.terms, task.work, { value: COST_WEI });
    await market.connect(provider).accept(task.terms, task.workHash);

    const drawCommit = keccak256(hashOf("nonce"));
    const { evidence, output, proven } = proveLayer(work, { signature, drawCommit });
    await networkHelpers.time.increase(10);
    const delivered = {
      report: BigInt(Outcome.Completed) | (5n << 8n),
      resultHash: hashOf(output),
      evidenceHash: evidenceHash(evidence),
    };
    const delivery = { ...delivered, result: "ar://result" };
    await market.connect(provider).deliver(task.terms, task.workHash, delivery);

    const address = await market.getAddress();
    // One number of the output is another: neither the proof nor the evidence is of it.
    const other = proveLayer({ ...work, inputs: matrixOf("other") }, { signature, drawCommit });
    for (const wrong of [{ ...proven, proof: other.proven.proof }, other.proven])
      await expect(arbiter.settle(address, task.terms, task.workHash, delivered, wrong)).to.revert(ethers);
    expect(await market.balanceOf(provider)).to.equal(0n);

    await arbiter.settle(address, task.terms, task.workHash, delivered, proven);
    expect((await market.taskOf(task.id)).status).to.equal(7n);
    expect((await market.balanceOf(provider)) + (await market.feesDue(provider))).to.equal(COST_WEI);
  });

  it("is of the layer", () => {
    const identity: Matrix = Array.from({ length: SIZE }, (_, row) =>
      Array.from({ length: SIZE }, (_, column) => (row === column ? 1n : 0n)),
    );
    const inputs = matrixOf("inputs");
    expect(layer(identity, inputs)).to.deep.equal(inputs);
    expect(layer(inputs, identity)).to.deep.equal(inputs);
    const half = (FIELD + 1n) / 2n;
    const halves = identity.map((row) => row.map((value) => value * half));
    expect(
      layer(
        halves,
        identity.map((row) => row.map((value) => value * 2n)),
      ),
    ).to.deep.equal(identity);
  });
});
