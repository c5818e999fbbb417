import { readFile } from "node:fs/promises";

import { messageOf, NeuraError } from "../../src/errors.ts";
import { parseOpenings } from "../../src/market/opening.ts";
import { action } from "../context.ts";
import { fields } from "../output.ts";
import { openClient } from "./request.ts";
import { headline } from "./show.ts";

interface VerifyArguments {
  readonly id: string;
  readonly file: string;
  readonly out: string | undefined;
}

export default action("neura/task-verify-opening/1", async (given: VerifyArguments, context) => {
  const { id, file: path, out: directory } = given;
  const { out, signal } = context;
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new NeuraError("opening.invalid", `${path} cannot be read: ${messageOf(cause)}.`, { cause });
  });
  const file = parseOpenings(text, path);
  const { client } = await openClient(context);
  const { status, author, problem, files } = await out.step("Opening the envelope without a key", () =>
    client.checkOpening(id, file, { directory, signal }),
  );
  const finding = problem === undefined ? "opens" : problem.code;
  return {
    data: { id, of: file.of, reader: file.account, author, finding, problem, files, directory },
    text: fields([
      ["Task", headline(status)],
      ["Envelope", `the ${file.of}, by ${author}`],
      ["Reader", file.account],
      ["Finding", problem === undefined ? "it opens, and is what it should be" : problem.message],
      ["Fault", problem === undefined ? "none of its author's" : `its author's, ${author} (${problem.code})`],
      ...files.map((name) => ["File", name] as const),
      ...(directory === undefined || problem ? [] : [["Folder", directory] as const]),
    ]),
  };
});
