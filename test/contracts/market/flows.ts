import type { Signer } from "ethers";

import { booksOf } from "./books.ts";
import type { Accounts } from "./books.ts";
import { COLLATERAL_WEI, PRICE_WEI } from "./fixture.ts";
import type { Fixture, Task, TaskOptions } from "./fixture.ts";
import { orderOf } from "./signatures.ts";

/** Ways into the states of a task, for tests that begin there. */
export const HEARTBEAT = 60n;
export const NOTICE = 30n;
export const CHALLENGE = 400n;
export const RULING = 5_000n;

/** What makes a task more than the plain one. */
export const kindsOf = ({ ethers }: Fixture) => ({
  plain: {},
  open: { provider: ethers.ZeroAddress, collateral: COLLATERAL_WEI, maximum: 2n * PRICE_WEI },
  sealed: { provider: ethers.ZeroAddress, collateral: COLLATERAL_WEI, maximum: 2n * PRICE_WEI, flags: 1n },
  lease: { heartbeat: HEARTBEAT, notice: NOTICE },
});

/** The owner pays for a task of these options. */
export async function fund(fixture: Fixture, salt: string, options: TaskOptions = {}, owner?: Signer) {
  const { ethers, market, parties, valueOf } = fixture;
  const payer = owner ?? parties.owner;
  const task = await fixture.makeTask({
    owner: await payer.getAddress(),
    salt: ethers.id(salt),
    ...options,
  });
  const value = valueOf(await market.costOf(task.terms));
  await market.connect(payer).order(orderOf(task), { value });
  return task;
}

export async function accepted(fixture: Fixture, salt: string, options: TaskOptions = {}) {
  const { market, parties } = fixture;
  const task = await fund(fixture, salt, options);
  const asProvider = market.connect(parties.provider);
  if (options.provider === fixture.ethers.ZeroAddress)
    await asProvider.acceptOpen(task.terms, task.work, parties.provider.address);
  else await asProvider.accept(task.terms, task.workHash);
  return task;
}

/** Accepted and delivered, with `used` seconds. */
export async function delivered(fixture: Fixture, salt: string, options: TaskOptions, used = 5n) {
  const task = await accepted(fixture, salt, options);
  await fixture.networkHelpers.time.increase(used);
  const delivery = fixture.deliveryOf(1, used);
  await fixture.market.connect(fixture.parties.provider).deliver(task.terms, task.workHash, delivery);
  return { ...task, delivery };
}

/** A lease that is up. */
export async function ready(fixture: Fixture, salt: string, options: TaskOptions = {}) {
  const task = await accepted(fixture, salt, { ...kindsOf(fixture).lease, ...options });
  await fixture.market.connect(fixture.parties.provider).ready(task.terms, task.workHash, "0x01");
  return task;
}

/** Sends the heartbeats of a lease for `seconds`, every `every` seconds. */
export async function beat(fixture: Fixture, task: Task, seconds: bigint, every = HEARTBEAT) {
  for (let passed = every; passed <= seconds; passed += every) {
    const at = BigInt(await fixture.networkHelpers.time.latest()) + every;
    await fixture.networkHelpers.time.setNextBlockTimestamp(at);
    await fixture.market.connect(fixture.parties.provider).heartbeat([task.id]);
  }
}

/** All that somebody has: wallet, ledger and fees that it will pay [wei]. */
export async function wealthOf(fixture: Fixture, names: readonly string[], others: Accounts = {}) {
  const books = await booksOf(fixture, others);
  return names.reduce((sum, name) => sum + books[`wallet.${name}`]! + books[`ledger.${name}`]!, 0n);
}
