"""The page of /docs in a real browser: what it shows, how it is used by keyboard, and that axe finds no violation."""

import html
import re
from collections.abc import Awaitable, Callable, Iterator
from importlib import resources
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Page, expect

from events.version import VERSION
from projections.search.query import parse
from service.http import docs
from service.http.app import OPERATIONS
from service.http.docs.event_types import EVENT_TYPES
from tests.servers.browser import AXE, SharedBrowser, program

pytestmark = pytest.mark.browser
WIDE = {"viewport": {"width": 1400, "height": 900}}
PHONE = {"viewport": {"width": 390, "height": 844}}
SMALL = {"viewport": {"width": 320, "height": 568}}
GUIDES = [f"guide/{name}" for name in ("webhooks", "testing", "errors", "audit", "search", "events")]
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
        assert (await sections.locator("h2").all_inner_texts())[:2] == ["Guides", "Customers"]
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
                assert one["answer"], one["hash"]
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
        await expect(page.locator("#found")).to_have_text("No operation matches")
        await page.keyboard.press("Enter")
        assert "#" not in page.url
        await page.keyboard.press("Escape")
        await expect(page.locator("nav").get_by_text("create", exact=True).first).to_be_visible()
        await page.keyboard.type("customer.discount.deleted")
        await expect(page.locator("#found")).to_have_text("1 found")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Event types")
        await expect(page.locator("h1")).to_be_focused()

    visit(steps)


@pytest.mark.parametrize(
    ("typed", "best"),
    [
        ("customers.create", "customers.create"),
        ("coupon", "/Coupon"),
        ("advance", "test_clocks.advance"),
        ("Create a cou", "coupons.create"),
        ("ids list", "customers.tax_ids.list"),
        ("on_exhaustion", "rollbook.webhook_endpoints.set_rules"),
    ],
    ids=["whole name", "object", "verb", "beginning", "words", "parameter"],
)
def test_enter_opens_the_best_match_of_the_menu(visit: Visit, typed: str, best: str) -> None:
    async def steps(page: Page) -> None:
        await page.locator("#filter").fill(typed)
        await page.keyboard.press("Enter")
        assert page.url.partition("#")[2] == best

    visit(steps)


def test_the_menu_has_groups_of_one_name_each_of_which_only_the_current_one_is_open(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        headings = await page.locator("nav h2").all_inner_texts()
        assert len(headings) == len(set(headings))
        assert "Balance transactions" in headings
        assert not [heading for heading in headings if re.search(r"[._]", heading)]
        opened = page.locator("nav details[open] h2")
        await expect(opened).to_have_text(["Coupons"])
        await page.locator("nav summary", has_text="Event feed").click()
        await expect(opened).to_have_text(["Coupons", "Event feed"])
        await page.locator("nav").get_by_text("read", exact=True).click()
        await expect(opened).to_have_text(["Event feed"])

    visit(steps, "#coupons.create")


def test_the_feed_has_an_answer_of_several_lines(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        await expect(page.locator("#sample")).to_contain_text("-d after=0")
        text = await page.locator(".answer pre").text_content()
        assert text is not None
        assert text.count('"position": ') == 3

    visit(steps, "#feed.read")


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_the_theme_is_that_of_the_system_until_another_is_chosen(visit: Visit, scheme: str, other: str) -> None:
    async def steps(page: Page) -> None:
        background = "getComputedStyle(document.body).backgroundColor"
        colors = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 29)"}
        assert await page.evaluate(background) == colors[scheme]
        await page.get_by_label("Theme").select_option(other)
        assert await page.evaluate(background) == colors[other]
        await page.reload()
        assert await page.evaluate(background) == colors[other]
        await page.get_by_label("Theme").select_option("auto")
        assert await page.evaluate(background) == colors[scheme]

    visit(steps, color_scheme=scheme)


def test_the_header_has_the_version_and_both_documents(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        await expect(page.locator("#version")).to_have_text(VERSION)
        links = await page.locator("header .raw a").evaluate_all("links => links.map((link) => link.href)")
        base = page.url.removesuffix("/docs")
        assert links == [f"{base}/openapi.json", f"{base}/asyncapi.json"]

    visit(steps)


def test_samples_are_coloured_in_every_language_and_keep_their_text(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        for tab, kind, token in (
            ("curl", "flag", "-d"),
            ("Python", "keyword", "import"),
            ("Node", "string", '"stripe"'),
        ):
            await page.get_by_role("tab", name=tab).click()
            await expect(
                page.locator(f"#sample .token-{kind}", has_text=re.compile(f"^{token}$")).first
            ).to_be_visible()
        text = await page.locator("#sample").text_content()
        assert text is not None
        assert 'email: "jenny.rosen@example.com"' in text
        await expect(page.locator(".answer .token-string").first).to_have_text(re.compile('^"cus_'))

    visit(steps, "#customers.create")


def test_event_types_and_the_search_language_are_described(visit: Visit) -> None:
    async def events(page: Page) -> None:
        assert await page.locator("tbody th").all_inner_texts() == list(EVENT_TYPES)

    async def search(page: Page) -> None:
        await expect(page.locator("h1")).to_have_text("Search query language")
        await expect(page.locator("tbody").first).to_contain_text("metadata")

    visit(events, "#guide/events")
    visit(search, "#guide/search")


@pytest.mark.parametrize("size", [PHONE, SMALL], ids=["390 px", "320 px"])
def test_the_phone_has_its_menu_behind_a_button_and_nothing_wider_than_it_is(
    visit: Visit, size: dict[str, dict[str, int]]
) -> None:
    width, height = size["viewport"]["width"], size["viewport"]["height"]

    async def steps(page: Page) -> None:
        await expect(page.locator("nav")).to_be_hidden()
        await page.evaluate("scrollTo(0, document.body.scrollHeight)")
        await page.get_by_role("button", name="Menu").click()
        menu = await page.locator("nav").bounding_box()
        assert menu is not None
        assert menu["y"] >= 0
        assert menu["height"] <= 0.56 * height
        await page.locator("nav").get_by_text("create", exact=True).first.click()
        await expect(page.locator("nav")).to_be_hidden()
        assert page.url.endswith("#customers.create")
        for fragment in ("customers.create", *GUIDES, "audit.log", "/Customer", ""):
            await page.evaluate(MOVE, fragment)
            assert await page.evaluate("document.documentElement.scrollWidth") == width, fragment

    visit(steps, **size)


def test_code_that_is_wider_than_the_phone_shows_that_it_scrolls(visit: Visit) -> None:
    async def steps(page: Page) -> None:
        block = page.locator(".code", has=page.locator("#sample"))
        await expect(block).to_have_class("code more")
        await page.locator("#sample").evaluate("pre => { pre.scrollLeft = pre.scrollWidth; }")
        await expect(block).to_have_class("code")

    visit(steps, "#customers.create", **SMALL)


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", SMALL)], ids=["light, wide", "dark, phone"])
def test_axe_finds_no_violation(visit: Visit, scheme: str, size: dict[str, Any]) -> None:
    if not AXE.exists():
        pytest.skip("the packages of tests/node are not installed: `make test` installs them")

    async def steps(page: Page) -> None:
        await page.evaluate(AXE.read_text())
        for fragment in ("", "customers.create", "/Customer", *GUIDES):
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
