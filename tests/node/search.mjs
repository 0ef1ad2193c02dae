// Searching through Stripe's official client for Node.js; twelve customers are there to be found.
// Usage: node search.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const stripe = new Stripe(key, { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 });

const walked = [];
const query = "name:'fakename' AND metadata['foo']:'bar'";
for await (const one of stripe.customers.search({ query, limit: 5 })) walked.push(one.metadata.n);
assert.deepEqual(walked, ["11", "10", "9", "8", "7", "6", "5", "4", "3", "2", "1", "0"]);
await assert.rejects(stripe.customers.search({ query: "city:'x'" }), {
  type: "StripeInvalidRequestError",
  statusCode: 400,
  param: "query",
});
console.log("ok");
