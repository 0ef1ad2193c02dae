-- count_customer_streams: how many events the streams of customers hold.
SELECT coalesce(sum(version), 0)::bigint FROM events.stream WHERE stream >= 'customer-' AND stream < 'customer.';
