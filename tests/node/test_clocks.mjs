// Test clocks, who lives under them, and subscriptions, by Stripe's official client for Node.js against a live server.
// Usage: node test_clocks.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const stripe = new Stripe(key, { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 });
const clocks = stripe.testHelpers.testClocks;
const frozen = 1577836800;
const day = 86400;

async function refused(promise, expected) {
  const error = await promise.then(
    () => assert.fail("was not refused"),
    (error) => error,
  );
  assert.deepEqual(
    { class: error.constructor.name, status: error.statusCode, code: error.code, param: error.param },
    { class: "StripeInvalidRequestError", status: 400, code: undefined, param: undefined, ...expected },
  );
}

async function ready(id) {
  for (;;) {
    const shown = await clocks.retrieve(id);
    if (shown.status === "ready") return shown;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// Every route of a clock
const made = await clocks.create({ frozen_time: frozen, name: "Renewal" });
assert.deepEqual([made.object, made.frozen_time, made.name], ["test_helpers.test_clock", frozen, "Renewal"]);
assert.equal(made.deletes_after, made.created + 30 * day);
assert.deepEqual({ ...(await clocks.retrieve(made.id)) }, { ...made });
assert.deepEqual((await clocks.list({ limit: 1 })).data.map((one) => one.id), [made.id]);
const under = await stripe.customers.create({ test_clock: made.id, name: "Ada" });
assert.deepEqual([under.created, under.test_clock], [frozen, made.id]);
const free = await stripe.customers.create({ name: "Bob" });
assert.deepEqual((await stripe.customers.list()).data.map((one) => one.id), [free.id]);
assert.deepEqual((await stripe.customers.list({ test_clock: made.id })).data.map((one) => one.id), [under.id]);
const moving = await clocks.advance(made.id, { frozen_time: frozen + day });
assert.deepEqual([moving.status, moving.status_details.advancing.target_frozen_time], ["advancing", frozen + day]);
assert.equal((await ready(made.id)).frozen_time, frozen + day);
const whole = await stripe.customers.retrieve(under.id, { expand: ["test_clock", "subscriptions"] });
assert.equal(whole.test_clock.frozen_time, frozen + day);
assert.deepEqual(whole.subscriptions.data, []);

// What cannot be
await refused(clocks.create({}), { code: "parameter_missing", param: "frozen_time" });
await refused(clocks.create({ frozen_time: 1, customer: "cus_x" }), { code: "resource_missing", param: "customer" });
await refused(clocks.advance(made.id, { frozen_time: frozen }), { param: "frozen_time" });
await refused(clocks.advance(made.id, { frozen_time: frozen + 800 * day }), { param: "frozen_time" });
await refused(clocks.retrieve("clock_x"), { status: 404, code: "resource_missing", param: "id" });
await refused(stripe.customers.create({ test_clock: "clock_x" }), { code: "resource_missing", param: "test_clock" });
await refused(stripe.customers.update(free.id, { test_clock: made.id }), {
  code: "parameter_unknown",
  param: "test_clock",
});
for (let n = 0; n < 2; n += 1) await stripe.customers.create({ test_clock: made.id });
await refused(stripe.customers.create({ test_clock: made.id }), { param: "test_clock" });

// Subscriptions, reported by a billing service of ours
const reported = await fetch(`http://127.0.0.1:${port}/v1/rollbook/customers/${under.id}/subscriptions/sub_1`, {
  method: "PUT",
  headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
  body: JSON.stringify({
    status: "past_due",
    currency: "usd",
    current_period_start: frozen,
    current_period_end: frozen + 30 * day,
    items: [{ id: "si_1", price: { id: "price_1", unit_amount: 2000 } }],
    latest_invoice: { id: "in_1", status: "open", auto_advance: true },
    default_payment_method: null,
  }),
});
assert.equal(reported.status, 200);
const shown = await stripe.customers.retrieve(under.id, { expand: ["subscriptions"] });
assert.deepEqual([shown.delinquent, shown.currency], [true, "usd"]);
assert.deepEqual(
  shown.subscriptions.data.map((one) => [one.id, one.status, one.items.data[0].price.unit_amount]),
  [["sub_1", "past_due", 2000]],
);

const own = `/v1/customers/${under.id}/subscriptions`;
assert.deepEqual((await stripe.rawRequest("GET", own)).data.map((one) => one.id), ["sub_1"]);
assert.equal((await stripe.rawRequest("GET", `${own}/sub_1`)).latest_invoice, "in_1");
const removed = await stripe.rawRequest("DELETE", `/v1/rollbook/customers/${under.id}/subscriptions/sub_1`);
assert.deepEqual([removed.id, removed.deleted], ["sub_1", true]);
await refused(stripe.rawRequest("GET", `${own}/sub_1`), { status: 404, code: "resource_missing", param: "id" });

// The end of a clock
const gone = await clocks.del(made.id);
assert.deepEqual({ ...gone }, { id: made.id, object: "test_helpers.test_clock", deleted: true });
assert.equal((await stripe.customers.retrieve(under.id)).deleted, true);
assert.equal((await stripe.customers.retrieve(free.id)).deleted, undefined);
console.log("ok");
