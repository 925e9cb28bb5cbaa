"""The console in a real browser: sign in, look, sign out; nothing is blocked by its own policy."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, sync_playwright

from reconciler.core.status import Phase, Status
from tests.api.harness import ApiServer

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page()
        browser.close()


def test_a_person_signs_in_looks_and_signs_out(api: ApiServer, page: Page):
    api.make("b-row", display_name="Row, Inc.")
    ready = Status(
        phase=Phase.READY, observed_generation=1, revision=1, conditions=(), why="answers 200", up=2, total=2
    )
    api.set_status("b-row", ready)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.goto(api.url)
    page.get_by_label("API key").fill("rcl_wrong")
    page.get_by_role("button", name="Sign in").click()
    assert "not known here" in page.get_by_role("alert").inner_text()
    page.get_by_label("API key").fill(api.key("read", name="viewer"))
    page.get_by_role("button", name="Sign in").click()
    row = page.get_by_role("row").filter(has_text="b-row")
    assert "answers 200" in row.inner_text()
    assert page.evaluate("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"
    row.get_by_role("link").click()
    assert page.get_by_role("heading", level=1).inner_text().startswith("b-row")
    for name in ("Events", "Queue", "Costs", "Tenants"):
        page.get_by_role("navigation").get_by_role("link", name=name).click()
        assert page.get_by_role("heading", level=1).is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{api.url}/console")
    assert page.get_by_label("API key").is_visible()
    assert not [text for text in said if "Content Security Policy" in text or "Refused" in text]
