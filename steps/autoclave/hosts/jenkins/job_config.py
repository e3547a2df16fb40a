"""The configuration of a device's pipeline job, and of the folder around it.

Element names are those that Jenkins writes: workflow-job and workflow-cps (flow-definition,
CpsScmFlowDefinition), git (GitSCM), cloudbees-folder (Folder), pipeline-groovy-lib (FolderLibraries).
Documented for people in jenkins.io/doc/book/pipeline/getting-started and …/pipeline/shared-libraries.
"""

from __future__ import annotations

from copy import deepcopy
from xml.etree.ElementTree import Element, SubElement

from msgspec import Struct

from autoclave.errors import HostError
from autoclave.hosts.jenkins.xml import ensure_child, set_text

JOB = "flow-definition"
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
_FROM_SCM = "org.jenkinsci.plugins.workflow.cps.CpsScmFlowDefinition"
_GIT = "hudson.plugins.git.GitSCM"
_REMOTE = "userRemoteConfigs/hudson.plugins.git.UserRemoteConfig"
_PARAMETERS = "properties/hudson.model.ParametersDefinitionProperty/parameterDefinitions"
_PARAMETER = "hudson.model.StringParameterDefinition"
_TRIGGERS = "properties/org.jenkinsci.plugins.workflow.job.properties.PipelineTriggersJobProperty/triggers"
_POLL, _TIMER = "hudson.triggers.SCMTrigger", "hudson.triggers.TimerTrigger"
_LIBRARIES = "properties/org.jenkinsci.plugins.workflow.libs.FolderLibraries/libraries"
_LIBRARY = "org.jenkinsci.plugins.workflow.libs.LibraryConfiguration"
_RETRIEVER = "org.jenkinsci.plugins.workflow.libs.SCMSourceRetriever"
_GIT_SOURCE = "jenkins.plugins.git.GitSCMSource"


class JobSpec(Struct, frozen=True, kw_only=True):
    """The settings of a device's job, checked by `names`. Empty: not set by us."""

    git_url: str
    branch: str
    script: str
    credentials: str = ""
    description: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
    poll: str = ""
    cron: str = ""


class Library(Struct, frozen=True, kw_only=True):
    """A shared library of a folder, with the git repository that it comes from."""

    name: str
    version: str
    git_url: str
    credentials: str = ""


def job(now: Element | None, wanted: JobSpec) -> Element:
    """Return the job's configuration with these settings. Raises HostError for another kind of item."""
    root = deepcopy(now) if now is not None else Element(JOB)
    _refuse_other(root, JOB, "a pipeline job")
    if not (root.findtext("description") or "") and wanted.description:
        set_text(root, "description", wanted.description)
    if now is None:
        set_text(root, "keepDependencies", "false")
    ensure_child(root, "properties")
    parameters(root, wanted.parameters)
    _trigger(root, _POLL, wanted.poll)
    _trigger(root, _TIMER, wanted.cron)
    _definition(root, wanted)
    if now is None:
        set_text(root, "disabled", "false")
    return root


def parameters(root: Element, wanted: tuple[tuple[str, str], ...]) -> list[str]:
    """Set the defaults of parameters, add missing ones; return the names of other kinds."""
    others = []
    for name, default in wanted:
        known = ensure_child(root, _PARAMETERS)
        found = next((each for each in known if (each.findtext("name") or "") == name), None)
        if found is None:
            found = SubElement(known, _PARAMETER)
            set_text(found, "name", name)
        elif found.tag != _PARAMETER:
            others.append(name)
            continue
        set_text(found, "defaultValue", default)
    return others


def folder(now: Element | None, library: Library | None) -> Element:
    """Return the folder's configuration with the library in it. Raises HostError for another kind of item."""
    root = deepcopy(now) if now is not None else Element(FOLDER)
    _refuse_other(root, FOLDER, "a folder")
    if now is None:
        ensure_child(root, "properties")
    if library is not None:
        found = _library(root, library.name)
        if found is None:
            found = SubElement(ensure_child(root, _LIBRARIES), _LIBRARY)
            set_text(found, "name", library.name)
            # Each device names its version in its Jenkinsfile, and changes it when it is ready.
            set_text(found, "implicit", "false")
            set_text(found, "allowVersionOverride", "true")
        set_text(found, "defaultVersion", library.version)
        _source(found, library)
    return root


def library_of(root: Element, name: str) -> bool:
    """Return whether a folder has a library of that name."""
    return _library(root, name) is not None


def _library(root: Element, name: str) -> Element | None:
    known = root.find(_LIBRARIES)
    found = [] if known is None else [each for each in known if (each.findtext("name") or "") == name]
    return found[0] if found else None


def _source(found: Element, library: Library) -> None:
    retriever = ensure_child(found, "retriever", **{"class": _RETRIEVER})
    _refuse_class(retriever, _RETRIEVER, f"library {library.name}")
    scm = ensure_child(retriever, "scm", **{"class": _GIT_SOURCE})
    _refuse_class(scm, _GIT_SOURCE, f"library {library.name}")
    set_text(scm, "remote", library.git_url)
    if library.credentials:
        set_text(scm, "credentialsId", library.credentials)
    if scm.find("traits") is None:
        ensure_child(scm, "traits/jenkins.plugins.git.traits.BranchDiscoveryTrait")
        ensure_child(scm, "traits/jenkins.plugins.git.traits.TagDiscoveryTrait")


def _definition(root: Element, wanted: JobSpec) -> None:
    definition = ensure_child(root, "definition", **{"class": _FROM_SCM})
    _refuse_class(definition, _FROM_SCM, "the job's script")
    scm = ensure_child(definition, "scm", **{"class": _GIT})
    _refuse_class(scm, _GIT, "the job's repository")
    if scm.find("configVersion") is None:
        set_text(scm, "configVersion", "2")
    set_text(scm, f"{_REMOTE}/url", wanted.git_url)
    if wanted.credentials:
        set_text(scm, f"{_REMOTE}/credentialsId", wanted.credentials)
    set_text(scm, "branches/hudson.plugins.git.BranchSpec/name", wanted.branch)
    set_text(definition, "scriptPath", wanted.script)
    if definition.find("lightweight") is None:
        set_text(definition, "lightweight", "true")


def _trigger(root: Element, tag: str, spec: str) -> None:
    if spec:
        set_text(root, f"{_TRIGGERS}/{tag}/spec", spec)


def _refuse_other(root: Element, tag: str, what: str) -> None:
    if root.tag != tag:
        raise HostError(
            f"the item is not {what}",
            why=f"its configuration is a <{root.tag[:100]}>",
            next="choose another name or folder; nothing was changed",
        )


def _refuse_class(element: Element, wanted: str, what: str) -> None:
    """Refuse to write into an element of another kind: its other settings would mean something else."""
    found = element.get("class", "")
    if found != wanted:
        raise HostError(
            f"{what} is of another kind than 'provision' creates",
            why=f"its class is {found[:100] or '(none)'}, not {wanted}",
            next="change it in Jenkins first, or choose another name; nothing was changed",
        )
