// Webhook endpoints and events through Stripe's official client for Node.js.
// Usage: node webhook_endpoints.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const stripe = new Stripe(key, { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 });

const customer = await stripe.customers.create({ name: "Ada" });
await stripe.customers.update(customer.id, { name: "Bea" });

const made = await stripe.webhookEndpoints.create({
  url: "https://example.com/hooks",
  enabled_events: ["customer.created", "customer.updated"],
  description: "ours",
  metadata: { a: "1" },
});
assert.match(made.secret, /^whsec_.{32}$/);
const { secret, ...plain } = made;
assert.deepEqual({ ...(await stripe.webhookEndpoints.retrieve(made.id)) }, plain);
const changed = await stripe.webhookEndpoints.update(made.id, { disabled: true, enabled_events: ["*"], description: "" });
assert.deepEqual([changed.status, changed.enabled_events, changed.description], ["disabled", ["*"], null]);
const listed = [];
for await (const one of stripe.webhookEndpoints.list({ limit: 1 })) listed.push(one.id);
assert.deepEqual(listed, [made.id]);
assert.deepEqual({ ...(await stripe.webhookEndpoints.del(made.id)) }, {
  id: made.id,
  object: "webhook_endpoint",
  deleted: true,
});
await assert.rejects(stripe.webhookEndpoints.retrieve(made.id), { statusCode: 404, code: "resource_missing" });

const events = [];
for await (const event of stripe.events.list({ limit: 1, types: ["customer.updated", "customer.created"] })) {
  events.push(event);
}
assert.deepEqual(events.map((event) => event.type), ["customer.updated", "customer.created"]);
assert.deepEqual(events[0].data.previous_attributes, { name: "Ada" });
assert.equal(events[1].data.object.id, customer.id);
assert.equal(events[1].request.id, customer.lastResponse.requestId);
assert.match(events[1].request.idempotency_key, /^stripe-node-retry-/);
assert.deepEqual({ ...(await stripe.events.retrieve(events[0].id)) }, { ...events[0] });
assert.deepEqual((await stripe.events.list({ type: "coupon.*" })).data, []);

console.log("ok");
