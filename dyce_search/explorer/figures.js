// Numbers: read from the page to the last bit, and said as a person says them.

const MINUS = "\u2212";
const NONE = "\u2013";
const PREFIXES = " kMGTPE";
const ARRAYS = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f4: Float32Array, f8: Float64Array };

// What `packed` wrote: base64 of little-endian bytes, as every browser's machine has them.
function unpacked(entry) {
  const text = atob(entry.data);
  const bytes = new Uint8Array(text.length);
  for (let k = 0; k < text.length; k += 1) bytes[k] = text.charCodeAt(k);
  return new ARRAYS[entry.type](bytes.buffer);
}

// What `packed_repeats` wrote.
function unpackedRepeats(entry) {
  const values = unpacked(entry.values);
  return Float64Array.from(unpacked(entry.which), (which) => values[which]);
}

// The digits and the exponent of ten of a decimal number as text, or null where it is none.
function decimal(text) {
  let plain = text
    .trim()
    .replace(/[\s\u00a0_]/g, "")
    .replace(MINUS, "-");
  if (/^[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?(e[+-]?\d+)?$/i.test(plain)) plain = plain.replace(/,/g, "");
  const found = /^([+-]?)(\d*)(?:[.,](\d*))?(?:e([+-]?\d+))?$/i.exec(plain);
  if (!found || !(found[2] || found[3])) return null;
  const after = found[3] || "";
  return {
    sign: found[1] === "-" ? "-" : "",
    digits: found[2] + after,
    exponent: Number(found[4] || 0) - after.length,
  };
}

// The number that text says, times ten to the power of `places`: exactly the double nearest to that decimal, so that
// "0.7" points are 0.007 and not 0.7 / 100. NaN where it is no number.
function numberIn(text, places = 0) {
  const found = decimal(text);
  return found ? Number(`${found.sign}${found.digits}e${found.exponent + places}`) : NaN;
}

// The way back: the shortest decimal of a double, times ten to the power of `places`, without an exponent.
function textOf(value, places = 0) {
  const { sign, digits, exponent } = decimal(String(value));
  const end = exponent + places;
  const bare = digits.replace(/^0+(?=\d)/, "");
  if (Math.abs(end) > 40) return `${sign}${bare}e${end}`;
  const whole = end >= 0 ? bare + "0".repeat(bare === "0" ? 0 : end) : bare.padStart(1 - end, "0");
  if (end >= 0) return sign + whole;
  const fraction = whole.slice(end).replace(/0+$/, "");
  return sign + whole.slice(0, end) + (fraction ? `.${fraction}` : "");
}

// Commas between the thousands of a large number, which `numberIn` reads.
function inThousands(text) {
  return /^\d{5,}$/.test(text) ? text.replace(/\B(?=(\d{3})+$)/g, ",") : text;
}

// The shortest decimal that gives the same float32 back, as a number.
function shortest32(value) {
  for (let digits = 1; digits < 10; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return value;
}

function signed(text) {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace("-", MINUS);
}

// A name that may be long, with its middle left out.
function short(name, most) {
  if (name.length <= most) return name;
  const kept = Math.max(1, Math.floor((most - 1) / 2));
  return `${name.slice(0, most - 1 - kept)}\u2026${name.slice(name.length - kept)}`;
}

const say = {
  number: (value, digits) => (Number.isFinite(value) ? signed(value.toFixed(digits)) : NONE),
  points: (drop) => `${say.number(100 * drop, 2)} points`,
  gap: (drop, unit = " points") => (drop > 0 ? "+" : "") + say.number(100 * drop, 2) + unit,
  percent: (share, digits = 2) => (Number.isFinite(share) ? `${say.number(100 * share, digits)} %` : NONE),
  relative: (value) => say.number(value, 4),
  at: (on, i) => `${say.points(on.drop[i])} at relative cost ${say.relative(on.relative[i])}`,
  count: (value) => Math.round(value).toLocaleString("en"),
  threshold: (value) =>
    Number.isFinite(value) ? signed(String(shortest32(value))) : value > 0 ? "\u221e" : `${MINUS}\u221e`,
  // A cost in the unit of a front; of what is counted in millions with a prefix, as wording.py writes it.
  cost(value, { unit, counted }) {
    if (!Number.isFinite(value)) return NONE;
    if (!counted || Math.abs(value) < 999.5) return `${say.significant(value)} ${unit}`;
    const power = Math.min(Math.floor(Math.log10(Number(Math.abs(value).toPrecision(3))) / 3), PREFIXES.length - 1);
    return `${say.significant(value / 1e3 ** power, 3)} ${PREFIXES[power]} ${unit}`;
  },
  significant(value, digits = 4) {
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e9)) return signed(value.toPrecision(digits));
    return signed(value.toLocaleString("en", { maximumSignificantDigits: digits }));
  },
};
