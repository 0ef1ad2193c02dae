"""A person with a value of their own in every field that takes one, who has used every route there is for them."""

from asyncio import StreamReader, StreamWriter
from typing import Any
from urllib.parse import urlencode

from tests.service.http.subscriptions import put
from tests.service.serving import Api
from tests.webhooks.receiver import Receiver

# What the person is known by. A search is without regard to case, so the letters are.
VALUES = {
    "address[city]": "qqcity01",
    "address[line1]": "qqline02",
    "address[line2]": "qqline03",
    "address[postal_code]": "qqpost04",
    "address[state]": "qqstate05",
    "business_name": "qqbusiness06",
    "cash": "qqreference07",
    "description": "qqdescription08",
    "email": "qqmail09@example.com",
    "individual_name": "qqperson10",
    "invoice_settings[custom_fields][0][name]": "qqfield11",
    "invoice_settings[custom_fields][0][value]": "qqvalue12",
    "invoice_settings[footer]": "qqfooter13",
    "metadata[qqkey14]": "qqvalue15",
    "name": "qqname16",
    "phone": "qqphone17",
    "shipping[address][line1]": "qqship18",
    "shipping[name]": "qqship19",
    "shipping[phone]": "qqship20",
    "tax[ip_address]": "203.0.113.177",
}
OTHERS = (
    "qqkey14",
    "qqholder21",
    "qqholder22",
    "qqtransaction23",
    "qqtransaction24",
    "qqbilling25",
    "qqbilling26@example.com",
    "qqbilling27",
    "qqsubscription28",
    "qqsubscription29",
    "qqcard30",
    "qqcard31",
    "qqtoken32",
    "qqupdated33",
    "99-9888777",
    "DE888888888",
)
EVERY = (*VALUES.values(), *OTHERS)
CARD = {"number": "4242424242424242", "exp_month": "12", "exp_year": "2040", "cvc": "123"}


async def sent(api: Api, path: str, parameters: dict[str, str], **headers: str) -> Any:
    """The object that a request made or changed."""
    answer = await api.post(path, urlencode(parameters), **headers)
    assert answer.status == 200, answer.body
    return answer.json


def _card(prefix: str, **more: str) -> dict[str, str]:
    return {f"{prefix}[{name}]": value for name, value in (CARD | more).items()}


async def person(api: Api) -> dict[str, str]:
    """Make the person, and have them use every route under an idempotency key; gives ids by what they are of."""
    made = {name: value for name, value in VALUES.items() if name != "cash"}
    tax_ids = {"tax_id_data[0][type]": "eu_vat", "tax_id_data[0][value]": "DE888888888"}
    id = (await sent(api, "/v1/customers", made | tax_ids, Idempotency_Key="person"))["id"]
    path = f"/v1/customers/{id}"
    await sent(api, path, {"description": "qqupdated33"}, Idempotency_Key="updated")
    await sent(api, path, {"description": "qqupdated33"}, Idempotency_Key="unchanged")
    token = await sent(api, "/v1/tokens", _card("card", name="qqtoken32"), Idempotency_Key="token")
    source = await sent(api, f"{path}/sources", {"source": token["id"], "metadata[a]": "qqcard30"})
    await sent(api, f"{path}/sources/{source['id']}", {"name": "qqcard31"})
    bank = {
        "source[object]": "bank_account",
        "source[country]": "US",
        "source[currency]": "usd",
        "source[account_number]": "000123456789",
        "source[routing_number]": "110000000",
        "source[account_holder_name]": "qqholder21",
    }
    account = await sent(api, f"{path}/sources", bank)
    await sent(api, f"{path}/sources/{account['id']}", {"account_holder_name": "qqholder22"})
    removed = await api.delete(f"{path}/sources/{account['id']}")
    assert removed.status == 200, removed.body
    paying = {
        "type": "card",
        "card[token]": (await sent(api, "/v1/tokens", _card("card", name="qqtoken32")))["id"],
        "billing_details[name]": "qqbilling25",
        "billing_details[email]": "qqbilling26@example.com",
    }
    methods = [(await sent(api, "/v1/payment_methods", paying, Idempotency_Key="method"))["id"]]
    await sent(api, f"/v1/payment_methods/{methods[0]}/attach", {"customer": id}, Idempotency_Key="attached")
    await sent(api, f"/v1/payment_methods/{methods[0]}", {"metadata[a]": "qqbilling27"})
    other = {"type": "sepa_debit", "sepa_debit[iban]": "DE89370400440532013000", "billing_details[name]": "qqbilling25"}
    other["billing_details[email]"] = "qqbilling26@example.com"
    methods.append((await sent(api, "/v1/payment_methods", other))["id"])
    await sent(api, f"/v1/payment_methods/{methods[1]}/attach", {"customer": id})
    await sent(api, f"/v1/payment_methods/{methods[1]}/detach", {})
    money = {"amount": "-500", "currency": "usd", "description": "qqtransaction23", "metadata[a]": "qqtransaction24"}
    await sent(api, f"{path}/balance_transactions", money)
    number = await sent(api, f"{path}/tax_ids", {"type": "us_ein", "value": "99-9888777"})
    funds = {"amount": "700", "currency": "eur", "reference": VALUES["cash"]}
    await sent(api, f"/v1/test_helpers/customers/{id}/fund_cash_balance", funds)
    report = "status=active&currency=usd&current_period_start=1&current_period_end=2&description=qqsubscription28"
    subscription = await put(api, id, "sub_1", f"{report}&metadata[a]=qqsubscription29")
    assert subscription.status == 200, subscription.body
    ended = await put(api, id, "sub_1", f"{report}&metadata[a]=qqsubscription29".replace("active", "canceled"))
    assert ended.status == 200, ended.body
    return {
        "customer": id,
        "method": methods[0],
        "detached": methods[1],
        "source": source["id"],
        "tax_id": number["id"],
        "token": token["id"],
    }


def echoing() -> Receiver:
    """A receiver whose answers repeat the event that it got."""

    async def script(_: StreamReader, writer: StreamWriter) -> None:
        body = receiver.received[-1].body
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()

    receiver = Receiver(script)
    return receiver
