"""A route: the fixture `api` is the application on a free port, with a database of its own, and a client."""

from tests.service.serving import Api


async def test_a_customer_has_the_name_that_was_sent(api: Api) -> None:
    customer = await api.customer("name=Jenny+Rosen")
    assert (await api.get(f"/v1/customers/{customer['id']}")).json["name"] == "Jenny Rosen"


async def test_an_unknown_parameter_is_refused(api: Api) -> None:
    code, param, _ = await api.refused("POST", "/v1/customers", "nickname=Jenny")
    assert (code, param) == ("parameter_unknown", "nickname")
