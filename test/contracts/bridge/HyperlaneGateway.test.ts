import { expect } from "chai";
import {
  AbiCoder,
  type ContractTransactionResponse,
  getCreateAddress,
  parseEther,
  type Signer,
  toBeHex,
  Wallet,
  ZeroAddress,
  zeroPadValue,
} from "ethers";
import { network } from "hardhat";

import {
  type AnkrBridge,
  BridgedAnkrEscrow__factory,
  type HyperlaneGateway,
  HyperlaneGateway__factory,
  type MockERC20,
  MockERC20__factory,
  NativeAnkrVault__factory,
} from "../../../types/index.ts";
import type { IBridgeGateway } from "../../../types/interfaces/IBridgeGateway.ts";
import { GAS_PRICE_WEI, type Hyperlane, openHyperlane, OVERHEAD_GAS } from "./hyperlane.ts";

const CHAINS = { home: 1, far: 267 } as const;
/** Not the chains' ids. */
const DOMAINS = { home: 1_000_001, far: 1_000_267 } as const;
const DELIVERY_GAS = 300_000n;
const FEE_WEI = (DELIVERY_GAS + OVERHEAD_GAS) * GAS_PRICE_WEI;
const AMOUNT = parseEther("50");
const MESSAGE =
  "tuple(uint256 sourceChain, address sourceGateway, uint256 nonce, address sender, uint256 destinationChain, address destinationGateway, address recipient, bytes payload)";

const VALIDATORS = [1, 2, 3].map((n) => new Wallet(toBeHex(n, 32)));
const INTRUDER = new Wallet(toBeHex(4, 32));

interface End {
  readonly connection: Awaited<ReturnType<typeof network.create>>;
  readonly hyperlane: Hyperlane;
  readonly admin: Signer & { address: string };
  readonly account: Signer & { address: string };
  readonly gateway: HyperlaneGateway;
  readonly bridge: AnkrBridge;
}

/** A token at home and the coin far away, over Hyperlane's published contracts on both chains. */
interface Stage {
  readonly home: End;
  readonly far: End;
  readonly token: MockERC20;
}

describe("bridge/HyperlaneGateway", () => {
  let stage: Stage;

  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(async () => {
    for (const { connection } of [stage.home, stage.far]) await connection.close();
  });

  /** Sends `AMOUNT` to the account of that number at the other end. */
  async function send(end: End): Promise<bigint> {
    const isFar = end === stage.far;
    const value = (isFar ? AMOUNT : 0n) + FEE_WEI;
    const sent = await end.bridge.connect(end.account).send(end.account.address, AMOUNT, 0, { value });
    const receipt = await sent.wait();
    return receipt === null ? 0n : receipt.fee;
  }

  async function deliver(
    from: End,
    to: End,
    signers: readonly Wallet[] = VALIDATORS.slice(0, 2),
  ): Promise<ContractTransactionResponse> {
    const { message, metadata } = await from.hyperlane.latest(signers);
    return await to.hyperlane.mailbox.getFunction("process").send(metadata, message);
  }

  /** The first message from home, as its gateway says it. */
  async function messageHome(
    change: Partial<IBridgeGateway.MessageStruct> = {},
  ): Promise<IBridgeGateway.MessageStruct> {
    const { home, far } = stage;
    const payload = AbiCoder.defaultAbiCoder().encode(
      ["uint256", "address", "address", "uint256", "uint8"],
      [1, home.account.address, far.account.address, AMOUNT, 0],
    );
    return {
      ...{ sourceChain: CHAINS.home, sourceGateway: await home.gateway.getAddress(), nonce: 1 },
      ...{ sender: await home.bridge.getAddress(), destinationChain: CHAINS.far },
      ...{ destinationGateway: await far.gateway.getAddress(), recipient: await far.bridge.getAddress() },
      payload,
      ...change,
    };
  }
  const encode = (message: IBridgeGateway.MessageStruct): string =>
    AbiCoder.defaultAbiCoder().encode([MESSAGE], [message]);

  /** The far gateway as its mailbox calls it. */
  async function asMailbox(): Promise<HyperlaneGateway> {
    const { connection, hyperlane, gateway } = stage.far;
    const mailbox = await hyperlane.mailbox.getAddress();
    await connection.networkHelpers.setBalance(mailbox, parseEther("1"));
    return gateway.connect(await connection.ethers.getImpersonatedSigner(mailbox));
  }

  const outstanding = async (): Promise<readonly bigint[]> => {
    const books = await Promise.all([stage.home, stage.far].map(({ bridge }) => bridge.books()));
    return books.map((of) => of.outstanding);
  };

  /** What Hyperlane carried is nowhere, and home has what was locked. */
  async function expectNothingArrived(lockedWei: bigint): Promise<void> {
    const { home, far, token } = stage;
    expect(await token.balanceOf(home.bridge)).to.equal(lockedWei);
    expect(await outstanding()).to.deep.equal([lockedWei, 0n]);
    expect((await far.bridge.books()).liquidity).to.equal(parseEther("1000"));
  }

  it("carries ANKR there and back, for the mailbox's fee", async () => {
    const { home, far, token } = stage;
    expect(await home.bridge.gatewayFee()).to.equal(FEE_WEI);

    await send(home);
    const { id } = await home.hyperlane.latest([]);
    const [dispatched] = await home.gateway.queryFilter(home.gateway.filters.MessageDispatched());
    const [message] = await home.gateway.queryFilter(home.gateway.filters.MessageSent());
    expect(dispatched?.args.hyperlaneId).to.equal(id);
    expect(dispatched?.args.sendId).to.equal(message?.args.sendId);
    const [payment] = await home.hyperlane.paymaster.queryFilter("GasPayment");
    expect(payment).to.have.property("args");
    if (payment !== undefined && "args" in payment) {
      expect([...payment.args]).to.deep.equal([
        id,
        BigInt(DOMAINS.far),
        DELIVERY_GAS + OVERHEAD_GAS,
        FEE_WEI,
      ]);
    }
    expect(await home.connection.ethers.provider.getBalance(home.gateway)).to.equal(0n);

    const provider = far.connection.ethers.provider;
    const before = await provider.getBalance(far.account);
    const delivered = await (await deliver(home, far)).wait();
    expect(delivered?.gasUsed).to.be.lessThan(DELIVERY_GAS);
    expect(await provider.getBalance(far.account)).to.equal(before + AMOUNT);
    const [received] = await far.gateway.queryFilter(far.gateway.filters.MessageDelivered());
    expect(received?.args.receiveId).to.equal(message?.args.sendId);
    expect(await far.gateway.isDelivered(message?.args.sendId ?? "")).to.equal(true);
    expect(await outstanding()).to.deep.equal([AMOUNT, AMOUNT]);

    // And back: the coins and the fee come in one value.
    const vault = far.bridge.connect(far.account);
    await expect(vault.send(far.account.address, AMOUNT, 0, { value: AMOUNT - 1n }))
      .to.be.revertedWithCustomError(new NativeAnkrVault__factory(far.admin), "Currency_WrongValue")
      .withArgs(AMOUNT - 1n, AMOUNT);
    await expect(vault.send(far.account.address, AMOUNT, 0, { value: AMOUNT }))
      .to.be.revertedWithCustomError(far.gateway, "BridgeGateway_WrongFee")
      .withArgs(0n, FEE_WEI);
    const richWei = await provider.getBalance(far.account);
    const gasWei = await send(far);
    expect(await provider.getBalance(far.account)).to.equal(richWei - AMOUNT - FEE_WEI - gasWei);
    const tokens = await token.balanceOf(home.account);
    await deliver(far, home);
    expect(await token.balanceOf(home.account)).to.equal(tokens + AMOUNT);
    expect(await outstanding()).to.deep.equal([0n, 0n]);
  });

  it("takes exactly the fee of the moment, and nothing where it is another", async () => {
    const { home } = stage;
    const bridge = home.bridge.connect(home.account);
    for (const value of [0n, FEE_WEI - 1n, FEE_WEI + 1n]) {
      await expect(bridge.send(home.account.address, AMOUNT, 0, { value }))
        .to.be.revertedWithCustomError(home.gateway, "BridgeGateway_WrongFee")
        .withArgs(value, FEE_WEI);
    }
    await home.hyperlane.setGasPrice(DOMAINS.far, 2n * GAS_PRICE_WEI);
    expect(await home.bridge.gatewayFee()).to.equal(2n * FEE_WEI);
    await expect(bridge.send(home.account.address, AMOUNT, 0, { value: FEE_WEI }))
      .to.be.revertedWithCustomError(home.gateway, "BridgeGateway_WrongFee")
      .withArgs(FEE_WEI, 2n * FEE_WEI);
    await expectNothingArrived(0n);
  });

  it("A36_accepts what its own validators sign, whatever the mailbox's owner would", async () => {
    const { home, far } = stage;
    await send(home);
    const { message } = await home.hyperlane.latest([]);
    const process = far.hyperlane.mailbox.getFunction("process");
    for (const signers of [[], VALIDATORS.slice(0, 1), [INTRUDER], [INTRUDER, INTRUDER]]) {
      await expect(deliver(home, far, signers)).to.be.revert(far.connection.ethers);
    }
    const twice = [VALIDATORS[0], VALIDATORS[0]].filter((signer) => signer !== undefined);
    await expect(deliver(home, far, twice)).to.be.revertedWith("!threshold");
    // Signatures of another message are none of this one's.
    await send(home);
    const { metadata } = await home.hyperlane.latest(VALIDATORS);
    await expect(process.send(metadata, message)).to.be.revert(far.connection.ethers);
    await expectNothingArrived(2n * AMOUNT);
  });

  it("A36_refuses what another sender says, though validators vouch for it", async () => {
    const { home, far } = stage;
    const recipient = zeroPadValue(await far.gateway.getAddress(), 32);
    const words = [DOMAINS.far, recipient, encode(await messageHome()), "0x"] as const;
    const { mailbox } = home.hyperlane;
    const value: unknown = await mailbox.getFunction("quoteDispatch").staticCall(...words);
    await mailbox.getFunction("dispatch").send(...words, { value });
    await expect(deliver(home, far))
      .to.be.revertedWithCustomError(far.gateway, "HyperlaneGateway_WrongOrigin")
      .withArgs(DOMAINS.home, zeroPadValue(home.admin.address, 32));
    await expectNothingArrived(0n);
  });

  it("A36_delivers once", async () => {
    const { home, far } = stage;
    await send(home);
    await deliver(home, far);
    await expect(deliver(home, far)).to.be.revertedWith("Mailbox: already delivered");
    // Nor if the mailbox forgot it.
    const gateway = await asMailbox();
    const sender = zeroPadValue(await home.gateway.getAddress(), 32);
    const message = await messageHome();
    await expect(gateway.handle(DOMAINS.home, sender, encode(message)))
      .to.be.revertedWithCustomError(far.gateway, "BridgeGateway_AlreadyDelivered")
      .withArgs(await far.gateway.idOf(message));
    expect(await outstanding()).to.deep.equal([AMOUNT, AMOUNT]);
  });

  it("A36_takes messages from its mailbox alone, of its counterpart, for itself", async () => {
    const { home, far } = stage;
    const sender = zeroPadValue(await home.gateway.getAddress(), 32);
    const body = encode(await messageHome());
    await expect(far.gateway.handle(DOMAINS.home, sender, body))
      .to.be.revertedWithCustomError(far.gateway, "HyperlaneGateway_NotMailbox")
      .withArgs(far.admin.address);
    const gateway = await asMailbox();
    // An address in the lower bytes is not the address.
    const padded = `0x01${sender.slice(4)}`;
    for (const [domain, who] of [
      [DOMAINS.far, sender],
      [CHAINS.home, sender],
      [DOMAINS.home, padded],
      [DOMAINS.home, zeroPadValue(ZeroAddress, 32)],
    ] as const) {
      await expect(gateway.handle(domain, who, body))
        .to.be.revertedWithCustomError(far.gateway, "HyperlaneGateway_WrongOrigin")
        .withArgs(domain, who);
    }
    for (const change of [
      { sourceChain: CHAINS.far },
      { sourceGateway: far.admin.address },
      { destinationChain: CHAINS.home },
      { destinationGateway: home.admin.address },
    ]) {
      const message = await messageHome(change);
      await expect(gateway.handle(DOMAINS.home, sender, encode(message)))
        .to.be.revertedWithCustomError(far.gateway, "BridgeGateway_WrongRoute")
        .withArgs(await far.gateway.idOf(message));
    }
    await expect(gateway.handle(DOMAINS.home, sender, body, { value: 1n }))
      .to.be.revertedWithCustomError(far.gateway, "BridgeGateway_WrongFee")
      .withArgs(1n, 0n);
    await expect(gateway.handle(DOMAINS.home, sender, "0x1234")).to.be.revert(far.connection.ethers);
    await expectNothingArrived(0n);
    // Nothing else kept it out.
    await gateway.handle(DOMAINS.home, sender, body);
    expect(await outstanding()).to.deep.equal([0n, AMOUNT]);
  });

  it("delivers later what the other end does not take now", async () => {
    const { home, far } = stage;
    await send(home);
    await far.bridge.connect(far.admin).pause();
    await expect(deliver(home, far)).to.be.revertedWithCustomError(far.bridge, "AnkrBridge_Paused");
    await expectNothingArrived(AMOUNT);
    await far.bridge.connect(far.admin).unpause();
    await deliver(home, far);
    expect(await outstanding()).to.deep.equal([AMOUNT, AMOUNT]);
  });

  it("is not made of what cannot work", async () => {
    const { home } = stage;
    const factory = new HyperlaneGateway__factory(home.admin);
    const module = await home.gateway.interchainSecurityModule();
    const mailbox = await home.hyperlane.mailbox.getAddress();
    const peer = home.account.address;
    for (const [what, domain, of, gas] of [
      ["peerDomain", DOMAINS.home, module, 1],
      ["securityModule", DOMAINS.far, peer, 1],
      ["securityModule", DOMAINS.far, ZeroAddress, 1],
      ["deliveryGas", DOMAINS.far, module, 0],
    ] as const) {
      await expect(factory.deploy(CHAINS.far, peer, mailbox, domain, of, gas))
        .to.be.revertedWithCustomError(home.gateway, "HyperlaneGateway_InvalidSetting")
        .withArgs(what);
    }
    for (const [chain, of] of [
      [CHAINS.home, peer],
      [0, peer],
      [CHAINS.far, ZeroAddress],
    ] as const) {
      await expect(factory.deploy(chain, of, mailbox, DOMAINS.far, module, 1))
        .to.be.revertedWithCustomError(home.gateway, "BridgeGateway_InvalidPeer")
        .withArgs(chain, of);
    }
  });
});

/** The gateway is the next contract of the deployer, and the end the one after it. */
async function openStage(): Promise<Stage> {
  const prepare = async (side: keyof typeof CHAINS) => {
    const connection = await network.create({ override: { chainId: CHAINS[side] } });
    const [admin, account] = await connection.ethers.getSigners();
    if (admin === undefined || account === undefined) throw new Error("the chain has too few accounts");
    const hyperlane = await openHyperlane(admin, DOMAINS[side], INTRUDER);
    await hyperlane.setGasPrice(DOMAINS[side === "home" ? "far" : "home"], GAS_PRICE_WEI);
    const module = await hyperlane.module(VALIDATORS, 2);
    return { connection, admin, account, hyperlane, module };
  };
  const [home, far] = [await prepare("home"), await prepare("far")];
  const token = await new MockERC20__factory(home.admin).deploy();
  const foresee = async ({ admin }: typeof home) => {
    const nonce = await admin.getNonce();
    const at = (offset: number) => getCreateAddress({ from: admin.address, nonce: nonce + offset });
    return { gateway: at(0), bridge: at(1) };
  };
  const addresses = { home: await foresee(home), far: await foresee(far) };
  const gatewayOf = async (side: keyof typeof CHAINS) => {
    const [own, other] = side === "home" ? ([home, "far"] as const) : ([far, "home"] as const);
    return await new HyperlaneGateway__factory(own.admin).deploy(
      ...([CHAINS[other], addresses[other].gateway, await own.hyperlane.mailbox.getAddress()] as const),
      ...([DOMAINS[other], own.module, DELIVERY_GAS] as const),
    );
  };
  const creationOf = (side: keyof typeof CHAINS, of: typeof home) => {
    const most = parseEther("1000000");
    const other = side === "home" ? "far" : "home";
    return {
      ...{ gateway: addresses[side].gateway, peerChain: CHAINS[other], peer: addresses[other].bridge },
      ...{ market: ZeroAddress, owner: of.admin, guardian: of.admin },
      settings: {
        ...{ minimum: 1, fee: 0, feeReceiver: ZeroAddress, threshold: most, waitSeconds: 86_400 },
        ...{ sendCapacity: most, sendPeriod: 86_400, payCapacity: most, payPeriod: 86_400 },
      },
    };
  };
  const gateways = { home: await gatewayOf("home"), far: await gatewayOf("far") };
  const escrow = await new BridgedAnkrEscrow__factory(home.admin).deploy(creationOf("home", home), token);
  const vault = await new NativeAnkrVault__factory(far.admin).deploy(creationOf("far", far));
  await token.mint(home.account, parseEther("1000"));
  await token.connect(home.account).approve(escrow, parseEther("1000"));
  await far.admin.sendTransaction({ to: vault, value: parseEther("1000") });
  return {
    home: { ...home, gateway: gateways.home, bridge: escrow },
    far: { ...far, gateway: gateways.far, bridge: vault },
    token,
  };
}
