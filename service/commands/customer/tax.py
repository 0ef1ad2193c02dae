"""`tax`: the IP address the customer comes from, and whether it must be known where the customer is."""

from collections.abc import Iterable
from dataclasses import replace

import orjson

from events import customer
from events.customer import CUSTOMER, profile
from events.customer.tax import UNRECOGNIZED, SetTax
from events.errors import Refusal
from events.unit_of_work import UnitOfWork
from projections import customers
from service.http import resources
from service.http.params.customer import CreateCustomer, UpdateCustomer
from service.http.pipeline import RequestContext

PARAMETERS = ("tax",)
Parameters = CreateCustomer | UpdateCustomer


async def apply(unit: UnitOfWork, call: RequestContext, id: str, parameters: Parameters, at: int) -> None:
    """Remember the IP address. Raises Refusal when the location was to be recognised immediately, and is not."""
    tax = parameters.tax
    assert tax is not None
    if "ip_address" in tax.model_fields_set:
        unit.do(CUSTOMER, id, SetTax(ip_address=tax.ip_address))
    if tax.validate_location == "immediately":
        await _recognise(unit, call, id, parameters)


def streams(call: RequestContext, parameters: Parameters) -> Iterable[str]:
    """None but the customer's."""
    return ()


async def _recognise(unit: UnitOfWork, call: RequestContext, id: str, parameters: Parameters) -> None:
    """Look for the location that the customer will have when all that the request asks for is done."""
    state = unit.state(CUSTOMER, id)
    changes = profile.changes(state.profile, parameters.patch())
    after = replace(state, profile=profile.apply(state.profile, changes))
    body = customers.body(after, call.caller.livemode)
    [body] = await resources.expander(call, unit).expanded([body], customer.KIND, {"tax": {}})
    if orjson.loads(body)["tax"]["automatic_tax"] == UNRECOGNIZED:
        raise Refusal(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically "
            "calculate tax.",
            code="customer_tax_location_invalid",
            param="tax[validate_location]",
        )
