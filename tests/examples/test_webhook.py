"""A webhook: `house` has endpoints, deliveries and a worker over a real database; `receiver` answers as it is set."""

from tests.servers.receiver import Answer, Receiver
from tests.waiting import until
from tests.webhooks.conftest import house as house  # a test in tests/webhooks has this fixture without the import
from tests.webhooks.harness import Floor


async def test_a_failed_attempt_is_retried(house: Floor, receiver: Receiver) -> None:
    await house.endpoint(receiver.url("/hook"))
    receiver.behave("/hook", Answer(status=500), Answer())
    await house.notices()  # an event
    await house.catch_up()  # its fan-out

    async def attempts(count: int) -> bool:
        return len(await house.attempts()) == count

    async with house.working():
        await until(lambda: attempts(1))
        await house.hurry()  # the end of its backoff
        await until(lambda: attempts(2))
    first, second = await house.attempts()
    assert (first["outcome"], second["outcome"]) == ("retry", "delivered")
