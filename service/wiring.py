"""Dependency injection by hand: the one module that constructs components from settings and connects them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from events import (
    account_tax_id,
    api_key,
    audit_trail,
    coupon,
    customer,
    payment_method,
    promotion_code,
    redaction_job,
    testclock,
    token,
)
from events.availability import Availability
from events.clock import Clock, SystemClock
from events.codec import Codec
from events.commit import GroupCommit
from events.database import Pool, create_pool
from events.forgetting import CacheInvalidation
from events.keys import MasterKeys
from events.log import PostgresLog
from events.stream_cache import StreamCache
from events.transact import Executor
from projections import api_keys, coupons, promotion_codes, redaction_jobs, tax_ids, tokens
from projections.coupons import CouponProjection
from projections.customers import PROJECTS, CustomerProjection
from projections.erasure import Eraser
from projections.fold import Folds, Kind
from projections.inline import InlineReadModels, RowsOfKinds, no_rows
from projections.payment_methods import PaymentMethodProjection
from projections.promotion_codes import PromotionCodeProjection
from projections.read import Reader
from projections.rebuild.model import InlineModel
from projections.search.find import Finder, finder
from projections.testclocks import TestClockProjection
from service import master_key_source
from service.metrics import Metrics
from service.settings import Settings
from webhooks.broker import subscriber, subscribers
from webhooks.endpoints import endpoint
from webhooks.endpoints.projection import EndpointProjection
from webhooks.queue import excerpts

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
    redaction_job,
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
    eraser: Eraser
    invalidation: CacheInvalidation
    folds: Folds
    reader: Reader
    finder: Finder
    metrics: Metrics

    @property
    def availability(self) -> Availability:
        """What this process knows of its database."""
        return self.pool.availability

    async def close(self) -> None:
        """Store pending appends, then close every connection."""
        await self.commit.close()
        await self.reader.close()
        await self.finder.close()
        await self.pool.close()
        self.availability.close()


def kinds(keys: MasterKeys, api_version: str) -> Mapping[str, Kind]:
    """Each kind of stream with its decider and its projection, which renders notices in `api_version`."""
    of_customers = CustomerProjection(api_version)
    own_coupon = (coupon.KIND, coupons.APPLIES_TO, coupons.CURRENCY_OPTIONS)
    own_code = (promotion_code.KIND, promotion_codes.CURRENCY_OPTIONS)
    own_job = (redaction_job.KIND, redaction_jobs.OBJECTS, redaction_jobs.ERROR)
    projected = (
        Kind(customer.CUSTOMER, of_customers.rows, PROJECTS, of_customers.row),
        Kind(account_tax_id.ACCOUNT_TAX_ID, tax_ids.own_rows, resources=(tax_ids.KIND,)),
        Kind(api_key.API_KEY, api_keys.rows),
        Kind(audit_trail.AUDIT_TRAIL, no_rows),
        Kind(coupon.COUPON, CouponProjection(api_version).rows, resources=own_coupon),
        Kind(endpoint.ENDPOINT, EndpointProjection(keys, api_version).rows),
        Kind(payment_method.PAYMENT_METHOD, PaymentMethodProjection(api_version).rows),
        Kind(promotion_code.PROMOTION_CODE, PromotionCodeProjection(api_version).rows, resources=own_code),
        Kind(
            redaction_job.REDACTION_JOB,
            redaction_jobs.rows,
            resources=own_job,
        ),
        Kind(subscriber.SUBSCRIBER, subscribers.rows),
        Kind(testclock.TEST_CLOCK, TestClockProjection(api_version).rows),
        Kind(token.TOKEN, tokens.rows),
    )
    return {kind.decider.kind: kind for kind in projected}


def folds(settings: Settings) -> Folds:
    """What folds every stream; for processes of its own, too."""
    keys = master_key_source.master_keys(settings)
    return Folds(codec(), keys, kinds(keys, settings.api_version))


def inline_model(settings: Settings) -> InlineModel:
    """What `rollbook rebuild customers` makes."""
    return InlineModel(folds(settings))


async def build(settings: Settings, dsn: str, metrics: Metrics | None = None) -> Core:
    """Build the core over a database, which need not be there yet."""
    metrics = metrics or Metrics()
    keys = await asyncio.to_thread(master_key_source.master_keys, settings)
    known, clock = codec(), SystemClock()
    pool = await create_pool(dsn, application="service", size_max=settings.pool_size_max)
    read_models, cache = InlineReadModels(), StreamCache()
    commit = GroupCommit(dsn, read_models, batch_max=settings.append_batch_max, observe=metrics.appended)
    log = PostgresLog(commit, pool, keys)
    folding = Folds(known, keys, kinds(keys, settings.api_version))
    rows_of = RowsOfKinds({name: kind.rows for name, kind in folding.kinds.items()})
    return Core(
        settings=settings,
        dsn=dsn,
        pool=pool,
        clock=clock,
        codec=known,
        master_keys=keys,
        commit=commit,
        log=log,
        executor=Executor(log, known, keys, rows_of, cache=cache),
        eraser=Eraser(pool, log, known, keys, rows_of, read_models, (excerpts.blank,)),
        invalidation=CacheInvalidation(dsn, cache),
        folds=folding,
        reader=Reader(dsn, pool, page_bytes_max=settings.page_bytes_max),
        finder=await finder(dsn, page_bytes_max=settings.page_bytes_max),
        metrics=metrics,
    )
