"""The codec: what goes into the database comes out equal."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.inventory import Known, Owned
from reconciler.core.observed import Deploy, Detail, Domain, Observed
from reconciler.core.spec import Pin, TenantSpec
from reconciler.core.status import Status
from reconciler.core.values import Json, Sensitive
from reconciler.postgres import codec

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
TIMES = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
for kind, strategy in ((str, TEXT), (datetime, TIMES), (Decimal, st.decimals(allow_nan=False, allow_infinity=False))):
    st.register_type_strategy(kind, strategy)


def through(value: object) -> Json:
    """As far as text that PostgreSQL would hold, and back."""
    text = json.dumps(codec.encode(value), allow_nan=False)
    loaded: Json = json.loads(text)
    return loaded


def built(kind: type, **more: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.builds(kind, **more)


FIELDS = st.dictionaries(TEXT, JSON, max_size=4)
DEPLOY = st.none() | st.builds(Deploy)
VALUES = st.one_of(
    built(Observed, fields=FIELDS),
    built(Known, deploy=DEPLOY, domains=st.lists(st.builds(Domain), max_size=3).map(tuple)),
    built(Status),
    built(Owned, observed=st.none() | st.builds(Observed, fields=FIELDS), known=st.builds(Known, deploy=DEPLOY)),
    built(Detail, env=st.none(), files=st.none(), connection=st.just({}), fields=FIELDS, deploy=DEPLOY),
)


@given(VALUES)
def test_every_value_comes_back_equal(value: object) -> None:
    assert codec.decode(type(value), through(value)) == value


@given(st.text())
def test_any_text_can_be_stored(text: str) -> None:
    kept = codec.storable(text)
    kept.encode()
    assert "\x00" not in kept
    assert len(kept) == len(text)


def test_times_of_any_zone_are_told_in_utc() -> None:
    at = datetime.fromisoformat("2026-11-23T15:30:00.000001+02:00")
    assert codec.encode(at) == "2026-11-23T13:30:00.000001+00:00"


def test_a_missing_field_gets_its_default_and_an_unknown_one_is_dropped() -> None:
    assert codec.decode(Known, {"dirty": True, "from_a_newer_version": 1}) == Known(dirty=True)


def test_dates_sets_and_nested_values_have_a_form() -> None:
    spec = TenantSpec(name="a", blueprint="b", pin=Pin(revision=1, until=date(2026, 12, 15), why="x"))
    assert codec.decode(TenantSpec, through(spec)) == spec
    assert codec.encode(frozenset({"b", "a"})) == ["a", "b"]


@pytest.mark.parametrize("value", [Sensitive("x"), Detail(env={"A": Sensitive("x")}), object(), Status])
def test_a_secret_or_a_stranger_is_refused_without_its_text(value: object) -> None:
    with pytest.raises(TypeError) as caught:
        codec.encode(value)
    assert "'x'" not in str(caught.value)
