"""Templates are normalised once: what is remembered is what would be read anew, of this document and no other."""

import copy

import pytest

from reconciler.core import blueprint as language
from reconciler.core.compile import compile_stack, templates
from reconciler.core.errors import Invalid
from tests.core.builders import blueprint, database, document, env_group, service, tenant


def a_document(text="on"):
    return document(
        service(env={"MODE": text, "LEVEL": "${tenant.name}"}, ipAllowList=[], domains=["a.example"]),
        databases=[database()],
        groups=[env_group("shared", SHARED="x")],
    )


def test_the_same_document_is_read_once_and_an_equal_one_again():
    one = a_document()
    first = templates.template_of(one, "")
    assert templates.template_of(one, "") is first
    again = templates.template_of(copy.deepcopy(one), "")
    assert again == first and again is not first


def test_another_document_is_never_taken_for_it():
    """Even at the same address: as long as one is remembered it is alive, so no other can be where it is."""
    seen = set()
    for number in range(2 * templates.KEPT_MAX):
        template = templates.template_of(a_document(f"v{number}"), "")
        seen.add(template.components["web"].env["MODE"].text)
    assert len(seen) == 2 * templates.KEPT_MAX


def test_memory_is_bounded_and_what_left_it_is_read_again():
    first = a_document()
    before = templates.template_of(first, "")
    others = [a_document(f"v{number}") for number in range(templates.KEPT_MAX)]
    for one in others:
        templates.template_of(one, "")
    assert len(templates._kept) <= templates.KEPT_MAX
    assert templates.template_of(first, "") == before


def test_what_is_wrong_is_told_each_time():
    wrong = {"services": [{"type": "web", "name": "a", "nonsense": 1}]}
    for _ in range(2):
        with pytest.raises(Invalid):
            templates.template_of(wrong, "")


def test_tenants_that_share_a_template_change_nothing_of_it():
    shared = blueprint(template=a_document(), env={"*": {"ADDED": "1"}})
    for name, more in (
        ("acme", {"env": {"web": {"MODE": "mine"}}}),
        ("bolt", {"overrides": {"web": {"plan": "pro"}}, "region": "oregon"}),
        ("core", {"domains": {"web": ("b.example",)}}),
    ):
        compile_stack(shared, 1, tenant(name=name, **more))
    assert templates.template_of(shared.template, "") == language.normalise(copy.deepcopy(shared.template))
    plain = compile_stack(shared, 1, tenant(name="acme"))
    assert plain == compile_stack(
        blueprint(template=copy.deepcopy(shared.template), env={"*": {"ADDED": "1"}}), 1, tenant()
    )
