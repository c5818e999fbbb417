/** Gas of checking what somebody shows of an envelope: a transaction to a contract that does nothing else. */
import { getBytes, keccak256, SigningKey, toUtf8Bytes } from "ethers";
import { network } from "hardhat";

import { proveSharedPoint, wordsForChain } from "../../../src/envelope/dleq.ts";
import { OpeningChecker__factory } from "../../../types/index.ts";
import { type Figure, NOTHING, plusTransaction } from "./figure.ts";

/** What these figures must not exceed [gas]. */
export const OPENING_LIMITS = { openingProof: 45_000 };

/** The same words whenever this runs. */
const wordOf = (name: string): Uint8Array => getBytes(keccak256(toUtf8Bytes(name)));
const keyOf = (name: string): Uint8Array => getBytes(new SigningKey(wordOf(name)).compressedPublicKey);

export async function measureOpenings(): Promise<Record<string, Figure>> {
  const connection = await network.create();
  try {
    const [account] = await connection.ethers.getSigners();
    if (!account) throw new Error("the chain has no account");
    const checker = await new OpeningChecker__factory(account).deploy();
    const statement = {
      context: wordOf("context"),
      keyCommit: wordOf("keyCommit"),
      recipient: keyOf("reader"),
      ephemeral: keyOf("author"),
    };
    const words = wordsForChain(statement, proveSharedPoint(statement, wordOf("reader")));
    if (words === undefined) throw new Error("the proof does not hold");
    const transaction = await checker.requireValid.send(words.statement, words.proof);
    return { openingProof: await plusTransaction(NOTHING, connection, "requireValid", transaction) };
  } finally {
    await connection.close();
  }
}
