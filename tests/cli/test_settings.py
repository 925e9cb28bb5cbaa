"""Settings: every one documented, read from its variable, refused with its name; secrets are never shown."""

import pytest

from reconciler import settings
from reconciler.core.errors import Invalid
from reconciler.settings import Settings

UNITS = {"s", "min", "10min", "share", "jitter", "speed", "port", "month"}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_says_why_it_is_what_it_is(name):
    assert len(Settings.model_fields[name].description or "") > 20


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_number_but_counts_has_its_unit_in_its_name(name):
    field = Settings.model_fields[name]
    if field.annotation is float:
        assert name.rsplit("_", 1)[-1] in UNITS


def test_variables_are_prefixed_but_for_the_well_known_ones(monkeypatch):
    monkeypatch.setenv("RECONCILER_LEASE_S", "7.5")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret-pw@h/d")
    monkeypatch.setenv("RENDER_API_KEY", "rnd_verysecret")
    monkeypatch.setenv("RECONCILER_DATABASE_URL", "postgresql://wrong/")
    read = settings.load()
    assert (read.lease_s, read.database_url) == (7.5, "postgresql://u:secret-pw@h/d")
    assert read.render_api_key.get_secret_value() == "rnd_verysecret"
    assert "secret-pw" not in repr(read) + str(read) and "verysecret" not in repr(read) + str(read)


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("RECONCILER_WORKERS", "")
    assert settings.load().workers == 8


def test_every_wrong_variable_is_named_with_value_and_remedy(monkeypatch):
    monkeypatch.setenv("RECONCILER_WORKERS", "many")
    monkeypatch.setenv("RECONCILER_LOG_LEVEL", "loud")
    with pytest.raises(Invalid) as caught:
        settings.load()
    told = {problem.path: str(problem) for problem in caught.value.problems}
    assert set(told) == {"RECONCILER_WORKERS", "RECONCILER_LOG_LEVEL"}
    assert '"many"' in told["RECONCILER_WORKERS"] and 'default is "8"' in told["RECONCILER_WORKERS"]
    assert '"loud"' in told["RECONCILER_LOG_LEVEL"]


def test_production_lists_all_that_is_missing_and_how_to_get_it():
    with pytest.raises(Invalid) as caught:
        settings.require_production(settings.load())
    problems = {problem.path: problem.remedy for problem in caught.value.problems}
    assert set(problems) == {"RENDER_API_KEY", "DATABASE_URL", "RECONCILER_ENCRYPTION_KEY"}
    assert all(problems.values()) and "--local" in problems["DATABASE_URL"]


def test_production_is_content_with_a_key_file(tmp_path):
    settings.require_production(
        settings.load(database_url="postgresql://h/d", render_api_key="k", encryption_key_file=tmp_path / "key")
    )
