"""What a customer's other objects cost: a create that names everything against one that names five attributes, and a
page of ten that is expanded over four levels against the plain page.

Each create redeems a coupon. A coupon's redemptions are counted one after the other, so they go round among many: it is
the work that is measured, not the queue for one coupon.
"""

from collections.abc import Sequence
from urllib.parse import urlencode

import aiohttp

from tests.benchmarks.api import PROFILE, Api, production_api
from tests.benchmarks.figures import Figure, take_turns
from tests.benchmarks.load import Blast, Generator, generator, request
from tests.benchmarks.servers import Bench

WINDOW_S = 2.0
COUPONS = 64
LISTED = 10
EVERYTHING = {
    "address[country]": "DE",
    "address[line1]": "Langstrasse 1",
    "balance": "-500",
    "invoice_settings[footer]": "Thank you",
    "payment_method": "pm_card_visa",
    "preferred_locales[0]": "de",
    "shipping[address][country]": "DE",
    "shipping[name]": "Jenny Rosen",
    "source": "tok_mastercard",
    "tax[ip_address]": "203.0.113.7",
    "tax_exempt": "reverse",
    "tax_id_data[0][type]": "eu_vat",
    "tax_id_data[0][value]": "DE123456788",
}
EXPANDED = (
    "data.sources.data.customer",
    "data.tax_ids.data.customer",
    "data.discount.source.coupon",
    "data.invoice_settings.default_payment_method",
    "data.cash_balance",
)


async def facets(bench: Bench) -> Sequence[Figure]:
    """Creates with everything, and expanded pages."""
    async with bench.database() as dsn, production_api(bench, dsn) as api, generator() as load:
        coupons = await _coupons(api)
        with_everything = [_post(api, f"{PROFILE}&{urlencode(EVERYTHING | {'coupon': id})}") for id in coupons]
        creates = await take_turns(
            lambda: _rate(load, api, [api.create()], bench.seconds(WINDOW_S)),
            lambda: _rate(load, api, with_everything, bench.seconds(WINDOW_S)),
            rounds=bench.rounds,
        )
        page = f"/v1/customers?limit={LISTED}"
        expanded = page + "".join(f"&expand[]={path}" for path in EXPANDED)
        lists = await take_turns(
            lambda: _median_ms(load, api, page, bench.seconds(WINDOW_S)),
            lambda: _median_ms(load, api, expanded, bench.seconds(WINDOW_S)),
            rounds=bench.rounds,
        )
    return [
        creates.figure(
            row="facets",
            what="create with source, payment method, coupon, tax id, balance, 32 connections",
            unit="requests/s",
            baseline_is="create of five attributes",
        ),
        lists.figure(
            row="facets",
            what=f"list of {LISTED} expanded over four levels, p50",
            unit="ms",
            baseline_is="the same page unexpanded",
        ),
    ]


async def _coupons(api: Api) -> Sequence[str]:
    """Ids of coupons that anybody may redeem for ever."""
    headers = {"Authorization": f"Bearer {api.key}", "Content-Type": "application/x-www-form-urlencoded"}
    ids = []
    async with aiohttp.ClientSession(f"http://127.0.0.1:{api.port}", headers=headers) as session:
        for number in range(COUPONS):
            form = urlencode({"id": f"BENCH{number}", "percent_off": "10", "duration": "forever"})
            async with session.post("/v1/coupons", data=form) as response:
                response.raise_for_status()
                ids.append(f"BENCH{number}")
    return ids


def _post(api: Api, form: str) -> str:
    headers = {"Authorization": f"Bearer {api.key}", "Idempotency-Key": "{key}"}
    return request("POST", "/v1/customers", headers, form)


async def _rate(load: Generator, api: Api, requests: Sequence[str], duration_s: float) -> float:
    return (await load.run(Blast(port=api.port, requests=requests, duration_s=duration_s))).rate


async def _median_ms(load: Generator, api: Api, path: str, duration_s: float) -> float:
    blast = Blast(port=api.port, requests=[api.get(path)], duration_s=duration_s, connections=1)
    return (await load.run(blast)).p50_s * 1000
