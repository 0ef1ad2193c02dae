"""What is known of customers for tax alone: a row beside the customer's, out of which its `tax` is shown when asked."""

from collections.abc import Mapping

from events.customer.tax import TaxSet
from projections.facets import Facts, Project, Step

KIND = "tax"  # its id is the customer's


def _set(step: Step) -> Facts:
    shown = {"ip_address": step.after.tax.ip_address}
    return Facts(
        resources=(step.resource(kind=KIND, id=step.after.id, created=step.after.created, shown=shown),),
    )


PROJECTS: Mapping[type, Project] = {TaxSet: _set}
