"""Words for people: lengths of time, money, and strings that want to take over a terminal."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import yaml

from reconciler.cli import output, text

HOSTILE = "\x1b[2J\x1b]0;owned\x07\r\nx\u202e\u200f\x9bA"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0s"),
        (-5, "0s"),
        (27.4, "27s"),
        (59.6, "1m"),
        (60, "1m"),
        (222, "3m42s"),
        (3600, "1h"),
        (3900, "1h05m"),
        (3630, "1h"),
        (86400, "1d"),
        (183600, "2d03h"),
    ],
)
def test_lengths_of_time_have_two_units_at_most(seconds, words):
    assert text.duration(seconds) == words


@pytest.mark.parametrize(("words", "seconds"), [("90s", 90), ("10m", 600), ("2h", 7200), ("1d12h", 129600), ("5", 5)])
def test_lengths_of_time_are_read_as_people_write_them(words, seconds):
    assert text.seconds_of(words) == seconds


@pytest.mark.parametrize("words", ["", "soon", "10x", "-5m", "m", "1h 5m", "nan", "inf", "9" * 30])
def test_other_words_are_refused_with_an_example(words):
    with pytest.raises(ValueError, match=r"90s, 10m|ten years"):
        text.seconds_of(words)


def test_money_is_rounded_to_cents_and_never_guessed():
    assert text.money(Decimal("1234.505")) == "1,234.51"
    assert text.money(Decimal("0")) == "0.00"
    assert text.money(None) == "-"
    assert text.dollars(None) == "an unknown price"


def test_times_say_their_day_only_when_it_is_another():
    now = datetime(2026, 11, 23, 13, 30, tzinfo=UTC)
    assert text.at(now - timedelta(minutes=1), now) == "13:29:00"
    assert text.at(now - timedelta(days=1), now) == "2026-11-22 13:30:00"
    assert text.at(None, now) == "-"
    assert text.about(now + timedelta(hours=1), now) == "14:30"
    assert text.about(now + timedelta(days=3), now) == "2026-11-26 13:30"


def test_what_a_terminal_obeys_is_written_out():
    assert text.safe(HOSTILE) == "\\x1b[2J\\x1b]0;owned\\x07\\x0d\\x0ax\\u202e\\u200f\\x9bA"
    assert text.safe("a\nb", lines=True) == "a\nb"
    assert text.safe("Müller & Söhne, 東京") == "Müller & Söhne, 東京"


def test_json_and_yaml_hold_hostile_text_whole_and_harmless(capsys):
    output.print_json({"name": HOSTILE})
    output.print_yaml({"name": HOSTILE, "city": "東京"})
    written = capsys.readouterr().out
    assert all(c.isprintable() or c == "\n" for c in written)
    as_json, _, as_yaml = written.partition("}\n")
    assert yaml.safe_load(as_json + "}") == {"name": HOSTILE}
    assert yaml.safe_load(as_yaml) == {"name": HOSTILE, "city": "東京"}


def test_columns_align_by_what_a_terminal_shows_and_end_without_blanks():
    columns = (output.Column("NAME"), output.Column("USD", right=True), output.Column("WHY"))
    lines = output.aligned(columns, [["東京", "1.00", "ok"], ["a", "100.00", ""]])
    assert lines == ["NAME     USD  WHY", "東京    1.00  ok", "a     100.00"]
