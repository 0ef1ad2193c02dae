"""Dependency injection by hand: the one module that constructs components from settings and connects them."""

import base64
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from events import (
    account_tax_id,
    api_key,
    audit_trail,
    coupon,
    customer,
    payment_method,
    promotion_code,
    testclock,
    token,
)
from events.availability import Availability
from events.clock import Clock, SystemClock
from events.codec import Codec
from events.commit import GroupCommit
from events.database import Pool, create_pool
from events.keys import MasterKeys
from events.log import PostgresLog
from events.transact import Executor
from projections import api_keys, tax_ids, tokens
from projections.coupons import CouponProjection
from projections.customers import CustomerProjection
from projections.inline import InlineReadModels, RowsOfKinds, no_rows
from projections.payment_methods import PaymentMethodProjection
from projections.promotion_codes import PromotionCodeProjection
from projections.read import Reader
from projections.search.find import Finder, finder
from projections.testclocks import TestClockProjection
from service import data_directory
from service.metrics import Metrics
from service.settings import Misconfigured, Settings
from webhooks.broker import subscriber, subscribers
from webhooks.endpoints import endpoint
from webhooks.endpoints.projection import EndpointProjection

MASTER_KEY_FILE = "master.key"
# Each kind of stream, with the types of its events.
EVENT_MODULES = (
    customer,
    account_tax_id,
    api_key,
    audit_trail,
    coupon,
    endpoint,
    payment_method,
    promotion_code,
    subscriber,
    testclock,
    token,
)
UPCASTS = {**api_key.UPCASTS}


@cache
def codec() -> Codec:
    """Every event type there is; made once, for making it takes a while."""
    known = Codec()
    for module in EVENT_MODULES:
        for name, event in module.EVENT_TYPES.items():
            known.register(name, event, upcasts=UPCASTS.get(name))
    return known


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys that were given; in development one made on the first run, kept in the data directory."""
    if settings.master_key is not None:
        return MasterKeys.parse(settings.master_key.get_secret_value())
    assert not settings.production, "settings refuse production without a master key"
    path = data_directory.prepare(settings.data_dir) / MASTER_KEY_FILE
    try:
        if not path.exists():
            _make_key(path)
        return MasterKeys.parse(path.read_text())
    except OSError as error:
        raise Misconfigured(f"{path}: the master key cannot be stored there: {error.strerror}") from None
    except ValueError:
        raise Misconfigured(
            f"{path}: this is not a master key (32 bytes in base64). Put the one back that the data was sealed with."
        ) from None


def _make_key(path: Path) -> None:
    """Make a master key, whole from the moment it is there, unless another process was first."""
    file, unfinished = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # readable by its owner alone
    try:
        with os.fdopen(file, "w") as writing:
            writing.write(base64.b64encode(os.urandom(32)).decode())
            writing.flush()
            os.fsync(writing.fileno())
        with suppress(FileExistsError):
            os.link(unfinished, path)
    finally:
        os.unlink(unfinished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The components that every role and command needs: log, read models, and executor."""

    settings: Settings
    dsn: str
    pool: Pool
    clock: Clock
    codec: Codec
    master_keys: MasterKeys
    commit: GroupCommit
    log: PostgresLog
    executor: Executor
    reader: Reader
    finder: Finder
    metrics: Metrics

    @property
    def availability(self) -> Availability:
        """What this process knows of its database."""
        return self.pool.availability

    async def close(self) -> None:
        """Store what is waiting, then let every connection go."""
        await self.commit.close()
        await self.reader.close()
        await self.finder.close()
        await self.pool.close()
        self.availability.close()


async def build(settings: Settings, dsn: str, metrics: Metrics | None = None) -> Core:
    """Build the core over a database, which need not be there yet."""
    metrics = metrics or Metrics()
    known, keys, clock = codec(), master_keys(settings), SystemClock()
    pool = await create_pool(dsn, application="service", size_max=settings.pool_size_max)
    commit = GroupCommit(dsn, InlineReadModels(), batch_max=settings.append_batch_max, observe=metrics.appended)
    log = PostgresLog(commit, pool, keys)
    rows_of = RowsOfKinds(
        {
            "customer": CustomerProjection(settings.api_version).rows,
            "api_key": api_keys.rows,
            audit_trail.KIND: no_rows,
            account_tax_id.KIND: tax_ids.own_rows,
            "coupon": CouponProjection(settings.api_version).rows,
            "payment_method": PaymentMethodProjection(settings.api_version).rows,
            "promotion_code": PromotionCodeProjection(settings.api_version).rows,
            token.KIND: tokens.rows,
            testclock.KIND: TestClockProjection(settings.api_version).rows,
            subscriber.KIND: subscribers.rows,
            "webhook_endpoint": EndpointProjection(keys, settings.api_version).rows,
        }
    )
    return Core(
        settings=settings,
        dsn=dsn,
        pool=pool,
        clock=clock,
        codec=known,
        master_keys=keys,
        commit=commit,
        log=log,
        executor=Executor(log, known, keys, rows_of),
        reader=Reader(dsn, pool, page_bytes_max=settings.page_bytes_max),
        finder=await finder(dsn, page_bytes_max=settings.page_bytes_max),
        metrics=metrics,
    )
