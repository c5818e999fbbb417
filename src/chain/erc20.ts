import { type ContractRunner, Contract, Signature, type Signer } from "ethers";

import { NeuraError } from "../errors.ts";

const ABI = [
  "function symbol() view returns (string)",
  "function decimals() view returns (uint8)",
  "function totalSupply() view returns (uint256)",
  "function balanceOf(address account) view returns (uint256)",
  "function allowance(address owner, address spender) view returns (uint256)",
  "function approve(address spender, uint256 amount) returns (bool)",
  "function nonces(address owner) view returns (uint256)",
  "function eip712Domain() view returns (bytes1, string, string, uint256, address, bytes32, uint256[])",
];

const PERMIT_TYPES = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
};

/** The part of an ERC-20 token (EIP-20) that paying in it needs. Amounts in its smallest unit. */
export class Erc20 {
  readonly #contract: Contract;

  constructor(address: string, runner: ContractRunner) {
    this.#contract = new Contract(address, ABI, runner);
  }

  async symbol(): Promise<string> {
    return String(await this.#read("symbol"));
  }

  async decimals(): Promise<number> {
    return Number(await this.#read("decimals"));
  }

  /** At a block, or now. */
  async totalSupply(blockTag: number | "latest" = "latest"): Promise<bigint> {
    return BigInt(String(await this.#contract.getFunction("totalSupply").staticCall({ blockTag })));
  }

  async balanceOf(account: string): Promise<bigint> {
    return BigInt(String(await this.#read("balanceOf", account)));
  }

  async allowance(owner: string, spender: string): Promise<bigint> {
    return BigInt(String(await this.#read("allowance", owner, spender)));
  }

  /** Lets `spender` take `amountWei` of the runner's, where it may not already; waits until that is mined. */
  async allow(owner: string, spender: string, amountWei: bigint): Promise<void> {
    if ((await this.allowance(owner, spender)) >= amountWei) return;
    const sent = await this.#contract.getFunction("approve").send(spender, amountWei);
    await sent.wait();
  }

  /**
   * A permit of `signer` for `spender` to take `amountWei` until `deadlineSeconds` (ERC-2612; the domain as the token
   * itself tells it, ERC-5267). Error: `token.no-permit`.
   */
  async permit(
    signer: Signer,
    { spender, amountWei, deadlineSeconds }: { spender: string; amountWei: bigint; deadlineSeconds: number },
  ): Promise<Signature> {
    const owner = await signer.getAddress();
    try {
      const nonce = BigInt(String(await this.#read("nonces", owner)));
      const told = await this.#read("eip712Domain");
      if (!Array.isArray(told)) throw new Error("its domain cannot be read");
      const [, name, version, chainId, verifyingContract] = told.map(String);
      const domain = {
        name: name ?? "",
        version: version ?? "",
        chainId: BigInt(chainId ?? 0),
        verifyingContract: verifyingContract ?? "",
      };
      const value = { owner, spender, value: amountWei, nonce, deadline: deadlineSeconds };
      return Signature.from(await signer.signTypedData(domain, PERMIT_TYPES, value));
    } catch (cause) {
      throw new NeuraError(
        "token.no-permit",
        "The token takes no permits, or does not say for which domain.",
        {
          next: "Deposit without --permit: the token is approved first.",
          cause,
        },
      );
    }
  }

  async #read(name: string, ...values: string[]): Promise<unknown> {
    return await this.#contract.getFunction(name).staticCall(...values);
  }
}
