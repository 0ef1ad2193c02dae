"""Customers over the wire: what is shown of them, what changes them, what is left of the deleted."""

import re
from urllib.parse import urlencode

import pytest

from tests.service.serving import Api

KEYS = [
    "id", "object", "address", "balance", "created", "currency", "default_source", "delinquent", "description",
    "discount", "email", "invoice_prefix", "invoice_settings", "livemode", "metadata", "name",
    "next_invoice_sequence", "phone", "preferred_locales", "shipping", "tax_exempt", "test_clock",
]  # fmt: skip
ADDRESS_KEYS = ["city", "country", "line1", "line2", "postal_code", "state"]


async def test_a_customer_of_no_parameters_has_every_key_in_order_with_its_default(api: Api) -> None:
    answer = await api.post("/v1/customers")
    shown = answer.json
    assert list(shown) == KEYS
    assert re.fullmatch(r"cus_[0-9A-Za-z]{14}", shown["id"])
    assert re.fullmatch(r"[0-9A-F]{8}", shown["invoice_prefix"])
    fresh = {key: shown[key] for key in KEYS if key not in ("id", "created", "invoice_prefix")}
    assert fresh == {
        "object": "customer",
        "address": None,
        "balance": 0,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


async def test_answers_are_indented_by_two_spaces(api: Api) -> None:
    body = (await api.post("/v1/customers", "metadata[a]=b")).body.decode()
    assert body.startswith('{\n  "id": "cus_')
    assert '\n  "metadata": {\n    "a": "b"\n  },\n' in body
    assert body.endswith('\n  "test_clock": null\n}')


async def test_create_update_and_retrieve_show_the_same_bytes(api: Api) -> None:
    created = await api.post("/v1/customers", "name=Ada&metadata[b]=2&metadata[a]=1")
    id = created.json["id"]
    assert (await api.get(f"/v1/customers/{id}")).body == created.body
    updated = await api.post(f"/v1/customers/{id}", "name=Bea")
    assert (await api.get(f"/v1/customers/{id}")).body == updated.body
    unchanged = await api.post(f"/v1/customers/{id}", "name=Bea")
    assert unchanged.body == updated.body


async def test_every_parameter_arrives_where_it_belongs(api: Api) -> None:
    sent = {
        "address[city]": "Köln",
        "address[line2]": "",
        "business_name": "Engine Ltd",
        "description": "first of her kind",
        "email": "Ada@Example.com",
        "individual_name": "Ada L",
        "invoice_prefix": "ADA1",
        "invoice_settings[custom_fields][0][name]": "VAT",
        "invoice_settings[custom_fields][0][value]": "7",
        "invoice_settings[footer]": "thanks",
        "invoice_settings[rendering_options][amount_tax_display]": "exclude_tax",
        "invoice_settings[rendering_options][template]": "inrtem_1",
        "metadata[order]": "66",
        "name": "Ada",
        "next_invoice_sequence": "12",
        "phone": "+49 221",
        "preferred_locales[0]": "de",
        "preferred_locales[1]": "en",
        "shipping[address][country]": "DE",
        "shipping[name]": "Desk",
        "shipping[phone]": "1",
        "tax_exempt": "reverse",
        "validate": "true",  # which is seen nowhere
    }
    shown = await api.customer(urlencode(sent))
    assert list(shown) == sorted([*KEYS, "business_name", "individual_name"], key=lambda k: (k not in KEYS[:2], k))
    assert list(shown["address"]) == ADDRESS_KEYS
    assert shown["address"] == dict.fromkeys(ADDRESS_KEYS) | {"city": "Köln", "line2": ""}
    assert (shown["business_name"], shown["individual_name"]) == ("Engine Ltd", "Ada L")
    assert (shown["description"], shown["email"], shown["name"]) == ("first of her kind", "Ada@Example.com", "Ada")
    assert (shown["invoice_prefix"], shown["next_invoice_sequence"]) == ("ADA1", 12)
    assert shown["invoice_settings"] == {
        "custom_fields": [{"name": "VAT", "value": "7"}],
        "default_payment_method": None,
        "footer": "thanks",
        "rendering_options": {"amount_tax_display": "exclude_tax", "template": "inrtem_1"},
    }
    assert (shown["metadata"], shown["phone"], shown["preferred_locales"]) == ({"order": "66"}, "+49 221", ["de", "en"])
    assert shown["shipping"] == {
        "address": dict.fromkeys(ADDRESS_KEYS) | {"country": "DE"},
        "name": "Desk",
        "phone": "1",
    }
    assert shown["tax_exempt"] == "reverse"


async def test_empty_strings_unset_what_can_be_unset(api: Api) -> None:
    full = await api.customer(
        "address[city]=a&business_name=a&description=a&email=a@b.co&individual_name=a&invoice_settings[footer]=a"
        "&invoice_settings[custom_fields][][name]=a&invoice_settings[custom_fields][][value]=a"
        "&invoice_settings[rendering_options][template]=a&metadata[a]=b&name=a&phone=1&preferred_locales[]=de"
        "&shipping[address][city]=a&shipping[name]=a&tax_exempt=exempt"
    )
    bare = await api.update(
        full["id"],
        "address=&business_name=&description=&email=&individual_name=&invoice_settings[footer]="
        "&invoice_settings[custom_fields]=&invoice_settings[rendering_options]=&metadata=&name=&phone="
        "&preferred_locales=&shipping=&tax_exempt=",
    )
    fresh = await api.customer()
    for own in ("id", "created", "invoice_prefix"):
        fresh[own] = full[own]
    assert bare == fresh


async def test_an_update_changes_what_it_names_and_nothing_else(api: Api) -> None:
    made = await api.customer(
        "name=Ada&address[city]=Rome&address[line1]=1&invoice_settings[footer]=f"
        "&invoice_settings[rendering_options][template]=t&preferred_locales[]=de&preferred_locales[]=en&metadata[a]=1"
    )
    shown = await api.update(
        made["id"],
        "address[line1]=2&invoice_settings[footer]=g&preferred_locales[]=fr&metadata[b]=2",
    )
    assert shown["name"] == "Ada"
    assert shown["address"] == dict.fromkeys(ADDRESS_KEYS) | {"line1": "2"}, "value hashes are replaced whole"
    assert shown["invoice_settings"]["footer"] == "g"
    assert shown["invoice_settings"]["rendering_options"]["template"] == "t", "settings hashes merge"
    assert shown["preferred_locales"] == ["fr"], "arrays are replaced whole"
    assert shown["metadata"] == {"a": "1", "b": "2"}, "metadata merges by key"


async def test_metadata_is_set_deleted_and_cleared_by_key(api: Api) -> None:
    made = await api.customer("metadata[a]=1&metadata[b]=true&metadata[gone]=")
    assert made["metadata"] == {"a": "1", "b": "true"}
    shown = await api.update(made["id"], "metadata[a]=&metadata[never]=&metadata[c]=%20")
    assert shown["metadata"] == {"b": "true", "c": " "}
    assert (await api.update(made["id"], "metadata="))["metadata"] == {}


async def test_metadata_has_at_most_fifty_keys_after_the_merge(api: Api) -> None:
    fifty = "&".join(f"metadata[k{n}]=v" for n in range(50))
    made = await api.customer(fifty)
    path = f"/v1/customers/{made['id']}"
    assert await api.refused("POST", path, "metadata[more]=v") == (
        None, "metadata", "Metadata can have up to 50 keys, but you've set 51.",
    )  # fmt: skip
    assert len((await api.update(made["id"], "metadata[k0]=&metadata[more]=v"))["metadata"]) == 50
    emptied = "&".join(f"metadata[k{n}]=" for n in range(49)) + "&metadata[x]=1&metadata[y]=2"
    assert len((await api.update(made["id"], emptied))["metadata"]) == 4


async def test_a_taken_invoice_prefix_is_refused_and_a_deleted_customers_one_is_free(api: Api) -> None:
    first = await api.customer("invoice_prefix=TAKEN")
    code, param, message = await api.refused("POST", "/v1/customers", "invoice_prefix=TAKEN")
    assert (code, param) == (None, "invoice_prefix")
    assert "TAKEN" in message
    second = await api.customer()
    await api.refused("POST", f"/v1/customers/{second['id']}", "invoice_prefix=TAKEN")
    other = await api.issue(account="acct_other")
    assert (await api.customer("invoice_prefix=TAKEN", key=other))["invoice_prefix"] == "TAKEN"
    await api.delete(f"/v1/customers/{first['id']}")
    assert (await api.update(second["id"], "invoice_prefix=TAKEN"))["invoice_prefix"] == "TAKEN"


async def test_the_invoice_sequence_does_not_run_backwards(api: Api) -> None:
    made = await api.customer("next_invoice_sequence=5")
    path = f"/v1/customers/{made['id']}"
    code, param, _ = await api.refused("POST", path, "next_invoice_sequence=4")
    assert (code, param) == (None, "next_invoice_sequence")
    assert (await api.update(made["id"], "next_invoice_sequence=5"))["next_invoice_sequence"] == 5


async def test_a_deleted_customer_shows_three_keys_for_ever_and_takes_nothing_more(api: Api) -> None:
    id = (await api.customer("name=Ada"))["id"]
    gone = {"id": id, "object": "customer", "deleted": True}
    path = f"/v1/customers/{id}"
    deleted = await api.delete(path)
    assert (deleted.status, list(deleted.json), deleted.json) == (200, list(gone), gone)
    for query in ("", "?expand[]=sources"):
        shown = await api.get(path + query)
        assert (shown.status, shown.json) == (200, gone)
    missing = ("resource_missing", "id", f"No such customer: '{id}'")
    assert await api.refused("DELETE", path, status=404) == missing
    assert await api.refused("POST", path, "name=Bea", status=404) == missing
    assert (await api.get("/v1/customers")).json["data"] == []


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
async def test_an_id_that_never_was_is_missing_from_the_path(api: Api, method: str) -> None:
    for id in ("cus_never", "cus_" + "x" * 300, "%00", "%F0%9F%92%A9", "%FF", "cus%2Fslash"):
        code, param, message = await api.refused(method, f"/v1/customers/{id}", status=404)
        assert (code, param) == ("resource_missing", "id")
        assert message.startswith("No such customer: '")


async def test_accounts_and_modes_never_meet(api: Api) -> None:
    mine = await api.customer("email=a@b.co&invoice_prefix=MINE")
    path = f"/v1/customers/{mine['id']}"
    stranger = await api.issue(account="acct_other")
    live = await api.issue(livemode=True)
    hint = "; a similar object exists in test mode, but a live mode key was used to make this request."
    for method, body in (("GET", ""), ("POST", "name=x"), ("DELETE", "")):
        _, _, message = await api.refused(method, path, body, status=404, key=stranger)
        assert message == f"No such customer: '{mine['id']}'", "another account learns nothing"
        _, _, message = await api.refused(method, path, body, status=404, key=live)
        assert message == f"No such customer: '{mine['id']}'{hint}"
    for key in (stranger, live):
        for query in ("", "?email=a@b.co"):
            assert (await api.get("/v1/customers" + query, key=key)).json["data"] == []
        cursor = f"/v1/customers?starting_after={mine['id']}"
        assert (await api.refused("GET", cursor, key=key))[:2] == ("resource_missing", "starting_after")
    assert (await api.customer("invoice_prefix=MINE", key=live))["livemode"] is True
    assert (await api.get(path)).json == mine


async def test_parameters_the_api_does_not_take_are_named_all_at_once(api: Api) -> None:
    path = "/v1/customers"
    assert await api.refused("POST", path, "foo=1&name=x&shipping[bar]=2&id=cus_1") == (
        "parameter_unknown", "foo", "Received unknown parameters: foo, shipping[bar], id",
    )  # fmt: skip
    assert await api.refused("POST", path, "shipping[foo]=1") == (
        "parameter_unknown", "shipping[foo]", "Received unknown parameter: shipping[foo]",
    )  # fmt: skip
    made = await api.customer()
    for method, where in (("GET", path), ("GET", f"{path}/{made['id']}"), ("DELETE", f"{path}/{made['id']}")):
        assert (await api.refused(method, where + "?foo=1"))[:2] == ("parameter_unknown", "foo")
    for unknown in ("created", "object", "currency", "discount", "livemode", "deleted"):
        assert (await api.refused("POST", path, f"{unknown}=1"))[:2] == ("parameter_unknown", unknown)


async def test_nothing_is_stored_of_a_refused_create(api: Api) -> None:
    await api.refused("POST", "/v1/customers", "email=nobody")
    assert (await api.get("/v1/customers")).json["data"] == []
