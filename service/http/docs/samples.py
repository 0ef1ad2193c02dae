"""Code samples of each operation for curl and Stripe's official clients for Python and Node.js (`x-codeSamples`).

The samples run as printed against a development server: tests run each of them. The clients have no method for some
paths (cards, Rollbook's own operations); there the samples use the raw request of the client.
"""

import json
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

BASE_URL = "http://localhost:8420"  # the page replaces these three by its own address and key
KEY = "YOUR_SECRET_KEY"
NODE_OPTIONS = '{ host: "localhost", port: 8420, protocol: "http" }'

WIDTH = 80
PLACEHOLDER = re.compile(r"\{(\w+)\}")
IDS: Mapping[str, str] = {
    "kind": "customers",
    "object": "cus_NffrFeUfNV2Hib",
    "coupon": "Z4OV52SU",
    "customer": "cus_NffrFeUfNV2Hib",
    "delivery": "dlv_1MqLRJLkdIwHu7ix",
    "event": "evt_1MqLRJLkdIwHu7ixUEgbFdYF",
    "payment_method": "pm_1MqLiJLkdIwHu7ixUEgbFdYF",
    "promotion_code": "promo_1MiM6KLkdIwHu7ixrIaX4wgn",
    "redaction_job": "prj_1MqLRJLkdIwHu7ixUEgbFdYF",
    "subscription": "sub_1MowQVLkdIwHu7ixeRlqHVzs",
    "tax_id": "txi_1NuMB12eZvKYlo2CMecoWkZd",
    "test_clock": "clock_1Mr3I22eZvKYlo2Ck0rgMqd7",
    "token": "tok_1N3T00LkdIwHu7ixt44h1F8k",
    "transaction": "cbtxn_1MrU9qLkdIwHu7ixhdjxGBgI",
    "validation_error": "prjve_1MqLRJLkdIwHu7ixUEgbFdYF",
    "webhook_endpoint": "we_1Mr5jULkdIwHu7ix1ibLTM0x",
}
CARD_ID = "card_1NGTaT2eZvKYlo2CZWSctn5n"
BANK_ACCOUNT_ID = "ba_1MvoIJ2eZvKYlo2CO9f0MabO"

# Methods of the clients whose names differ from the operation's; None where the clients have none.
PYTHON: Mapping[str, str | None] = {
    "audit": None,
    "customers.bank_accounts": None,
    "customers.cards": None,
    "customers.discount.delete": "customers.delete_discount",
    "customers.discount.retrieve": None,
    "customers.sources": "customers.payment_sources",
    "customers.subscriptions": None,
    "privacy": None,  # a preview of the clients
    "rollbook": None,
    "test_clocks": "test_helpers.test_clocks",
}
NODE_VERBS = {"delete": "del"}
CURL_ONLY = frozenset({"audit.log", "feed.read"})  # answers lines, which the clients do not read


def samples(name: str, method: str, path: str, parameters: Mapping[str, Any]) -> list[dict[str, str]]:
    """The samples of an operation that sends `parameters`, as the extension `x-codeSamples` of OpenAPI has them."""
    made = [{"lang": "curl", "label": "curl", "source": _curl(name, method, path, parameters)}]
    if name not in CURL_ONLY and method != "PUT":  # the clients send no PUT
        made.append({"lang": "python", "label": "Python", "source": _python(name, method, path, parameters)})
        made.append({"lang": "javascript", "label": "Node", "source": _node(name, method, path, parameters)})
    return made


def example_ids(name: str, path: str) -> list[str]:
    """The ids that stand for the placeholders of the path, in their order."""
    return [_example_id(name, placeholder) for placeholder in PLACEHOLDER.findall(path)]


def form(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Names and values as a form has them: `a[b]` a key of a hash, `a[]` an element of an array."""
    match value:
        case dict():
            for key, inner in value.items():
                yield from form(inner, f"{name}[{key}]" if name else key)
        case list():
            for index, inner in enumerate(value):
                yield from form(inner, f"{name}[{index if isinstance(inner, dict) else ''}]")
        case bool():
            yield name, "true" if value else "false"
        case _:
            yield name, str(value)


def _example_id(name: str, placeholder: str) -> str:
    if placeholder == "id":
        return BANK_ACCOUNT_ID if "bank_accounts" in name or name.endswith(".verify") else CARD_ID
    if placeholder == "transaction" and "cash_balance" in name:
        return "ccsbtxn_1MrU9qLkdIwHu7ixhdjxGBgI"
    return IDS[placeholder]


def _filled(name: str, path: str) -> str:
    return PLACEHOLDER.sub(lambda found: _example_id(name, found[1]), path)


def _curl(name: str, method: str, path: str, parameters: Mapping[str, Any]) -> str:
    lines = [f"curl {BASE_URL}{_filled(name, path)}"]
    if method in ("DELETE", "PUT") or (method == "POST" and not parameters):
        lines[0] += f" -X {method}"
    elif method == "GET" and parameters:
        lines[0] += " -G"
    lines.append(f"-u {KEY}:")
    for field, value in form(dict(parameters)):
        flag = "-d" if re.fullmatch(r"[\w\-.:/@*]*", value) else "--data-urlencode"
        lines.append(f"{flag} {shlex.quote(f'{field}={value}')}")
    return " \\\n  ".join(lines)


def _python(name: str, method: str, path: str, parameters: Mapping[str, Any]) -> str:
    client = "import stripe\n\n" + _call(
        "client = stripe.StripeClient", [f'"{KEY}"', f'base_addresses={{"api": "{BASE_URL}"}}']
    )
    called = _named(name)
    if called is None:
        literals = {key: _literal(value, 1, "python") for key, value in parameters.items()}
        sent = [
            f'**{{"{key}": {value}}}' if keyword.iskeyword(key) else f"{key}={value}" for key, value in literals.items()
        ]
        arguments = [f'"{method.lower()}"', f'"{_filled(name, path)}"', *sent]
        return f"{client}\n{_call('answer = client.raw_request', arguments)}\nprint(answer.data)"
    arguments = [*(f'"{id}"' for id in example_ids(name, path)), *_hash(parameters, "python")]
    return f"{client}\n{_call(f'answer = client.v1.{called}', arguments)}\nprint(answer)"


def _node(name: str, method: str, path: str, parameters: Mapping[str, Any]) -> str:
    client = f'import Stripe from "stripe";\n\nconst stripe = new Stripe("{KEY}", {NODE_OPTIONS});\n'
    called = _named(name)
    if called is None:
        address = _filled(name, path)
        if method == "GET" and parameters:
            address += "?" + "&".join(f"{key}={value}" for key, value in form(dict(parameters)))
            parameters = {}
        arguments = [f'"{method}"', f'"{address}"', *_hash(parameters, "node")]
        call = _call("const answer = await stripe.rawRequest", arguments)
    else:
        arguments = [*(f'"{id}"' for id in example_ids(name, path)), *_hash(parameters, "node")]
        call = _call(f"const answer = await stripe.{_node_method(name)}", arguments)
    return f"{client}{call};\nconsole.log(answer);"


def _named(name: str) -> str | None:
    """The method of the client for Python."""
    for prefix, replacement in PYTHON.items():
        if name == prefix or name.startswith(f"{prefix}."):
            return None if replacement is None else replacement + name.removeprefix(prefix)
    return name


def _node_method(name: str) -> str:
    """The method of the client for Node.js, which has the parts of a customer as methods: `createTaxId`."""
    *resources, verb = name.split(".")
    if resources[0] == "customers" and len(resources) > 1:
        part = (
            resources[1] if verb == "list" or resources[1] == "funding_instructions" else resources[1].removesuffix("s")
        )
        return f"customers.{verb}{''.join(word.capitalize() for word in part.split('_'))}"
    if resources[0] == "test_clocks":
        resources.insert(0, "test_helpers")
    return ".".join([*map(_camel, resources), NODE_VERBS.get(verb, _camel(verb))])


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _hash(parameters: Mapping[str, Any], language: str) -> list[str]:
    return [_literal(dict(parameters), 0, language)] if parameters else []


def _call(called: str, arguments: list[str]) -> str:
    """A call on one line where it fits; else a single hash stays open at its end, and others stand a line each."""
    line = f"{called}({', '.join(arguments)})"
    first, _, rest = line.partition("\n")
    if len(first) <= WIDTH and (not rest or ("\n" not in "".join(arguments[:-1]) and arguments[-1].startswith("{"))):
        return line
    inner = "".join(f"  {one.replace(chr(10), chr(10) + '  ')},\n" for one in arguments)
    return f"{called}(\n{inner})"


def _literal(value: Any, depth: int, language: str) -> str:
    """A value as the language spells it, on one line where that is short."""
    line = _line(value, language)
    if len(line) + 2 * depth <= WIDTH - 24 or not isinstance(value, dict | list) or not value:
        return line
    margin, end = "  " * (depth + 1), "  " * depth
    if isinstance(value, list):
        inner = [_literal(one, depth + 1, language) for one in value]
        return "[\n" + "".join(f"{margin}{one},\n" for one in inner) + f"{end}]"
    pairs = [f"{_key(key, language)}: {_literal(one, depth + 1, language)}" for key, one in value.items()]
    return "{\n" + "".join(f"{margin}{one},\n" for one in pairs) + f"{end}}}"


def _line(value: Any, language: str) -> str:
    match value:
        case dict():
            pairs = ", ".join(f"{_key(key, language)}: {_line(one, language)}" for key, one in value.items())
            return f"{{ {pairs} }}" if language == "node" else f"{{{pairs}}}"
        case list():
            return f"[{', '.join(_line(one, language) for one in value)}]"
        case bool() if language == "python":
            return str(value)
        case str() if '"' in value and not re.search(r"['\\\n]", value):
            return f"'{value}'"
        case _:
            return json.dumps(value)


def _key(key: str, language: str) -> str:
    return key if language == "node" and key.isidentifier() else json.dumps(key)
