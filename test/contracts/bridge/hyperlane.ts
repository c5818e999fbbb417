/** Hyperlane on one chain, from its published bytecode: a mailbox with its hooks, and validators' signatures. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  Contract,
  ContractFactory,
  concat,
  type InterfaceAbi,
  keccak256,
  parseUnits,
  type Result,
  type Signer,
  solidityPackedKeccak256,
  toBeHex,
  type Wallet,
  zeroPadValue,
} from "ethers";

const FACTORIES = "node_modules/@hyperlane-xyz/core/dist/factories/contracts";

/** Only what is called; the files name the rest. */
const ABIS = {
  "Mailbox.js": [
    "constructor(uint32 localDomain)",
    "function initialize(address owner, address defaultIsm, address defaultHook, address requiredHook)",
    "function dispatch(uint32 domain, bytes32 recipient, bytes body, bytes metadata) payable returns (bytes32)",
    "function quoteDispatch(uint32 domain, bytes32 recipient, bytes body, bytes metadata) view returns (uint256)",
    "function process(bytes metadata, bytes message) payable",
    "function delivered(bytes32 id) view returns (bool)",
    "event Dispatch(address indexed sender, uint32 indexed destination, bytes32 indexed recipient, bytes message)",
    "event DispatchId(bytes32 indexed messageId)",
  ],
  "hooks/MerkleTreeHook.js": [
    "constructor(address mailbox)",
    "function latestCheckpoint() view returns (bytes32 root, uint32 index)",
  ],
  "hooks/igp/InterchainGasPaymaster.js": [
    "function initialize(address owner, address beneficiary)",
    "function setDestinationGasConfigs(tuple(uint32 domain, tuple(address oracle, uint96 overhead) config)[])",
    "event GasPayment(bytes32 indexed messageId, uint32 indexed domain, uint256 gasAmount, uint256 payment)",
  ],
  "hooks/igp/StorageGasOracle.js": [
    "function setRemoteGasData(tuple(uint32 domain, uint128 tokenExchangeRate, uint128 gasPrice))",
  ],
  "isms/multisig/StorageMultisigIsm.sol/StorageMessageIdMultisigIsm.js": [
    "constructor(address[] validators, uint8 threshold)",
  ],
} satisfies Record<string, InterfaceAbi>;

/** What a message's delivery takes besides the gas that its sender names. */
export const OVERHEAD_GAS = 50_000n;
/** 1, in what an oracle's exchange rates are in. */
const EVEN = 10n ** 10n;

export interface Hyperlane {
  readonly domain: number;
  readonly mailbox: Contract;
  readonly paymaster: Contract;
  /** What gas of the other chain costs here. */
  readonly setGasPrice: (remoteDomain: number, gasPriceWei: bigint) => Promise<void>;
  /** A module that `threshold` of `validators` satisfy. */
  readonly module: (validators: readonly Wallet[], threshold: number) => Promise<string>;
  /** Of the message that was dispatched last: its bytes, and the metadata that `signers` make of it for a module. */
  readonly latest: (signers: readonly Wallet[]) => Promise<{ message: string; id: string; metadata: string }>;
}

/** @param anyone what the mailbox's default module is satisfied by */
export async function openHyperlane(admin: Signer, domain: number, anyone: Wallet): Promise<Hyperlane> {
  const mailbox = await deploy(admin, "Mailbox.js", domain);
  const tree = await deploy(admin, "hooks/MerkleTreeHook.js", mailbox);
  const paymaster = await deploy(admin, "hooks/igp/InterchainGasPaymaster.js");
  const oracle = await deploy(admin, "hooks/igp/StorageGasOracle.js");
  const module = async (validators: readonly Wallet[], threshold: number): Promise<string> => {
    const accounts = validators.map(({ address }) => address);
    const deployed = await deploy(
      admin,
      "isms/multisig/StorageMultisigIsm.sol/StorageMessageIdMultisigIsm.js",
      ...[accounts, threshold],
    );
    return await deployed.getAddress();
  };
  await call(paymaster, "initialize", admin, admin);
  await call(mailbox, "initialize", admin, await module([anyone], 1), paymaster, tree);
  return {
    ...{ domain, mailbox, paymaster, module },
    setGasPrice: async (remoteDomain, gasPriceWei) => {
      await call(oracle, "setRemoteGasData", [remoteDomain, EVEN, gasPriceWei]);
      const config = [await oracle.getAddress(), OVERHEAD_GAS];
      await call(paymaster, "setDestinationGasConfigs", [[remoteDomain, config]]);
    },
    latest: async (signers) => {
      const [event] = (await mailbox.queryFilter("Dispatch")).slice(-1);
      if (event === undefined || !("args" in event)) throw new Error("nothing was dispatched");
      const message: unknown = event.args.at(3);
      if (typeof message !== "string") throw new Error("a message has other bytes");
      const id = keccak256(message);
      const [root, index] = checkpointOf(await tree.getFunction("latestCheckpoint").staticCallResult());
      const hook = zeroPadValue(await tree.getAddress(), 32);
      // A checkpoint, as CheckpointLib has it.
      const of = solidityPackedKeccak256(["uint32", "bytes32", "string"], [domain, hook, "HYPERLANE"]);
      const digest = keccak256(concat([of, root, toBeHex(index, 4), id]));
      const signatures = signers.map((signer) => signer.signMessageSync(Buffer.from(digest.slice(2), "hex")));
      return { message, id, metadata: concat([hook, root, toBeHex(index, 4), ...signatures]) };
    },
  };
}

export const GAS_PRICE_WEI = parseUnits("2", "gwei");

async function deploy(admin: Signer, file: keyof typeof ABIS, ...words: unknown[]): Promise<Contract> {
  const path = join(FACTORIES, file.replace(/\.js$/, "__factory.js"));
  // Made for ethers 5, it cannot be imported here.
  const bytecode = /_bytecode = "(0x[0-9a-f]+)"/.exec(await readFile(path, "utf8"))?.[1];
  if (bytecode === undefined) throw new Error(`${path} has no bytecode`);
  const deployed = await new ContractFactory(ABIS[file], bytecode, admin).deploy(...words);
  await deployed.waitForDeployment();
  return new Contract(await deployed.getAddress(), ABIS[file], admin);
}

function checkpointOf(result: Result): [root: string, index: bigint] {
  const words: unknown[] = result.toArray();
  const [root, index] = words;
  if (typeof root !== "string" || typeof index !== "bigint")
    throw new Error("a checkpoint is of other types");
  return [root, index];
}

async function call(contract: Contract, name: string, ...words: unknown[]): Promise<void> {
  await contract.getFunction(name).send(...words);
}
