import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { isNeuraError, messageOf, NeuraError } from "../../src/errors.ts";
import { hashProgram } from "../../src/verify/command.ts";
import { parseVerification, type Verification } from "../../src/verify/verification.ts";

/**
 * What `--verification` and `--checker` say: a method's name, a file of `{method, parameters, calibration}`, or a program that
 * decides. Errors: `usage.verification`, `verify.program-missing`.
 */
export async function parseVerificationOption({
  verification,
  checker,
}: {
  verification: string | undefined;
  checker: string | undefined;
}): Promise<Verification | undefined> {
  if (checker !== undefined) {
    if (verification !== undefined && verification !== "checker/1")
      throw new NeuraError("usage.verification", "A program decides, or another method, but not both.", {
        next: "Leave --checker or --verification out.",
      });
    return parseVerification({
      method: "checker/1",
      parameters: { program: await hashProgram(resolve(checker)) },
    });
  }
  if (verification === undefined) return undefined;
  if (verification === "checker/1")
    throw new NeuraError("usage.verification", "It is not said which program decides.", {
      next: "Name it with --checker FILE.",
    });
  // What looks like a method and is none is no file either.
  const isMethod = /^[a-z]+\/\d+$/.test(verification);
  return parse(isMethod ? { method: verification } : await readJsonFile(verification));
}

function parse(value: unknown): Verification {
  try {
    return parseVerification(value);
  } catch (error) {
    if (!isNeuraError(error)) throw error;
    const { message, next = "" } = error;
    throw new NeuraError("usage.verification", message, { next, cause: error });
  }
}

async function readJsonFile(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new NeuraError("usage.verification", `${path} cannot be read: ${messageOf(error)}.`, {
      next: 'Name a method such as exact/1, or a file like {"method":"exact/1"}.',
      cause: error,
    });
  }
}
