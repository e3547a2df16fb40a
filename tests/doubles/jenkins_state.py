"""What the Jenkins double keeps, and the endpoints on it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import Any

from doubles.jenkins_double import PREFIX, Answer, Call, Refusal, as_json, endpoint

FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
_UNSAFE = "?*/\\%!@#$^&|<>[]:;"
_REMOTE_API = "jenkins.io/doc/book/using/remote-access-api"
_PJ = "python-jenkins jenkins/__init__.py"
_RUN = "core/src/main/java/hudson/model/Run.java"
_MIXIN = "core/src/main/java/jenkins/model/ParameterizedJobMixIn.java"
_QUEUE = "core/src/main/java/hudson/model/Queue.java"


@dataclass
class Build:
    number: int
    pieces: list[bytes]
    outcome: str
    description: str | None = None
    shown: int = 0  # pieces of the log that were written so far
    lag: int = 0  # questions after the log's end for which it is still building: steps after the build

    @property
    def building(self) -> bool:
        return self.shown < len(self.pieces)


@dataclass
class Item:
    config: ET.Element
    builds: dict[int, Build] = field(default_factory=dict)

    @property
    def is_folder(self) -> bool:
        return self.config.tag == FOLDER

    @property
    def parameters(self) -> list[str]:
        path = "properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions/*/name"
        return [each.text or "" for each in self.config.findall(path)]


def parse(raw: bytes, drops: tuple[str, ...] = ()) -> ET.Element:
    """Read a configuration as XStream does: XML 1.1, elements of absent plugins left out without a word."""
    text = raw.decode("utf-8")
    assert re.match(r"<\?xml version='1\.[01]' encoding='UTF-8'\?>", text), (
        "Jenkins reads another encoding then"
    )
    root = ET.fromstring(re.sub(r"<\?xml[^>]*\?>", "", text))
    for parent in root.iter():
        for each in list(parent):
            if each.tag in drops or each.get("class") in drops:
                parent.remove(each)
    return root


def serialize(root: ET.Element) -> bytes:
    """Write a configuration as Jenkins does: XML 1.1, indented, with the plugins' names at their elements."""
    if root.tag == "flow-definition":
        root.set("plugin", "workflow-job@1540.v295eccc9778f")
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode").replace("\r", "&#xd;")
    return f"<?xml version='1.1' encoding='UTF-8'?>\n{body}".encode()


@endpoint("GET", "crumbIssuer/api/json", "jenkins.io/doc/book/security/csrf-protection")
def crumb(call: Call) -> Answer:
    """jenkins.io/doc/book/security/csrf-protection: 404 where protection is off."""
    if not call.double.crumbs:
        raise Refusal(404, "<html>Not Found</html>")
    return as_json({"crumb": call.double.crumb, "crumbRequestField": "Jenkins-Crumb"})


@endpoint("GET", "api/json", _REMOTE_API)
def item(call: Call) -> Answer:
    """jenkins.io/doc/book/using/remote-access-api: the parts that `tree` names."""
    found = call.double.items[call.name]
    known: dict[str, Any] = {"_class": found.config.tag, "name": call.name.split("/")[-1]}
    if not found.is_folder:
        known |= {
            "buildable": found.config.findtext("disabled") != "true",
            "nextBuildNumber": max(found.builds, default=0) + 1,
            "inQueue": False,
            "property": [{}, {"parameterDefinitions": [{"name": each} for each in found.parameters]}],
        }
    wanted = re.sub(r"\[[^\]]*\]+", "", call.query.get("tree", "")).split(",")
    return as_json({key: value for key, value in known.items() if key in ("_class", *wanted)})


@endpoint("GET", "config.xml", _PJ)
def config(call: Call) -> Answer:
    """python-jenkins jenkins/__init__.py (get_job_config); Job/ExtendedRead or Job/Configure is needed."""
    call.need("Job/Configure")
    return Answer(200, {"Content-Type": "application/xml"}, serialize(call.double.items[call.name].config))


@endpoint("POST", "config.xml", _PJ)
def reconfigure(call: Call) -> Answer:
    """python-jenkins jenkins/__init__.py (reconfig_job); another kind of item is refused by XStream (500)."""
    call.need("Job/Configure")
    kept = call.double.items[call.name]
    new = parse(call.body, call.double.drops)
    if new.tag != kept.config.tag:
        raise Refusal(500, "<html>Oops! Expecting class</html>")
    kept.config = new
    return Answer()


@endpoint("POST", "createItem", _PJ)
def create(call: Call) -> Answer:
    """python-jenkins jenkins/__init__.py (create_job); names: Jenkins.checkGoodName, 400 with X-Error."""
    call.need("Job/Create")
    name = call.query["name"]
    if (
        not name.strip()
        or name.strip() in (".", "..")
        or any(each in _UNSAFE for each in name)
        or name.endswith(".")
    ):
        raise Refusal(400, "<html></html>", {"X-Error": f"{name} is an unsafe name"})
    if call.name and not call.double.items[call.name].is_folder:
        raise Refusal(404, "<html>Not Found</html>")
    full = f"{call.name}/{name}".strip("/")
    if full in call.double.items:
        raise Refusal(400, "<html></html>", {"X-Error": f"A job already exists with the name {name}"})
    assert call.headers.get("Content-Type", "").startswith(("text/xml", "application/xml"))
    call.double.items[full] = Item(parse(call.body, call.double.drops))
    return Answer()


@endpoint("POST", "build|buildWithParameters", _MIXIN)
def build(call: Call) -> Answer:
    """core/src/main/java/jenkins/model/ParameterizedJobMixIn.java: 201 with a queue item, 409 when disabled.

    /build of a job with parameters wants a form (400), /buildWithParameters of one without fails (500).
    Values of parameters that the job does not have are ignored.
    """
    found, double = call.double.items[call.name], call.double
    if found.config.findtext("disabled") == "true":
        raise Refusal(409, f"<html>{call.name} is not buildable</html>")
    call.need("Job/Build")
    if bool(found.parameters) != (call.rest[0] == "buildWithParameters"):
        raise Refusal(400 if found.parameters else 500, "<html>Nothing is submitted</html>")
    number = next(double.ids)
    given = {each: value for each, value in (call.form | call.query).items() if each in found.parameters}
    double.queue[number] = {"job": call.name, "asked": 0, "parameters": given}
    # sendRedirect makes it absolute with the host of the request; behind a proxy that may be another one.
    return Answer(201, {"Location": f"http://jenkins.internal:8080{PREFIX}/queue/item/{number}/"})


@endpoint("GET", r"queue/item/(\d+)/api/json", _QUEUE)
def queue_item(call: Call) -> Answer:
    """core/src/main/java/hudson/model/Queue.java: WaitingItem, then LeftItem: `executable` or `cancelled`."""
    entry = call.double.queue.get(int(call.rest[1]))
    if entry is None:
        raise Refusal(404, "<html>Not Found</html>")
    double = call.double
    entry["asked"] += 1
    if entry["asked"] <= double.waits:
        return as_json(
            {
                "_class": "hudson.model.Queue$WaitingItem",
                "why": f"In the quiet period. Expires in {entry['asked']} sec",
            }
        )
    if double.cancels:
        return as_json({"_class": "hudson.model.Queue$LeftItem", "why": None, "cancelled": True})
    job = double.items[entry["job"]]
    if "build" not in entry:
        entry["build"] = max(job.builds, default=0) + 1
        pieces = [each.encode() if isinstance(each, str) else each for each in double.script]
        job.builds[entry["build"]] = Build(entry["build"], pieces, double.outcome, lag=double.lag)
    return as_json(
        {
            "_class": "hudson.model.Queue$LeftItem",
            "why": None,
            "cancelled": False,
            "executable": {"number": entry["build"]},
        }
    )


def _build(call: Call) -> Build:
    found = call.double.items[call.name].builds.get(int(call.rest[1]))
    if found is None:
        raise Refusal(404, "<html>Not Found</html>")
    return found


@endpoint("GET", r"(\d+)/api/json", _REMOTE_API)
def build_info(call: Call) -> Answer:
    """jenkins.io/doc/book/using/remote-access-api: `result` is null while it is building."""
    found = _build(call)
    building = found.building or found.lag > 0
    found.lag -= not found.building
    known = {
        "number": found.number,
        "building": building,
        "result": None if building else found.outcome,
        "description": found.description,
    }
    return as_json({key: known[key] for key in call.query["tree"].split(",")})


@endpoint("GET", r"(\d+)/logText/progressiveText", "core/src/main/resources/hudson/model/Run/_api.jelly")
def log(call: Call) -> Answer:
    """core/src/main/resources/hudson/model/Run/_api.jelly: X-Text-Size, X-More-Data.

    In this double each question adds a piece of log.
    """
    found = _build(call)
    found.shown = min(found.shown + 1, len(found.pieces))
    text = b"".join(found.pieces[: found.shown])
    headers = {"Content-Type": "text/plain;charset=utf-8", "X-Text-Size": str(len(text))}
    return Answer(
        200, headers | ({"X-More-Data": "true"} if found.building else {}), text[int(call.query["start"]) :]
    )


@endpoint("POST", r"(\d+)/submitDescription", _RUN)
def describe(call: Call) -> Answer:
    """core/src/main/java/hudson/model/Run.java (doSubmitDescription): Run/Update, then a redirect."""
    found = _build(call)
    call.need("Run/Update")
    found.description = call.form["description"]
    return Answer(302, {"Location": "."})


@endpoint("GET", "pluginManager/api/json", _PJ)
def plugins(call: Call) -> Answer:
    """python-jenkins jenkins/__init__.py (get_plugins); Overall/SystemRead: hudson/PluginManager.java."""
    call.need("Overall/SystemRead")
    return as_json({"plugins": call.double.plugins})
