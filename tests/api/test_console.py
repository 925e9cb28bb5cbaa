import re
from datetime import UTC, datetime

import httpx
import pytest

from reconciler.core.status import ComponentStatus, Condition, ConditionType, Phase, Reason, Status
from tests.api.harness import ROOT, ApiServer

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def browser(api: ApiServer):
    with httpx.Client(base_url=api.url, follow_redirects=True) as client:
        answer = client.post("/console/login", data={"key": api.key("read", name="viewer")})
        assert answer.status_code == 200, answer.text
        yield client


def test_the_root_leads_to_the_sign_in(api):
    answer = httpx.get(api.url, follow_redirects=True)
    assert (answer.status_code, answer.url.path) == (401, "/console")
    assert 'type="password"' in answer.text


def test_a_session_is_a_strict_cookie_that_scripts_cannot_read(api):
    answer = api.http.post("/console/login", data={"key": api.key("read")})
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize(
    ("content", "status"),
    [("key=unknown", 401), ("", 401), ("key=", 401), ("key=%00", 401), ("\xff\xfe", 401), ("a=1&" * 50, 401)],
)
def test_other_keys_open_nothing(api, content, status):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = api.http.post("/console/login", content=content.encode("latin-1"), headers=headers)
    assert answer.status_code == status
    assert "set-cookie" not in answer.headers


def test_a_key_that_may_not_read_opens_nothing(api):
    answer = api.http.post("/console/login", data={"key": api.key("signup")})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


def test_a_form_of_another_site_is_refused(api):
    for path in ("login", "logout"):
        for origin in ("https://evil.example", "null"):
            answer = api.http.post(f"/console/{path}", data={"key": api.key("read")}, headers={"Origin": origin})
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


def test_signing_out_and_revoking_end_the_session(api):
    with httpx.Client(base_url=api.url) as client:
        client.post("/console/login", data={"key": api.key("read", name="guest")})
        assert client.get("/console").status_code == 200
        api.run(api.registry.revoke_key("guest", ROOT))
        assert client.get("/console").status_code == 401
        answer = client.post("/console/logout")
        assert answer.status_code == 303
        assert "Max-Age=0" in answer.headers["set-cookie"]


def test_a_session_is_good_for_pages_alone(browser):
    assert browser.get("/console").status_code == 200
    assert browser.get("/v1/tenants").status_code == 401


@pytest.mark.parametrize("path", ["", "/events", "/queue", "/costs", "/tenants/c-shown"])
def test_pages_load_nothing_from_elsewhere_and_run_nothing(api, browser, path):
    if not api.exists("c-shown"):
        api.make("c-shown")
    answer = browser.get(f"/console{path}")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script" not in policy
    assert "<script" not in answer.text
    assert not re.search(r"(?:src|href)=\"(?!/|https?://\S+\" rel=)", answer.text)
    assert "viewer" in answer.text


def test_the_table_shows_phase_and_why(api, browser):
    api.make("c-row", display_name="Row, Inc.")
    ready = Status(
        phase=Phase.READY, observed_generation=1, revision=1, conditions=(), why="answers 200", up=2, total=2
    )
    api.set_status("c-row", ready)
    text = browser.get("/console").text
    assert 'href="/console/tenants/c-row"' in text
    assert "answers 200" in text
    assert "2/2" in text


def test_hostile_text_is_shown_as_text(api, browser):
    now = datetime.now(UTC)
    api.make("c-hostile", display_name=HOSTILE, labels={"x": "y"})
    component = ComponentStatus(
        component=HOSTILE,
        kind="web service",
        name=HOSTILE,
        state=HOSTILE,
        healthy=False,
        id=HOSTILE,
        url="javascript:alert(1)",
    )
    condition = Condition(
        type=ConditionType.READY,
        status=HOSTILE,
        reason=Reason.WAITING,
        message=HOSTILE,
        since=now,
        observed_generation=1,
    )
    hostile = Status(
        phase=Phase.BLOCKED,
        observed_generation=1,
        revision=1,
        conditions=(condition,),
        components=(component,),
        why=HOSTILE,
        you=HOSTILE,
        next=HOSTILE,
        url="javascript:alert(1)",
        drift=(HOSTILE,),
        warnings=(HOSTILE,),
    )
    api.set_status("c-hostile", hostile)
    api.run(api.registry.set_hold("c-hostile", HOSTILE, now.replace(year=now.year + 1), ROOT))
    for path in ("/console", "/console/tenants/c-hostile"):
        text = browser.get(path).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
        assert "<script" not in text
        assert "<img" not in text
        assert 'href="javascript' not in text


def test_a_page_of_nobody_is_a_page(browser):
    answer = browser.get("/console/tenants/nobody")
    assert answer.status_code == 404
    assert "All tenants" in answer.text
    assert browser.get("/console/nothing").status_code == 404
    assert browser.get("/console?page=0").status_code == 422
    assert browser.get("/console?label=x").status_code == 422


def test_pages_of_a_hundred(api, browser):
    for number in range(101):
        api.make(f"c-page-{number:03}", labels={"page": "yes"})
    first = browser.get("/console?label=page%3Dyes").text
    assert "Page 1 of 2" in first
    assert "c-page-099" in first
    assert "c-page-100" not in first
    link = re.search(r'href="(/console\?page=2[^"]*)"', first)
    assert link is not None
    assert "c-page-100" in browser.get(link[1].replace("&amp;", "&")).text


def test_the_style_is_served(api):
    answer = api.http.get("/console/style.css")
    assert answer.headers["content-type"].startswith("text/css")
