// Numbers as people read them, written as the compiler writes them.

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/** Bytes in decimal units, three significant digits: `948 B`, `12.4 kB`. */
export function humanBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  // 999.5 and up would round to a fourth digit, so it moves to the next unit.
  while (value >= 999.5 && unit + 1 < UNITS.length) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `85 tensors · 1.18 MB`, with what is known. */
export function describe(of: { tensors: number | null; bytes: number | null }): string {
  const parts: string[] = [];
  if (of.tensors !== null) {
    parts.push(`${of.tensors.toLocaleString("en-US")} ${of.tensors === 1 ? "tensor" : "tensors"}`);
  }
  if (of.bytes !== null) {
    parts.push(humanBytes(of.bytes));
  }
  return parts.join(" · ");
}
