"""What of the API needs neither server nor database."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from reconciler.api import access, bodies, models, slugs
from reconciler.api.access import Scope
from reconciler.api.console import pages
from reconciler.api.limiter import BUCKETS_MAX, Limiter
from reconciler.api.problems import ApiError
from reconciler.api.sessions import LIFETIME_S, Sessions
from reconciler.core.errors import Invalid
from reconciler.core.values import Sensitive
from reconciler.doors import ApiKey

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)


# ---------------------------------------------------------------- slugs


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Acme, Inc.", "acme-inc"),
        ("  Müller & Söhne GmbH ", "muller-sohne-gmbh"),
        ("Straße", "strasse"),
        ("Łódź Ørsted Æon", "lodz-orsted-aeon"),
        ("O'Brien\u2019s", "obriens"),
        ("42 Ways", "t-42-ways"),
        ("X", "t-x"),
        ("a" * 60, "a" * 39),
        ("a" * 38 + " b", "a" * 38),
        ("株式会社", "t-1"),
        ("!!!", "t-1"),
        ("\x1b[31mred", "31mred".join(["t-", ""])),
    ],
)
def test_a_slug_is_made_from_a_name(name, slug):
    made = next(slugs.candidates(name))
    assert made == slug
    assert slugs.is_valid(made)


@pytest.mark.parametrize("name", ["Acme", "a" * 60, "株式会社", "9"])
def test_further_slugs_are_valid_and_differ(name):
    made = list(islice(slugs.candidates(name), 120))
    assert len(set(made)) == 120
    assert all(slugs.is_valid(slug) for slug in made)


def test_a_taken_slug_gets_a_number():
    assert list(islice(slugs.candidates("Acme"), 3)) == ["acme", "acme-2", "acme-3"]
    assert list(islice(slugs.candidates("日本"), 2)) == ["t-1", "t-2"]


# ---------------------------------------------------------------- limiter


class Ticks:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_a_bucket_lets_a_burst_through_and_refills_steadily():
    ticks = Ticks()
    limiter = Limiter(60, 3, ticks)
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert limiter.take("b") == 0
    ticks.at += 1.0
    assert [limiter.take("a") for _ in range(2)] == [0, 1]
    ticks.at += 1000.0
    assert [limiter.take("a") for _ in range(4)] == [0, 0, 0, 1]


def test_the_wait_is_how_long_until_the_next_token():
    limiter = Limiter(6, 1, Ticks())
    assert limiter.take("a") == 0
    assert limiter.take("a") == 10


def test_callers_are_forgotten_when_there_are_too_many():
    limiter = Limiter(60, 1, Ticks())
    for number in range(BUCKETS_MAX + 1):
        limiter.take(str(number))
    assert limiter.take("0") == 0
    assert limiter.take(str(BUCKETS_MAX)) == 1


# ---------------------------------------------------------------- sessions


def cookie_of(header: str) -> str:
    return header.partition(";")[0]


def test_a_session_names_its_key_until_it_ends():
    ticks = Ticks()
    sessions = Sessions(Sensitive("s"), now=ticks)
    header = sessions.open("key-1")
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in header.split(";")}
    assert "Secure" not in header
    assert sessions.read(cookie_of(header)) == "key-1"
    ticks.at += LIFETIME_S
    assert sessions.read(cookie_of(header)) is None


def test_sessions_of_one_secret_hold_on_every_replica_and_on_no_other():
    header = cookie_of(Sessions(Sensitive("s")).open("key-1"))
    assert Sessions(Sensitive("s")).read(header) == "key-1"
    assert Sessions(Sensitive("other")).read(header) is None
    assert Sessions(Sensitive("")).read(cookie_of(Sessions(Sensitive("")).open("key-1"))) is None


def test_a_cookie_goes_over_tls_only_when_asked():
    assert "; Secure" in Sessions(Sensitive("s"), secure=True).open("k")


@pytest.mark.parametrize("change", [lambda c: c[:-1], lambda c: c.replace(".", ""), lambda c: "reconciler_session=x.y"])
def test_a_changed_cookie_is_no_session(change):
    sessions = Sessions(Sensitive("s"))
    assert sessions.read(change(cookie_of(sessions.open("key-1")))) is None


@pytest.mark.parametrize("header", ["", "reconciler_session=", "reconciler_session=\x00", "a=b", "=;=", "é=é", '"' * 9])
def test_no_cookie_breaks_the_reader(header):
    assert Sessions(Sensitive("s")).read(header) is None


# ---------------------------------------------------------------- bodies


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON at line 1"),
        ("", "not JSON"),
        ('{"a": NaN}', "number that JSON does not have"),
        ('{"a": Infinity}', "number that JSON does not have"),
        ("[" * 100 + "]" * 100, "deeper than 64"),
        ("[" * 200_000, "deeper than 64"),
        ('{"a":' * 100 + "1" + "}" * 100, "deeper than 64"),
        ("9" * 5000, "number"),
    ],
)
def test_what_is_not_usable_json_is_refused(text, message):
    with pytest.raises(ApiError, match=message) as caught:
        bodies.parse(text.encode())
    assert caught.value.status == 400


def test_what_is_not_utf8_is_refused():
    with pytest.raises(ApiError, match="UTF-8"):
        bodies.parse(b'{"a": "\xff"}')


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (r'{"a": {"b": ["x", "\u0000"]}}', "a.b[1]"),
        (r'{"a": "\ud800"}', "a"),
        (r'{"\u0000": 1}', "body"),
        (r'"\u0000"', "body"),
    ],
)
def test_characters_that_cannot_be_stored_are_refused_by_path(text, path):
    with pytest.raises(Invalid) as caught:
        bodies.parse(text.encode())
    assert caught.value.problems[0].path == path


def test_a_body_as_deep_as_a_spec_is_read():
    document = {"spec": {"overrides": {"backend": {"envVars": [{"key": "A", "value": "\U0001f600"}]}}}}
    assert bodies.parse(json.dumps(document).encode()) == document


# ---------------------------------------------------------------- parameters


def test_windows_of_costs():
    month = datetime(2026, 3, 1, tzinfo=UTC)
    assert models.window_of("month", NOW) == (month, datetime(2026, 4, 1, tzinfo=UTC))
    assert models.window_of("lastmonth", NOW) == (datetime(2026, 2, 1, tzinfo=UTC), month)
    assert models.window_of("7d", NOW) == (NOW - timedelta(days=7), NOW)
    pair = "2026-01-01T00:00:00Z,2026-02-01T00:00:00+01:00"
    assert models.window_of(pair, NOW)[0] == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["", "year", "7", "-7d", "2026-01-01,2026-02-01", "x,y", "2026-02-01T00:00Z,2026-01-01T00:00Z"]
)
def test_other_windows_are_refused_with_examples(text):
    with pytest.raises(Invalid, match="write month, lastmonth, 7d"):
        models.window_of(text, NOW)


def test_selectors():
    assert models.selector_of(None) is None
    assert models.selector_of(["a=b", "c=d=e"]) == {"a": "b", "c": "d=e"}
    with pytest.raises(Invalid, match="write KEY=VALUE"):
        models.selector_of(["a"])


def test_a_hold_ends_after_a_time_or_at_one():
    assert models.hold_end(models.HoldRequest.model_validate({"why": "x", "for": "2h"}), NOW) == NOW + timedelta(
        hours=2
    )
    later = {"why": "x", "until": "2026-03-14T16:00:00Z"}
    assert models.hold_end(models.HoldRequest.model_validate(later), NOW) == datetime(2026, 3, 14, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({}, "one of for and until"),
        ({"for": "2h", "until": "2026-03-15T00:00:00Z"}, "one of for and until"),
        ({"for": "0s"}, "not in the future"),
        ({"until": "2026-03-13T00:00:00Z"}, "not in the future"),
        ({"until": "2026-03-15T00:00:00"}, "no time zone"),
    ],
)
def test_a_hold_that_never_ends_or_has_ended_is_refused(extra, message):
    with pytest.raises(Invalid, match=message):
        models.hold_end(models.HoldRequest.model_validate({"why": "x", **extra}), NOW)


# ---------------------------------------------------------------- access


def caller(*scopes: str) -> access.Caller:
    key = ApiKey(id="1", name="k", scopes=frozenset(scopes), created_at=NOW)
    return access.caller_of(key)


def test_scopes_imply_what_they_say():
    assert caller("admin").scopes == frozenset(Scope)
    assert caller("operator").scopes == {Scope.OPERATOR, Scope.READ, Scope.SIGNUP}
    assert caller("signup").scopes == {Scope.SIGNUP}
    assert caller("read").scopes == {Scope.READ}
    assert caller("root", "").scopes == frozenset()


def test_only_operators_alter_what_others_made_and_signup_alone_sees_its_own():
    assert not caller("signup").operates
    assert not caller("signup").reads_all
    assert caller("signup", "read").reads_all
    assert caller("operator").operates


def test_a_route_nobody_decided_about_does_not_start():
    with pytest.raises(LookupError, match="GET /v1/everything"):
        access.rule_of("GET", "/v1/everything")


def test_unknown_scopes_are_named_with_those_there_are():
    (problem,) = access.check_scopes(["read", "root"])
    assert problem.path == "scopes[1]"
    assert "operator" in problem.remedy
    assert access.check_scopes([])[0].path == "scopes"


# ---------------------------------------------------------------- console


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (42, "42s"), (281, "4m41s"), (7300, "2h"), (200_000, "2d"), (-5, "0s")]
)
def test_ages_for_people(seconds, text):
    assert pages.ago(NOW - timedelta(seconds=seconds), NOW) == text


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil", ""])
def test_only_web_addresses_become_links(url):
    assert pages.safe_link(url) == ""
