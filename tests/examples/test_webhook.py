"""A webhook: `webhooks` has endpoints, deliveries and a worker over a real database; `receiver` is an HTTP server."""

from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.conftest import webhooks as webhooks  # in tests/webhooks the fixture needs no import
from tests.webhooks.harness import WebhookHarness


async def test_a_failed_attempt_is_retried(webhooks: WebhookHarness, receiver: Receiver) -> None:
    await webhooks.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500), Answer())
    await webhooks.notices()  # an event
    await webhooks.catch_up()  # its fan-out

    async def attempts(count: int) -> bool:
        return len(await webhooks.attempts()) == count

    async with webhooks.working():
        await until(lambda: attempts(1))
        await webhooks.hurry()  # the end of its backoff
        await until(lambda: attempts(2))
    first, second = await webhooks.attempts()
    assert (first["outcome"], second["outcome"]) == ("retry", "delivered")
