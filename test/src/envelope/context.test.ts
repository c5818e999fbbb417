import { expect } from "chai";
import { concat, id, keccak256, toBeHex, zeroPadValue } from "ethers";

import { payloadContext, resultContext } from "../../../src/envelope/index.ts";

const task = {
  chainId: 267n,
  market: "0x00000000000000000000000000000000000000A1",
  owner: "0x00000000000000000000000000000000000000b2",
  salt: `0x${"07".repeat(32)}`,
};

/** The ABI encoding of a string in front of static words, by hand. */
function encoded(tag: string, words: string[]): string {
  const offset = toBeHex(32 * (words.length + 1), 32);
  const text = Buffer.from(tag).toString("hex").padEnd(64, "0");
  return concat([offset, ...words, toBeHex(tag.length, 32), `0x${text}`]);
}

describe("envelope: contexts", () => {
  it("of a payload is chain, market, owner and salt", () => {
    const words = [toBeHex(267, 32), zeroPadValue(task.market, 32), zeroPadValue(task.owner, 32), task.salt];
    expect(payloadContext(task)).to.equal(keccak256(encoded("neura/payload/1", words)));
  });

  it("of a payload changes with each of them", () => {
    const contexts = [
      payloadContext(task),
      payloadContext({ ...task, chainId: 1n }),
      payloadContext({ ...task, market: task.owner }),
      payloadContext({ ...task, owner: task.market }),
      payloadContext({ ...task, salt: id("other") }),
      resultContext({ taskId: task.salt }),
    ];
    expect(new Set(contexts).size).to.equal(contexts.length);
  });

  it("of a result is the task's id", () => {
    expect(resultContext({ taskId: task.salt })).to.equal(keccak256(encoded("neura/result/1", [task.salt])));
  });
});
