"""The one place that builds things and hands them to each other."""

import base64
import os
from dataclasses import dataclass

import asyncpg

from events import account_tax_id, api_key, coupon, customer, payment_method, promotion_code, test_clock, token
from events.clock import Clock, SystemClock
from events.codec import Codec
from events.commit import GroupCommit
from events.database import create_pool
from events.execute import Executor
from events.keys import MasterKeys
from events.log import PostgresLog
from projections import api_keys, tax_ids, tokens
from projections.coupons import CouponProjection
from projections.customers import CustomerProjection
from projections.payment_methods import PaymentMethodProjection
from projections.promotion_codes import PromotionCodeProjection
from projections.read import Reader
from projections.rows import InlineReadModels, RowsOfKinds
from projections.search.find import Finder, finder
from projections.test_clocks import TestClockProjection
from service.metrics import Metrics
from service.settings import Settings
from webhooks import endpoint, subscriber, subscribers
from webhooks.endpoints import EndpointProjection

MASTER_KEY_FILE = "master.key"
# Each kind of stream, with the types of its events.
EVENT_MODULES = (
    customer,
    account_tax_id,
    api_key,
    coupon,
    endpoint,
    payment_method,
    promotion_code,
    subscriber,
    test_clock,
    token,
)


def codec() -> Codec:
    """Every event type there is."""
    known = Codec()
    for module in EVENT_MODULES:
        for name, event in module.EVENT_TYPES.items():
            known.register(name, event)
    return known


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys that were given; in development one made on the first run, kept in the data directory."""
    if settings.master_key is not None:
        return MasterKeys.parse(settings.master_key.get_secret_value())
    assert not settings.production, "settings refuse production without a master key"
    path = settings.data_dir / MASTER_KEY_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(base64.b64encode(os.urandom(32)).decode())
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    return MasterKeys.parse(path.read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every role and command stands on: the log, the read models, and the way commands are carried out."""

    settings: Settings
    dsn: str
    pool: asyncpg.Pool
    clock: Clock
    codec: Codec
    master_keys: MasterKeys
    commit: GroupCommit
    log: PostgresLog
    executor: Executor
    reader: Reader
    finder: Finder
    metrics: Metrics

    async def close(self) -> None:
        """Store what is waiting, then let every connection go."""
        await self.commit.close()
        await self.reader.close()
        await self.finder.close()
        await self.pool.close()


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
            account_tax_id.KIND: tax_ids.own_rows,
            "coupon": CouponProjection(settings.api_version).rows,
            "payment_method": PaymentMethodProjection(settings.api_version).rows,
            "promotion_code": PromotionCodeProjection(settings.api_version).rows,
            token.KIND: tokens.rows,
            test_clock.KIND: TestClockProjection(settings.api_version).rows,
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
