import { expect } from "chai";
import { concat, hexlify, toUtf8Bytes, ZeroAddress, zeroPadValue } from "ethers";
import fc from "fast-check";

import { TaskMarket__factory } from "../../../types/factories/market/TaskMarket__factory.ts";
import { isNeuraError, type NeuraError } from "../../../src/errors.ts";
import { decodeTaskEvent, TASK_TOPICS } from "../../../src/market/events.ts";
import { Outcome } from "../../../src/market/outcome.ts";

const INTERFACE = TaskMarket__factory.createInterface();
const ID = `0x${"ab".repeat(32)}`;
const PLACE = "ar://0123456789012345678901234567890123456789012";

/** A log with `bytes` where the event has `PLACE`. */
function logWith(name: "TaskSubmitted" | "TaskDelivered", bytes: string): { topics: string[]; data: string } {
  const values =
    name === "TaskSubmitted"
      ? [ID, ZeroAddress, ZeroAddress, 1n, 1n, 0n, ID, 0n, ID, PLACE]
      : [ID, BigInt(Outcome.Completed) | (7n << 8n), ID, ID, PLACE];
  const { topics, data } = INTERFACE.encodeEventLog(name, values);
  return { topics: [...topics], data: data.replace(hexlify(toUtf8Bytes(PLACE)).slice(2), bytes.slice(2)) };
}

function errorOf(work: () => unknown): NeuraError {
  try {
    work();
  } catch (error) {
    if (isNeuraError(error)) return error;
    throw error;
  }
  throw new Error("an error was expected");
}

describe("market: events", () => {
  const junk = concat(["0xff", hexlify(toUtf8Bytes(PLACE.slice(1)))]);

  it("says that a task with a payload that is no text is malformed, without its bytes", () => {
    const error = errorOf(() => decodeTaskEvent(logWith("TaskSubmitted", junk)));
    expect(error.code).to.equal("task.malformed");
    expect(error.message).to.equal(`What the chain says of task ${ID} cannot be read.`);
    expect(String(error.details["reason"])).to.have.length.at.most(200);
  });

  it("tells of a delivery whatever its reference is made of", () => {
    const event = decodeTaskEvent(logWith("TaskDelivered", junk));
    if (event?.name !== "TaskDelivered") throw new Error("no delivery");
    expect(event.delivery).to.deep.equal({
      outcome: Outcome.Completed,
      secondsUsed: 7,
      resultHash: ID,
      evidenceHash: ID,
      result: `\uFFFD${PLACE.slice(1)}`,
    });
    const sound = decodeTaskEvent(logWith("TaskDelivered", hexlify(toUtf8Bytes(PLACE))));
    expect(sound).to.have.nested.property("delivery.result", PLACE);
  });

  it("throws nothing but errors with a code, whatever the bytes", () => {
    const bytes = fc.uint8Array({ maxLength: 600 }).map((array) => hexlify(array));
    const topic = fc.constantFrom(...Object.values(TASK_TOPICS));
    fc.assert(
      fc.property(topic, bytes, (first, data) => {
        try {
          decodeTaskEvent({ topics: [first, ID, zeroPadValue("0x01", 32), ID], data });
        } catch (error) {
          expect(isNeuraError(error), String(error)).to.equal(true);
        }
      }),
    );
  });
});
