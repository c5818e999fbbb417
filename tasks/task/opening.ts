import { resolve } from "node:path";

import { NeuraError } from "../../src/errors.ts";
import { createPrivateFile } from "../../src/files.ts";
import { encodeOpenings } from "../../src/market/opening.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "./request.ts";

interface OpeningArguments {
  readonly id: string;
  readonly payload: boolean;
  readonly out: string | undefined;
}

export default action("neura/task-opening/1", async (given: OpeningArguments, context) => {
  const { id, payload } = given;
  const { out, signal } = context;
  const { client } = await openClient(context, { signing: payload });
  const of = payload ? "payload" : "result";
  const { problem, ...shown } = await out.step(`Showing what the ${of}'s envelope holds`, () =>
    client.showOpening(id, { of, signal }),
  );
  const path = resolve(given.out ?? `opening-${id.slice(2, 10)}.json`);
  if (!(await createPrivateFile(path, encodeOpenings(shown)))) {
    throw new NeuraError("usage.exists", `${path} exists; it has not been touched.`, {
      next: "Name another file with --out, or move that one away.",
    });
  }
  const kinds = shown.openings.map(({ kind }) => kind);
  out.note(
    problem === undefined
      ? `Whoever has this file can read the ${kinds.join(" and the ")} of the ${of}. Your key stays yours.`
      : `It cannot be opened, which everybody sees without your key: ${problem.message}`,
  );
  return {
    data: { id, of, account: shown.account, path, shown: kinds, problem: problem?.toJSON() },
    text: fields([
      ["Task", id],
      ["Reader", shown.account],
      ["Shown", `${kinds.join(", ") || "nothing"} of the ${of}`],
      ["File", path],
      ["Next", `./neura task verify-opening ${id} ${path}`],
    ]),
  };
});
