"""The main job, by Stripe's own client: `main_job.py http://127.0.0.1:8420 [KEY]` against a service that runs.

A customer is created, read, changed, listed and deleted, and each change arrives at a webhook receiver, signed. The
Python of the installation under test runs it, with nothing but `stripe` added. What does not happen in time is an error
that says what was missing.
"""

import json
import queue
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

ARRIVAL_TIMEOUT_S = 30
TYPES = ["customer.created", "customer.updated", "customer.deleted"]


class Receiver(BaseHTTPRequestHandler):
    """Keeps the body and the signature of each webhook that arrives."""

    arrived: "queue.Queue[tuple[bytes, str]]" = queue.Queue()

    def do_POST(self) -> None:
        """Take a webhook and answer that it was taken."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.arrived.put((body, self.headers["Stripe-Signature"]))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on the terminal."""


def main(base: str, key: str) -> None:
    """Do the job; raises where something is not as it should be."""
    client = stripe.StripeClient(key, base_addresses={"api": base})
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = client.v1.webhook_endpoints.create(
            {"url": f"http://127.0.0.1:{server.server_port}/hook", "enabled_events": TYPES}
        )
        customer = client.v1.customers.create({"email": "jenny.rosen@example.com", "name": "Jenny Rosen"})
        client.v1.customers.update(customer.id, {"metadata": {"plan": "gold"}})
        assert client.v1.customers.retrieve(customer.id).metadata["plan"] == "gold"
        assert customer.id in [each.id for each in client.v1.customers.list({"limit": 3}).data]
        assert client.v1.customers.delete(customer.id).deleted
        missing = set(TYPES)
        while missing:
            try:
                body, signature = Receiver.arrived.get(timeout=ARRIVAL_TIMEOUT_S)
            except queue.Empty:
                sys.exit(f"No webhook of {sorted(missing)} arrived within {ARRIVAL_TIMEOUT_S} s.")
            stripe.Webhook.construct_event(body, signature, endpoint.secret)
            event = json.loads(body)
            if event["data"]["object"]["id"] == customer.id:
                missing.discard(event["type"])
        client.v1.webhook_endpoints.delete(endpoint.id)
        server.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "sk_test_rollbook")
    print("The main job is done: customers and their webhooks, by Stripe's client.")
