import { formatUnits, parseUnits } from "ethers";

import { formatAmount, parseAmount } from "../../src/amount.ts";
import { NeuraError } from "../../src/errors.ts";
import type { Receipt } from "../../src/market/transaction.ts";
import type { ChangedStanding } from "../../src/ownership/change.ts";
import type { OwnershipName, OwnershipReference } from "../../src/ownership/context.ts";
import type { DeedsMoved } from "../../src/ownership/deeds.ts";
import type { OwnershipView } from "../../src/ownership/show.ts";
import type { OwnershipStanding } from "../../src/ownership/standing.ts";
import { momentText } from "../../src/text.ts";
import { parseAddress } from "../address.ts";
import { type CommandResult, fields } from "../output.ts";

type Rows = (readonly [string, string | number])[];

// ---- What is written ----

/** What names an ownership: an address, or a model's number. Error: `usage.address`. */
export function parseReference(text: string): OwnershipReference {
  return /^\d{1,9}$/.test(text) ? Number(text) : parseAddress(text, "ownership");
}

const UNIT_DECIMALS = 18;

/** Units as people write them, `2500` or `0.5`, in the smallest unit of a token. Error: `usage.units`. */
export function parseUnitCount(text: string, unitWei: bigint, name: string): bigint {
  const count = /^(?<count>\d{1,30}(?:\.\d{1,18})?)$/.exec(text.trim())?.groups?.["count"];
  const scaledWei = count === undefined ? 1n : parseUnits(count, UNIT_DECIMALS) * unitWei;
  const scale = 10n ** BigInt(UNIT_DECIMALS);
  if (count !== undefined && scaledWei % scale === 0n) return scaledWei / scale;
  throw new NeuraError("usage.units", `The ${name} ${JSON.stringify(text)} is not a number of units.`, {
    next: "Write it like 2500 or 0.5: a unit is what one deed stands for.",
  });
}

/**
 * How much of an ownership: in units, `2.5` or `2.5 units`, or in its token, `250READ` or `7wei`.
 * Errors: `usage.units`, `usage.amount`.
 */
export function parseQuantity(text: string, ownership: OwnershipName): bigint {
  const units = /^(?<count>[\d.]+)\s*(?:units?)?$/i.exec(text.trim())?.groups?.["count"];
  return units === undefined
    ? parseAmount(text, ownership)
    : parseUnitCount(units, ownership.unitWei, "amount");
}

/** A number of a deed. Error: `usage.number`. */
export function parseDeed(text: string): number {
  if (/^[1-9]\d{0,7}$/.test(text.trim())) return Number(text);
  throw new NeuraError("usage.number", `The deed ${JSON.stringify(text)} is not a number.`, {
    next: "Give its number at the deeds' contract, like 17: `model deeds` lists them.",
  });
}

// ---- What is shown ----

/** An ownership on one line. */
export function ownershipText({ symbol, name, address }: OwnershipName): string {
  return `${symbol} (${name}), ${address}`;
}

/** An amount, and how many units that is where these are not tokens. */
export function quantityText(wei: bigint, ownership: OwnershipName): string {
  const amount = formatAmount(wei, ownership);
  if (ownership.unitWei === 10n ** BigInt(ownership.decimals)) return amount;
  const units = (wei * 10n ** BigInt(UNIT_DECIMALS)) / ownership.unitWei;
  return `${amount} (${formatUnits(units, UNIT_DECIMALS).replace(/\.0$/, "")} units)`;
}

/** Runs of numbers that are written out, and numbers in a row that make one. */
const MOST_RUNS = 12;
const LEAST_IN_RUN = 3;

/** Numbers of deeds in their order, those in a row as one run: `3, 7-12, 130-128`. */
export function idsText(ids: readonly number[]): string {
  const runs: number[][] = [];
  for (const id of ids) {
    const run = runs.at(-1);
    const [first = id, second] = run ?? [];
    const step = second === undefined ? id - first : second - first;
    if (run !== undefined && Math.abs(step) === 1 && id === (run.at(-1) ?? id) + step) run.push(id);
    else runs.push([id]);
  }
  const texts = runs.flatMap((run) =>
    run.length < LEAST_IN_RUN ? run.map(String) : [`${run[0] ?? ""}-${run.at(-1) ?? ""}`],
  );
  if (texts.length === 0) return "none";
  return [...texts.slice(0, MOST_RUNS), ...(texts.length > MOST_RUNS ? ["…"] : [])].join(", ");
}

/** How many deeds, in words. */
export function deedsText(count: number): string {
  return `${count} deed${count === 1 ? "" : "s"}`;
}

/** Where an account stands, and, unless that follows, what can be done about what it lacks. */
export function standingRows(
  ownership: OwnershipName,
  standing: OwnershipStanding,
  { explained = false }: { explained?: boolean } = {},
): Rows {
  const { account, balanceWei, wholeUnits, deeds, ids, pending, uncovered } = standing;
  const { address } = ownership;
  return [
    ["Account", account],
    ["Balance", quantityText(balanceWei, ownership)],
    ["Deeds", deeds === 0 ? `none, of ${wholeUnits} whole units` : `${deeds} of ${wholeUnits} whole units`],
    ...(ids.length === 0
      ? []
      : [["Numbers", `${idsText(ids)}${ids.length < deeds ? ` (${ids.length} of them)` : ""}`] as const]),
    ...(pending === 0
      ? []
      : [["Without a deed", explained ? pending : `${pending}: \`model why ${address}\` says why`] as const]),
    ...(uncovered === 0
      ? []
      : [
          [
            "Uncovered",
            `${uncovered}, which have no owner${explained ? "" : `: \`model release ${address} --uncovered ${account}\``}`,
          ] as const,
        ]),
    ["New deeds", exemptionText(standing)],
  ];
}

/** Whether what an account receives comes with deeds, and who said so. */
export function exemptionText({ isExempt, saidBy, isContract }: OwnershipStanding): string {
  const answer = isExempt ? "none come with what it receives" : "come with whole units";
  switch (saidBy) {
    case "itself":
      return `${answer}: it has said so`;
    case "owner":
      return `${answer}: the owner has said so`;
    case "default":
      return isExempt && isContract ? `${answer}: it is a contract that has said nothing` : answer;
  }
}

/** Everything that is nobody's own. */
export function ownershipRows(view: OwnershipView): Rows {
  const { address, mirror, minter, capWei, supplyWei } = view;
  return [
    ["Ownership", `${view.symbol} (${view.name})`],
    ["Token", `${address}: in a wallet, a token`],
    ["Deeds at", `${mirror}: in a wallet, a collection of NFTs`],
    ["Unit", `${formatAmount(view.unitWei, view)} for each deed`],
    ["Made", quantityText(supplyWei, view)],
    ["Deeds", `${view.deeds} of ${view.wholeUnits} whole units; ${view.queued} wait to be given out again`],
    [
      "Minting",
      minter === undefined
        ? "none any more"
        : `${minter}, up to ${quantityText(capWei, view)} in all, until ${momentText(view.mintUntilSeconds ?? 0)}`,
    ],
    ["Licence", view.licence === "" ? "not said" : view.licence],
    [
      "Owner",
      view.owner === undefined
        ? "none"
        : `${view.owner}: may exempt contracts and choose how deeds look, nothing else`,
    ],
    ["Pictures", view.isDrawn ? "drawn on chain" : `from ${view.metadata}`],
    [
      "Royalty",
      view.royaltyReceiver === undefined
        ? "none asked for"
        : `${view.royaltyBps / 100} % of a deed's price, to ${view.royaltyReceiver}`,
    ],
  ];
}

/** Where an account stands after a change, as a command's result. */
export function standingResult({ ownership, standing, transaction }: ChangedStanding, more: Rows = []) {
  return {
    data: { ownership, standing, transaction },
    text: fields([
      ["Ownership", ownershipText(ownership)],
      ...standingRows(ownership, standing),
      ...more,
      ["Transaction", transaction.hash],
    ]),
  };
}

/** Deeds that were made or given back, as a command's result. */
export function movedResult(title: string, moved: DeedsMoved, more: Rows = []): CommandResult {
  const { ownership, standing, ids, transactions } = moved;
  return {
    data: { ...moved },
    text: fields([
      ["Ownership", ownershipText(ownership)],
      [title, idsText(ids)],
      ...standingRows(ownership, standing),
      ...more,
      transactionsRow(transactions),
    ]),
  };
}

function transactionsRow(transactions: readonly Receipt[]): readonly [string, string] {
  const hashes = transactions.map(({ hash }) => hash).join(", ");
  return [transactions.length === 1 ? "Transaction" : "Transactions", hashes];
}
