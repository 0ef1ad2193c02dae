// Stripe's official client for Node.js, unchanged but for the address, against a live server.
// Usage: node customers.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const address = { host: "127.0.0.1", port, protocol: "http" };
const stripe = new Stripe(key, { ...address, maxNetworkRetries: 0 });
const warnings = [];
process.on("warning", (warning) => warnings.push(warning));

async function refused(promise, expected) {
  const error = await promise.then(
    () => assert.fail("was not refused"),
    (error) => error,
  );
  assert.deepEqual(
    { class: error.constructor.name, status: error.statusCode, code: error.code, param: error.param },
    { code: undefined, param: undefined, ...expected },
  );
  assert.match(error.requestId, /^req_/);
}

// Every route of a customer
const made = await stripe.customers.create({
  name: "Ada",
  email: "ada@example.com",
  address: { city: "London", line2: "" },
  shipping: { name: "Desk", address: { country: "GB" } },
  preferred_locales: ["en", "de"],
  invoice_settings: { custom_fields: [{ name: "VAT", value: "7" }], rendering_options: { amount_tax_display: "" } },
  metadata: { order: 66, b: true },
  expand: ["sources", "tax_ids"],
});
assert.match(made.lastResponse.requestId, /^req_/);
assert.match(made.lastResponse.headers["idempotency-key"], /^stripe-node-retry-/);
assert.equal(made.lastResponse.apiVersion, Stripe.API_VERSION ?? made.lastResponse.apiVersion);
assert.deepEqual(made.metadata, { b: "true", order: "66" });
assert.deepEqual([made.address.city, made.address.line2, made.address.country], ["London", "", null]);
assert.deepEqual(made.preferred_locales, ["en", "de"]);
assert.deepEqual(made.invoice_settings.custom_fields, [{ name: "VAT", value: "7" }]);
assert.deepEqual([made.sources.data, made.tax_ids.data], [[], []]);
const { sources, tax_ids, ...plain } = made;
assert.deepEqual({ ...(await stripe.customers.retrieve(made.id)) }, plain);
const changed = await stripe.customers.update(made.id, { name: null, address: "", metadata: { b: null, c: "3" } });
assert.deepEqual([changed.name, changed.address, changed.metadata], [null, null, { c: "3", order: "66" }]);
assert.deepEqual((await stripe.customers.update(made.id, { metadata: null })).metadata, {});
const found = await stripe.customers.list({ email: "ada@example.com", created: { gte: made.created } });
assert.deepEqual(found.data.map((one) => one.id), [made.id]);
assert.deepEqual((await stripe.customers.list({ created: { lt: made.created } })).data, []);
const gone = await stripe.customers.del(made.id);
assert.deepEqual({ ...gone }, { id: made.id, object: "customer", deleted: true });
assert.equal((await stripe.customers.retrieve(made.id)).deleted, true);

// Pages
const ids = [];
for (let n = 0; n < 7; n += 1) ids.push((await stripe.customers.create({ name: `c${n}` })).id);
const forwards = [];
for await (const one of stripe.customers.list({ limit: 3 })) forwards.push(one.id);
assert.deepEqual(forwards, ids.toReversed());
const backwards = [];
for await (const one of stripe.customers.list({ limit: 3, ending_before: ids[0] })) backwards.push(one.id);
assert.deepEqual(backwards, ids.slice(1));
assert.equal((await stripe.customers.list({ limit: 1, expand: ["total_count"] })).total_count, 7);

// Errors
const invalid = { class: "StripeInvalidRequestError", status: 400 };
const missing = { ...invalid, status: 404, code: "resource_missing", param: "id" };
await refused(stripe.customers.retrieve("cus_x"), missing);
await refused(stripe.customers.update(made.id, { name: "x" }), missing);
await refused(stripe.customers.del(made.id), missing);
await refused(stripe.customers.create({ email: "x" }), { ...invalid, code: "email_invalid", param: "email" });
await refused(stripe.customers.create({ shipping: { address: { city: "x" } } }), {
  ...invalid,
  code: "parameter_missing",
  param: "shipping[name]",
});
await refused(stripe.customers.create({ foo: 1 }), { ...invalid, code: "parameter_unknown", param: "foo" });
await refused(stripe.customers.list({ limit: 0 }), { ...invalid, param: "limit" });
await refused(stripe.customers.list({ ending_before: "cus_x" }), {
  ...invalid,
  code: "resource_missing",
  param: "ending_before",
});
await refused(stripe.products.list(), { ...invalid, status: 404 });
await refused(new Stripe("sk_test_x", { ...address, maxNetworkRetries: 0 }).customers.list(), {
  class: "StripeAuthenticationError",
  status: 401,
});
await refused(stripe.customers.list({}, { stripeAccount: "acct_x" }), {
  class: "StripePermissionError",
  status: 403,
  code: "account_invalid",
});

// Idempotency
const first = await stripe.customers.create({ name: "x" }, { idempotencyKey: "k" });
const again = await stripe.customers.create({ name: "x" }, { idempotencyKey: "k" });
assert.deepEqual({ ...again }, { ...first });
assert.equal(again.lastResponse.headers["idempotent-replayed"], "true");
await refused(stripe.customers.create({ name: "y" }, { idempotencyKey: "k" }), {
  class: "StripeIdempotencyError",
  status: 400,
});

assert.deepEqual(warnings, []);
console.log("ok");
