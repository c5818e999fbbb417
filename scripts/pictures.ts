/**
 * Draws pictures of documents whose text is known: `node --import tsx scripts/pictures.ts --help`.
 *
 * Glyphs come as outlines from font files of npm packages, so that a machine without fonts draws the same picture;
 * words and noise come from the seed.
 */
import { realpathSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import opentype from "opentype.js";
import sharp from "sharp";

export const kinds = ["invoice", "letter", "table", "receipt", "small", "blank"] as const;
export type Kind = (typeof kinds)[number];

export const fonts = ["sans", "serif", "mono", "humanist"] as const;
export type FontName = (typeof fonts)[number];

export interface DrawOptions {
  /** Default: what suits the kind. */
  readonly font?: FontName;
  /** Size of the body text [px]. Default 24; the small print is half of it. */
  readonly size?: number;
  /** Turn of the page, clockwise [degrees]. Default 0. */
  readonly rotation?: number;
  /** Standard deviation of the noise, of 255 grey levels. Default 0. */
  readonly noise?: number;
  /** Standard deviation of the blur [px]. Default 0. */
  readonly blur?: number;
  /** As if photographed: a sheet on a table, seen aslant in uneven light. Default false. */
  readonly photo?: boolean;
  readonly format?: "png" | "jpeg" | "webp";
  /** Of JPEG and WebP, 1 to 100. Default 90. */
  readonly quality?: number;
  /** Colours of a PNG with a palette; leaves photos small. Default: true colour. */
  readonly colours?: number;
}

export interface Drawn {
  readonly picture: Buffer;
  readonly width: number;
  readonly height: number;
  /** The text on the picture, line by line from the top, pieces of one line from the left. */
  readonly text: string;
}

/** Draws one picture: the same for the same arguments. */
export async function drawPicture(kind: Kind, seed: number, options: DrawOptions = {}): Promise<Drawn> {
  const sheet = new Sheet(await loadFonts(), options.font ?? DEFAULT_FONT[kind], options.size ?? 24);
  DRAW[kind](sheet, new Dice(seed));
  const { width, height, svg } = options.photo
    ? photographed(sheet, options.rotation ?? 1.5)
    : scanned(sheet, options.rotation ?? 0);
  // The recognition blocks all loaders but its own in a process that has run it.
  sharp.unblock({ operation: ["VipsForeignLoadSvgBuffer"] });
  let image = sharp(Buffer.from(svg), { unlimited: true }).removeAlpha();
  if (options.blur) image = image.blur(Math.max(0.3, options.blur));
  if (options.noise) {
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    const dice = new Dice(seed + 1);
    for (let i = 0; i < data.length; i++)
      data[i] = Math.max(0, Math.min(255, Math.round((data[i] ?? 0) + dice.normal() * options.noise)));
    image = sharp(data, { raw: { width: info.width, height: info.height, channels: 3 } });
  }
  const quality = options.quality ?? 90;
  const encoded = {
    png: () =>
      options.colours ? image.png({ palette: true, colours: options.colours, effort: 10 }) : image.png(),
    jpeg: () => image.jpeg({ quality }),
    webp: () => image.webp({ quality }),
  }[options.format ?? "png"]();
  return { picture: await encoded.toBuffer(), width, height, text: sheet.truth() };
}

/**
 * How far a reading is from the truth: the fewest characters to insert, delete or replace (Levenshtein), by the
 * characters of the truth. 0 is perfect.
 */
export function characterErrorRate(truth: string, reading: string): number {
  let row = Array.from({ length: reading.length + 1 }, (_, index) => index);
  for (const [i, expected] of truth.split("").entries()) {
    const next = [i + 1];
    for (let j = 0; j < reading.length; j++) {
      const replaced = (row[j] ?? 0) + (reading[j] === expected ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return (row.at(-1) ?? 0) / Math.max(1, truth.length);
}

type Point = readonly [x: number, y: number];
type Fonts = Readonly<Record<FontName, Readonly<Record<"regular" | "bold", opentype.Font>>>>;

const FONT_PACKAGES: Readonly<Record<FontName, string>> = {
  sans: "arimo",
  serif: "tinos",
  mono: "courier-prime",
  humanist: "lato",
};

const DEFAULT_FONT: Readonly<Record<Kind, FontName>> = {
  invoice: "sans",
  letter: "serif",
  table: "humanist",
  receipt: "mono",
  small: "sans",
  blank: "sans",
};

let loadedFonts: Promise<Fonts> | undefined;

function loadFonts(): Promise<Fonts> {
  loadedFonts ??= (async () => {
    const load = async (name: FontName, weight: number): Promise<opentype.Font> => {
      const family = FONT_PACKAGES[name];
      const url = import.meta.resolve(`@fontsource/${family}/files/${family}-latin-${weight}-normal.woff`);
      const file = await readFile(fileURLToPath(url));
      return opentype.parse(new Uint8Array(file).buffer);
    };
    const pair = async (name: FontName) => ({ regular: await load(name, 400), bold: await load(name, 700) });
    return {
      sans: await pair("sans"),
      serif: await pair("serif"),
      mono: await pair("mono"),
      humanist: await pair("humanist"),
    };
  })();
  return loadedFonts;
}

interface TextOptions {
  /** In units of the body text's size. */
  readonly scale?: number;
  readonly bold?: boolean;
  readonly align?: "left" | "right";
  readonly colour?: string;
}

/** A page in its own coordinates; grows downwards as text is added. */
class Sheet {
  /** Size of the body text [px]. */
  readonly em: number;
  readonly margin: number;
  width: number;
  y: number;
  readonly #fonts: Fonts;
  readonly #font: FontName;
  readonly #shapes: { commands: readonly opentype.PathCommand[]; fill: string }[] = [];
  readonly #pieces: { x: number; y: number; text: string }[] = [];

  constructor(fonts: Fonts, font: FontName, size: number) {
    this.#fonts = fonts;
    this.#font = font;
    this.em = size;
    this.margin = size * 2;
    this.width = size * 36;
    this.y = this.margin;
  }

  get height(): number {
    return Math.ceil(this.y + this.margin);
  }

  get shapes(): readonly { commands: readonly opentype.PathCommand[]; fill: string }[] {
    return this.#shapes;
  }

  measure(text: string, options: TextOptions = {}): number {
    return this.#face(options).getAdvanceWidth(text, this.em * (options.scale ?? 1));
  }

  /** Writes at the present line; `x` is the left or the right end. */
  text(x: number, text: string, options: TextOptions = {}): void {
    const size = this.em * (options.scale ?? 1);
    const left = options.align === "right" ? x - this.measure(text, options) : x;
    const path = this.#face(options).getPath(text, left, this.y + size * 0.8, size);
    this.#shapes.push({ commands: path.commands, fill: options.colour ?? "#1c1c22" });
    this.#pieces.push({ x: left, y: this.y, text });
  }

  /** Goes down by so many body lines. */
  advance(lines = 1): void {
    this.y += this.em * 1.45 * lines;
  }

  box(x: number, y: number, width: number, height: number, fill: string): void {
    this.#shapes.push({ commands: rectangle(x, y, width, height), fill });
  }

  rule(x: number, width: number, thickness = 1.5): void {
    this.box(x, this.y - this.em * 0.38, width, thickness, "#55555c");
  }

  /** Writes words in lines no wider than `width`. */
  paragraph(x: number, width: number, text: string, options: TextOptions = {}): void {
    let line = "";
    const flush = (): void => {
      this.text(x, line, options);
      this.advance(options.scale ?? 1);
    };
    for (const word of text.split(" ")) {
      const longer = line === "" ? word : `${line} ${word}`;
      if (this.measure(longer, options) <= width) line = longer;
      else {
        flush();
        line = word;
      }
    }
    if (line !== "") flush();
  }

  truth(): string {
    const rows = new Map<number, { x: number; text: string }[]>();
    for (const piece of this.#pieces) rows.set(piece.y, [...(rows.get(piece.y) ?? []), piece]);
    return [...rows]
      .sort(([a], [b]) => a - b)
      .map(([, row]) =>
        row
          .sort((a, b) => a.x - b.x)
          .map((piece) => piece.text)
          .join(" "),
      )
      .join("\n");
  }

  #face(options: TextOptions): opentype.Font {
    return this.#fonts[this.#font][options.bold ? "bold" : "regular"];
  }
}

function rectangle(x: number, y: number, width: number, height: number): opentype.PathCommand[] {
  return [
    { type: "M", x, y },
    { type: "L", x: x + width, y },
    { type: "L", x: x + width, y: y + height },
    { type: "L", x, y: y + height },
    { type: "Z" },
  ];
}

/** Outlines as SVG path data, each control point moved by `move`. */
function pathData(commands: readonly opentype.PathCommand[], move: (point: Point) => Point): string {
  const at = (x: number, y: number): string =>
    move([x, y])
      .map((value) => value.toFixed(2))
      .join(" ");
  return commands
    .map((command) => {
      switch (command.type) {
        case "M":
        case "L":
          return `${command.type}${at(command.x, command.y)}`;
        case "Q":
          return `Q${at(command.x1, command.y1)} ${at(command.x, command.y)}`;
        case "C":
          return `C${at(command.x1, command.y1)} ${at(command.x2, command.y2)} ${at(command.x, command.y)}`;
        case "Z":
          return "Z";
      }
    })
    .join("");
}

interface Scene {
  readonly width: number;
  readonly height: number;
  readonly svg: string;
}

function scene(
  width: number,
  height: number,
  background: string,
  sheet: Sheet,
  move: (point: Point) => Point,
): Scene {
  const shapes = sheet.shapes.map(
    ({ commands, fill }) => `<path fill="${fill}" d="${pathData(commands, move)}"/>`,
  );
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${background}${shapes.join("")}</svg>`;
  return { width, height, svg };
}

/** Straight from above on white. */
function scanned(sheet: Sheet, rotation: number): Scene {
  const angle = (rotation * Math.PI) / 180;
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const width = Math.ceil(Math.abs(sheet.width * cos) + Math.abs(sheet.height * sin));
  const height = Math.ceil(Math.abs(sheet.width * sin) + Math.abs(sheet.height * cos));
  return scene(width, height, `<rect width="100%" height="100%" fill="#fff"/>`, sheet, ([x, y]) => {
    const [dx, dy] = [x - sheet.width / 2, y - sheet.height / 2];
    return [width / 2 + dx * cos - dy * sin, height / 2 + dx * sin + dy * cos];
  });
}

/** A sheet on a table: turned, farther away at its top, in light from the upper left. */
function photographed(sheet: Sheet, rotation: number): Scene {
  const border = sheet.em * 2.4;
  const width = Math.ceil(sheet.width + border * 2);
  const height = Math.ceil(sheet.height + border * 2);
  const angle = (rotation * Math.PI) / 180;
  const [sin, cos] = [Math.sin(angle), Math.cos(angle)];
  const move = ([x, y]: Point): Point => {
    const [dx, dy] = [x - sheet.width / 2, y - sheet.height / 2];
    const depth = 1.02 - 0.05 * (dy / sheet.height);
    return [width / 2 + (dx * cos - dy * sin) / depth, height / 2 + (dx * sin + dy * cos) / depth];
  };
  const paper = pathData(rectangle(0, 0, sheet.width, sheet.height), move);
  const shadow = pathData(rectangle(sheet.em * 0.35, sheet.em * 0.5, sheet.width, sheet.height), move);
  const background = `<defs>
    <linearGradient id="table" x2="1" y2="1"><stop stop-color="#8a6f56"/><stop offset="1" stop-color="#5b4636"/></linearGradient>
    <linearGradient id="paper" x2="1" y2="1"><stop stop-color="#fbf9f3"/><stop offset="1" stop-color="#d9d5ca"/></linearGradient>
    </defs><rect width="100%" height="100%" fill="url(#table)"/><path fill="#3a2d23" fill-opacity="0.45" d="${shadow}"/>
    <path fill="url(#paper)" d="${paper}"/>`;
  return scene(width, height, background, sheet, move);
}

const DRAW: Readonly<Record<Kind, (sheet: Sheet, dice: Dice) => void>> = {
  invoice(sheet, dice) {
    const { em, margin } = sheet;
    sheet.width = em * 38;
    const right = sheet.width - margin;
    sheet.text(margin, "Harbour Print Works", { bold: true, scale: 1.5, colour: "#12406b" });
    sheet.text(right, "INVOICE", { bold: true, scale: 1.5, align: "right", colour: "#12406b" });
    sheet.advance(1.6);
    sheet.text(margin, "14 Quay Street, Bristol BS1 4DJ");
    sheet.text(right, `No. ${dice.between(2025001, 2025999)}`, { align: "right" });
    sheet.advance();
    sheet.text(margin, "accounts@harbourprint.example");
    sheet.text(right, `Date: ${dice.between(10, 28)} March 2025`, { align: "right" });
    sheet.advance(2);
    sheet.text(margin, "Bill to: Northfield School, 3 Mill Lane, Leeds LS2 8PD");
    sheet.advance(2);
    const columns = [em * 21.5, em * 28.5, right] as const;
    const row = (cells: readonly [string, string, string, string], bold: boolean): void => {
      sheet.text(margin + em * 0.4, cells[0], { bold });
      sheet.text(columns[0], cells[1], { bold, align: "right" });
      sheet.text(columns[1], cells[2], { bold, align: "right" });
      sheet.text(columns[2] - em * 0.4, cells[3], { bold, align: "right" });
      sheet.advance(1.25);
    };
    sheet.box(margin, sheet.y - em * 0.4, right - margin, em * 1.65, "#dbe5ee");
    row(["Description", "Qty", "Unit price", "Amount"], true);
    let cents = 0;
    for (const item of dice.pick(ITEMS, 6)) {
      const [count, price] = [dice.between(2, 60), dice.between(150, 8900)];
      cents += count * price;
      row([item, String(count), money(price), money(count * price)], false);
      sheet.rule(margin, right - margin, 1);
    }
    sheet.advance(0.5);
    const vat = Math.round(cents / 5);
    const totals = [
      ["Subtotal", cents],
      ["VAT 20 %", vat],
      ["Total due GBP", cents + vat],
    ] as const;
    for (const [name, amount] of totals) {
      const bold = name.startsWith("Total");
      sheet.text(columns[1], name, { bold, align: "right" });
      sheet.text(right - em * 0.4, money(amount), { bold, align: "right" });
      sheet.advance(1.15);
    }
    sheet.advance(0.8);
    const payment = "Please pay within 30 days to account 4471 0926, sort code 20-18-54.";
    sheet.paragraph(margin, right - margin, payment);
    sheet.text(margin, "Thank you for your order!");
    sheet.advance(0.6);
  },

  letter(sheet, dice) {
    const { margin } = sheet;
    const width = sheet.width - 2 * margin;
    sheet.text(sheet.width - margin, `${dice.between(2, 28)} October 2025`, { align: "right" });
    sheet.advance(2);
    sheet.text(margin, "Dear neighbours,");
    sheet.advance(1.6);
    const sentences = dice.pick(SENTENCES, 9);
    for (let i = 0; i < 9; i += 3) {
      sheet.paragraph(margin, width, sentences.slice(i, i + 3).join(" "));
      sheet.advance(0.6);
    }
    sheet.text(margin, "With kind regards,");
    sheet.advance(1.1);
    sheet.text(margin, "The committee of the allotment garden");
    sheet.advance(0.6);
  },

  table(sheet, dice) {
    const { em, margin } = sheet;
    sheet.text(margin, "Rainfall by station [mm]", { bold: true, scale: 1.2 });
    sheet.advance(1.8);
    const names = dice.pick(STATIONS, 9);
    const row = (name: string, cells: readonly string[], bold: boolean): void => {
      sheet.text(margin, name, { bold });
      cells.forEach((cell, index) => sheet.text(em * (15.5 + index * 5.9), cell, { bold, align: "right" }));
      sheet.advance(1.3);
      sheet.rule(margin, sheet.width - 2 * margin);
    };
    row("Station", ["Spring", "Summer", "Autumn", "Winter"], true);
    for (const name of names)
      row(
        name,
        [1, 2, 3, 4].map(() => (dice.between(180, 4200) / 10).toFixed(1)),
        false,
      );
  },

  receipt(sheet, dice) {
    const { em, margin } = sheet;
    sheet.width = em * 24;
    const right = sheet.width - margin;
    sheet.text(margin, "CORNER GROCERY", { bold: true, scale: 1.3 });
    sheet.advance(1.5);
    sheet.text(
      margin,
      `Till 3  ${dice.between(10, 28)}.06.2025 ${dice.between(10, 19)}:${dice.between(10, 59)}`.replace(
        "  ",
        " ",
      ),
    );
    sheet.advance(1.4);
    let cents = 0;
    for (const item of dice.pick(GROCERIES, 9)) {
      const price = dice.between(49, 1299);
      cents += price;
      sheet.text(margin, item);
      sheet.text(right, money(price), { align: "right" });
      sheet.advance();
    }
    sheet.advance(0.4);
    sheet.text(margin, "TOTAL", { bold: true, scale: 1.2 });
    sheet.text(right, money(cents), { bold: true, scale: 1.2, align: "right" });
    sheet.advance(1.5);
    sheet.text(margin, "Card payment approved");
    sheet.advance();
    sheet.text(margin, "Thank you, come again");
    sheet.advance(0.6);
  },

  small(sheet, dice) {
    const { margin } = sheet;
    sheet.text(margin, "Terms of delivery", { bold: true, scale: 0.7 });
    sheet.advance(1.1);
    dice.pick(SENTENCES, 10).forEach((sentence, index) => {
      sheet.paragraph(margin, sheet.width - 2 * margin, `${index + 1}. ${sentence}`, { scale: 0.5 });
    });
  },

  blank(sheet) {
    sheet.advance(12);
  },
};

const ITEMS = [
  "Business cards, matt",
  "Poster A2, full colour",
  "Folded leaflet, 8 pages",
  "Letterhead, 100 g paper",
  "Sticker roll, round 50 mm",
  "Window sign with fixings",
  "Exercise book, 48 pages",
  "Proof and layout per hour",
  "Express delivery",
  "Envelope C5 with logo",
] as const;

const GROCERIES = [
  "Brown bread 750g",
  "Whole milk 1l",
  "Eggs, box of 10",
  "Green apples",
  "Ground coffee",
  "Olive oil 500ml",
  "Sea salt",
  "Cheddar 400g",
  "Dish soap",
  "Basmati rice 1kg",
  "Oat biscuits",
  "Tomatoes, loose",
] as const;

const STATIONS = [
  "Kirkwall Harbour",
  "Upper Glen",
  "Weaver Bridge",
  "Saltmarsh",
  "North Reservoir",
  "Old Observatory",
  "Cape Light",
  "Fern Valley",
  "Market Square",
  "Quarry Hill",
  "Long Meadow",
] as const;

const SENTENCES = [
  "The water pipe along the north fence will be renewed in the second week of the month.",
  "Please move your tools and pots at least two metres away from the path before Monday.",
  "We have ordered 36 bags of compost, which you can collect from the shed after 4 pm.",
  "The key to the gate now hangs in the box; its code is the year the garden was founded.",
  "Anyone who would like to share a plot with a beginner should write to us by Friday.",
  "Last summer we gave 412 kg of vegetables to the kitchen of the primary school.",
  "Frost is expected early this year, so cover the young trees and empty the rain barrels.",
  "The yearly fee stays at 85 pounds, of which 20 pounds go towards the new greenhouse.",
  "A quick brown fox was seen jumping over the lazy dog of the people at plot 17.",
  "Bring gloves, a spade and good humour to the working day; soup and bread are provided.",
  "Seeds of 24 old kinds of beans, peas and squash can be exchanged at the long table.",
  "Questions are welcome at any time: leave a note in the box or call during the evening.",
] as const;

function money(cents: number): string {
  const [whole, part] = (cents / 100).toFixed(2).split(".");
  return `${(whole ?? "").replace(/\B(?=(\d{3})+$)/g, ",")}.${part}`;
}

/** Random numbers that only the seed decides (the 32-bit generator "mulberry32"). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 up to, but never, 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** Standard normal distribution, near enough: the sum of twelve. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.next();
    return sum;
  }

  /** `count` different ones in a random order. */
  pick<T>(from: readonly T[], count: number): T[] {
    return from
      .map((value) => ({ value, order: this.next() }))
      .sort((a, b) => a.order - b.order)
      .slice(0, count)
      .map(({ value }) => value);
  }
}

const HELP = `Draws pictures of documents with known text, each with its text in a .txt beside it.

  node --import tsx scripts/pictures.ts --out <folder> [--kind invoice] [--seed 1] [--font sans|serif|mono|humanist]
    [--size 24] [--rotation=-3] [--noise 0] [--blur 0] [--photo] [--format png|jpeg|webp] [--quality 90] [--colours n]

Without --kind, one of each kind: ${kinds.join(", ")}.`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", short: "h" },
      out: { type: "string" },
      kind: { type: "string" },
      seed: { type: "string", default: "1" },
      font: { type: "string" },
      size: { type: "string" },
      rotation: { type: "string" },
      noise: { type: "string" },
      blur: { type: "string" },
      photo: { type: "boolean" },
      format: { type: "string", default: "png" },
      quality: { type: "string" },
      colours: { type: "string" },
    },
  });
  if (values.help || values.out === undefined) {
    console.log(HELP);
    process.exitCode = values.help ? 0 : 2;
    return;
  }
  const choose = <T extends string>(name: string, value: string, from: readonly T[]): T => {
    const found = from.find((entry) => entry === value);
    if (found === undefined) throw new Error(`--${name} is ${value}; one of ${from.join(", ")}.`);
    return found;
  };
  const number = (
    name: "size" | "rotation" | "noise" | "blur" | "quality" | "colours",
  ): Record<string, number> => (values[name] === undefined ? {} : { [name]: Number(values[name]) });
  const format = choose("format", values.format, ["png", "jpeg", "webp"]);
  const options: DrawOptions = {
    ...(values.font === undefined ? {} : { font: choose("font", values.font, fonts) }),
    ...number("size"),
    ...number("rotation"),
    ...number("noise"),
    ...number("blur"),
    ...number("quality"),
    ...number("colours"),
    ...(values.photo ? { photo: true } : {}),
    format,
  };
  await mkdir(values.out, { recursive: true });
  for (const kind of values.kind === undefined ? kinds : [choose("kind", values.kind, kinds)]) {
    const drawn = await drawPicture(kind, Number(values.seed), options);
    const name = join(values.out, `${kind}.${format === "jpeg" ? "jpg" : format}`);
    await writeFile(name, drawn.picture);
    await writeFile(join(values.out, `${kind}.txt`), `${drawn.text}\n`);
    console.log(`${name}  ${drawn.width} x ${drawn.height}, ${drawn.picture.length} bytes`);
  }
}

if (process.argv[1] && realpathSync(process.argv[1]) === import.meta.filename) await main();
