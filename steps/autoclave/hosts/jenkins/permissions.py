"""What each action needs from Jenkins: endpoints and permissions. Error messages and docs quote it.

Permissions: jenkins.io/doc/book/security/access-control/permissions, and the checks in Jenkins itself
(named in `seen`, paths of github.com/jenkinsci/jenkins).
"""

from __future__ import annotations

from msgspec import Struct

_CORE = "core/src/main/java/"


class Need(Struct, frozen=True, kw_only=True):
    """One action's needs, in the words of Jenkins's permission matrix."""

    action: str
    endpoints: tuple[str, ...]
    permissions: tuple[str, ...]
    seen: str

    @property
    def sentence(self) -> str:
        """The advice for an account that was refused."""
        return f"{self.action} needs the permissions {', '.join(self.permissions)} on the job and its folders"


NEEDS = {
    each.action: each
    for each in (
        Need(
            action="provision",
            endpoints=(
                "GET …/job/NAME/api/json",
                "GET …/job/NAME/config.xml",
                "POST …/createItem?name=NAME",
                "POST …/job/NAME/config.xml",
            ),
            permissions=("Overall/Read", "Job/Read", "Job/Configure", "Job/Create (for what is not there)"),
            seen="hudson/model/AbstractItem.java",
        ),
        Need(
            action="run",
            endpoints=(
                "GET …/job/NAME/api/json",
                "POST …/job/NAME/build, …/buildWithParameters",
                "GET queue/item/ID/api/json",
                "GET …/job/NAME/NUMBER/api/json",
                "GET …/job/NAME/NUMBER/logText/progressiveText",
            ),
            permissions=("Overall/Read", "Job/Read", "Job/Build"),
            seen="jenkins/model/ParameterizedJobMixIn.java",
        ),
        Need(
            action="describe",
            endpoints=("GET …/job/NAME/NUMBER/api/json", "POST …/job/NAME/NUMBER/submitDescription"),
            permissions=("Overall/Read", "Job/Read", "Run/Update"),
            seen="hudson/model/Run.java",
        ),
        Need(
            action="plugins",
            endpoints=("GET pluginManager/api/json",),
            permissions=("Overall/SystemRead (or Overall/Administer)",),
            seen="hudson/PluginManager.java",
        ),
    )
}


def table() -> str:
    """Return the needs of all actions as a Markdown table, for the documentation."""
    head = ["action", "endpoints", "permissions of the account", "checked by Jenkins in"]
    rows = [head, ["---"] * len(head)]
    for need in NEEDS.values():
        endpoints = "<br>".join(f"`{endpoint}`" for endpoint in need.endpoints)
        rows.append([need.action, endpoints, "<br>".join(need.permissions), f"`{_CORE}{need.seen}`"])
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)
