import { AbiCoder, hexlify, Interface } from "ethers";

import type { ReceiptReport } from "../src/index.ts";

/** ERC-7007, verifiable AI-generated content: the part that a receipt has something to say for. */
export const ERC7007 = new Interface([
  "function mint(address to, bytes prompt, bytes aigcData, string uri, bytes proof) returns (uint256 tokenId)",
  "function verify(bytes prompt, bytes aigcData, bytes proof) view returns (bool success)",
]);

const EVIDENCE =
  "tuple(bytes32 inputRoot, bytes32 resultRoot, bytes32 unitsRoot, uint256 unitCount, bytes32 runHash, bytes32 drawCommit)";

/**
 * What ERC-7007's opML way asks of `verify`: that the time to challenge the content is over and nobody did. It does not
 * say that the content is what the model makes of the prompt. A contract answers the same by `taskOf(id)` of the market.
 */
export function isFinal({ receipt, sound, backing }: ReceiptReport): boolean {
  const { settled, assurance } = receipt.statement.settlement;
  return (
    sound &&
    backing === "chain" &&
    settled?.event === "TaskSettled" &&
    assurance.some(({ kind, ...facts }) => kind === "unchallenged" && "seconds" in facts && facts.seconds > 0)
  );
}

/**
 * The call that mints a token for a result. `prompt` is the input's root and `aigcData` the result's: neither tells what
 * was asked or answered, and a part of either can be shown later. `proof` is what leads from both to the delivery: the
 * task's id, and the evidence whose hash the delivery's event has.
 */
export function mintCall(report: ReceiptReport, { to, uri }: { to: string; uri: string }): string {
  if (!isFinal(report)) throw new Error(`it is not final: ${report.summary}`);
  const { evidence, settlement } = report.receipt.statement;
  const proof = AbiCoder.defaultAbiCoder().encode(["bytes32", EVIDENCE], [settlement.taskId, evidence]);
  const [prompt, aigcData] = [hexlify(evidence.inputRoot), hexlify(evidence.resultRoot)];
  return ERC7007.encodeFunctionData("mint", [to, prompt, aigcData, uri, proof]);
}
