// Balances and cash through Stripe's official client for Node.js.
// Usage: node balances.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const stripe = new Stripe(key, { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 });

const { id } = await stripe.customers.create({ balance: -10, expand: ["invoice_credit_balance"] });
for (let amount = 1; amount <= 12; amount++) {
  await stripe.customers.createBalanceTransaction(id, { amount, currency: "usd" });
}
const amounts = [];
for await (const one of stripe.customers.listBalanceTransactions(id, { limit: 5 })) amounts.push(one.amount);
assert.deepEqual(amounts, [12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, -10]);
const [newest] = (await stripe.customers.listBalanceTransactions(id, { limit: 1 })).data;
assert.equal(newest.ending_balance, 68);
const changed = await stripe.customers.updateBalanceTransaction(id, newest.id, { description: "x" });
assert.equal((await stripe.customers.retrieveBalanceTransaction(id, newest.id)).description, changed.description);

const cash = await stripe.customers.updateCashBalance(id, { settings: { reconciliation_mode: "manual" } });
assert.equal(cash.settings.reconciliation_mode, "manual");
const sent = await stripe.testHelpers.customers.fundCashBalance(id, { amount: 7, currency: "eur" });
assert.deepEqual({ ...(await stripe.customers.retrieveCashBalance(id)).available }, { eur: 7 });
assert.equal((await stripe.customers.listCashBalanceTransactions(id)).data[0].id, sent.id);
assert.equal((await stripe.customers.retrieveCashBalanceTransaction(id, sent.id)).net_amount, 7);
await assert.rejects(stripe.customers.del(id), { type: "StripeInvalidRequestError", statusCode: 400 });
console.log("ok");
