"""A double of what a runner sees of GitLab: it gives out the jobs of one pipeline, takes logs and artifacts.

GitLab describes this API in its source alone: each endpoint names the file of gitlab.com/gitlab-org/gitlab
that its behaviour was read from, and for what users see the page of docs.gitlab.com. What a server does and
this does not: timeouts, limits other than those of dotenv files, object storage, waiting in a queue,
cancelling, more than one pipeline. Any other request, and any request that is not as it should be, goes to
`violations`.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import secrets
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

ENDED = ("success", "failed", "skipped")
# app/models/concerns/enums/ci/job_artifact.rb: the one format that each type of artifact may have.
FORMATS = {
    "archive": "zip", "junit": "gzip", "dotenv": "gzip", "cobertura": "gzip", "cyclonedx": "gzip",
    "container_scanning": "raw",
}  # fmt: skip
# docs.gitlab.com/administration/instance_limits: of dotenv files, by default.
DOTENV_VARIABLES, DOTENV_SIZE = 20, 5 * 1024
# app/models/ci/build.rb, token_prefix; the runner is given the prefix to mask tokens by.
TOKEN_PREFIX = "glcbt-"


@dataclass
class Artifact:
    """A file that a job left: under which name, of which type."""

    name: str
    kind: str
    content: bytes


@dataclass
class Job:
    """A job of the pipeline: what the runner is sent, what must have passed before, and what came of it."""

    name: str
    payload: dict[str, Any]
    needs: tuple[str, ...] = ()
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)  # the CI file's, by name
    settings: dict[str, dict[str, Any]] = field(default_factory=dict)  # the project's, by name
    retries: int = 0
    retried_when: tuple[str, ...] = ()
    id: int = 0
    token: str = ""
    state: str = "created"
    exit_code: int = 0
    failure_reason: str = ""
    attempts: int = 0
    trace: bytes = b""
    sent: dict[str, Any] = field(default_factory=dict)
    artifacts: list[Artifact] = field(default_factory=list)
    dotenv: dict[str, str] = field(default_factory=dict)

    def artifact(self, kind: str) -> Artifact:
        """Return the one artifact of a type."""
        (found,) = [each for each in self.artifacts if each.kind == kind]
        return found


@dataclass
class Answer:
    """What is sent back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Coordinator:
    """The server's side of one pipeline. `projects` holds bare repositories as PATH.git."""

    projects: Path
    runner_token: str = field(default_factory=lambda: f"glrt-{secrets.token_hex(10)}")
    jobs: dict[str, Job] = field(default_factory=dict)
    url: str = ""
    violations: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    on_start: Callable[[Job], None] = lambda job: None
    idle: threading.Event = field(
        default_factory=threading.Event
    )  # set when a job was requested after all had ended
    lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 1000

    def add(self, jobs: list[Job]) -> None:
        """Take over a pipeline, in the order of its stages."""
        self.jobs |= {job.name: job for job in jobs}

    # --- the pipeline ---

    def next_job(self) -> Job | None:
        """Return the first job that may start, after skipping those that never can.

        docs.gitlab.com/ci/yaml/#needs: a job starts when all that it needs have succeeded; when one of them
        did not, it is skipped (docs.gitlab.com/ci/yaml/#when, on_success).
        """
        for job in self.jobs.values():
            before = [self.jobs[name].state for name in job.needs]
            if job.state != "created":
                continue
            if any(state in {"failed", "skipped"} for state in before):
                job.state = "skipped"
            elif all(state == "success" for state in before):
                return job
        return None

    def start(self, job: Job) -> dict[str, Any]:
        """Give a job its id, token and variables, and return what the runner is sent.

        lib/api/entities/ci/job_request/response.rb and dependency.rb: a dependency comes with the token of
        the running job. docs.gitlab.com/ci/variables/dotenv_variables: variables of dotenv reports win over
        those of the CI file, and those of the project over both.
        """
        self._next += 1
        job.id, job.token = self._next, f"{TOKEN_PREFIX}{secrets.token_urlsafe(15)}"
        job.state, job.attempts = "running", job.attempts + 1
        job.trace, job.artifacts, job.dotenv = b"", [], {}
        needed = [self.jobs[name] for name in job.needs]
        inherited = {key: variable(key, value) for each in needed for key, value in each.dotenv.items()}
        own = {
            "CI_JOB_ID": variable("CI_JOB_ID", str(job.id)),
            "CI_JOB_TOKEN": variable("CI_JOB_TOKEN", job.token, masked=True),
        }
        archives = [
            (each, artifact) for each in needed for artifact in each.artifacts if artifact.kind == "archive"
        ]
        info = job.payload["job_info"] | {"id": job.id}
        job.sent = job.payload | {
            "id": job.id,
            "token": job.token,
            "job_info": info,
            "git_info": job.payload["git_info"] | {"repo_url": self._clone_url(job)},
            "variables": list((own | job.variables | inherited | job.settings).values()),
            "dependencies": [
                {
                    "id": each.id,
                    "name": each.name,
                    "token": job.token,
                    "artifacts_file": {"filename": artifact.name, "size": len(artifact.content)},
                }
                for each, artifact in archives
            ],
        }
        self.on_start(job)
        return job.sent

    def _clone_url(self, job: Job) -> str:
        """Return the address with the job's token (docs.gitlab.com/ci/jobs/ci_job_token, cloning)."""
        path = job.payload["job_info"]["project_full_path"]
        return self.url.replace("://", f"://gitlab-ci-token:{job.token}@") + f"/{path}.git"

    def end(self, job: Job, update: dict[str, Any]) -> None:
        """Note how a job ended; run it again where `retry` says so (docs.gitlab.com/ci/yaml/#retrywhen)."""
        job.state, job.exit_code = update["state"], update.get("exit_code", 0)
        job.failure_reason = update.get("failure_reason", "")
        output = update.get("output") or {}
        seen = {"bytesize": len(job.trace), "checksum": f"crc32:{zlib.crc32(job.trace):08x}"}
        if any(output.get(key) != value for key, value in seen.items()):
            self.violations.append(f"the log of {job.name}: sent {output}, received {seen}")
        if job.state == "failed" and job.failure_reason in job.retried_when and job.attempts <= job.retries:
            job.state = "created"

    @property
    def states(self) -> dict[str, str]:
        """The state of each job."""
        return {name: job.state for name, job in self.jobs.items()}

    def job_of_token(self, token: str | None) -> Job | None:
        """Return the job of a token: it ends with the job (docs.gitlab.com/ci/jobs/ci_job_token)."""
        found = [job for job in self.jobs.values() if token and job.token == token and job.state == "running"]
        return found[0] if found else None


def variable(key: str, value: str, *, masked: bool = False) -> dict[str, Any]:
    """Return a variable as the runner is sent it (lib/gitlab/ci/variables/collection/item.rb)."""
    return {"key": key, "value": value, "public": not masked, "masked": masked, "raw": False, "file": False}


def dotenv(text: str) -> dict[str, str]:
    """Read a dotenv report as app/services/ci/parse_dotenv_artifact_service.rb does. Raises ValueError.

    Each line is KEY=VALUE, both stripped; the last of a name counts. Neither empty lines nor comments are
    understood (docs.gitlab.com/ci/yaml/artifacts_reports, artifacts:reports:dotenv).
    """
    if len(text.encode()) >= DOTENV_SIZE:
        raise ValueError(f"Dotenv Artifact Too Big. Maximum Allowable Size: {DOTENV_SIZE}")
    found = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals or not re.fullmatch(r"\s*[A-Za-z0-9_]+\s*", key):
            raise ValueError("Invalid Format")
        found[key.strip()] = value.strip()
    if len(found) > DOTENV_VARIABLES:
        raise ValueError(f"Dotenv files cannot have more than {DOTENV_VARIABLES} variables")
    return found


class Handler(BaseHTTPRequestHandler):
    """HTTP/1.1 as the runner and git use it."""

    protocol_version = "HTTP/1.1"
    coordinator: Coordinator

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer."""
        self._answer()

    def do_POST(self) -> None:
        """Answer."""
        self._answer()

    def do_PATCH(self) -> None:
        """Answer."""
        self._answer()

    def do_PUT(self) -> None:
        """Answer."""
        self._answer()

    def _answer(self) -> None:
        address = urlsplit(self.path)
        self.coordinator.requests.append(f"{self.command} {address.path}")
        try:
            body = self._body()
        except ValueError:
            self.coordinator.violations.append(f"{self.command} {self.path}: cut off")
            self.close_connection = True
            return
        with self.coordinator.lock:
            answer = self._route(address.path, dict(parse_qsl(address.query)), body)
        if answer is None:
            answer = self._git(address.path, address.query, body)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def _body(self) -> bytes:
        """Read what was sent. Raises ValueError when it ends too early."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _route(self, path: str, query: dict[str, str], body: bytes) -> Answer | None:
        if path == "/api/v4/jobs/request" and self.command == "POST":
            return self._request(json.loads(body))
        match = re.fullmatch(r"/api/v4/jobs/(\d+)(|/trace|/artifacts)", path)
        if not match:
            return None
        call = {
            ("PATCH", "/trace"): self._trace,
            ("PUT", ""): self._update,
            ("POST", "/artifacts"): self._upload,
            ("GET", "/artifacts"): self._download,
        }.get((self.command, match[2]))
        if call is None:
            return self._refuse(404, f"{self.command} {path}")
        job = self.coordinator.job_of_token(self.headers.get("JOB-TOKEN"))
        if job is None or (match[2] != "/artifacts" and job.id != int(match[1])):
            return self._refuse(403, f"{self.command} {path}: not this job's token")
        return call(job, int(match[1]), query, body)

    def _request(self, asked: dict[str, Any]) -> Answer:
        """POST /jobs/request: lib/api/ci/runner.rb, 'Request a job'. 201 with a job, 204 with none, 403."""
        if asked.get("token") != self.coordinator.runner_token:
            return self._refuse(403, "a job was requested with another runner's token")
        job = self.coordinator.next_job()
        if job:
            return Answer(
                201, json.dumps(self.coordinator.start(job)).encode(), {"Content-Type": "application/json"}
            )
        if all(state in ENDED for state in self.coordinator.states.values()):
            self.coordinator.idle.set()
        return Answer(204, headers={"X-GitLab-Last-Update": "0"})

    def _trace(self, job: Job, _: int, __: dict[str, str], body: bytes) -> Answer:
        """PATCH /jobs/:id/trace: lib/api/ci/runner.rb, 'Appends a patch to the job trace', and
        app/services/ci/append_build_trace_service.rb. 202; 400 without Content-Range; 416 with the size."""
        wanted = re.fullmatch(r"(\d+)-(\d+)", self.headers.get("Content-Range", ""))
        if not wanted:
            return self._refuse(400, f"a log of {job.name} without Content-Range")
        here = {"Range": f"0-{len(job.trace)}"}
        if int(wanted[1]) != len(job.trace):
            return Answer(416, b"416 Range Not Satisfiable", here)
        job.trace += body
        here = {"Range": f"0-{len(job.trace)}"}
        return Answer(202, headers=here | {"Job-Status": job.state, "X-GitLab-Trace-Update-Interval": "3"})

    def _update(self, job: Job, _: int, __: dict[str, str], body: bytes) -> Answer:
        """PUT /jobs/:id: lib/api/ci/runner.rb, 'Updates a job'. `running` is a sign of life."""
        update = json.loads(body)
        if update.get("token") != job.token:
            return self._refuse(403, f"the state of {job.name} with another token")
        if update["state"] != "running":
            self.coordinator.end(job, update)
        return Answer(200, b"200", {"Job-Status": job.state, "X-GitLab-Trace-Update-Interval": "3"})

    def _upload(self, job: Job, number: int, query: dict[str, str], body: bytes) -> Answer:
        """POST /jobs/:id/artifacts: lib/api/ci/runner.rb, 'Upload artifacts for job', and
        app/services/ci/job_artifacts/create_service.rb. 201, 400 for a wrong format or dotenv file."""
        if job.id != number:
            return self._refuse(403, f"{job.name} uploads to job {number}")
        kind = query.get("artifact_type", "archive")
        if FORMATS.get(kind) != query.get("artifact_format", "zip"):
            return self._refuse(400, f"{job.name} uploads {kind} as {query.get('artifact_format')}")
        name, content = _file(self.headers["Content-Type"], body)
        if kind == "dotenv":
            try:
                job.dotenv = dotenv(gzip.decompress(content).decode())
            except ValueError as error:
                return self._refuse(400, f"{job.name}: {error}")
        job.artifacts.append(Artifact(name, kind, content))
        return Answer(201, b"201")

    def _download(self, job: Job, number: int, _: dict[str, str], __: bytes) -> Answer:
        """GET /jobs/:id/artifacts: lib/api/ci/runner.rb, 'Download the artifacts file for job'. The token of
        a running job opens the archives of those that it depends on."""
        wanted = [each for each in self.coordinator.jobs.values() if each.id == number]
        if not wanted or wanted[0].name not in job.needs:
            return self._refuse(403, f"{job.name} takes artifacts of {number}, which it does not need")
        archives = [each for each in wanted[0].artifacts if each.kind == "archive"]
        if not archives:
            return Answer(404, b'{"message":"404 Not found"}')
        return Answer(200, archives[0].content, {"Content-Type": "application/octet-stream"})

    def _git(self, path: str, query: str, body: bytes) -> Answer:
        """Serve a repository: git's smart protocol, by git's own program.

        docs.gitlab.com/ci/jobs/ci_job_token: the user is gitlab-ci-token, the password the job's token. The
        first request of git comes without; 401 makes it send them.
        """
        match = re.fullmatch(r"(/.+\.git)(/info/refs|/git-upload-pack)", path)
        if not match:
            return self._refuse(404, f"{self.command} {path}")
        user, _, token = _basic(self.headers.get("Authorization", "")).partition(":")
        job = self.coordinator.job_of_token(token)
        if user != "gitlab-ci-token" or job is None:
            return Answer(401, headers={"WWW-Authenticate": 'Basic realm="GitLab"'})
        if match[1] != f"/{job.payload['job_info']['project_full_path']}.git":
            return self._refuse(403, f"{job.name} clones {match[1]}")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.coordinator.projects),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, check=True
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode("ascii").splitlines())
        return Answer(int(headers.pop("Status", "200").split()[0]), content, headers)

    def _refuse(self, status: int, what: str) -> Answer:
        self.coordinator.violations.append(f"{status} {what}")
        return Answer(status, json.dumps({"message": what}).encode(), {"Content-Type": "application/json"})


def _file(content_type: str, body: bytes) -> tuple[str, bytes]:
    """Return name and content of the one file in a multipart body (RFC 7578)."""
    boundary = b"--" + content_type.partition("boundary=")[2].strip('"').encode()
    start = body.index(boundary) + len(boundary) + 2
    content = body.index(b"\r\n\r\n", start) + 4
    name = re.search(rb'filename="([^"]*)"', body[start:content])
    assert name, body[start:content]
    return name[1].decode(), body[content : body.rindex(b"\r\n" + boundary)]


def _basic(header: str) -> str:
    kind, _, value = header.partition(" ")
    return base64.b64decode(value).decode() if kind == "Basic" else ""


@contextmanager
def serve(projects: Path, address: str = "127.0.0.1") -> Iterator[Coordinator]:
    """Serve a pipeline on a free port of an address of this machine."""
    coordinator = Coordinator(projects)
    handler = type("Bound", (Handler,), {"coordinator": coordinator})
    server = ThreadingHTTPServer((address, 0), handler)
    coordinator.url = f"http://{address}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield coordinator
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
