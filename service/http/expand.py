"""Expansion (`expand[]`): ids replaced by the objects that they name, and optional attributes included.

Objects are expanded level by level, for a whole page at once: one query per property and level, for any number of
objects. Changes of the request that are not stored yet are visible. A path through null ends there without an error.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

import orjson

from events import coupon
from events.errors import Refusal
from events.scope import Scope
from projections import api_version, tax
from projections.page_bytes import TooManyBytes
from projections.read import Reader
from projections.rows import ResourceRow, Rows, dumps
from service.http import permissions
from service.http.expansions import OF_KIND, Hash, Items, Node, Older, Part, Reference, Tax

LEVELS_MAX = 4
ITEMS_SHOWN = 10
PARSED = 3  # memory of an object being rendered, relative to its bytes
TOTAL_COUNT = "total_count"  # the count of a list: no path
Tree = dict[str, "Tree"]  # property -> what to expand within it
Shown = dict[str, Any]


class Permitting(Protocol):
    """A request context that checks the permissions of a restricted key."""

    def permit(self, permission: str) -> None:
        """Raises Refusal when the key lacks the permission."""
        ...


def paths(context: Permitting, asked: Sequence[str], kind: str, *, in_list: bool = False) -> Tree:
    """The tree of `expand[]` paths, validated; in lists they begin with `data.`.

    `total_count` of a list is no path, see `counted`. Raises Refusal for a path that is too deep or unknown, and for
    one through objects that the key has no permission to read, whether there are any or not.
    """
    tree: Tree = {}
    for path in asked:
        if in_list and path == TOTAL_COUNT:
            continue
        node = tree
        for step in _checked(context, path, kind, in_list):
            node = node.setdefault(step, {})
    return tree


def counted(asked: Sequence[str]) -> bool:
    """Whether `total_count` of a list was expanded."""
    return TOTAL_COUNT in asked


def _checked(context: Permitting, path: str, kind: str, in_list: bool) -> Sequence[str]:
    steps = path.split(".")
    if len(steps) > LEVELS_MAX:
        raise Refusal(f"You cannot expand more than {LEVELS_MAX} levels of a property ({path}).", param="expand")
    if in_list:
        if steps[0] != "data" or len(steps) == 1:
            raise _cannot(path, hint=f" You may want to try expanding 'data.{path}' instead.")
        steps = steps[1:]
    within: Mapping[str, Node] = OF_KIND.get(kind, {})
    node: Node | None = None
    leads: list[str] = []
    needed: list[str] = []
    for step in steps:
        node = within.get(step)
        if node is None:
            raise _cannot(step)
        leads += node.path if isinstance(node, Older) else (step,)
        needed += _needed(node, within)
        within = _within(node, within)
    if isinstance(node, Older) or (isinstance(node, Hash) and not node.stands):
        raise _cannot(steps[-1])
    for permission in needed:
        context.permit(permission)
    return leads


def _needed(node: Node, beside: Mapping[str, Node]) -> Sequence[str]:
    """The permissions needed to expand a property; `beside` are its sibling properties."""
    match node:
        case Older():
            needed: list[str] = []
            for step in node.path:
                needed += _needed(beside[step], beside)
                beside = _within(beside[step], beside)
            return needed
        case Reference() | Items() | Part():
            return (permissions.to_read(node.kind),)
        case Tax():
            return (permissions.to_read("customer"),)
        case Hash():
            return ()


def _within(node: Node, beside: Mapping[str, Node]) -> Mapping[str, Node]:
    """The expandable properties within a property; `beside` are its sibling properties."""
    match node:
        case Older():
            for step in node.path:
                beside = _within(beside[step], beside)
            return beside
        case Reference():
            return OF_KIND.get(node.kind, {})
        case Hash():
            return node.within
        case Items():
            return {"data": Hash(OF_KIND.get(node.kind, {}), stands=True)}
        case Part() | Tax():
            return {}


def _cannot(name: str, hint: str = "") -> Refusal:
    return Refusal(f"This property cannot be expanded ({name}).{hint}", param="expand")


class AnswerTooLarge(Refusal):
    """One object with its expansions exceeds the maximum size of a page."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(
            f"The response would be larger than {bytes_max} bytes. Please expand fewer properties in one request.",
            param="expand",
        )


class Expander:
    """Expands objects of one account and mode; `pending` are rows that are stored together with the response.

    `tax_countries` are those in which tax is collected. Expansion is limited in bytes, like a page.
    """

    def __init__(
        self,
        reader: Reader,
        scope: Scope,
        pending: Iterable[Rows] = (),
        tax_countries: AbstractSet[str] = frozenset(),
        hold: Callable[[int], None] = lambda _: None,
        version: str = api_version.NEWEST_DIFFERENCE,
    ) -> None:
        """`hold` is called with the bytes of memory that are taken or released, and may refuse. `version` is the API
        version of the response: older ones show coupons whole where newer ones have ids, and their bytes count.
        """
        self._version = version
        self._reader = reader
        self._tax_countries = tax_countries
        self._scope = scope
        self._bytes_left = 0
        self._hold = hold
        self._held = 0
        self._resources: dict[tuple[str, str], ResourceRow] = {}
        self._customers: dict[str, bytes] = {}
        for rows in pending:
            self._resources.update({(row.kind, row.id): row for row in rows.resources})
            self._customers.update({row.id: row.body for row in rows.customers})

    async def expanded(self, bodies: Sequence[bytes], kind: str, tree: Tree) -> list[bytes]:
        """Stored objects of one kind with `tree` expanded; deleted ones are unchanged. Raises AnswerTooLarge."""
        if not tree:
            return list(bodies)
        try:
            return await self._counted(bodies, kind, tree)
        except TooManyBytes:
            raise AnswerTooLarge(self._reader.page_bytes_max) from None

    async def page(self, bodies: Sequence[bytes], kind: str, tree: Tree, *, backwards: bool = False) -> list[bytes]:
        """The objects that fit into a page with `tree` expanded: the first ones, or with `backwards` the last.

        Raises AnswerTooLarge if not even one fits; without expansion one object may have any size.
        """
        if not tree and self._version >= api_version.COUPONS_ARE_NAMED:
            return list(bodies)
        kept = list(bodies)
        while True:
            if not tree and len(kept) <= 1:
                return kept
            try:
                return await self._counted(kept, kind, tree)
            except TooManyBytes:
                if len(kept) == 1:
                    raise AnswerTooLarge(self._reader.page_bytes_max) from None
                half = len(kept) // 2
                kept = kept[-half:] if backwards else kept[:half]

    async def _counted(self, bodies: Sequence[bytes], kind: str, tree: Tree) -> list[bytes]:
        """`_expanded`, with the memory of its objects counted while it runs."""
        try:
            return await self._expanded(bodies, kind, tree)
        finally:
            self._hold(-self._held)
            self._held = 0

    async def _expanded(self, bodies: Sequence[bytes], kind: str, tree: Tree) -> list[bytes]:
        """Stored objects with `tree` expanded. Raises TooManyBytes before more than that is loaded."""
        self._bytes_left = self._reader.page_bytes_max
        if len(bodies) > 1:  # one object is shown whatever its size
            self._charge(sum(map(len, bodies)))
        shown: list[Shown] = [orjson.loads(body) for body in bodies]
        living = [object for object in shown if not object.get("deleted")]
        await self._expand(living, OF_KIND.get(kind, {}), tree)
        await self._charge_coupons(shown)
        return [dumps(object) for object in shown]

    async def _charge_coupons(self, shown: Sequence[Shown]) -> None:
        """Count the bytes of coupons that an older version includes. Raises TooManyBytes."""
        wanted = api_version.coupon_counts(shown, self._version)
        if wanted:
            for id, body in (await self._bodies(coupon.KIND, list(wanted))).items():
                self._charge(wanted[id] * len(body or b""))

    def _charge(self, bytes: int) -> None:
        """Count bytes of the response. Raises TooManyBytes."""
        self._bytes_left -= bytes
        if self._bytes_left < 0:
            raise TooManyBytes
        self._hold(PARSED * bytes)
        self._held += PARSED * bytes

    async def _expand(
        self, objects: list[Shown], within: Mapping[str, Node], tree: Tree, ids: Sequence[str] | None = None
    ) -> None:
        """Expand within `objects`; `ids` are the ids of the owners of hashes without an id."""
        if not objects:
            return
        for name, deeper in tree.items():
            node = within[name]
            match node:
                case Reference():
                    found = await self._refer(objects, name, node.kind)
                    await self._expand(found, OF_KIND.get(node.kind, {}), deeper)
                case Hash():
                    hashes: list[tuple[Shown, str]] = [
                        (inner, object.get("id", "")) for object in objects for inner in _hashes(object.get(name))
                    ]
                    owners = [str(inner.get("id", owner)) for inner, owner in hashes]
                    await self._expand([inner for inner, _ in hashes], node.within, deeper, owners)
                case Items():
                    await self._add_items(objects, name, node)
                    items = [item for object in objects for item in object[name]["data"]]
                    await self._expand(items, OF_KIND.get(node.kind, {}), deeper.get("data", {}))
                case Part():
                    await self._add_part(objects, name, node, ids or [object["id"] for object in objects])
                case Tax():
                    await self._add_tax(objects, name)
        for object in objects:
            _put_in_order(object)

    async def _refer(self, objects: list[Shown], name: str, kind: str) -> list[Shown]:
        """Replace the ids under `name` by their objects; returns these."""
        holders = [object for object in objects if isinstance(object.get(name), str)]
        ids = list(dict.fromkeys(object[name] for object in holders))
        bodies = await self._bodies(kind, ids)
        found: list[Shown] = []
        for object in holders:
            body = bodies[object[name]]
            if body is not None:
                self._charge(len(body))  # once for each occurrence
                object[name] = orjson.loads(body)
                found.append(object[name])
        return [object for object in found if not object.get("deleted")]

    async def _bodies(self, kind: str, ids: Sequence[str]) -> dict[str, bytes | None]:
        """The bodies of objects of one kind by id, None for unknown ones: at most one query."""
        bodies: dict[str, bytes | None] = {id: self._pending(kind, id) for id in ids}
        missing = [id for id, body in bodies.items() if body is None]
        if missing:
            found = await self._reader.many(self._scope, kind, missing, self._bytes_left)
            bodies.update(zip(missing, found, strict=True))
        return bodies

    def _pending(self, kind: str, id: str) -> bytes | None:
        if kind == "customer":
            return self._customers.get(id)
        row = self._resources.get((kind, id))
        return None if row is None else row.body

    async def _add_items(self, objects: list[Shown], name: str, node: Items) -> None:
        parents = [object["id"] for object in objects]
        limit = ITEMS_SHOWN + 1 + len(self._resources)
        stored = await self._reader.firsts(self._scope, node.kind, parents, limit, node.facts, self._bytes_left)
        for object in objects:
            self._charge(sum(map(len, stored.get(object["id"], ()))))
            items = self._with_pending(
                [orjson.loads(body) for body in stored.get(object["id"], ())], node, object["id"]
            )
            object[name] = {
                "object": "list",
                "data": items[:ITEMS_SHOWN],
                "has_more": len(items) > ITEMS_SHOWN,
                "url": f"/v1/{object['object']}s/{object['id']}/{name}",
            }

    def _with_pending(self, items: list[Shown], node: Items, parent: str) -> list[Shown]:
        """Items of a list with the pending changes: new items first, deleted ones left out."""
        changed = {row.id: row for row in self._resources.values() if row.kind == node.kind and row.parent == parent}
        if not changed:
            return items
        known = {item["id"] for item in items}
        new = [row for row in changed.values() if row.id not in known and _listed(row, node)]
        new.sort(key=lambda row: (row.created, row.event), reverse=True)
        kept = [
            orjson.loads(changed[item["id"]].body) if item["id"] in changed else item
            for item in items
            if item["id"] not in changed or _listed(changed[item["id"]], node)
        ]
        return [*(orjson.loads(row.body) for row in new), *kept]

    async def _add_part(self, objects: list[Shown], name: str, part: Part, ids: Sequence[str]) -> None:
        bodies = await self._bodies(part.kind, ids)
        for object, id in zip(objects, ids, strict=True):
            body = bodies[id]
            self._charge(0 if body is None else len(body))
            shown = part.show(object, None if body is None else orjson.loads(body))
            if shown is not None or part.nullable:
                object[name] = shown

    async def _add_tax(self, customers: list[Shown], name: str) -> None:
        known = await self._bodies("tax", [customer["id"] for customer in customers])
        payments = await self._payments(customers)
        for customer, payment in zip(customers, payments, strict=True):
            body = known[customer["id"]]
            stored = None if body is None else orjson.loads(body)
            customer[name] = tax.render(customer, stored, payment, self._tax_countries)

    async def _payments(self, customers: list[Shown]) -> list[Shown | None]:
        """The card, bank account or payment method that each customer pays with; None without one."""
        ways = [tax.way_to_pay(customer) or ("", None) for customer in customers]
        named = {(kind, way) for kind, way in ways if isinstance(way, str)}
        bodies: dict[str, bytes | None] = {}
        for kind in {kind for kind, _ in named}:
            bodies |= await self._bodies(kind, [way for of, way in named if of == kind])
        paid: list[Shown | None] = []
        for _, way in ways:
            body = bodies[way] if isinstance(way, str) else None
            paid.append(way if isinstance(way, dict) else None if body is None else orjson.loads(body))
        return paid


def _listed(row: ResourceRow, node: Items) -> bool:
    """Whether a list includes the object."""
    return not row.deleted and node.facts.items() <= orjson.loads(row.facts).items()


def _hashes(value: Any) -> list[Shown]:
    """The hashes to expand within: the value itself, or the elements of an array."""
    elements = value if isinstance(value, list) else [value]
    return [element for element in elements if isinstance(element, dict)]


def _put_in_order(object: Shown) -> None:
    """Sort keys as the API does: `id` and `object` first, the rest alphabetical; a hash without them is unchanged."""
    if "object" not in object:
        return
    first = [key for key in ("id", "object") if key in object]
    rest = sorted(object.keys() - set(first))
    values = {key: object[key] for key in (*first, *rest)}
    object.clear()
    object.update(values)
