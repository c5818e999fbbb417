import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { expect } from "chai";
import tar from "tar-stream";

import { isNeuraError } from "../../../src/errors.ts";
import { extractArchive } from "../../../src/market/archive.ts";
import {
  packPayload,
  type Payload,
  type PayloadSource,
  preparePayload,
} from "../../../src/market/payload.ts";
import { parseManifest } from "../../../src/manifest.ts";
import { readFileSync } from "node:fs";

const LIMITS = { seconds: 60, ramMiB: 512, outputMiB: 16 };
const ROOM = { maxBytes: 10_000_000, maxFiles: 100 };

describe("market: payload and archive", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "neura-payload-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function put(path: string, content: string | Uint8Array = path): string {
    const full = join(directory, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
    return full;
  }

  async function prepare(source: PayloadSource): Promise<Payload> {
    return await preparePayload({ source, application: "ocr", limits: LIMITS });
  }

  async function pack(payload: Payload): Promise<Buffer> {
    const parts = [];
    for await (const part of packPayload(payload)) parts.push(part);
    return Buffer.concat(parts);
  }

  async function codeOf(work: Promise<unknown>): Promise<string> {
    try {
      await work;
    } catch (error) {
      if (isNeuraError(error)) return error.code;
      throw error;
    }
    return "nothing was thrown";
  }

  it("packs files, the manifest first, and gives them back", async () => {
    const big = Buffer.alloc(300_000, "ab");
    const payload = await prepare({ files: [put("a/scan.png", big), put("b/two.jpg", "")] });
    expect(payload.manifest.inputs).to.deep.equal(["input/scan.png", "input/two.jpg"]);
    const bytes = await pack(payload);
    expect(bytes.length).to.equal(payload.sizeBytes);
    const out = join(directory, "out");
    mkdirSync(out);
    const files = await extractArchive([bytes], { directory: out, limits: ROOM });
    expect(files.map(({ path }) => path)).to.deep.equal(["manifest.json", "input/scan.png", "input/two.jpg"]);
    expect(readFileSync(join(out, "input/scan.png"))).to.deep.equal(big);
    expect(parseManifest(readFileSync(join(out, "manifest.json")))).to.deep.equal(payload.manifest);
  });

  it("packs the same files into the same bytes, without time and owner", async () => {
    const payload = await prepare({ files: [put("a.png"), put("b.png")] });
    expect(await pack(payload)).to.deep.equal(await pack(payload));
  });

  it("sends a folder as its ignore files say, at every level", async () => {
    put(".gitignore", "*.log\nbuild/\n/only-root.txt\n");
    put(".neuraignore", "big.bin\n!keep.log\n");
    put("sub/.gitignore", "!again.log\nonly-root.txt\n");
    for (const name of ["a.txt", "x.log", "keep.log", "big.bin", "only-root.txt", "build/out.txt"]) put(name);
    for (const name of ["sub/again.log", "sub/y.log", "sub/only-root.txt", "sub/deep/z.txt"]) put(name);
    const payload = await prepare({ folder: directory });
    expect(payload.manifest.inputs).to.deep.equal([
      "input/.gitignore",
      "input/.neuraignore",
      "input/a.txt",
      "input/keep.log",
      "input/sub/.gitignore",
      "input/sub/again.log",
      "input/sub/deep/z.txt",
    ]);
    expect(payload.leftOut).to.deep.equal([
      "big.bin",
      "build/",
      "only-root.txt",
      "sub/only-root.txt",
      "sub/y.log",
      "x.log",
    ]);
  });

  it("leaves out repositories, packages, environments, secrets and links", async () => {
    put("a.txt");
    put(".git/config");
    put("node_modules/x/index.js");
    put("sub/node_modules/y.js");
    put(".env");
    put(".env.production");
    put("my-env/pyvenv.cfg");
    put("conda/conda-meta/history");
    symlinkSync("/etc/passwd", join(directory, "link"));
    symlinkSync("/etc", join(directory, "linked-folder"));
    const payload = await prepare({ folder: directory });
    expect(payload.manifest.inputs).to.deep.equal(["input/a.txt"]);
    expect(payload.leftOut).to.have.members([
      ".git/",
      "node_modules/",
      "sub/node_modules/",
      ".env",
      ".env.production",
      "my-env/",
      "conda/",
      "link",
      "linked-folder",
    ]);
  });

  it("takes an environment file back in where .neuraignore says so", async () => {
    put(".env.sample");
    put(".neuraignore", "!.env.sample\n.neuraignore\n");
    expect((await prepare({ folder: directory })).manifest.inputs).to.deep.equal(["input/.env.sample"]);
  });

  it("refuses what cannot be sent, by name", async () => {
    expect(await codeOf(prepare({ files: [join(directory, "none.png")] }))).to.equal("payload.not-found");
    expect(await codeOf(prepare({ files: [directory] }))).to.equal("payload.not-found");
    expect(await codeOf(prepare({ folder: put("file") }))).to.equal("payload.not-found");
    expect(await codeOf(prepare({ files: [] }))).to.equal("payload.empty");
    // A service gets its work by request.
    const service = { maxRequestMiB: 16, timeoutSeconds: 60, concurrency: 1, idleStopSeconds: 0 };
    const request = { source: { files: [] }, application: "ocr", limits: LIMITS, service };
    expect((await preparePayload(request)).manifest).to.deep.include({ inputs: [], service });
    expect(await codeOf(prepare({ files: [put("a/x.png"), put("b/x.png")] }))).to.equal("payload.same-name");
  });

  it("notices a file that changes between looking and sending", async () => {
    const file = put("a.png", "one");
    const payload = await prepare({ files: [file] });
    put("a.png", "three");
    expect(await codeOf(pack(payload))).to.equal("payload.changed");
    rmSync(file);
    expect(await codeOf(pack(payload))).to.equal("payload.changed");
  });

  // ---- Extraction ----

  async function archiveOf(write: (pack: tar.Pack) => void): Promise<Buffer> {
    const made = tar.pack();
    write(made);
    made.finalize();
    const parts: Uint8Array[] = [];
    for await (const part of made) if (part instanceof Uint8Array) parts.push(part);
    return Buffer.concat(parts);
  }

  async function extract(bytes: Buffer, limits = ROOM): Promise<string> {
    const out = join(directory, "out");
    mkdirSync(out);
    return await codeOf(extractArchive([bytes], { directory: out, limits }));
  }

  for (const name of [
    "../x",
    "/etc/x",
    "a/../../x",
    "a//x",
    "./x",
    "C:\\x",
    "a\\..\\x",
    "nul:",
    "a/ ",
    " ",
  ]) {
    it(`N19_ refuses an entry named ${JSON.stringify(name)}`, async () => {
      const bytes = await archiveOf((each) => each.entry({ name }, "x"));
      expect(await extract(bytes)).to.equal("archive.unsafe");
    });
  }

  for (const type of ["symlink", "link", "fifo", "character-device", "block-device"] as const) {
    it(`N19_ refuses a ${type}`, async () => {
      const bytes = await archiveOf((each) => each.entry({ name: "a", type, linkname: "/etc/passwd" }));
      expect(await extract(bytes)).to.equal("archive.unsafe");
    });
  }

  it("N19_ refuses a name that occurs twice, in other letters too", async () => {
    const bytes = await archiveOf((each) => {
      each.entry({ name: "output/a" }, "1");
      each.entry({ name: "output/A" }, "2");
    });
    expect(await extract(bytes)).to.equal("archive.unsafe");
  });

  it("N02_ refuses more bytes than allowed before it writes them", async () => {
    const bytes = await archiveOf((each) => each.entry({ name: "a" }, Buffer.alloc(2_000)));
    expect(await extract(bytes, { maxBytes: 1_999, maxFiles: 1 })).to.equal("archive.too-large");
  });

  it("N02_ refuses more files than allowed", async () => {
    const bytes = await archiveOf((each) => {
      for (const name of ["a", "b", "c"]) each.entry({ name }, "");
    });
    expect(await extract(bytes, { maxBytes: 10, maxFiles: 2 })).to.equal("archive.too-large");
  });

  it("N02_ refuses an archive that ends within an entry, and bytes that are none", async () => {
    const bytes = await archiveOf((each) => each.entry({ name: "a" }, Buffer.alloc(5_000)));
    expect(await extract(bytes.subarray(0, 3_000))).to.equal("archive.malformed");
    rmSync(join(directory, "out"), { recursive: true });
    expect(await extract(Buffer.alloc(2_000, "x"))).to.equal("archive.malformed");
  });

  it("passes on what the source throws", async () => {
    const bytes = await archiveOf((each) => each.entry({ name: "a" }, Buffer.alloc(5_000)));
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(bytes.subarray(0, 1_000));
      throw new Error("the source broke");
    }
    const out = join(directory, "out");
    mkdirSync(out);
    const error: unknown = await extractArchive(failing(), { directory: out, limits: ROOM }).catch(
      (e: unknown) => e,
    );
    expect(error).to.have.property("message", "the source broke");
  });
});
