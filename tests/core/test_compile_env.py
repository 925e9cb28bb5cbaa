"""Variables: every form of the language, copies of copies, circles, and our own expressions."""

import pytest

from reconciler.core.errors import Invalid
from reconciler.core.spec import Param, ParamType
from reconciler.core.values import Live, SecretRef
from tests.core.builders import (
    database,
    env_group,
    from_database,
    from_service,
    service,
    stack_of,
    tenant,
    variables,
)


def refusal(*services, **spec):
    with pytest.raises(Invalid) as caught:
        stack_of(*services, **spec)
    assert len(caught.value.problems) == 1, caught.value
    return str(caught.value)


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ("", ("",)),
        ("text", ("text",)),
        ("${tenant.name}/${tenant.region}", ("acme/oregon",)),
        ("${params.flag} ${params.none} ${params.n}", ("true  3",)),
        ("$${tenant.name} ${PORT} $HOME", ("${tenant.name} ${PORT} $HOME",)),
        ("a${secrets.KEY}b", ("a", SecretRef("KEY"), "b")),
        ("${host.api}", (Live("api", "externalHostname"),)),
        ("${host.internal}", (Live("internal", "host"),)),
        ("${host.db}", (Live("db", "host"),)),
        ("${url.site}", (Live("site", "url"),)),
        ("${url.internal}", ("http://", Live("internal", "hostport"))),
        ({"sync": False}, (SecretRef("X"),)),
        ({"generateValue": True}, (SecretRef("web/X"),)),
        (from_database("db", "port"), ("5432",)),
        (from_database("db", "password"), (Live("db", "password"),)),
        (from_service("api", "host"), (Live("api", "host"),)),
        (from_service("cache", "connectionString", sort="keyvalue"), (Live("cache", "connectionString"),)),
        (from_service("api", copy="RENDER_EXTERNAL_URL"), (Live("api", "url"),)),
        (from_service("api", copy="RENDER_SERVICE_ID"), (Live("api", "serviceId"),)),
        (from_service("internal", copy="RENDER_INTERNAL_HOSTNAME", sort="pserv"), (Live("internal", "host"),)),
        (from_service("api", copy="OWN"), ("1",)),
        (from_service("api", copy="GROUPED"), ("newer",)),
        (from_service("api", copy="MADE"), (SecretRef("api/MADE"),)),
        (from_service("api", copy="COPY"), (Live("db", "connectionString"),)),
        (from_service("web", "host"), (Live("web", "host"),)),
    ],
)
def test_every_form_of_a_variable(form, value):
    copied = {"OWN": "1", "MADE": {"generateValue": True}, "COPY": from_service("web", copy="DB")}
    stack = stack_of(
        service(env={"X": form, "DB": from_database("db")}),
        service("api", env=copied, groups=("one", "two")),
        service("internal", "pserv"),
        service("site", "static"),
        service("cache", "keyvalue"),
        databases=[database()],
        groups=[env_group("one", GROUPED="older"), env_group("two", GROUPED="newer")],
        params={
            "flag": Param(type=ParamType.BOOLEAN, default=True),
            "none": Param(),
            "n": Param(type=ParamType.INTEGER, default=3),
        },
    )
    assert stack.resources["web"].env["X"] == value


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("${tenant.x}", "unknown name in ${tenant.}"),
        ("${params.x}", "unknown name in ${params.}"),
        ("${host.x}", "unknown name in ${host.}"),
        ("${url.db}", "a postgres has no url"),
        ("${host.job}", "a cron job has no host"),
        ("${url.job}", "a cron job has no url"),
        ("${secrets.}", "a secret needs a name"),
        (from_service("api", copy="NOPE"), "api has no variable of this name"),
        (from_service("api", copy="RENDER_GIT_COMMIT"), "this variable exists at run time only"),
        (from_service("job", copy="RENDER_EXTERNAL_URL", sort="cron"), "a cron job has no RENDER_EXTERNAL_URL"),
        (from_service("job", "host", sort="cron"), ""),
        (from_service("site", "host"), "a static site has no internal address"),
        (from_service("cache", "property", sort="keyvalue"), ""),
        (from_service("api", "connectionString"), ""),
        (from_database("db", "nonsense"), ""),
        (from_service("api", "connectionString", sort="keyvalue"), "a web service has no such property"),
        (from_service("nobody", "host"), "fromService names nothing that this Blueprint defines"),
        (from_database("nobody"), "fromDatabase names nothing that this Blueprint defines"),
    ],
)
def test_what_a_variable_cannot_be_whichever_layer_says_it(form, told):
    others = [service("api"), service("job", "cron"), service("site", "static"), service("cache", "keyvalue")]
    in_template = refusal(service(env={"X": form}), *others, databases=[database()])
    assert "services[0].envVars" in in_template
    patch = {"web": {"envVars": variables(X=form)}}
    in_override = refusal(service(), *others, databases=[database()], who=tenant(overrides=patch))
    assert told in in_override


def test_secrets_have_no_place_in_other_fields():
    assert "in env values and secret files only" in refusal(service(healthCheckPath="/${secrets.KEY}"))


def test_variables_that_copy_each_other_in_a_circle_are_refused_with_the_circle():
    one = service("a", env={"X": from_service("b", copy="Y")})
    two = service("b", env={"Y": from_service("a", copy="X")})
    assert "in a circle: a.X -> b.Y -> a.X" in refusal(one, two)


def test_a_copy_of_itself_is_a_circle_too():
    assert "in a circle: web.X -> web.X" in refusal(service(env={"X": from_service("web", copy="X")}))


def test_the_address_of_oneself_is_set_after_creation():
    resource = stack_of(service(env={"X": "${url.web}"})).resources["web"]
    assert resource.late_env == {"X"}
    assert "web" not in resource.after


def test_a_circle_of_addresses_puts_off_one_variable_and_no_more():
    one = service("a", env={"B": from_service("b", "host"), "C": "1"})
    two = service("b", env={"A": from_service("a", "host")})
    stack = stack_of(one, two)
    assert {key: set(found.late_env) for key, found in stack.resources.items() if found.late_env} == {"a": {"B"}}
    assert "a" in stack.resources["b"].after
    assert list(stack.resources)[2:] == ["a", "b"]


def test_a_need_that_cannot_be_put_off_comes_before_one_that_can():
    one = service("a", healthCheckPath="/${host.b}")
    two = service("b", env={"A": from_service("a", "host")})
    stack = stack_of(one, two)
    assert stack.resources["b"].late_env == {"A"}
    assert list(stack.resources)[2:] == ["b", "a"]


def test_many_paths_to_one_component_are_no_circle():
    top = service("top", env={"L": from_service("left", "host"), "R": from_service("right", "host")})
    sides = [service(name, env={"D": from_service("down", "host")}) for name in ("left", "right")]
    above = service("above", env={"T": from_service("top", "host")})
    stack = stack_of(above, top, *sides, service("down"))
    assert not any(one.late_env for one in stack.resources.values())
    assert list(stack.resources)[-2:] == ["top", "above"]


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (ParamType.STRING, "x", 1),
        (ParamType.INTEGER, 1, True),
        (ParamType.INTEGER, 1, 1.5),
        (ParamType.NUMBER, 1.5, True),
        (ParamType.NUMBER, 1, "1"),
        (ParamType.BOOLEAN, False, 0),
    ],
)
def test_parameters_have_types_and_a_boolean_is_no_number(kind, good, bad):
    params = {"p": Param(type=kind, required=True)}
    assert stack_of(service(), params=params, who=tenant(params={"p": good}))
    assert f"is not of type {kind}" in refusal(service(), params=params, who=tenant(params={"p": bad}))


def test_a_required_parameter_must_be_said_and_a_listed_one_be_of_the_list():
    params = {"locale": Param(required=True, enum=("de", "en"))}
    assert "spec.params.locale: is required by crm" in refusal(service(), params=params)
    assert "use one of: de, en" in refusal(service(), params=params, who=tenant(params={"locale": "fr"}))


def test_the_blueprints_own_variables_reach_groups_too():
    stack = stack_of(service(), groups=[env_group(A="1")], env={"shared": {"A": "2"}, "*": {"B": "3"}})
    assert stack.resources["shared"].env == {"A": ("2",)}
    assert stack.resources["web"].env["B"] == ("3",)
