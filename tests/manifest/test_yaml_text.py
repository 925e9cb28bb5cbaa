"""YAML text becomes JSON with lines, within bounds; what cannot be read is refused with file, line and remedy."""

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.errors import Invalid
from reconciler.manifest import yaml_text
from reconciler.manifest.yaml_text import parse_all, unfit


def one(text, **options):
    (parsed,) = parse_all(text, file="a.yaml", **options)
    return parsed


def problems(text):
    with pytest.raises(Invalid) as caught:
        parse_all(text, file="a.yaml")
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("text", "text"),
        ("'5'", "5"),
        ("5", 5),
        ("-5", -5),
        ("+5", 5),
        ("0", 0),
        ("05", "05"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2026-12-15", "2026-12-15"),
        ("1.5", 1.5),
        ("1.", 1.0),
        ("3.10.1", "3.10.1"),
        ("1.5e3", 1500.0),
        ("1e999", "1e999"),
        ("1.0e999", "1.0e999"),
        (".inf", ".inf"),
        ("12345678901234567890", "12345678901234567890"),
        ("yes", True),
        ("Off", False),
        ("true", True),
        ("~", None),
        ("", None),
        ("!!str 5", "5"),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_a_scalar_is_what_its_author_meant(written, read):
    value = one(f"a: {written}\nb: 1").value["a"]
    assert (value, type(value)) == (read, type(read))


def test_fields_that_keep_their_text_do():
    text = "env: {A: off, B: 1.10, C: 007, D: null, E: 1}\nn: 1"
    parsed = one(text, verbatim=lambda path: path[0] == "env")
    assert parsed.value == {"env": {"A": "off", "B": "1.10", "C": "007", "D": None, "E": "1"}, "n": 1}


def test_keys_are_text_whatever_they_look_like():
    assert one("1: a\non: b\nnull: c").value == {"1": "a", "on": "b", "null": "c"}


def test_every_field_has_its_line():
    parsed = one("# c\na:\n  - x: 1\n    'y z': 2\n  - 3\nb: 4")
    assert parsed.line == 2
    assert parsed.lines == {"a": 2, "a[0]": 3, "a[0].x": 3, 'a[0]["y z"]': 4, "a[1]": 5, "b": 6}


def test_aliases_and_merges_expand():
    parsed = one("base: &b {x: 1, y: 2}\nmore: &m {z: 3, x: 9}\na: {<<: *b, y: 5}\nc: {<<: [*b, *m]}\nd: *b")
    assert parsed.value["a"] == {"x": 1, "y": 5}
    assert parsed.value["c"] == {"x": 1, "y": 2, "z": 3}
    assert parsed.value["d"] == {"x": 1, "y": 2}


def test_documents_are_separate_and_empty_ones_are_left_out():
    assert [parsed.value for parsed in parse_all("a: 1\n---\n---\n# nothing\n---\nb: 2\n", file="a.yaml")] == [
        {"a": 1},
        {"b": 2},
    ]
    assert parse_all("", file="a.yaml") == []


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1\nb: 2", "a.yaml:2 YAML: is not valid YAML: did not find expected ',' or ']'"),
        ("a:\n\tb: 1", "a.yaml:2 YAML: is not valid YAML: found character that cannot start any token, found \"b: 1\"; "
                       "indent with blanks: YAML forbids tabs"),
        ("a: b: c", "mapping values are not allowed in this context"),
        ("a: 'x", "a.yaml:1 YAML: is not valid YAML: found unexpected end of stream"),
        ("\n\na: \x07", "a.yaml:3 YAML: is not valid YAML: control characters are not allowed"),
        ("a: \ud800", "remove the control character"),
        ("a: 1\nb: 2\na: 3", "a.yaml:3 a: stands twice, on lines 1 and 3; keep one of the two, or merge them"),
        ("x:\n- a: 1\n  a: 2", "a.yaml:3 x[0].a: stands twice, on lines 2 and 3"),
        ("a: *b", 'a.yaml:1 a: names the anchor "b", which nothing above defines'),
        ("a: &a [*a]", 'a.yaml:1 a[0]: the anchor "a" contains itself'),
        ("a: !Ref b", 'a.yaml:1 a: has the tag "!Ref"; remove the tag: plain values only'),
        ("a: !!python/object:os.system b", "has the tag"),
        ("? [a]\n: b", "has a key that is no text"),
        ('a: "\\0"', "a.yaml:1 a: holds a character that no text can hold"),
        ('"a\\0": 1', 'a.yaml:1 ["a\\u0000"]: holds a character that no text can hold'),
        ("a: {<<: 5}", "`<<` merges mappings only"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(text, says):
    assert any(says in problem for problem in problems(text)), problems(text)


HUGE = {
    "deep": ("[" * 100_000, "is nested deeper than 40 levels"),
    "text": ("a: " + "x" * 1_100_000, "the document is larger than 1048576 bytes; a document describes one Blueprint"),
    "keys": ("a: 1\n" * 300_000, "has more than 50000 values"),
    "file": ("#" * 17_000_000, "the file is larger than 16777216 bytes"),
}


@pytest.mark.parametrize("sort", HUGE)
def test_a_spec_of_several_megabytes_is_refused(sort):
    text, says = HUGE[sort]
    assert any(says in problem for problem in problems(text))


def test_all_duplicates_are_named_at_once():
    assert len(problems("a: 1\na: 2\nb: {c: 1, c: 2}")) == 2


def test_no_document_gets_more_problems_than_a_person_reads():
    found = problems("a: 1\n" * 1000)
    assert len(found) == 101
    assert found[-1] == "document: has 899 more problems; mend these first"


def test_several_documents_of_a_file_may_be_larger_together():
    document = "a: " + "x" * 700_000
    assert len(parse_all(f"{document}\n---\n{document}\n", file="a.yaml")) == 2


def test_an_alias_bomb_is_refused_at_once():
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
    )
    began = time.monotonic()
    assert any("once its aliases are expanded" in problem for problem in problems(bomb))
    assert time.monotonic() - began < 5


def test_a_chain_of_aliases_is_bounded_in_depth():
    chain = "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 60))
    assert any("once its aliases are expanded" in problem for problem in problems(chain))


def test_no_line_of_an_excerpt_shows_a_password_of_a_url():
    assert "pw" not in problems("url: https://me:pw@host/x: y")[0]


def test_the_parser_without_libyaml_reads_the_same(monkeypatch):
    text = "a: &x {b: [1, two]}\nc: *x\n"
    fast = one(text)
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert one(text) == fast
    assert "is not valid YAML" in problems("a: [1\nb: 2")[0]


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": "x" * 1_100_000}, "is too large"),
        ([1] * 60_000, "has more than 50000 values"),
        ({"a": ["\x00"]}, "a[0]: holds a character that no text can hold"),
        ({"a\x00": 1}, "holds a character"),
        ({"a": "\ud800"}, "holds a character"),
    ],
)
def test_json_from_elsewhere_keeps_the_same_bounds(value, says):
    assert says in str(next(iter(unfit(value))))


def test_json_nested_too_deep_is_refused():
    value = 1
    for _ in range(yaml_text.MAX_DEPTH + 5):
        value = [value]
    assert [problem.message for problem in unfit(value)] == ["has more than 50000 values or 40 levels"]
    assert list(unfit({"a": [1, None, {"b": "c"}]})) == []


@given(st.text(alphabet="ab:-[]{}&*<>!|'\"\\#? \n\t01.", max_size=60))
def test_any_text_is_read_or_refused(text):
    try:
        documents = parse_all(text, file="a.yaml")
    except Invalid as wrong:
        assert all(problem.line >= 1 and problem.file == "a.yaml" for problem in wrong.problems)
    else:
        assert all(parsed.line >= 1 for parsed in documents)
