"""The page of /docs in a real browser: what it shows, how it is used by keyboard, and that axe finds no violation."""

import html
import re
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from projections.search.query import parse
from service.http import docs
from service.http.app import OPERATIONS
from service.http.docs.event_types import EVENT_TYPES
from tests.servers.browser import AXE, SharedBrowser, program

pytestmark = pytest.mark.browser
WIDE = {"viewport": {"width": 1400, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}}
MOVE = """async (hash) => {
    if (location.hash.slice(1) === hash) return;
    const moved = new Promise((done) => addEventListener("hashchange", done, { once: true }));
    location.hash = hash;
    await moved;
}"""
VIOLATIONS = "axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, nodes[0].html]))"
Visit = Callable[..., None]


@pytest.fixture(scope="module")
def browser() -> Iterator[SharedBrowser]:
    path = program()
    if path is None:
        pytest.skip("no Chromium is installed")
    shared = SharedBrowser(path)
    shared.start()
    yield shared
    shared.stop()


@pytest.fixture(scope="module")
def url(browser: SharedBrowser) -> Iterator[str]:
    """Where the page is served, behind a path prefix as a proxy may put it."""

    async def start() -> tuple[web.AppRunner, str]:
        inner, app = web.Application(), web.Application()
        inner.add_routes(docs.routes(OPERATIONS, "sk_test_example"))
        app.add_subapp("/prefix", inner)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}/prefix/docs"

    runner, address = browser.run(start())
    yield address
    browser.run(runner.cleanup())


@pytest.fixture
def visit(browser: SharedBrowser, url: str) -> Visit:
    """Opens the page at a fragment, and has a test's steps carried out there."""

    def run(steps: Callable[[Page], Awaitable[Any]], fragment: str = "", **options: Any) -> None:
        async def visited() -> None:
            async with browser.page(**{**WIDE, **options}) as page:
                await page.goto(f"{url}{fragment}")
                await page.locator("main h1").wait_for()
                await steps(page)

        browser.run(visited())

    return run


def test_customers_are_first_in_the_menu_and_their_object_leads_them(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        sections = page.locator("nav section")
        assert await sections.locator("h2").all_inner_texts() != []
        assert (await sections.locator("h2").all_inner_texts())[:2] == ["Guides", "customers"]
        await sections.nth(1).get_by_text("The Customer object").click()
        await expect(page.locator("h1")).to_have_text("Customer")
        await expect(page.locator(".answer pre")).to_contain_text('"object": "customer"')

    visit(steps)


def test_every_operation_has_its_address_and_every_object_of_the_menu_is_there(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        hashes = await page.locator("nav a").evaluate_all("links => links.map((link) => link.hash.slice(1))")
        assert {operation.name for operation in OPERATIONS} <= set(hashes)
        shown = await page.evaluate(
            """async (hashes) => {
                const shown = [];
                for (const hash of hashes) {
                    const moved = new Promise((done) => addEventListener("hashchange", done, { once: true }));
                    location.hash = hash;
                    await moved;
                    const link = document.querySelector("nav a[aria-current]");
                    const { top, bottom } = link.getBoundingClientRect();
                    const tabs = [...document.querySelectorAll("[role=tab]")].map((tab) => tab.textContent);
                    shown.push({ hash, current: link.hash.slice(1), seen: top >= 0 && bottom <= innerHeight,
                        tabs, answer: document.querySelector(".answer pre") !== null });
                }
                return shown;
            }""",
            hashes,
        )
        names = {operation.name for operation in OPERATIONS}
        for one in shown:
            assert one["current"] == one["hash"]
            assert one["seen"], f"the menu follows to {one['hash']}"
            if one["hash"] in names:
                assert one["tabs"][0] == "curl"
                assert one["answer"] or one["hash"] == "feed.read"
        assert next(one["tabs"] for one in shown if one["hash"] == "customers.create") == ["curl", "Python", "Node"]

    visit(steps)


def test_the_language_is_chosen_by_keyboard_and_stays_chosen(visit: Visit, url: str) -> None:
    async def steps(page: Page) -> None:
        base = url.removesuffix("/docs")
        await expect(page.locator("#sample")).to_contain_text(f"curl {base}/v1/customers")
        await page.get_by_role("tab", name="curl").focus()
        await page.keyboard.press("ArrowRight")
        await expect(page.locator("#sample")).to_contain_text("client.v1.customers.create(")
        await expect(page.locator("#sample")).to_contain_text("sk_test_example")
        await page.keyboard.press("ArrowRight")
        await expect(page.get_by_role("tab", name="Node")).to_be_focused()
        await page.locator("nav").get_by_text("search", exact=True).click()
        await expect(page.locator("#sample")).to_contain_text("stripe.customers.search(")
        await page.reload()
        await expect(page.get_by_role("tab", name="Node")).to_have_attribute("aria-selected", "true")

    visit(steps, "#customers.create")


def test_copy_covers_nothing_and_copies_what_is_shown(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        for example in await page.locator(".example").all():
            button, code = await example.locator(".copy").bounding_box(), await example.locator("pre").bounding_box()
            assert button is not None
            assert code is not None
            assert button["y"] + button["height"] <= code["y"]
        await page.get_by_role("tab", name="Python").click()
        await page.get_by_role("button", name="Copy the request").click()
        await expect(page.locator("#copied")).to_have_text("Copied the request")
        copied = await page.evaluate("navigator.clipboard.readText()")
        assert copied == await page.locator("#sample").text_content()

    for options in (WIDE, PHONE):
        visit(steps, "#customers.create", permissions=["clipboard-read", "clipboard-write"], **options)


def test_the_menu_is_searched_by_keyboard(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        await page.keyboard.press("/")
        await expect(page.locator("#filter")).to_be_focused()
        await page.keyboard.type("tax_ids verb")
        await expect(page.locator("#found")).to_have_text("0 found")
        await page.keyboard.press("Escape")
        await page.keyboard.type("customer.discount.deleted")
        await expect(page.locator("#found")).to_have_text("1 found")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Event types")
        await expect(page.locator("h1")).to_be_focused()

    visit(steps)


def test_event_types_and_the_search_language_are_described(visit: Visit) -> None:
    async def events(page: Page) -> None:
        assert await page.locator("tbody th").all_inner_texts() == list(EVENT_TYPES)

    async def search(page: Page) -> None:
        await expect(page.locator("h1")).to_have_text("Search query language")
        await expect(page.locator("tbody").first).to_contain_text("metadata")

    visit(events, "#guide/events")
    visit(search, "#guide/search")


def test_the_phone_has_its_menu_behind_a_button_and_nothing_wider_than_it_is(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        await expect(page.locator("nav")).to_be_hidden()
        await page.get_by_role("button", name="Menu").click()
        await page.locator("nav").get_by_text("create", exact=True).first.click()
        await expect(page.locator("nav")).to_be_hidden()
        assert page.url.endswith("#customers.create")
        assert await page.evaluate("document.documentElement.scrollWidth") == 390

    visit(steps, **PHONE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_axe_finds_no_violation(visit: Visit, scheme: str, size: dict[str, Any]) -> None:
    if not AXE.exists():
        pytest.skip("the packages of tests/node are not installed: `make test` installs them")

    async def steps(page: Page) -> None:
        await page.evaluate(AXE.read_text())
        for fragment in ("", "customers.create", "/Customer", "guide/search", "guide/events"):
            await page.evaluate(MOVE, fragment)
            assert await page.evaluate(VIOLATIONS) == [], fragment

    visit(steps, color_scheme=scheme, **size)


def test_examples_of_the_search_guide_are_queries() -> None:
    text = resources.files("service.http.docs").joinpath("index.html").read_text("utf-8")
    guide = text.partition('<template id="guide-search">')[2].partition("</template>")[0]
    found = re.search(r"<pre[^>]*>(.*?)</pre>", guide, re.DOTALL)
    assert found
    for example in html.unescape(found[1]).splitlines():
        parse(example)
