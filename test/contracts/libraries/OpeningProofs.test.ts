import { expect } from "chai";
import { network } from "hardhat";

import {
  generateKeyPair,
  openingWords,
  type OpeningWords,
  payloadContext,
  proveOpening,
  seal,
} from "../../../src/envelope/index.ts";
import { proveSharedPoint, wordsForChain, type WrapStatement } from "../../../src/envelope/dleq.ts";
import { type OpeningChecker, OpeningChecker__factory } from "../../../types/index.ts";

/** One proof serves both sides: what the library makes off chain, the contract takes, and nothing else. */
describe("OpeningProofs", () => {
  let checker: OpeningChecker;

  before(async () => {
    const { ethers } = await network.create();
    const [account] = await ethers.getSigners();
    if (!account) throw new Error("the chain has no account");
    checker = await new OpeningChecker__factory(account).deploy();
  });

  function random(): { statement: WrapStatement; words: OpeningWords } {
    const keys = generateKeyPair();
    const statement = {
      context: crypto.getRandomValues(new Uint8Array(32)),
      keyCommit: crypto.getRandomValues(new Uint8Array(32)),
      recipient: keys.publicKey,
      ephemeral: generateKeyPair().publicKey,
    };
    const words = wordsForChain(statement, proveSharedPoint(statement, keys.secretKey.reveal()));
    if (words === undefined) throw new Error("an honest proof does not hold");
    return { statement, words };
  }

  it("takes what is shown of an envelope", async () => {
    const { publicKey, secretKey } = generateKeyPair();
    const task = {
      chainId: 267n,
      market: `0x${"a1".repeat(20)}`,
      owner: `0x${"b2".repeat(20)}`,
      salt: `0x${"07".repeat(32)}`,
    };
    const context = payloadContext(task);
    const { header } = seal({
      context,
      compartments: [{ kind: "body", recipients: [publicKey], source: [] }],
    });
    const opening = proveOpening(header, { kind: "body", context, secretKey });
    const words = openingWords(header, opening, { context });
    expect(await checker.verify(words.statement, words.proof)).to.equal(true);
    await checker.requireValid(words.statement, words.proof);
  });

  it("says the same as the library of honest proofs and of changed ones", async () => {
    const parities = new Set<string>();
    for (let count = 0; count < 12; count += 1) {
      const { words } = random();
      const { statement, proof } = words;
      parities.add(
        [statement.recipient, statement.ephemeral, statement.shared].map((p) => +p.isOdd).join(""),
      );
      expect(await checker.verify(statement, proof)).to.equal(true);
      const flipped = (point: { x: bigint; isOdd: boolean }) => ({ ...point, isOdd: !point.isOdd });
      const changed = [
        { statement: { ...statement, context: statement.keyCommit } },
        { statement: { ...statement, recipient: flipped(statement.recipient) } },
        { statement: { ...statement, ephemeral: flipped(statement.ephemeral) } },
        { statement: { ...statement, shared: flipped(statement.shared) } },
        { proof: { ...proof, s: proof.s ^ 1n } },
        { proof: { ...proof, c: proof.c ^ 1n } },
        { proof: random().words.proof },
      ];
      for (const change of changed) {
        const { statement: about, proof: shown } = { ...words, ...change };
        expect(await checker.verify(about, shown)).to.equal(false);
      }
    }
    // Every prefix of every point has occurred.
    for (const at of [0, 1, 2]) {
      expect(new Set([...parities].map((each) => each[at])).size, `point ${at}`).to.equal(2);
    }
  });

  it("has no words for what does not hold", () => {
    const { statement } = random();
    const stranger = proveSharedPoint(statement, generateKeyPair().secretKey.reveal());
    expect(wordsForChain(statement, stranger)).to.equal(undefined);
  });
});
