// Tokens, cards, bank accounts and payment methods through Stripe's official client for Node.js.
// Usage: node payment_methods.mjs PORT KEY PUBLISHABLE_KEY; exits with a stack trace when something is not as it should
// be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key, publishable] = process.argv.slice(2);
const options = { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 };
const stripe = new Stripe(key, options);
const browser = new Stripe(publishable, options);
const year = new Date().getFullYear() + 1;
const card = { number: "4242424242424242", exp_month: "12", exp_year: String(year), cvc: "123" };
const declined = { type: "StripeCardError", statusCode: 402, code: "card_declined", decline_code: "generic_decline" };

const token = await browser.tokens.create({ card });
assert.deepEqual([token.type, token.used, token.card.last4], ["card", false, "4242"]);
await assert.rejects(browser.customers.create({ source: token.id }), { type: "StripePermissionError", statusCode: 403 });

const customer = await stripe.customers.create({ source: token.id, expand: ["default_source"] });
assert.equal(customer.default_source.fingerprint, token.card.fingerprint);
assert.equal((await stripe.tokens.retrieve(token.id)).used, true);
await assert.rejects(stripe.customers.createSource(customer.id, { source: token.id }), {
  type: "StripeInvalidRequestError",
  statusCode: 400,
  code: "token_already_used",
});
await assert.rejects(stripe.customers.create({ source: "tok_chargeDeclined" }), declined);
await assert.rejects(stripe.tokens.create({ card: { ...card, number: "4242424242424241" } }), {
  type: "StripeCardError",
  statusCode: 402,
  code: "incorrect_number",
  param: "number",
});

const bank = await stripe.customers.createSource(customer.id, {
  source: {
    object: "bank_account",
    country: "US",
    currency: "usd",
    account_number: "000123456789",
    routing_number: "110000000",
  },
});
assert.equal(bank.status, "new");
assert.equal((await stripe.customers.verifySource(customer.id, bank.id, { amounts: [32, 45] })).status, "verified");
const renamed = await stripe.customers.updateSource(customer.id, customer.default_source.id, { name: "Ada" });
assert.equal(renamed.name, "Ada");
assert.equal((await stripe.customers.retrieveSource(customer.id, bank.id)).object, "bank_account");
const listed = [];
for await (const one of stripe.customers.listSources(customer.id, { limit: 1 })) listed.push(one.id);
assert.deepEqual(listed, [bank.id, customer.default_source.id]);
assert.equal((await stripe.customers.listSources(customer.id, { object: "card" })).data.length, 1);
const replaced = await stripe.customers.update(customer.id, { source: "tok_mastercard" });
assert.equal((await stripe.customers.listSources(customer.id)).data.length, 2);
const gone = await stripe.customers.deleteSource(customer.id, replaced.default_source);
assert.deepEqual({ ...gone }, { id: replaced.default_source, object: "card", deleted: true });
assert.equal((await stripe.customers.retrieve(customer.id)).default_source, bank.id);

// By their older names, which the client has no methods of its own for
for (const [collection, tokens] of [
  ["cards", ["tok_visa", "tok_mastercard"]],
  ["bank_accounts", ["btok_us", "btok_us_verified"]],
]) {
  const url = `/v1/customers/${(await stripe.customers.create()).id}/${collection}`;
  const made = [];
  for (const source of tokens) made.push(await stripe.rawRequest("POST", url, { source }));
  const [one, two] = made;
  assert.equal((await stripe.rawRequest("GET", `${url}/${one.id}`)).last4, one.last4);
  assert.deepEqual((await stripe.rawRequest("POST", `${url}/${one.id}`, { metadata: { a: "1" } })).metadata, { a: "1" });
  if (collection === "bank_accounts") {
    const verified = await stripe.rawRequest("POST", `${url}/${one.id}/verify`, { amounts: [32, 45] });
    assert.equal(verified.status, "verified");
  }
  const page = await stripe.rawRequest("GET", `${url}?limit=1`);
  assert.deepEqual([page.data[0].id, page.has_more, page.url], [two.id, true, url]);
  assert.equal((await stripe.rawRequest("DELETE", `${url}/${one.id}`)).deleted, true);
}

const method = await stripe.paymentMethods.create({
  type: "card",
  card: { token: "tok_visa" },
  billing_details: { name: "Ada", address: { city: "London" } },
});
assert.deepEqual([method.customer, method.billing_details.address.city], [null, "London"]);
assert.deepEqual({ ...(await stripe.paymentMethods.retrieve(method.id)) }, { ...method });
assert.equal((await stripe.paymentMethods.attach(method.id, { customer: customer.id })).customer, customer.id);
await assert.rejects(stripe.paymentMethods.attach("pm_card_chargeDeclined", { customer: customer.id }), declined);
const other = await stripe.paymentMethods.attach("pm_usBankAccount", { customer: customer.id });
const methods = [];
for await (const one of stripe.customers.listPaymentMethods(customer.id, { limit: 1 })) methods.push(one.id);
assert.deepEqual(methods, [other.id, method.id]);
assert.equal((await stripe.paymentMethods.list({ customer: customer.id, type: "card" })).data[0].id, method.id);
assert.equal((await stripe.customers.retrievePaymentMethod(customer.id, other.id)).type, "us_bank_account");
const edited = await stripe.paymentMethods.update(method.id, { metadata: { a: "1" }, card: { exp_year: year + 1 } });
assert.deepEqual([edited.metadata, edited.card.exp_year], [{ a: "1" }, year + 1]);
await stripe.customers.update(customer.id, { invoice_settings: { default_payment_method: method.id } });
assert.equal((await stripe.paymentMethods.detach(method.id)).customer, null);
assert.equal((await stripe.customers.retrieve(customer.id)).invoice_settings.default_payment_method, null);
await assert.rejects(stripe.paymentMethods.attach(method.id, { customer: customer.id }), {
  type: "StripeInvalidRequestError",
  statusCode: 400,
  code: "payment_method_unexpected_state",
});

const events = [];
for await (const event of stripe.events.list({ type: "payment_method.*", limit: 2 })) events.push(event);
assert.deepEqual(events.map((event) => event.type.split(".").pop()).reverse(), [
  "attached",
  "attached",
  "updated",
  "detached",
]);
assert.equal(events[0].data.previous_attributes.customer, customer.id);

console.log("ok");
