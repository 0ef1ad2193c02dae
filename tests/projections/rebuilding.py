"""Rebuilds of read models, done in this process."""

from collections.abc import Callable

from projections.fold import Folds
from projections.progress import Progress
from projections.rebuild.bluegreen import Outcome, Rebuilder
from projections.rebuild.model import InlineModel, Model, SearchModel


def of_customers(folds: Folds) -> Callable[[], Model]:
    """What makes the model of customers."""
    return lambda: InlineModel(folds)


async def rebuild_customers(dsn: str, folds: Folds) -> Outcome:
    """Rebuild customers and every other object."""
    return (await run(Rebuilder(dsn, of_customers(folds))))[1]


async def rebuild_search(dsn: str) -> Outcome:
    """Rebuild search."""
    return (await run(Rebuilder(dsn, SearchModel)))[1]


async def verify_customers(dsn: str, folds: Folds) -> Outcome:
    """Compare customers and every other object with the log."""
    rebuilder = Rebuilder(dsn, of_customers(folds))
    async for _ in rebuilder.verify():
        pass
    return rebuilder.outcome


async def run(rebuilder: Rebuilder) -> tuple[list[Progress], Outcome]:
    """Rebuild, and give how far it was time after time."""
    return [progress async for progress in rebuilder.rebuild()], rebuilder.outcome
