"""The gallery: a device of each stack, from its commit to a verified deployment that does what it is for."""

from __future__ import annotations

import csv
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from builders.devices import ROOT, Repository
from builders.flow import device

EXAMPLES = ROOT / "examples"
GALLERY = ("infusion-gateway", "ecg-viewer", "dose-engine")


@pytest.fixture(scope="module", params=GALLERY)
def deployed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Repository]]:
    """A device of the gallery, deployed by one command; its name."""
    name: str = request.param
    with device(EXAMPLES / name, tmp_path_factory.mktemp(name), name=name) as repository:
        done = repository.run("run", "--environment", "staging")
        assert done.code == 0, done.err
        yield name, repository


def ask(repository: Repository, path: str, body: object = None) -> tuple[int, str]:
    """Return status and text of the deployed device's answer; a text is sent as a form, else JSON."""
    form = body if isinstance(body, str) else None
    data = None if body is None else (form or json.dumps(body)).encode()
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    request = urllib.request.Request(
        f"http://127.0.0.1:{repository.port}{path}", data, {"Content-Type": kind}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def answer(repository: Repository, path: str, body: object = None) -> Any:
    status, text = ask(repository, path, body)
    assert status in {200, 201}, text
    return json.loads(text)


def test_every_requirement_is_verified_on_what_runs(deployed: tuple[str, Repository]) -> None:
    name, repository = deployed
    assert "healthy, verifies" in repository.run("status").out
    with (EXAMPLES / name / "requirements.csv").open(encoding="utf-8") as file:
        count = len(list(csv.DictReader(file)))
    assert repository.run("trace").out.splitlines()[-1] == f"{count} requirements: {count} verified"


def test_a_second_run_does_nothing(deployed: tuple[str, Repository]) -> None:
    name, repository = deployed
    done = repository.run("run", "--environment", "staging")
    assert (done.code, done.err.count("↷ skipped")) == (0, 5), f"{name}: {done.err}"


def test_the_device_does_what_it_is_for(deployed: tuple[str, Repository]) -> None:
    name, repository = deployed
    {"infusion-gateway": infuse, "ecg-viewer": view, "dose-engine": calculate}[name](repository)


def infuse(repository: Repository) -> None:
    """A rate rises by one step; a dose above the hard limit is refused and changes nothing."""
    order = {"pump": "IP-0001", "drug": "morphine", "dose_ug_h": 4000}
    assert answer(repository, "/orders", order)["clamped"] == "step"
    status, text = ask(repository, "/orders", order | {"dose_ug_h": 10_001, "confirmed_by": "n.meier"})
    assert (status, "hard limit" in text) == (422, True)
    assert answer(repository, "/pumps/IP-0001")["rate_ul_h"] == 2000


def view(repository: Repository) -> None:
    """A beat a second is found and shown, with nothing loaded from elsewhere."""
    beat = [0] * 100 + [300, 900, 300] + [0] * 147
    sampled = {
        "origin": {"value": 0, "code": "mV"},
        "period": 4,
        "factor": 0.001,
        "dimensions": 1,
        "data": " ".join(map(str, beat * 10)),
    }
    recording = {"resourceType": "Observation", "code": {"text": "II"}, "valueSampledData": sampled}
    found = answer(repository, "/recordings", recording)
    assert (found["heartRate"], len(found["peaks"])) == (60, 10)
    status, page = ask(repository, "/")
    assert (status, page.count("<circle"), "60 /min" in page) == (200, 10, True)


def calculate(repository: Repository) -> None:
    """A bolus is named, and none for low glucose or for a number that is there twice."""
    form = "glucose=190&carbohydrates=60&on-board=1500&target=110&ratio=10&sensitivity=40"
    assert answer(repository, "/doses", form)["bolus_mu"] == 6500
    assert ask(repository, "/doses", form.replace("190", "69"))[0] == 422
    assert ask(repository, "/doses", f"{form}&glucose=69")[0] == 400
    assert ask(repository, f"/doses?{form}", "x=1")[0] == 400
    assert ask(repository, "/")[1].count("<input") == 6


@pytest.mark.parametrize("deployed", ["infusion-gateway"], indirect=True)
def test_a_risk_control_that_is_taken_out_closes_the_gate(deployed: tuple[str, Repository]) -> None:
    _, repository = deployed
    repository.edit("infusion/order.go", "order.Dose > drug.HardMax", "order.Dose > 2*drug.HardMax")
    repository.commit()
    done = repository.run("run", "--environment", "staging")
    assert (done.code, done.step) == (22, "unit-test"), done.err
    assert "TestHardLimitCannotBeConfirmed" in done.err
    assert "healthy, verifies" in repository.run("status").out  # what ran before still does
