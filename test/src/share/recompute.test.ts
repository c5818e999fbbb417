import { expect } from "chai";
import fc from "fast-check";
import { ZeroAddress } from "ethers";

import { readHolders } from "../../../src/share/holders.ts";
import { recomputeShare, ShareRecomputation } from "../../../src/share/recompute.ts";
import { BlocklistERC20__factory } from "../../../types/index.ts";
import { at, DAY, openStage, type ShareStage, UNIT } from "./support.ts";

const HOLDERS = 4;

/** One thing that somebody does; what the contract refuses, it did not do. */
type Action =
  | { do: "deposit"; amount: number; token: boolean }
  | { do: "send"; amount: number; token: boolean }
  | { do: "transfer"; from: number; to: number; part: number }
  | { do: "pass"; periods: number }
  | { do: "claim"; who: number; how: "all" | "one" | "for" | "through"; ago: number }
  | { do: "burn"; who: number; part: number }
  | { do: "share"; who: number; shares: boolean }
  | { do: "mint"; who: number; amount: number }
  | { do: "bridge"; who: number; part: number; back: boolean }
  | { do: "block"; who: number; blocked: boolean }
  | { do: "withdraw"; who: number };

const who = fc.nat(HOLDERS - 1);
const part = fc.integer({ min: 0, max: 10 });
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("deposit" as const), amount: fc.nat(99), token: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("send" as const), amount: fc.nat(99), token: fc.boolean() }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("transfer" as const), from: who, to: who, part }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass" as const), periods: fc.integer({ min: 0, max: 3 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("claim" as const),
      who,
      how: fc.constantFrom("all" as const, "one" as const, "for" as const, "through" as const),
      ago: fc.nat(4),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("burn" as const), who, part }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("share" as const), who, shares: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("mint" as const), who, amount: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("bridge" as const), who, part, back: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("block" as const), who, blocked: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("withdraw" as const), who }) },
);

describe("recomputing a revenue share", () => {
  let stage: ShareStage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.connection.close());

  /** A share with all that can happen to it; whoever calls for something that is refused gets `false`. */
  async function play(actions: readonly Action[]) {
    const { connection, maker } = stage;
    const { ethers, networkHelpers } = connection;
    const token = BlocklistERC20__factory.connect(
      await (await ethers.deployContract("BlocklistERC20")).getAddress(),
      maker,
    );
    await token.mint(maker, 10n ** 30n);
    const now = await networkHelpers.time.latest();
    const share = await stage.make([5, 3, 2, 0], {
      tokens: [await token.getAddress()],
      claimBps: 7_000,
      capWei: 100n * UNIT,
      minting: { minter: maker.address, untilSeconds: now + 9 * DAY },
      bridge: maker.address,
    });
    const done = async (call: Promise<unknown>): Promise<boolean> =>
      await call.then(
        () => true,
        () => false,
      );
    const partOf = async (number: number, tenths: number): Promise<bigint> =>
      ((await share.balanceOf(at(stage, number))) * BigInt(tenths)) / 10n;
    await token.approve(share, 10n ** 30n);
    for (const each of actions) {
      switch (each.do) {
        case "deposit": {
          // Small amounts: what rounding does to them shows.
          const amount = BigInt(each.amount);
          await done(
            each.token ? share.deposit(token, amount) : share.deposit(ZeroAddress, amount, { value: amount }),
          );
          break;
        }
        case "send":
          await (each.token
            ? token.transfer(share, each.amount)
            : maker.sendTransaction({ to: await share.getAddress(), value: each.amount }));
          break;
        case "transfer":
          await share
            .connect(at(stage, each.from))
            .transfer(at(stage, each.to), await partOf(each.from, each.part));
          break;
        case "pass":
          await networkHelpers.time.increase(each.periods * DAY + 1_000);
          break;
        case "claim": {
          const own = share.connect(at(stage, each.who));
          const last = await share.lastSnapshot();
          const snapshot = last > BigInt(each.ago) ? last - BigInt(each.ago) : 0n;
          await done(
            each.how === "all"
              ? own.claimAll()
              : each.how === "one"
                ? own.claim(snapshot)
                : each.how === "through"
                  ? own.claimThrough(snapshot)
                  : share.claimForBatch([at(stage, each.who), at(stage, 0)]),
          );
          break;
        }
        case "burn":
          await share.connect(at(stage, each.who)).burn(await partOf(each.who, each.part));
          break;
        case "share":
          await share.connect(at(stage, each.who)).setSharing(each.shares);
          break;
        case "mint":
          await done(share.mint(at(stage, each.who), BigInt(each.amount) * UNIT));
          break;
        case "bridge": {
          const amount = await partOf(each.who, each.part);
          await share.connect(at(stage, each.who)).approve(maker, amount);
          if (each.back) await share.crosschainMint(at(stage, each.who), (await share.away()) / 2n);
          else await share.crosschainBurn(at(stage, each.who), amount);
          break;
        }
        case "block":
          await token.setBlocked(at(stage, each.who), each.blocked);
          if (each.blocked) await share.connect(at(stage, each.who)).setRecipient(at(stage, each.who));
          else await share.connect(at(stage, each.who)).refuseClaimFor(true);
          break;
        case "withdraw":
          await done(share.connect(at(stage, each.who)).withdrawCredit(token, at(stage, each.who)));
          break;
      }
    }
    return { share, token };
  }

  it("finds every figure in the events, whatever happened", async function () {
    this.timeout(120_000);
    const context = stage.contextOf(stage.maker);
    let claims = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 20, maxLength: 60 }), async (actions) => {
        const { share, token } = await play(actions);
        const address = await share.getAddress();
        const { differences, recomputation, block, events } = await recomputeShare(context, address);
        expect(differences).to.deep.equal([]);
        expect(events).to.be.greaterThan(3);
        claims += (await share.queryFilter(share.filters.Claimed())).length;

        // Snapshot by snapshot, and from the smaller set of events.
        const at0 = at(stage, 0).address;
        const last = Number(await share.lastSnapshot({ blockTag: block }));
        const atSeconds = (await stage.connection.ethers.provider.getBlock(block))?.timestamp ?? 0;
        for (let snapshot = 1; snapshot <= last; snapshot++) {
          const [wei, tokenWei, claimed, shares] = await Promise.all([
            share.claimableRevenue(at0, snapshot),
            share.claimableERC20(at0, snapshot, token),
            share.isClaimed(at0, snapshot),
            share.sharesOfRecord(at0, snapshot),
          ]);
          const own = (of: string) => recomputation.claimableWei(at0, of, { atSeconds, snapshot });
          expect([own(ZeroAddress), own(await token.getAddress())]).to.deep.equal([wei, tokenWei]);
          expect(recomputation.isClaimed(at0, snapshot)).to.equal(claimed);
          if (!claimed) expect(recomputation.sharesOfRecord(at0, snapshot)).to.equal(shares);
        }
        const { holders, supplyWei, eligibleWei } = await readHolders(context, address);
        expect([supplyWei, eligibleWei]).to.deep.equal([
          await share.totalSupply(),
          await share.eligibleSupply(),
        ]);
        for (const { account, balanceWei, isExcluded } of holders) {
          const position = await share.positionOf(account);
          expect([balanceWei, isExcluded]).to.deep.equal([position.balance, position.excluded]);
        }
        const balances = holders.map((each) => each.balanceWei);
        expect(balances).to.deep.equal(balances.toSorted((one, other) => (one < other ? 1 : -1)));
        expect(balances.reduce((sum, each) => sum + each, 0n)).to.equal(supplyWei);
      }),
      { numRuns: 12, seed: 7641 },
    );
    expect(claims, "it is about something").to.be.greaterThan(20);
  });

  it("says where a contract does otherwise", () => {
    const [token, holder, other] = [ZeroAddress, `0x${"11".repeat(20)}`, `0x${"22".repeat(20)}`];
    const rules = {
      ...{ periodSeconds: 100, startSeconds: 1_000, claimBps: 10_000, capWei: 4n, mintUntilSeconds: 0 },
      tokens: [token],
    };
    const share = new ShareRecomputation(rules);
    const take = (atSeconds: number, event: Parameters<ShareRecomputation["take"]>[0]) => {
      share.take(event, { atSeconds, transactionHash: String(atSeconds) });
    };
    take(1_001, { name: "Transfer", from: ZeroAddress, to: holder, amountWei: 3n });
    take(1_001, { name: "Transfer", from: ZeroAddress, to: other, amountWei: 1n });
    take(1_050, { name: "RevenueReceived", token, from: other, amountWei: 8n, period: 0 });
    take(1_099, { name: "Transfer", from: holder, to: other, amountWei: 1n });
    take(1_100, { name: "Transfer", from: holder, to: other, amountWei: 2n });
    const snapshot = { name: "SnapshotTaken" as const, snapshot: 1, token, revenueWei: 8n, eligibleWei: 4n };
    take(1_150, { ...snapshot, claimableWei: 8n, redeemableWei: 0n });
    expect(share.sharesOfRecord(holder, 1)).to.equal(2n);
    const claim = { name: "Claimed" as const, token, from: 1, through: 1 };
    take(1_160, { ...claim, account: holder, amountWei: 4n, recipient: holder });
    share.finish();
    expect(share.differences).to.deep.equal([]);
    expect(share.fundsAt(token, 1_160)).to.deep.equal({ heldWei: 4n, pendingWei: 0n, redeemableWei: 0n });

    take(1_170, { ...claim, account: other, amountWei: 5n, recipient: other });
    take(1_180, { name: "Redeemed", account: other, token, burnedWei: 1n, amountWei: 1n });
    expect(share.differences).to.deep.equal([
      { figure: "claim", account: other, token, snapshot: 1, chain: "5", recomputed: "4" },
      { figure: "redeemed", account: other, token, chain: "1", recomputed: "0" },
    ]);
  });
});
