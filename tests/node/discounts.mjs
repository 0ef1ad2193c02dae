// Coupons, promotion codes and discounts through Stripe's official client for Node.js, in the newest version and an
// older one.
// Usage: node discounts.mjs PORT KEY; exits with a stack trace when something is not as it should be.
import assert from "node:assert/strict";
import Stripe from "stripe";

const [port, key] = process.argv.slice(2);
const options = { host: "127.0.0.1", port, protocol: "http", maxNetworkRetries: 0 };
const stripe = new Stripe(key, options);
const older = new Stripe(key, { ...options, apiVersion: "2025-08-27.basil" });

const coupon = await stripe.coupons.create({
  id: "SALE",
  percent_off: 25.5,
  duration: "repeating",
  duration_in_months: 3,
  max_redemptions: 3,
  metadata: { a: "1" },
});
assert.deepEqual([coupon.id, coupon.percent_off, coupon.valid], ["SALE", 25.5, true]);
assert.deepEqual({ ...(await stripe.coupons.retrieve("SALE")) }, { ...coupon });
const named = await stripe.coupons.update("SALE", { name: "Summer", metadata: { a: null, b: "2" } });
assert.deepEqual([named.name, named.metadata], ["Summer", { b: "2" }]);
await assert.rejects(stripe.coupons.create({ id: "SALE", percent_off: 1 }), {
  type: "StripeInvalidRequestError",
  statusCode: 400,
  code: "resource_already_exists",
});

const code = await stripe.promotionCodes.create({ promotion: { type: "coupon", coupon: "SALE" }, code: "Summer" });
assert.deepEqual(code.promotion, { coupon: "SALE", type: "coupon" });
const shown = await older.promotionCodes.retrieve(code.id);
assert.deepEqual([shown.coupon.id, shown.promotion], ["SALE", undefined]);
const listed = [];
for await (const one of stripe.promotionCodes.list({ code: "SUMMER", limit: 1 })) listed.push(one.id);
assert.deepEqual(listed, [code.id]);
const stopped = await stripe.promotionCodes.update(code.id, { active: false });
await assert.rejects(stripe.customers.create({ promotion_code: code.id }), { statusCode: 400, param: "promotion_code" });
await stripe.promotionCodes.update(code.id, { active: true });
assert.equal(stopped.active, false);

const customer = await stripe.customers.create({ coupon: "SALE", expand: ["discount.source.coupon"] });
assert.equal(customer.discount.source.coupon.times_redeemed, 1);
assert.ok(customer.discount.end > customer.discount.start);
const whole = await older.customers.retrieve(customer.id);
assert.deepEqual([whole.discount.coupon.name, whole.discount.source], ["Summer", undefined]);
const changed = await older.customers.update(customer.id, { promotion_code: code.id });
assert.deepEqual([changed.discount.promotion_code, changed.discount.coupon.times_redeemed], [code.id, 2]);

const given = await stripe.rawRequest("GET", `/v1/customers/${customer.id}/discount`);
assert.deepEqual([given.id, given.source.coupon], [changed.discount.id, "SALE"]);
const gone = await stripe.customers.deleteDiscount(customer.id);
assert.deepEqual([gone.id, gone.deleted, gone.end], [changed.discount.id, true, undefined]);
await assert.rejects(stripe.customers.deleteDiscount(customer.id), { statusCode: 404, code: "resource_missing" });
await stripe.customers.update(customer.id, { coupon: "SALE" });
assert.equal((await stripe.customers.update(customer.id, { coupon: "" })).discount, null);
await assert.rejects(stripe.customers.create({ coupon: "SALE" }), { statusCode: 400, code: "coupon_expired", param: "coupon" });

const events = [];
for await (const event of stripe.events.list({ type: "customer.discount.*", limit: 2 })) events.push(event);
assert.deepEqual(events.map((event) => event.type.split(".").pop()).reverse(), [
  "created",
  "updated",
  "deleted",
  "created",
  "deleted",
]);
assert.equal(events[3].data.previous_attributes.promotion_code, null);

assert.deepEqual({ ...(await stripe.coupons.del("SALE")) }, { id: "SALE", object: "coupon", deleted: true });
await assert.rejects(stripe.coupons.retrieve("SALE"), { statusCode: 404, code: "resource_missing" });
assert.deepEqual((await stripe.coupons.list()).data, []);

console.log("ok");
