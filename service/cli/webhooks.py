"""`rollbook endpoints` and `rollbook deliveries`: how webhooks fare, and what can be done about it."""

from typing import Annotated

import typer
from rich.console import Console

from service.cli.calling import DEVELOPMENT_KEY, ApiKey, ApiUrl, call, url_of

endpoints_app = typer.Typer(no_args_is_help=True, help="Webhook endpoints: how they stand, and what is sent to them.")
deliveries_app = typer.Typer(no_args_is_help=True, help="Deliveries: what was sent to whom, and every attempt.")
console = Console()

Endpoint = Annotated[str, typer.Argument(help="the endpoint's id, we_…")]
Delivery = Annotated[str, typer.Argument(help="the delivery's id, dlv_…")]
Limit = Annotated[int, typer.Option(help="how many at most", min=1, max=100)]


@endpoints_app.command("list")
def endpoints_list(limit: Limit = 20, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """List the endpoints, newest first, with how they stand."""
    from service import operating

    call(operating.list_endpoints(url_of(url), api_key, console, limit=limit))


@endpoints_app.command("show")
def endpoints_show(id: Endpoint, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Show how an endpoint stands: its rules, its breaker, up to where it has everything."""
    from service import operating

    call(operating.show(url_of(url), api_key, console, "GET", operating.endpoint(id)))


@endpoints_app.command("rules")
def endpoints_rules(
    id: Endpoint,
    order: Annotated[str | None, typer.Option(help="none, customer or strict")] = None,
    on_exhaustion: Annotated[str | None, typer.Option(help="skip or hold, in an order")] = None,
    payload: Annotated[str | None, typer.Option(help="full or thin")] = None,
    rate_limit: Annotated[str | None, typer.Option(help="attempts a second, or none")] = None,
    in_flight_max: Annotated[str | None, typer.Option(help="attempts on their way at once, or none")] = None,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Set some of the rules of what is sent to an endpoint."""
    from service import operating

    rules = {
        "order": order,
        "on_exhaustion": on_exhaustion,
        "payload": payload,
        "rate_limit": "" if rate_limit == "none" else rate_limit,
        "in_flight_max": "" if in_flight_max == "none" else in_flight_max,
    }
    call(operating.show(url_of(url), api_key, console, "POST", operating.endpoint(id), **rules))


@endpoints_app.command("pause")
def endpoints_pause(id: Endpoint, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Stop sending to an endpoint; it keeps its place."""
    from service import operating

    call(operating.show(url_of(url), api_key, console, "POST", operating.endpoint(id, "pause")))


@endpoints_app.command("resume")
def endpoints_resume(
    id: Endpoint,
    replay: Annotated[str | None, typer.Option(help="of what happened meanwhile: all, latest or skip")] = None,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Go on sending to an endpoint, from where it was stopped unless told otherwise."""
    from service import operating

    call(operating.show(url_of(url), api_key, console, "POST", operating.endpoint(id, "resume"), replay=replay))


@endpoints_app.command("recover")
def endpoints_recover(
    id: Endpoint,
    start: Annotated[
        str, typer.Option("--from", help="position after which to begin, or a time such as 2026-11-23T12:00:00Z")
    ],
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Send an endpoint once more what it has not taken, behind what happens now."""
    from service import operating

    call(operating.recover(url_of(url), api_key, console, id, start))


@endpoints_app.command("cancel-pending")
def endpoints_cancel_pending(id: Endpoint, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Give up whatever is pending for an endpoint."""
    from service import operating

    call(operating.show(url_of(url), api_key, console, "POST", operating.endpoint(id, "cancel_pending")))


@endpoints_app.command("roll-secret")
def endpoints_roll_secret(
    id: Endpoint,
    overlap: Annotated[int, typer.Option(help="hours for which the old secret signs too", min=0, max=168)] = 24,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """Give an endpoint a new secret and print it, this once."""
    from service import operating

    path = operating.endpoint(id, "roll_secret")
    call(operating.show(url_of(url), api_key, console, "POST", path, overlap=str(overlap)))


@endpoints_app.command("test")
def endpoints_test(id: Endpoint, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Send an endpoint a notice that tests it, and say what came of it."""
    from service import operating

    call(operating.test(url_of(url), api_key, console, id))


@deliveries_app.command("list")
def deliveries_list(
    endpoint: Annotated[str | None, typer.Option(help="only to this endpoint")] = None,
    state: Annotated[
        str | None, typer.Option(help="only pending, held, delivered, failed, canceled, or undelivered ones")
    ] = None,
    notice: Annotated[str | None, typer.Option(help="only of this notice, evt_…")] = None,
    customer: Annotated[str | None, typer.Option(help="only of what happened to this customer")] = None,
    limit: Limit = 20,
    api_key: ApiKey = DEVELOPMENT_KEY,
    url: ApiUrl = "",
) -> None:
    """List deliveries, those of the newest notices first."""
    from service import operating

    wanted = {"endpoint": endpoint, "state": state, "notice": notice, "customer": customer}
    call(operating.list_deliveries(url_of(url), api_key, console, limit=limit, **wanted))


@deliveries_app.command("show")
def deliveries_show(id: Delivery, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Show a delivery with every attempt."""
    from service import operating

    call(operating.show_delivery(url_of(url), api_key, console, "GET", id))


@deliveries_app.command("resend")
def deliveries_resend(id: Delivery, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Send a notice once more, whatever became of it."""
    from service import operating

    call(operating.show_delivery(url_of(url), api_key, console, "POST", id, "resend"))


@deliveries_app.command("cancel")
def deliveries_cancel(id: Delivery, api_key: ApiKey = DEVELOPMENT_KEY, url: ApiUrl = "") -> None:
    """Give up a delivery that is pending or held."""
    from service import operating

    call(operating.show_delivery(url_of(url), api_key, console, "POST", id, "cancel"))
