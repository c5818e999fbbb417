import { type ContractRunner, Contract } from "ethers";

const ABI = [
  "function symbol() view returns (string)",
  "function decimals() view returns (uint8)",
  "function balanceOf(address account) view returns (uint256)",
  "function allowance(address owner, address spender) view returns (uint256)",
  "function approve(address spender, uint256 amount) returns (bool)",
];

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

  async #read(name: string, ...values: string[]): Promise<unknown> {
    return await this.#contract.getFunction(name).staticCall(...values);
  }
}
