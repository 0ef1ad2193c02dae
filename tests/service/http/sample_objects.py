"""What the reference's code samples need to exist: new objects for each, under the ids that stand in the samples."""

import secrets
from typing import Any

from events import checkpoint_keys
from events.record import Origin
from events.redaction_job import REDACTION_JOB, FinishValidation, JobError
from events.sealer import Sealer
from service.http.docs import samples
from service.http.operation import Operation
from tests.acting import update
from tests.service.serving import ACCOUNT, Api
from tests.waiting import until

VERSION = "2026-06-24.dahlia"

# Placeholders of what a list shows, where it is not the resource's name.
SUBSCRIPTION = (
    "currency=usd&current_period_end=1782864000&current_period_start=1780272000&status=active"
    "&items[0][id]=si_1&items[0][price][id]=price_1"
)
LISTED = {
    "balance_transactions": "transaction",
    "bank_accounts": "id",
    "cards": "id",
    "cash_balance_transactions": "transaction",
    "sources": "id",
}


class SampleObjects:
    """Makes objects for one operation at a time."""

    def __init__(self, api: Api, hook: str) -> None:
        self._api = api
        self._hook = hook  # URL of a receiver that fails, so that deliveries stay pending
        self._made = ""

    async def _post(self, path: str, body: str = "") -> Any:
        answer = await self._api.post(path, body)
        assert answer.status == 200, answer.body
        return answer.json

    async def make(self, operation: Operation) -> dict[str, str]:
        """The objects that the sample of an operation names: their own ids by the ids that are printed."""
        name, ids = operation.name, samples.IDS
        names = {"https://example.com/hooks": self._hook, "SPRING": f"SPRING{secrets.token_hex(4).upper()}"}
        customer = (await self._post("/v1/customers", "email=jenny.rosen@example.com&name=Jenny+Rosen"))["id"]
        names[ids["customer"]] = customer
        path = f"/v1/customers/{customer}"
        for placeholder, printed in zip(
            samples.PLACEHOLDER.findall(operation.path), samples.example_ids(name, operation.path), strict=True
        ):
            if placeholder == "object":
                names[printed] = customer
            elif placeholder not in ("customer", "kind"):
                names[printed] = await self._id(name, placeholder, printed, path)
        if name.startswith("promotion_codes.create"):
            names[ids["coupon"]] = await self._coupon()
        if name.startswith("customers.discount"):
            await self._post(path, f"coupon={await self._coupon()}")
        if name in ("audit.proof", "audit.consistency"):
            await Sealer(self._api.core.pool, lambda: checkpoint_keys.new("rollbook.example.com/log")).catch_up()
        await self._fill_list(operation, path)
        return names

    async def _fill_list(self, operation: Operation, path: str) -> None:
        """Have a list show an object."""
        match operation.name:
            case "coupons.list":
                await self._coupon()
            case "customers.search":
                await until(self._is_found)
            case "rollbook.deliveries.list":
                await self._delivery()
            case "customers.list" | "events.list":
                pass
            case name if name.endswith(".list"):
                resource = name.removesuffix(".list").rpartition(".")[2]
                printed = "ba_" if resource == "bank_accounts" else "card_"
                await self._id(name, LISTED.get(resource, resource.removesuffix("s")), printed, path)

    async def _is_found(self) -> bool:
        answer = await self._api.get("/v1/customers/search?query=email:'jenny.rosen@example.com'")
        return bool(answer.json["data"])

    async def _coupon(self) -> str:
        id: str = (await self._post("/v1/coupons", "duration=repeating&duration_in_months=3&percent_off=25.5"))["id"]
        return id

    async def _delivery(self) -> str:
        endpoint = await self._endpoint()
        await self._post("/v1/customers")

        async def tried() -> Any:
            shown = await self._api.get(f"/v1/rollbook/deliveries?endpoint={endpoint}&limit=1")
            return [one["id"] for one in shown.json["data"] if one["attempt_count"] == 1]

        found: list[str] = await until(tried)
        return found[0]

    async def _endpoint(self) -> str:
        if self._made:  # an account may have 16
            await self._api.delete(f"/v1/webhook_endpoints/{self._made}")
        body = f"url={self._hook}&enabled_events[]=customer.created"
        self._made = (await self._post("/v1/webhook_endpoints", body))["id"]
        return self._made

    async def _redaction_job(self, name: str, customer: str) -> Any:
        """A redaction job whose validation has ended: well, or with an error where the operation is about that."""
        made = await self._post("/v1/privacy/redaction_jobs", f"objects[customers][]={customer}")
        failed = "validat" in name
        error = JobError(code="invalid_state", customer=customer, id=f"prjve_{secrets.token_hex(12)}", message="Held.")
        ended = FinishValidation(id=made["id"], errors=[error] if failed else [])
        origin = Origin(account=ACCOUNT, livemode=False, at=self._api.core.clock.now(), actor="system")
        await update(self._api.core.executor, REDACTION_JOB, made["id"], ended, origin)
        return made

    async def _id(self, name: str, placeholder: str, printed: str, path: str) -> str:
        """A new object for a placeholder of a path. `path` is the customer's."""
        made: Any
        match placeholder:
            case "coupon":
                return await self._coupon()
            case "promotion_code":
                code = secrets.token_hex(6)
                body = f"promotion[type]=coupon&promotion[coupon]={await self._coupon()}&code={code}"
                made = await self._post("/v1/promotion_codes", body)
            case "id":
                made = await self._post(f"{path}/sources", f"source={'btok_us' if printed[0] == 'b' else 'tok_visa'}")
            case "payment_method":
                made = await self._post("/v1/payment_methods", "type=card&card[token]=tok_visa")
                if name != "payment_methods.attach":
                    await self._post(f"/v1/payment_methods/{made['id']}/attach", f"customer={path.rpartition('/')[2]}")
            case "tax_id":
                own = name.startswith("tax_ids")
                made = await self._post("/v1/tax_ids" if own else f"{path}/tax_ids", "type=eu_vat&value=DE123456789")
            case "transaction" if "cash_balance" in name:
                customer = path.rpartition("/")[2]
                await self._post(f"/v1/test_helpers/customers/{customer}/fund_cash_balance", "amount=2000&currency=eur")
                made = (await self._api.get(f"{path}/cash_balance_transactions")).json["data"][0]
            case "transaction":
                made = await self._post(f"{path}/balance_transactions", "amount=-500&currency=usd")
            case "event":
                made = (await self._api.get("/v1/events?limit=1")).json["data"][0]
            case "delivery":
                return await self._delivery()
            case "redaction_job":
                made = await self._redaction_job(name, path.rpartition("/")[2])
            case "validation_error":
                [made] = (await self._api.get("/v1/privacy/redaction_jobs")).json["data"][0]["validation_errors"][
                    "data"
                ]
            case "subscription":
                id = f"sub_{secrets.token_hex(12)}"
                body = f"{SUBSCRIPTION}&items[0][price][unit_amount]=2000"
                shown = await self._api.ask("PUT", f"/v1/rollbook{path.removeprefix('/v1')}/subscriptions/{id}", body)
                assert shown.status == 200, shown.body
                return id
            case "test_clock":
                made = await self._post("/v1/test_helpers/test_clocks", "frozen_time=1780272000&name=A+month+of+June")
            case "token":
                made = await self._post(
                    "/v1/tokens", "card[number]=4242424242424242&card[exp_month]=12&card[exp_year]=2034&card[cvc]=123"
                )
            case "webhook_endpoint":
                return await self._endpoint()
            case _:
                raise AssertionError(f"{name} names {placeholder}")
        id = made["id"]
        return str(id)
