"""No secret and no control character survives in a message."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.render import scrub

SECRET = 's3cr3t "quoted" pässword/with?everything\n'


@pytest.mark.parametrize("form", [SECRET, json.dumps(SECRET)[1:-1], quote(SECRET, safe=""), SECRET[:20]])
def test_every_form_of_a_secret_is_removed(form):
    cleaned = scrub.clean(f"value {form} is not allowed", [SECRET])
    assert "s3cr3t" not in cleaned
    assert cleaned.startswith("value ***")
    assert cleaned.endswith("is not allowed")


def test_short_values_are_removed_where_they_stand_alone():
    assert scrub.clean("PORT must not be 1, at most 10 chars", ["1"]) == "PORT must not be ***, at most 10 chars"


def test_blank_values_leave_the_message_alone():
    assert scrub.clean("a b", ["", " "]) == "a b"


def test_control_characters_are_escaped_and_length_is_bounded():
    cleaned = scrub.clean("\x1b[31mred\r\n" + "x" * 5000, [])
    assert cleaned.startswith("\\x1b[31mred\\x0d\\x0a")
    assert len(cleaned) == scrub.MESSAGE_MAX
    assert cleaned.isprintable()


def test_a_secret_that_spans_the_bound_does_not_show_its_beginning():
    secret = "A" * 40 + "b" * 100
    cleaned = scrub.clean("x" * 450 + secret, [secret])
    assert "A" not in cleaned


@given(st.text(), st.text(min_size=4), st.text())
def test_a_whole_secret_is_never_there_again(before, secret, after):
    cleaned = scrub.clean(before + secret + after, [secret])
    assert secret not in cleaned or secret in scrub.MASK * 3 or secret.strip() == "" or secret not in before + after
