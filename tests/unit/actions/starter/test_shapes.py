"""Each shape of a repository gives a device file that is read, with what its own files say."""

from __future__ import annotations

from typing import Any

import pytest

from autoclave.actions.starter.render import render
from builders import shapes
from builders.starter import device_file, draft_of_shape, left_of


def images(shape: str) -> dict[str, dict[str, Any]]:
    """Return the images of a shape's device file by name."""
    return {each["name"]: each for each in device_file(draft_of_shape(shape))["image"]}


@pytest.mark.parametrize("shape", list(shapes.names()))
def test_every_shape_gives_a_device_file_that_is_read(shape: str) -> None:
    data = device_file(draft_of_shape(shape))
    names = [each["name"] for each in data["image"]]
    assert len(set(names)) == len(names)
    assert data["device"]["safety-class"] == "C"
    published = list(data["environment"][0].get("publish", {}).values())
    assert len(set(published)) == len(published)


def test_node_service_has_its_version_port_reporter_and_database() -> None:
    draft = draft_of_shape("node-service")
    data, text = device_file(draft), render(draft)
    assert data["device"]["version"] == "15.0.3"
    assert data["image"][0]["service"]["port"] == 1337
    assert data["unit-test"]["command"] == ["npm", "test", "--", "--reporter=mocha-junit-reporter"]
    assert data["unit-test"]["environment"] == {"MOCHA_FILE": "/autoclave/results/junit.xml"}
    assert '# image = "mongo:6.0@sha256:…"' in text
    assert "API_SECRET" not in data["image"][0]["service"]["environment"]
    assert "change-me-please" not in text


def test_maven_service_has_reports_chart_and_the_builder_with_the_compiler() -> None:
    draft = draft_of_shape("java-maven")
    data, text = device_file(draft), render(draft)
    assert data["device"]["version"] == "7.2.0"
    assert data["unit-test"]["junit"] == ["TEST-*.xml"]
    assert "copy" not in data["unit-test"]
    assert data["image"][0]["service"] == {"port": 8080, "health": "/actuator/health"}
    assert "#   FROM build AS test-build" in text
    assert "/work/target/test-classes" in text
    assert 'chart = "charts/fhir-store"' in text
    assert "deployment.yaml" not in text


def test_a_jar_that_is_built_outside_is_named() -> None:
    assert list(images("java-jar")) == ["java-jar", "cli", "fhir"]
    left = left_of(draft_of_shape("java-jar"))
    assert any("application/target/cli-*.jar" in each and "no file of the commit" in each for each in left)


def test_platform_has_an_image_for_each_target_with_its_argument() -> None:
    found = images("go-platform")
    assert sorted(found) == [f"platform-{name}" for name in shapes.PLATFORM_SERVICES]
    for name, image in found.items():
        assert image["target"] == name
        assert image["args"] == {"SERVICE": name.removeprefix("platform-")}
        assert image["unit-test"]["command"][0] == "/opt/tests/gotestsum"
        assert image["unit-test"]["stage"] == f"test-{name}"
    assert render(draft_of_shape("go-platform")).count("AS test-build") == 1


def test_go_service_releases_production_and_compiles_its_tests_in_the_builder() -> None:
    (image,) = images("go-service").values()
    assert (image["target"], image["service"]["port"]) == ("production", 9157)
    text = render(draft_of_shape("go-service"))
    assert "#   FROM development AS test-build" in text
    assert "#   FROM production AS test" in text
    assert "#   USER mailer" in text


def test_each_of_two_stacks_has_its_own_tests() -> None:
    found = images("python-node")
    assert "pytest" in found["backend"]["unit-test"]["command"]
    assert found["backend"]["unit-test"]["copy"] == ["backend/tests"]
    assert "/autoclave/backend/tests" in found["backend"]["unit-test"]["command"]
    assert "--reporter=junit" in found["frontend"]["unit-test"]["command"]
    assert "unit-test" not in device_file(draft_of_shape("python-node"))


def test_dockerfiles_with_names_are_found_with_their_context() -> None:
    found = images("python-named")
    assert {name: (each["context"], each["dockerfile"]) for name, each in found.items()} == {
        "importer": ("sources", "Dockerfile.importer"),
        "scorer": ("sources", "Dockerfile.scorer"),
    }
    assert device_file(draft_of_shape("python-named"))["device"]["version"] == "0.9.2"


def test_a_packaging_helper_is_an_assumption_that_is_said() -> None:
    draft = draft_of_shape("cpp-frontend")
    assert device_file(draft)["device"]["version"] == "1.12.4"
    assert any("because there is no other" in each.text for each in draft.remarks)
    assert any("outside of the build context" in each for each in left_of(draft))


def test_a_port_of_dicom_is_checked_by_a_connection() -> None:
    draft = draft_of_shape("dicom-tools")
    (image,) = device_file(draft)["image"]
    assert image["service"] == {"port": 11112, "health": "tcp"}
    left = "\n".join(left_of(draft))
    assert "'archive', 'find' run the image 'dicom-tools'" in left
    assert "tests/test_echo.sh writes no JUnit report" in left


def test_a_monorepo_has_eight_images_with_names_of_their_own() -> None:
    found = images("monorepo")
    assert sorted(found) == [
        *("api", "gateway", "monorepo", "monorepo-prod", "svc-a", "svc-a-2", "web", "worker"),
    ]
    assert "context" not in found["gateway"]
    assert found["gateway"]["dockerfile"] == "docker/Dockerfile"
    assert found["gateway"]["service"] == {"port": 9000, "health": "/ready"}
    assert device_file(draft_of_shape("monorepo"))["environment"][0]["publish"]["gateway"] == 8443
