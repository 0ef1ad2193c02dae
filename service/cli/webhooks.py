"""The commands `rollbook endpoints` and `rollbook deliveries`: webhook operations from the command line."""

from typing import Annotated, Literal

import typer

from service.cli.calling import (
    DEVELOPMENT_KEY,
    All,
    ApiKey,
    ApiUrl,
    Json,
    Limit,
    StartingAfter,
    Yes,
    call,
    confirm,
    output,
    url_of,
)

endpoints_app = typer.Typer(no_args_is_help=True, help="Webhook endpoints: state, rules, pause, recovery.")
deliveries_app = typer.Typer(no_args_is_help=True, help="Deliveries of webhooks, with every attempt.")

Endpoint = Annotated[str, typer.Argument(help="the endpoint's id, we_…", metavar="ENDPOINT")]
Delivery = Annotated[str, typer.Argument(help="the delivery's id, dlv_…", metavar="DELIVERY")]
State = Literal["pending", "held", "delivered", "failed", "canceled", "undelivered"]


@endpoints_app.command("list")
def endpoints_list(
    limit: Limit = 20,
    starting_after: StartingAfter = None,
    every: All = False,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """List the endpoints with their state, newest first."""
    from service.cli import endpoints as requests

    page = requests.Page(limit=None if every else limit, starting_after=starting_after)
    call(requests.list_endpoints(url_of(url), api_key, output(json), page))


@endpoints_app.command("show")
def endpoints_show(id: Endpoint, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Show an endpoint: rules, circuit breaker, and the position up to which every event was delivered."""
    from service.cli import endpoints as requests

    call(requests.show(url_of(url), api_key, output(json), "GET", requests.endpoint(id)))


@endpoints_app.command("rules")
def endpoints_rules(
    id: Endpoint,
    order: Annotated[Literal["none", "customer", "strict"] | None, typer.Option(help="order of delivery")] = None,
    on_exhaustion: Annotated[
        Literal["skip", "hold"] | None,
        typer.Option(help="with ordered delivery: what to do once the attempts for an event are exhausted"),
    ] = None,
    missed: Annotated[
        Literal["send", "skip"] | None,
        typer.Option(help="what to do with the events of a time when the endpoint was disabled, once it is enabled"),
    ] = None,
    payload: Annotated[
        Literal["full", "thin"] | None, typer.Option(help="content of a delivery: the whole event, or only its ids")
    ] = None,
    rate_limit: Annotated[
        str | None, typer.Option(help="maximum number of attempts a second, or none", metavar="N|none")
    ] = None,
    in_flight_max: Annotated[
        str | None, typer.Option(help="maximum number of attempts in flight, or none", metavar="N|none")
    ] = None,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Set the delivery rules of an endpoint; options that are not given keep their values."""
    from service.cli import endpoints as requests

    rules = {
        "order": order,
        "on_exhaustion": on_exhaustion,
        "missed": missed,
        "payload": payload,
        "rate_limit": "" if rate_limit == "none" else rate_limit,
        "in_flight_max": "" if in_flight_max == "none" else in_flight_max,
    }
    call(requests.show(url_of(url), api_key, output(json), "POST", requests.endpoint(id), **rules))


@endpoints_app.command("pause")
def endpoints_pause(id: Endpoint, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Stop sending to an endpoint; its position is kept."""
    from service.cli import endpoints as requests

    call(requests.act(url_of(url), api_key, output(json), id, "pause"))


@endpoints_app.command("resume")
def endpoints_resume(
    id: Endpoint,
    replay: Annotated[
        Literal["all", "latest", "skip"] | None,
        typer.Option(help="events since the pause to send: all, the latest of each object, or none"),
    ] = None,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Send to an endpoint again, from where it was stopped unless --replay says otherwise."""
    from service.cli import endpoints as requests

    call(requests.act(url_of(url), api_key, output(json), id, "resume", replay=replay))


@endpoints_app.command("recover")
def endpoints_recover(
    id: Endpoint,
    start: Annotated[
        str,
        typer.Option("--from", help="position after which to begin, or a time such as 2026-11-23T12:00:00Z"),
    ],
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Send events again that an endpoint has not accepted, behind live events."""
    from service.cli import endpoints as requests

    call(requests.recover(url_of(url), api_key, output(json), id, start))


@endpoints_app.command("cancel-pending")
def endpoints_cancel_pending(
    id: Endpoint, yes: Yes = False, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = ""
) -> None:
    """Cancel every pending delivery of an endpoint."""
    from service.cli import endpoints as requests

    confirm(f"Cancel every pending delivery of {id}?", yes=yes)
    call(requests.act(url_of(url), api_key, output(json), id, "cancel_pending"))


@endpoints_app.command("roll-secret")
def endpoints_roll_secret(
    id: Endpoint,
    overlap: Annotated[
        int, typer.Option(help="hours during which the old secret signs too", min=0, max=168, metavar="HOURS")
    ] = 24,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Roll the signing secret of an endpoint and print it; it cannot be shown again."""
    from service.cli import endpoints as requests

    path = requests.endpoint(id, "roll_secret")
    call(requests.show(url_of(url), api_key, output(json), "POST", path, overlap=str(overlap)))


@endpoints_app.command("test")
def endpoints_test(id: Endpoint, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Send an endpoint a test event and wait for its outcome."""
    from service.cli import endpoints as requests

    call(requests.test(url_of(url), api_key, output(json), id))


@deliveries_app.command("list")
def deliveries_list(
    endpoint: Annotated[str | None, typer.Option(help="filter by the id of the endpoint", metavar="ENDPOINT")] = None,
    state: Annotated[State | None, typer.Option(help="filter by state")] = None,
    event: Annotated[str | None, typer.Option(help="filter by the id of the event", metavar="EVENT")] = None,
    customer: Annotated[str | None, typer.Option(help="filter by the id of the customer", metavar="CUSTOMER")] = None,
    limit: Limit = 20,
    starting_after: StartingAfter = None,
    every: All = False,
    json: Json = False,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """List deliveries, those of the newest events first."""
    from service.cli import endpoints as requests

    page = requests.Page(limit=None if every else limit, starting_after=starting_after)
    wanted = {"endpoint": endpoint, "state": state, "event": event, "customer": customer}
    call(requests.list_deliveries(url_of(url), api_key, output(json), page, **wanted))


@deliveries_app.command("show")
def deliveries_show(id: Delivery, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Show a delivery with every attempt."""
    from service.cli import endpoints as requests

    call(requests.show_delivery(url_of(url), api_key, output(json), "GET", id))


@deliveries_app.command("resend")
def deliveries_resend(id: Delivery, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Send a delivery again, whatever its state."""
    from service.cli import endpoints as requests

    call(requests.show_delivery(url_of(url), api_key, output(json), "POST", id, "resend"))


@deliveries_app.command("cancel")
def deliveries_cancel(id: Delivery, json: Json = False, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Cancel a delivery that is pending or held."""
    from service.cli import endpoints as requests

    call(requests.show_delivery(url_of(url), api_key, output(json), "POST", id, "cancel"))
