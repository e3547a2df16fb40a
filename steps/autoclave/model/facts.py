"""The facts that the steps collect, as plain data. Gates judge nothing else.

Nothing here does I/O. Times are aware datetimes in UTC; digests are `sha256:<64 hex>`.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct

from autoclave.model.inventory import Contents, Ecosystem
from autoclave.model.moment import Moment
from autoclave.model.place import Destination


class Severity(StrEnum):
    """Severity of a finding, in the scanner's normalised scale."""

    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Kind(StrEnum):
    """What a finding is about."""

    VULNERABILITY = "vulnerability"
    SECRET = "secret"  # noqa: S105 -- the name of a finding kind
    MISCONFIGURATION = "misconfiguration"
    UNJUDGED = "unjudged"
    """What the scan could not judge; its id is a `Gap`."""
    ANALYSIS = "analysis"
    """What another tool reported, such as a static analysis."""


class Rating(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one source says about a severity: in its own words, or by a CVSS vector with its base score."""

    source: str
    severity: Severity
    vector: str = ""
    score: float | None = None


class Exploited(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A vulnerability is known to be exploited: by which catalogue, and since when it is listed there."""

    source: str
    added: date | None = None


class Prediction(Struct, frozen=True):
    """How likely a vulnerability is exploited within 30 days (EPSS), and which part of all is less likely."""

    score: float
    percentile: float


class ImportedReport(Struct, frozen=True, kw_only=True):
    """A report of another tool that a scan took in: by whom, from where, its digest, how much it found."""

    tool: str
    version: str
    path: str
    digest: str
    findings: int


class CatalogueName(StrEnum):
    """Catalogues about the exploitation of vulnerabilities."""

    EXPLOITED = "exploited"
    """Those that are known to be exploited: CISA's KEV."""
    PREDICTED = "predicted"
    """How likely each is exploited: FIRST's EPSS."""


class Catalogue(Struct, frozen=True, kw_only=True):
    """A catalogue that a scan used: the time that it states for itself, its digest, how much it lists."""

    name: CatalogueName
    updated: Moment
    digest: str
    entries: int


class Finding(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scanner result, normalised.

    `id` is the CVE when any alias is one; `aliases` never repeats `id`. `bulletins` are vendors' names for
    several vulnerabilities, this one among them (DSA, RHSA): they identify none. `target` is where it was
    found (a file in the image, or the OS package set). `fixed` lists versions that fix it, as the
    scanner prints them. `cvss` is the highest v3 (else v2) base score, 0.0 to 10.0. `layer` is the digest of
    the uncompressed layer with the file (of a secret alone), `fingerprint` that of the file itself. `ratings`
    is what each source says about the severity, `found_by` how the scanner came to it, `published` when its
    advisory was. `blocks` is whether the device file lets it block, whatever the policy says.
    """

    id: str
    kind: Kind
    severity: Severity
    title: str
    target: str
    aliases: tuple[str, ...] = ()
    package: str = ""
    version: str = ""
    purl: str = ""
    fixed: str = ""
    cvss: float | None = None
    url: str = ""
    layer: str = ""
    fingerprint: str = ""
    ratings: tuple[Rating, ...] = ()
    cwes: tuple[str, ...] = ()
    exploited: Exploited | None = None
    prediction: Prediction | None = None
    found_by: str = ""
    published: Moment | None = None
    blocks: bool = False
    bulletins: tuple[str, ...] = ()


class Database(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A database of a scan: the time of its contents, its digest and size (bytes).

    `name` is empty for the advisories; an index by which packages are recognised has one (`java`).

    `complete` is whether the scanner reports that it has all advisories of its sources; None when it does not
    report it: then the size decides. `lacks` is what a partial one has not, in the scanner's words.
    """

    updated: Moment
    digest: str
    size: int = 0
    complete: bool | None = None
    lacks: str = ""
    name: str = ""


class ScanFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scan of one image by one scanner.

    `ecosystems` are all packages that it found, by kind, judged or not; `indexes` the databases by which it
    recognised some of them. `contents` is what the scan step read in the layers itself, None when it did not.
    """

    scanner: str
    scanner_version: str
    database: Database
    started: Moment
    finished: Moment
    ecosystems: tuple[Ecosystem, ...]
    findings: tuple[Finding, ...]
    indexes: tuple[Database, ...] = ()
    contents: Contents | None = None
    kinds: tuple[Kind, ...] = (Kind.VULNERABILITY, Kind.SECRET, Kind.MISCONFIGURATION)
    catalogues: tuple[Catalogue, ...] = ()
    imported: tuple[ImportedReport, ...] = ()

    @property
    def os(self) -> str:
        """The operating system, `family version`, or empty."""
        return next((str(each) for each in self.ecosystems if each.is_system), "")

    @property
    def packages(self) -> int:
        """How many packages were found."""
        return sum(each.packages for each in self.ecosystems)


class TestCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One test that did not simply pass: its name (`classname::name`), outcome and first line of message."""

    __test__ = False  # not a pytest class

    name: str
    outcome: str  # "failed", "error" or "skipped"
    message: str = ""
    requirements: tuple[str, ...] = ()


class RequirementCount(Struct, frozen=True):
    """How many tests of one requirement passed, failed (or errored) and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0


class TracedTest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One test that names requirements: outcome is "passed", "failed", "error", "skipped" or "flaky".

    Flaky is what passed only on a repetition. `kind` is the kind of test and `technique` how it was derived,
    in the words of the report's properties `TestType` and `DerivationTechnique`.
    """

    name: str
    outcome: str
    requirements: tuple[str, ...]
    kind: str = ""
    technique: str = ""


class TestFacts(Struct, frozen=True, kw_only=True):
    """A JUnit report, counted. `cases` are the failed, errored and skipped tests, in file order.

    `traced` are the tests that name requirements, `traced_more` counts what a long list leaves out: passed
    tests alone, of requirements for which others are listed. `unlinked` counts those that name none;
    `unlinked_names` are the first of them. `flaky` names the tests that passed only on a repetition; they
    count as passed. `hidden_retries` maps tools, in whose report a repeated test looks like any other, to
    what repeats it. `defect` is why the report cannot be used, empty when it can (missing, malformed,
    hostile, too large); then the counts are zero.
    """

    __test__ = False

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    cases: tuple[TestCase, ...] = ()
    requirements: dict[str, RequirementCount] = {}
    traced: tuple[TracedTest, ...] = ()
    traced_more: int = 0
    unlinked: int = 0
    unlinked_names: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    hidden_retries: dict[str, str] = {}
    defect: str = ""


class Material(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something an image was made of: commit or files, images of others, what the build fetched.

    The name begins with what it is (`base`, `image`, `frontend`, `remote`). What was fetched without a
    checksum has no digest.
    """

    name: str
    digest: dict[str, str]
    uri: str = ""


class Origin(Struct, frozen=True):
    """What a record is made from: a commit, and the id of the device folder's tree in it.

    A work tree has no `tree`; its `commit` is the one that it is based on.
    """

    commit: str
    tree: str

    def __str__(self) -> str:
        commit = f"commit {self.commit[:12]}" if self.commit else "no commit"
        return f"{commit} (tree {self.tree[:12]})" if self.tree else f"a work tree based on {commit}"


class BuildFacts(Struct, frozen=True, kw_only=True):
    """One build. `user` is the image's user, empty for root by default.

    `tree` is the id of the device folder's tree in `commit`. With `is_worktree`, what lay in the work tree
    was built instead: `tree` is empty, and `commit` the one that it is based on, empty when there is none.
    `uid` is the user's number, looked up in the image's own files; None for a user whom no engine finds.
    `secrets` are the variables that the build could read. `image_id` is what the engine calls the image,
    `config` the digest of its configuration. `contradicted` is what the builder itself says otherwise about
    what it used.
    """

    commit: str
    tree: str
    is_worktree: bool
    user: str
    uid: int | None
    secrets: tuple[str, ...]
    image_id: str
    config: str
    builder: str
    engine: str
    materials: tuple[Material, ...]
    contradicted: tuple[str, ...] = ()
    started: datetime
    finished: datetime


class Limits(Struct, frozen=True, kw_only=True):
    """What a test container may use: seconds, bytes, cores, processes; whether it has a network."""

    timeout: int
    memory: int
    cpus: float
    pids: int
    network: bool


class ServiceRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service container that ran together with the tests.

    `digest` is the image's, as the device file or the store names it; `image_id` what the container really
    ran. `seconds` passed until it was healthy. `failure` is why the tests could not use it, if so.
    """

    name: str
    image: str
    digest: str
    image_id: str
    seconds: float = 0.0
    failure: str = ""


class ArbitraryUserRun(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The released image, run as a user that is not in it: `user` is `uid:gid`, the group is root's.

    `failure` is why it did not work, empty when it did; `seconds` passed until that was known.
    """

    user: str
    image_id: str
    seconds: float
    failure: str = ""


class RawReport(Struct, frozen=True, kw_only=True):
    """One JUnit file as the tests wrote it: its path below the results, and its digest."""

    name: str
    digest: str


class TestRun(Struct, frozen=True, kw_only=True):
    """One run of the tests in a container.

    `image_id` is what the container really ran; `released_layers` is whether its layers begin with
    all layers of the image under test, and `differences` are the files and variables of that image which the
    stage shows otherwise, or not at all. `exit_code` is the test command's. `report` is what its JUnit files
    say, all together, and `reports` are these files. `services` ran together with
    the tests; when one of them failed before the tests began, `exit_code` is -1. `arbitrary_user` is set when
    the policy requires it. `variables` is the digest of the variables that the device sets for the tests;
    `ran_by` the page of the host's job, else `user@machine`.
    """

    __test__ = False

    command: tuple[str, ...]
    image_id: str
    stage: str
    released_layers: bool
    differences: tuple[str, ...]
    user: str
    engine: str
    kernel: str
    limits: Limits
    exit_code: int
    timed_out: bool
    oom_killed: bool
    report: TestFacts
    reports: tuple[RawReport, ...]
    started: datetime
    finished: datetime
    services: tuple[ServiceRun, ...] = ()
    arbitrary_user: ArbitraryUserRun | None = None
    variables: str = ""
    ran_by: str = ""


class Running(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One image of the device as it runs: what the target reads back, not what was requested.

    `container` is the engine's id of the image that the container runs; `inputs` the digest of the
    deploy plan (settings) that it was started with.
    """

    image: str
    digest: str
    container: str
    healthy: bool
    inputs: str
    address: str = ""


class Deployment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One deployment: what was requested, what runs afterwards, and why it failed, if it did.

    `release` is the digest of the release that was deployed, `replaced_release` that of the one that ran
    before, empty when no record names it; `replaced` is the digest that ran before, by image. A rollback has
    a person's `reason`. `waived` names the findings about pods that a waiver covers. `place` is where the
    environment is (see model.place), empty when its target names no place.
    """

    environment: str
    place: str
    target: str
    running: tuple[Running, ...]
    started: datetime
    finished: datetime
    failure: str = ""
    put_back: tuple[Running, ...] = ()
    reason: str = ""
    replaced: dict[str, str] = {}
    waived: tuple[str, ...] = ()
    release: str = ""
    replaced_release: str = ""

    def went_to(self, destination: Destination) -> bool:
        """Return whether it was a deployment to that environment, in that place."""
        return (self.environment, self.place) == (destination.environment, destination.place)
