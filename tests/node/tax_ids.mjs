// Tax ids, customers' and the account's own, and `tax` through Stripe's official client for Node.js.
// Usage: node tax_ids.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const stripe = new Stripe(key, { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 });

const customer = await stripe.customers.create({
  address: { country: "FR" },
  tax: { ip_address: "203.0.113.7" },
  tax_id_data: [
    { type: "eu_vat", value: "FRAB123456789" },
    { type: "us_ein", value: "12-3456789" },
  ],
  expand: ["tax", "tax_ids"],
});
assert.deepEqual({ ...customer.tax, location: { ...customer.tax.location } }, {
  automatic_tax: "not_collecting",
  ip_address: "203.0.113.7",
  location: { country: "FR", source: "billing_address", state: null },
  provider: "stripe",
});
assert.deepEqual(customer.tax_ids.data.map((one) => one.type), ["us_ein", "eu_vat"]);

const made = await stripe.customers.createTaxId(customer.id, { type: "gb_vat", value: "GB123456789" });
assert.deepEqual([made.object, made.country, made.verification.status], ["tax_id", "GB", "pending"]);
assert.equal((await stripe.customers.retrieveTaxId(customer.id, made.id)).value, "GB123456789");
const listed = [];
for await (const one of stripe.customers.listTaxIds(customer.id, { limit: 2 })) listed.push(one.type);
assert.deepEqual(listed, ["gb_vat", "us_ein", "eu_vat"]);
assert.deepEqual({ ...(await stripe.customers.deleteTaxId(customer.id, made.id)) }, {
  id: made.id,
  object: "tax_id",
  deleted: true,
});
await assert.rejects(stripe.customers.retrieveTaxId(customer.id, made.id), {
  type: "StripeInvalidRequestError",
  statusCode: 404,
  code: "resource_missing",
  param: "id",
});
await assert.rejects(stripe.customers.createTaxId(customer.id, { type: "eu_vat", value: "FR1" }), {
  statusCode: 400,
  code: "tax_id_invalid",
  param: "value",
});
await assert.rejects(stripe.customers.create({ tax_id_data: [{ type: "eu_vat", value: "1" }] }), {
  code: "tax_id_invalid",
  param: "tax_id_data[0][value]",
});
await assert.rejects(stripe.customers.create({ tax: { validate_location: "immediately" } }), {
  statusCode: 400,
  code: "customer_tax_location_invalid",
});

const own = await stripe.taxIds.create({ type: "ch_vat", value: "CHE-123.456.789 MWST" });
assert.deepEqual([own.customer, own.owner.type, own.verification], [null, "self", null]);
const theirs = await stripe.taxIds.create({
  type: "us_ein",
  value: "98-7654321",
  owner: { type: "customer", customer: customer.id },
});
assert.equal((await stripe.taxIds.retrieve(theirs.id, { expand: ["customer"] })).customer.id, customer.id);
assert.deepEqual((await stripe.taxIds.list()).data.map((one) => one.id), [own.id]);
const page = await stripe.taxIds.list({ owner: { type: "customer", customer: customer.id }, limit: 1 });
assert.deepEqual([page.data[0].id, page.has_more], [theirs.id, true]);
for (const one of [own, theirs]) assert.equal((await stripe.taxIds.del(one.id)).deleted, true);
await assert.rejects(stripe.taxIds.list({ owner: { type: "application" } }), { statusCode: 400, param: "owner[type]" });

console.log("ok");
