"""Who makes well-known software, and where its anomalies are published: what packages themselves rarely say.

Read on the pages that are named. A person checks it: a register is somebody's judgement.
"""

from __future__ import annotations

from msgspec import Struct


class Origin(Struct, frozen=True):
    """Packages of one maker, by a pattern for package URLs: the maker, its page, its anomalies' page."""

    pattern: str
    title: str
    manufacturer: str
    home: str
    anomalies: str


def _of(patterns: str, title: str, manufacturer: str, home: str, anomalies: str = "") -> tuple[Origin, ...]:
    return tuple(
        Origin(each, title, manufacturer, home, anomalies or f"{home}/issues") for each in patterns.split()
    )


ORIGINS = (
    *_of("pkg:deb/debian/*", "Packages of Debian", "The Debian Project", "https://www.debian.org",
         "https://security-tracker.debian.org"),
    *_of("pkg:deb/ubuntu/*", "Packages of Ubuntu", "Canonical", "https://ubuntu.com",
         "https://ubuntu.com/security/cves"),
    *_of("pkg:apk/alpine/*", "Packages of Alpine Linux", "Alpine Linux", "https://alpinelinux.org",
         "https://security.alpinelinux.org"),
    *_of("pkg:apk/wolfi/* pkg:apk/chainguard/*", "Packages of Wolfi and Chainguard", "Chainguard",
         "https://www.chainguard.dev", "https://images.chainguard.dev/security"),
    *_of("pkg:rpm/redhat/*", "Packages of Red Hat Enterprise Linux", "Red Hat", "https://www.redhat.com",
         "https://access.redhat.com/security/security-updates"),
    *_of("pkg:rpm/amzn/* pkg:rpm/amazon/*", "Packages of Amazon Linux", "Amazon Web Services",
         "https://aws.amazon.com/amazon-linux-2", "https://alas.aws.amazon.com"),
    *_of("pkg:rpm/rocky/* pkg:rpm/rockylinux/*", "Packages of Rocky Linux",
         "Rocky Enterprise Software Foundation", "https://rockylinux.org", "https://errata.rockylinux.org"),
    *_of("pkg:rpm/alma/* pkg:rpm/almalinux/*", "Packages of AlmaLinux", "AlmaLinux OS Foundation",
         "https://almalinux.org", "https://errata.almalinux.org"),
    *_of("pkg:rpm/opensuse* pkg:rpm/suse/* pkg:rpm/sles/*", "Packages of SUSE", "SUSE", "https://www.suse.com",
         "https://www.suse.com/security/cve"),
    *_of("pkg:golang/stdlib pkg:golang/golang.org/* pkg:golang/google.golang.org/*", "Go and its own modules",
         "The Go Authors, Google", "https://go.dev", "https://pkg.go.dev/vuln"),
    *_of("pkg:golang/k8s.io/* pkg:golang/sigs.k8s.io/*", "Kubernetes modules", "The Kubernetes Authors",
         "https://kubernetes.io", "https://kubernetes.io/docs/reference/issues-security/official-cve-feed"),
    *_of("pkg:golang/go.opentelemetry.io/*", "OpenTelemetry for Go", "The OpenTelemetry Authors",
         "https://opentelemetry.io", "https://github.com/open-telemetry/opentelemetry-go/issues"),
    *_of("pkg:golang/github.com/aws/*", "AWS modules for Go", "Amazon Web Services",
         "https://github.com/aws/aws-sdk-go-v2"),
    *_of("pkg:golang/github.com/azure/*", "Azure modules for Go", "Microsoft",
         "https://github.com/Azure/azure-sdk-for-go"),
    *_of("pkg:npm/%40types/*", "TypeScript declarations (DefinitelyTyped)", "DefinitelyTyped",
         "https://github.com/DefinitelyTyped/DefinitelyTyped"),
    *_of("pkg:npm/%40babel/*", "Babel", "The Babel team", "https://github.com/babel/babel"),
    *_of("pkg:npm/%40angular/* pkg:npm/%40angular-devkit/*", "Angular", "Google",
         "https://github.com/angular/angular"),
    *_of("pkg:npm/%40aws-sdk/* pkg:npm/%40smithy/*", "AWS SDK for JavaScript", "Amazon Web Services",
         "https://github.com/aws/aws-sdk-js-v3"),
    *_of("pkg:npm/%40azure/*", "Azure SDK for JavaScript", "Microsoft",
         "https://github.com/Azure/azure-sdk-for-js"),
    *_of("pkg:npm/%40nestjs/*", "NestJS", "The NestJS authors", "https://github.com/nestjs/nest"),
    *_of("pkg:npm/%40opentelemetry/*", "OpenTelemetry for JavaScript", "The OpenTelemetry Authors",
         "https://github.com/open-telemetry/opentelemetry-js"),
    *_of("pkg:npm/%40npmcli/* pkg:npm/npm", "npm", "GitHub", "https://github.com/npm/cli"),
    *_of("pkg:npm/express", "Express", "OpenJS Foundation", "https://github.com/expressjs/express"),
    *_of("pkg:npm/react pkg:npm/react-dom", "React", "Meta", "https://github.com/facebook/react"),
    *_of("pkg:maven/org.springframework*", "Spring", "Broadcom", "https://spring.io",
         "https://spring.io/security"),
    *_of("pkg:maven/org.apache.*", "Apache libraries for Java", "The Apache Software Foundation",
         "https://www.apache.org", "https://projects.apache.org"),
    *_of("pkg:maven/com.fasterxml.jackson*", "Jackson", "FasterXML", "https://github.com/FasterXML/jackson",
         "https://github.com/FasterXML/jackson-databind/issues"),
    *_of("pkg:maven/io.netty/*", "Netty", "The Netty project", "https://github.com/netty/netty"),
    *_of("pkg:maven/org.eclipse.*", "Eclipse libraries for Java", "Eclipse Foundation",
         "https://www.eclipse.org", "https://www.eclipse.org/security"),
    *_of("pkg:maven/ca.uhn.hapi*", "HAPI FHIR and HAPI HL7v2", "Smile Digital Health",
         "https://github.com/hapifhir/hapi-fhir"),
    *_of("pkg:maven/org.slf4j/* pkg:maven/ch.qos.logback/*", "SLF4J and Logback", "QOS.ch",
         "https://logback.qos.ch", "https://github.com/qos-ch/logback/issues"),
    *_of("pkg:pypi/flask pkg:pypi/jinja2 pkg:pypi/werkzeug pkg:pypi/click pkg:pypi/markupsafe "
         "pkg:pypi/itsdangerous", "Pallets", "Pallets", "https://palletsprojects.com",
         "https://github.com/pallets"),
    *_of("pkg:pypi/django", "Django", "Django Software Foundation", "https://www.djangoproject.com",
         "https://code.djangoproject.com"),
    *_of("pkg:pypi/numpy", "NumPy", "The NumPy developers", "https://github.com/numpy/numpy"),
    *_of("pkg:pypi/pandas", "pandas", "The pandas development team", "https://github.com/pandas-dev/pandas"),
    *_of("pkg:pypi/requests pkg:pypi/urllib3", "Requests and urllib3", "Python Software Foundation, urllib3",
         "https://github.com/psf/requests"),
    *_of("pkg:pypi/cryptography", "cryptography", "The Python Cryptographic Authority",
         "https://github.com/pyca/cryptography"),
    *_of("pkg:pypi/pydicom pkg:pypi/pynetdicom", "pydicom", "The pydicom contributors",
         "https://github.com/pydicom/pydicom"),
    *_of("pkg:pypi/pip pkg:pypi/setuptools pkg:pypi/wheel", "Python packaging tools",
         "Python Packaging Authority", "https://www.pypa.io", "https://github.com/pypa"),
)  # fmt: skip
"""The first pattern that matches counts."""
