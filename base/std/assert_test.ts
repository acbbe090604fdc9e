import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertInstanceOf,
  AssertionError,
  assertMatch,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";

/** Without the module under test: what `fn` throws must be an AssertionError. */
function mustFail(fn: () => void, text = ""): void {
  try {
    fn();
  } catch (error) {
    if (error instanceof AssertionError && error.message.includes(text)) return;
    throw error;
  }
  throw new Error("the assertion held");
}

Deno.test("assertions hold for what is so and throw for what is not", () => {
  assert(true);
  mustFail(() => assert(0, "zero"), "zero");
  assertEquals({ a: [1, new Uint8Array([1, 2])] }, { a: [1, new Uint8Array([1, 2])] });
  mustFail(() => assertEquals({ a: 1 }, { a: 2 }), "not equal");
  mustFail(() => assertEquals<unknown>({ a: 1 }, { a: 1, b: undefined }));
  mustFail(() => assertEquals(1, 2, "why"), "why");
  assertNotEquals([1], [2]);
  mustFail(() => assertNotEquals([1], [1]));
  assertStrictEquals(NaN, NaN);
  mustFail(() => assertStrictEquals({}, {}));
  assertAlmostEquals(0.1 + 0.2, 0.3);
  mustFail(() => assertAlmostEquals(1, 1.1));
  assertAlmostEquals(1, 1.1, 0.2);
  assertMatch("abc", /b/);
  mustFail(() => assertMatch("abc", /x/));
  assertStringIncludes("abc", "bc");
  mustFail(() => assertStringIncludes("abc", "cb"));
  assertInstanceOf(new TypeError("x"), Error);
  mustFail(() => assertInstanceOf("x", Error));
  mustFail(() => fail("now"), "now");
});

Deno.test("assertThrows checks the class and the message and hands the error back", () => {
  const error = assertThrows(
    () => {
      throw new RangeError("too far");
    },
    RangeError,
    "far",
  );
  if (error.message !== "too far") throw new Error("another error came back");
  mustFail(() => assertThrows(() => 1), "to throw");
  mustFail(() =>
    assertThrows(() => {
      throw new Error("x");
    }, RangeError)
  );
  mustFail(() =>
    assertThrows(
      () => {
        throw new Error("x");
      },
      Error,
      "y",
    )
  );
});

Deno.test("assertRejects wants a rejection, not a throw", async () => {
  const error = await assertRejects(() => Promise.reject(new RangeError("too far")), RangeError, "far");
  if (!(error instanceof RangeError)) throw new Error("another error came back");
  for (
    const fn of [() => Promise.resolve(), () => {
      throw new Error("thrown");
    }]
  ) {
    const outcome = await assertRejects(fn, RangeError).then(() => "held", (e) => e instanceof AssertionError);
    if (outcome !== true) throw new Error("the assertion held");
  }
});
