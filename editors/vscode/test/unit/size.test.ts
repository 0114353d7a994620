import assert from "node:assert/strict";
import { test } from "node:test";

import { describe, humanBytes } from "../../src/size";

test("sizes have three digits, as the compiler writes them", () => {
  const sizes = [0, 999, 1000, 999_499, 999_500, 2_949_120, 12_400_000_000];
  assert.equal(sizes.map(humanBytes).join(" · "), "0 B · 999 B · 1.00 kB · 999 kB · 1.00 MB · 2.95 MB · 12.4 GB");
});

test("what is not known is left out", () => {
  assert.equal(describe({ tensors: 1204, bytes: 1_176_224 }), "1,204 tensors · 1.18 MB");
  assert.equal(describe({ tensors: 1, bytes: null }), "1 tensor");
  assert.equal(describe({ tensors: null, bytes: null }), "");
});
