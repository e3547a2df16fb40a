"""Jobs, builds, descriptions and plugins of Jenkins, against a double of its remote access API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import fromstring

import pytest
from msgspec import structs

from autoclave.hosts.jenkins import build as jenkins_build
from autoclave.hosts.jenkins import jobs, plugins
from autoclave.hosts.jenkins import run as jenkins_run
from autoclave.hosts.jenkins.server import Jenkins
from doubles import jenkins_double
from doubles.jenkins_double import Double, Fault
from doubles.jenkins_state import Build, Item, parse
from integration.jenkins_bench import (
    JOB,
    LIBRARY,
    TOKEN,
    WANTED,
    catch_refusal,
    jenkins,
    provision,
    run,
    text_of,
)

HEAD = b"<?xml version='1.1' encoding='UTF-8'?>\n"


@pytest.fixture
def double() -> Iterator[Double]:
    """A server; nothing undocumented may have been asked of it."""
    with jenkins_double.serve() as made:
        yield made
        assert made.violations == []


# ---- provision


def test_folder_and_job_are_made_once_and_nothing_is_sent_again(double: Double) -> None:
    host = jenkins(double)
    assert provision(host) == ["created devices", "created devices/pump"]
    assert text_of(double, "definition/scm/userRemoteConfigs/*/url") == WANTED.git_url
    assert text_of(double, "definition/scm/userRemoteConfigs/*/credentialsId") == "git-reader"
    assert text_of(double, "definition/scm/branches/*/name") == "main"
    assert text_of(double, "definition/scriptPath") == "Jenkinsfile"
    assert text_of(double, "properties/*/parameterDefinitions/*/defaultValue") == "staging"
    assert text_of(double, "properties/*/triggers/hudson.triggers.SCMTrigger/spec") == "H/5 * * * *"
    before = len(double.sent)
    assert provision(jenkins(double)) == ["devices/pump is up to date"]
    assert len(double.sent) == before == 2


def test_the_difference_is_readable_and_only_it_is_sent(double: Double) -> None:
    provision(jenkins(double))
    host = jenkins(double)
    plans = jobs.plan(host, JOB, structs.replace(WANTED, branch="release"), None)
    changed = [line for line in plans[-1].diff.splitlines() if re.match(r"[-+] ", line)]
    assert [line[1:].strip() for line in changed] == ["<name>main</name>", "<name>release</name>"]
    assert len(double.sent) == 2, "planning sends nothing"
    assert jobs.apply(host, plans) == ["changed devices/pump"]
    assert text_of(double, "definition/scm/branches/*/name") == "release"


def test_what_others_have_set_stays(double: Double) -> None:
    provision(jenkins(double))
    root = double.items[JOB].config
    theirs = (
        "<jenkins.model.BuildDiscarderProperty><strategy class='hudson.tasks.LogRotator'>"
        "<numToKeep>7</numToKeep></strategy></jenkins.model.BuildDiscarderProperty>"
    )
    root.find("properties").append(fromstring(theirs))
    known = root.find("properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions")
    assert known is not None
    known.append(
        fromstring(
            "<hudson.model.TextParameterDefinition><name>NOTES</name>"
            "<defaultValue>a&#13;\nb</defaultValue></hudson.model.TextParameterDefinition>"
        )
    )
    root.find("description").text = "Ours, by hand"
    scm = root.find("definition/scm")
    assert scm is not None
    scm.append(fromstring("<extensions><hudson.plugins.git.extensions.impl.CleanCheckout/></extensions>"))
    provision(jenkins(double), structs.replace(WANTED, script="ci/Jenkinsfile"))
    assert text_of(double, "definition/scriptPath") == "ci/Jenkinsfile"
    assert text_of(double, "properties/*/strategy/numToKeep") == "7"
    assert text_of(double, "description") == "Ours, by hand"
    assert text_of(double, "properties/*/parameterDefinitions/*[name='NOTES']/defaultValue") == "a\r\nb"
    assert double.items[JOB].config.find("definition/scm/extensions/*") is not None


def test_hostile_values_are_text_and_nothing_else(double: Double) -> None:
    evil = "</defaultValue><x/>]]>&amp;\"'<!--\r\n\N{BLACK HEART SUIT}"
    provision(jenkins(double), structs.replace(WANTED, parameters=(("A", evil),)))
    assert text_of(double, "properties/*/parameterDefinitions/*/defaultValue") == evil
    assert double.items[JOB].config.find(".//x") is None


def test_a_parameter_of_another_kind_stays_and_is_reported(double: Double) -> None:
    provision(jenkins(double))
    known = double.items[JOB].config.find("properties/*/parameterDefinitions/*")
    assert known is not None
    known.tag = "hudson.model.ChoiceParameterDefinition"
    plans = jobs.plan(jenkins(double), JOB, WANTED, None)
    assert plans[-1].kept == ("ENVIRONMENT",)
    assert not plans[-1].changes


@pytest.mark.parametrize(
    ("xml", "what"),
    [
        (b"<project><builders/></project>", "not a pipeline job"),
        (
            b"<flow-definition><definition class='org.jenkinsci.plugins.workflow.cps.CpsFlowDefinition'>"
            b"<script>precious</script></definition></flow-definition>",
            "of another kind",
        ),
    ],
)
def test_another_kind_of_job_is_never_overwritten(double: Double, xml: bytes, what: str) -> None:
    provision(jenkins(double))
    double.items[JOB] = Item(parse(HEAD + xml))
    assert what in catch_refusal(lambda: provision(jenkins(double))).what
    assert len(double.sent) == 2


def test_secrets_in_a_configuration_are_not_shown(double: Double) -> None:
    provision(jenkins(double))
    root = double.items[JOB].config
    root.insert(0, fromstring("<authToken>trigger-me</authToken>"))
    root.insert(1, fromstring("<other>{AQAAABAAAAAQabcdefgh0123456789+/=}</other>"))
    wanted = structs.replace(WANTED, description="x")
    root.find("description").text = ""
    shown = jobs.plan(jenkins(double), JOB, wanted, None)[-1].diff
    assert "<authToken>[not shown]</authToken>" in shown
    assert "trigger-me" not in shown
    assert "AQAAA" not in shown


def test_a_library_is_added_to_those_of_the_folder(double: Double) -> None:
    provision(jenkins(double))
    assert provision(jenkins(double), library=LIBRARY) == ["changed devices", "devices/pump is up to date"]
    libraries = "properties/org.jenkinsci.plugins.workflow.libs.FolderLibraries/libraries"
    found = double.items["devices"].config.find(libraries)
    assert found is not None
    assert found.findtext("*/defaultVersion") == "v0.1.0"
    assert found.findtext("*/retriever/scm/remote") == LIBRARY.git_url
    found[0].find("name").text = "another"
    provision(jenkins(double), library=LIBRARY)
    names = [each.findtext("name") for each in double.items["devices"].config.find(libraries) or []]
    assert names == ["another", "autoclave"]
    assert jobs.library_at(jenkins(double), JOB, "autoclave") == ("devices", [])
    assert jobs.library_at(jenkins(double), JOB, "third") == ("", [])


def test_what_jenkins_drops_silently_is_reported(double: Double) -> None:
    double.drops = ("hudson.plugins.git.GitSCM",)
    error = catch_refusal(lambda: provision(jenkins(double)))
    assert "did not keep all of devices/pump" in error.what
    assert "GitSCM" in error.why
    assert "plugins" in error.next


def test_a_change_by_somebody_else_in_between_is_not_overwritten(double: Double) -> None:
    provision(jenkins(double))
    host = jenkins(double)
    plans = jobs.plan(host, JOB, structs.replace(WANTED, branch="release"), None)
    double.items[JOB].config.find("description").text = "new"
    assert "somebody else" in catch_refusal(lambda: jobs.apply(host, plans)).what
    assert text_of(double, "definition/scm/branches/*/name") == "main"


@pytest.mark.parametrize("status", [502, 0])
def test_a_lost_answer_makes_no_second_job(double: Double, status: int) -> None:
    double.faults = [Fault("POST", "createItem?name=pump", status, late=True)]
    assert provision(jenkins(double))[-1] == "created devices/pump"
    assert len(double.requests("POST", "createItem?name=pump")) == 1


def test_configurations_that_are_no_plain_xml_are_refused(double: Double) -> None:
    evil = "<?xml version='1.1'?><!DOCTYPE a [<!ENTITY b 'c'>]><flow-definition>&b;</flow-definition>"
    double.faults = [Fault("GET", "pump/config.xml", 200, text=evil)]
    assert "cannot be read" in catch_refusal(lambda: provision(jenkins(double))).what
    assert double.sent == []


# ---- run


@pytest.fixture
def job(double: Double) -> Jenkins:
    host = jenkins(double)
    provision(host)
    double.sent.clear()
    return host


def test_a_build_is_followed_from_the_queue_through_its_log_to_the_result(
    double: Double, job: Jenkins
) -> None:
    half = "é".encode()
    double.script = [
        "Started\n[1mone",
        b"\x1b[0m two\r\n" + half[:1],
        half[1:] + b" three\n",
        "Finished: SUCCESS",
    ]
    number, said, lines, result = run(job, {"ENVIRONMENT": "production&x=y"})
    assert (number, result) == (1, "SUCCESS")
    assert said == ["In the quiet period. Expires in 1 sec"], "the seconds alone are no news"
    assert lines == ["Started", "[1mone two", "é three", "Finished: SUCCESS"]
    assert double.queue[101]["parameters"] == {"ENVIRONMENT": "production&x=y"}
    assert not double.requests("POST", "production"), "values do not stand in addresses, which are logged"


def test_the_result_is_waited_for_when_the_log_ends_before_the_build(double: Double, job: Jenkins) -> None:
    double.lag, double.outcome = 3, "UNSTABLE"
    assert run(job)[3] == "UNSTABLE"


def test_pauses_grow_and_are_short_again_after_news(double: Double) -> None:
    slept: list[float] = []
    patience = jenkins_run.Patience(slept.append, 0)
    for _ in range(12):
        patience.wait()
    patience.reset()
    patience.wait()
    assert slept[:3] == [0.5, 0.75, 1.125]
    assert max(slept) == 8.0
    assert slept[-1] == 0.5


def test_the_log_steers_no_terminal_and_shows_no_token(double: Double, job: Jenkins) -> None:
    double.script = [f"\x1b[8mha:AAAA\x1b[0mred \x1b[31m!\x1b[0m \x07 {TOKEN} \u202e\n"]
    _, _, lines, _ = run(job)
    assert lines == ["red ! \ufffd [masked] \ufffd"]


def test_unknown_parameters_are_refused_since_jenkins_would_ignore_them(double: Double, job: Jenkins) -> None:
    error = catch_refusal(lambda: jenkins_run.start(job, JOB, {"ENVIRONEMNT": "x"}))
    assert "has no parameter ENVIRONEMNT" in error.what
    assert "ENVIRONMENT" in error.why
    assert double.sent == []


def test_a_disabled_job_is_an_error(double: Double, job: Jenkins) -> None:
    double.items[JOB].config.find("disabled").text = "true"
    assert "cannot be built" in catch_refusal(lambda: run(job)).what
    assert double.sent == []


def test_a_build_that_was_cancelled_in_the_queue_is_an_error(double: Double, job: Jenkins) -> None:
    double.cancels = True
    assert "removed from the queue" in catch_refusal(lambda: run(job)).what


def test_a_forgotten_queue_item_is_an_error(double: Double, job: Jenkins) -> None:
    started = jenkins_run.start(job, JOB, {})
    double.queue.clear()
    patience = jenkins_run.Patience(job.sleep, 0)
    assert (
        "does not have queue item"
        in catch_refusal(lambda: jenkins_run.wait_for_number(job, started, patience, print)).what
    )


@pytest.mark.parametrize("status", [502, 0])
def test_a_lost_answer_starts_no_second_build(double: Double, job: Jenkins, status: int) -> None:
    double.faults = [Fault("POST", "/build", status, late=True)]
    error = catch_refusal(lambda: run(job))
    assert "check before you retry" in error.next
    assert len(double.queue) == 1


def test_a_server_that_fails_while_the_log_is_followed_is_retried(double: Double, job: Jenkins) -> None:
    double.script = ["one\n", "two\n", "three\n"]
    double.faults = [Fault("GET", "progressiveText", 503, times=3), Fault("GET", "/1/api/json", 0)]
    assert run(job)[2] == ["one", "two", "three"]


# ---- describe


def test_a_description_is_written_once_and_others_text_stays(double: Double, job: Jenkins) -> None:
    build = double.items[JOB].builds[3] = Build(3, [], "SUCCESS", description="nightly")
    assert "changed" in jenkins_build.describe(job, JOB, 3, lambda before: f"{before}\nours ü <b>&")
    assert build.description == "nightly\nours ü <b>&"
    assert "up to date" in jenkins_build.describe(job, JOB, 3, lambda before: before.replace("\n", "\r\n"))
    assert len(double.requests("POST", "submitDescription")) == 1
    assert catch_refusal(lambda: jenkins_build.describe(job, JOB, 9, str)).status == 404


def test_a_lost_answer_to_a_description_is_repeated(double: Double, job: Jenkins) -> None:
    double.items[JOB].builds[3] = Build(3, [], "SUCCESS")
    double.faults = [Fault("POST", "submitDescription", 502, late=True)]
    assert "wrote" in jenkins_build.describe(job, JOB, 3, lambda _: "x")


# ---- plugins


def plugin(name: str, version: str, *, active: bool = True) -> dict[str, Any]:
    return {"shortName": name, "version": version, "active": active, "enabled": active}


def test_missing_old_and_disabled_plugins_are_reported(double: Double) -> None:
    new = {each.name: plugin(each.name, "9999.v1") for each in plugins.WANTED if not each.optional}
    double.plugins = list(new.values())
    assert all(each.passed for each in plugins.check_all(jenkins(double)))
    new |= {"git": plugin("git", "4.11.4"), "junit": plugin("junit", "9999", active=False)}
    del new["workflow-aggregator"]
    double.plugins = list(new.values())
    found = {each.wanted.name: each.problem for each in plugins.check_all(jenkins(double)) if not each.passed}
    assert found == {
        "workflow-aggregator": "not installed",
        "git": "must be newer than 4.11.4",
        "junit": "installed, but not active",
    }


@pytest.mark.parametrize(
    ("version", "than", "answer"),
    [
        ("4.11.5", "4.11.4", True),
        ("4.11.4", "4.11.4", False),
        ("4.9", "4.11.4", False),
        ("5.0.0-beta", "4.11.4", True),
        ("1166.1168.vd6b_8042a_06de", "1166.va_436e268e972", True),
        ("1166.va_436e268e972", "1166.va_436e268e972", False),
        ("1119.va_a_5e9068da_d7", "1166.va_436e268e972", False),
        ("4.11.4.0", "4.11.4", False),
        ("", "1", False),
        ("unknown", "1", False),
    ],
)
def test_plugin_versions_are_compared(version: str, than: str, answer: bool) -> None:
    assert plugins.is_newer(version, than) is answer
