"""Small repositories of the shapes that real ones have: what lies where, and no more than is read of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_NODE = """\
FROM node:22-bookworm-slim
WORKDIR /srv/glucose
ADD . /srv/glucose
RUN npm ci --omit=dev
USER node
EXPOSE 1337
CMD ["node", "server.js"]
"""
_NODE_COMPOSE = """\
x-defaults: &defaults
  restart: always
services:
  mongo:
    image: mongo:6.0
    <<: *defaults
  glucose:
    build: .
    <<: *defaults
    depends_on: [mongo]
    ports: ["127.0.0.1:1337:1337"]
    environment:
      DISPLAY_UNITS: mmol
      API_SECRET: change-me-please
      MONGO_CONNECTION: mongodb://mongo:27017/glucose
"""
_MAVEN = """\
FROM maven:3.9-eclipse-temurin-21 AS build
WORKDIR /work
COPY pom.xml .
COPY src src
RUN mvn --batch-mode package -DskipTests

FROM gcr.io/distroless/java21-debian12:nonroot AS default
WORKDIR /app
COPY --from=build /work/target/fhir-store.jar /app/main.jar
USER 65532:65532
EXPOSE 8080
CMD ["/app/main.jar"]
"""
_POM = """\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <parent><groupId>org.springframework.boot</groupId><artifactId>spring-boot-starter-parent</artifactId>
    <version>3.4.0</version></parent>
  <artifactId>fhir-store</artifactId>
  <version>${revision}</version>
  <properties><revision>7.2.0</revision></properties>
  <dependencies><dependency><artifactId>spring-boot-starter-actuator</artifactId></dependency></dependencies>
</project>
"""
_JAR = "FROM eclipse-temurin:21-jre\nCOPY application/target/{name}-*.jar /opt/{name}.jar\nUSER 10001\n" \
    'ENTRYPOINT ["java", "-jar", "/opt/{name}.jar"]\n'  # fmt: skip
_PLATFORM_HEAD = """\
ARG GOLANG=1.25-alpine
FROM alpine:3.22 AS platform-base
USER nobody
FROM golang:${GOLANG} AS platform-build
WORKDIR /build
ARG SERVICE
COPY . .
RUN BUILD=services/${SERVICE} make build
FROM golang:${GOLANG} AS platform-delve
CMD ["dlv"]
"""
_PLATFORM = """\
FROM platform-base AS platform-{name}
COPY --from=platform-build /build/_bin/services/{name}/ .
CMD ["./{name}"]
"""
PLATFORM_SERVICES = ("auth", "blob", "data", "migrations", "prescription", "task", "tools")
_GO = """\
FROM golang:1.25 AS development
WORKDIR /go/src/example.org/mailer
COPY . .
RUN go build -o dist/mailer .
CMD ["air"]

FROM debian:12-slim AS production
RUN useradd -m mailer
USER mailer
COPY --from=development /go/src/example.org/mailer/dist/mailer .
EXPOSE 9157
CMD ["./mailer"]
"""
_WORKER = "FROM python:3.12-slim\nCOPY requirements.txt /app/\nRUN pip install -r /app/requirements.txt\n" \
    "COPY {name} /app/{name}\nUSER 10001\nCMD [\"python\", \"-m\", \"{name}\"]\n"  # fmt: skip
_DICOM = """\
FROM debian:12-slim
RUN apt-get update && apt-get install -y dcmtk
COPY bin /usr/local/bin
USER 10001
EXPOSE 11112
ENTRYPOINT ["storescp"]
"""
_DICOM_COMPOSE = """\
services:
  archive:
    build: .
    command: ["storescp", "--fork", "11112"]
    ports: ["11112:11112"]
  find:
    build: .
    command: ["findscu-loop"]
"""

_NODE_PACKAGE = """\
{"name": "glucose", "version": "15.0.3", "scripts": {"test": "mocha --exit tests/*.js"},
 "dependencies": {"express": "4"}, "devDependencies": {"mocha": "^10"}}
"""
_GATEWAY = """\
services:
  gateway:
    build: {context: ., dockerfile: docker/Dockerfile}
    healthcheck: {test: ["CMD", "curl", "-f", "http://localhost:9000/ready"]}
    ports: ["8443:9000"]
"""
SHAPES: dict[str, tuple[str, Mapping[str, str]]] = {
    "node-service": (
        "Node service with MongoDB",
        {
            "Dockerfile": _NODE,
            "docker-compose.yml": _NODE_COMPOSE,
            "package.json": _NODE_PACKAGE,
            "package-lock.json": "{}",
            "server.js": "",
            "tests/alarms.test.js": "",
        },
    ),
    "java-maven": (
        "Java service, Maven, distroless",
        {
            "Dockerfile": _MAVEN,
            "pom.xml": _POM,
            "src/main/java/Main.java": "",
            "src/test/java/MainTest.java": "",
            "charts/fhir-store/Chart.yaml": "apiVersion: v2\nname: fhir-store\n",
            "charts/fhir-store/templates/deployment.yaml": "apiVersion: apps/v1\nkind: Deployment\n",
        },
    ),
    "java-jar": (
        "Java service, jar built outside",
        {
            "Dockerfile": _JAR.format(name="patient-index"),
            "Dockerfile_cli": _JAR.format(name="cli"),
            "Dockerfile_fhir": _JAR.format(name="fhir"),
            "application/pom.xml": "<project><artifactId>mpi</artifactId><version>2.1.0</version></project>",
            "application/target/patient-index-2.1.0.jar": "",
            "tests/DockerfileTest": "FROM eclipse-temurin:21-jre\n",
        },
    ),
    "go-platform": (
        "Go platform, seven targets",
        {
            "Dockerfile": _PLATFORM_HEAD + "".join(_PLATFORM.format(name=each) for each in PLATFORM_SERVICES),
            "go.mod": "module example.org/diabetes/platform\n\ngo 1.25\n",
            "Makefile": "build:\n",
            ".gitmodules": '[submodule "private"]\n',
            "auth/auth_test.go": "",
            **{f"services/{each}/main.go": "" for each in PLATFORM_SERVICES},
        },
    ),
    "go-service": (
        "Go service, development and production",
        {
            "Dockerfile": _GO,
            "go.mod": "module example.org/mailer\n\ngo 1.25\n",
            "main.go": "",
            "models/models_test.go": "",
        },
    ),
    "python-node": (
        "Python back end, Node front end",
        {
            "backend/Dockerfile": "FROM python:3.12-slim\nCOPY . /app\nEXPOSE 8000\nCMD uvicorn main:app\n",
            "backend/pyproject.toml": '[project]\nname = "api"\nversion = "3.4.0"\ndependencies = ["pytest"]',
            "backend/tests/test_dose.py": "",
            "frontend/Dockerfile": "FROM node:22\nWORKDIR /app\nCOPY . .\nEXPOSE 3000\nCMD npm start\n",
            "frontend/package.json": '{"name": "dose-ui", "version": "3.4.0", "scripts": {"test": "vitest"}, '
            '"devDependencies": {"vitest": "3"}}',
        },
    ),
    "python-named": (
        "Python services, named Dockerfiles",
        {
            "sources/Dockerfile.importer": _WORKER.format(name="importer"),
            "sources/Dockerfile.scorer": _WORKER.format(name="scorer"),
            "sources/requirements.txt": "numpy==2.1.0\npytest==9.0.1\n",
            "sources/importer/__init__.py": '__version__ = "0.9.2"\n',
            "sources/scorer/__init__.py": "",
            "sources/tests/test_scorer.py": "",
        },
    ),
    "cpp-frontend": (
        "C++ with a packaging Dockerfile",
        {
            "CMakeLists.txt": "cmake_minimum_required(VERSION 3.22)\nproject(viewer VERSION 1.12.4)\n"
            "add_executable(UnitTests tests.cpp)\ntarget_link_libraries(UnitTests GTest::gtest)\n",
            "Resources/CreateDistPackage/Dockerfile": "FROM ubuntu:22.04\nRUN apt-get install -y npm\n",
            "WebApplication/package.json": '{"name": "viewer-ui", "version": "0.0.0"}',
        },
    ),
    "dicom-tools": (
        "DICOM tools in several roles",
        {
            "Dockerfile": _DICOM,
            "docker-compose.yml": _DICOM_COMPOSE,
            "bin/findscu-loop": "",
            "tests/test_echo.sh": "#!/bin/sh\n",
        },
    ),
    "monorepo": (
        "Monorepo, eight Dockerfiles",
        {
            **dict.fromkeys(
                ("Containerfile", "Dockerfile.prod", "services/api/Dockerfile", "services/web/Dockerfile"),
                "FROM debian:12\nEXPOSE 9000\nCMD [\"serve\"]\n",
            ),
            **dict.fromkeys(
                ("svc-a/Dockerfile", "svc_a/Dockerfile", "worker.Dockerfile", "docker/Dockerfile"),
                "FROM debian:12\nCMD [\"work\"]\n",
            ),
            "docker-compose.yml": _GATEWAY,
        },
    ),
}  # fmt: skip
"""Each shape by its name: what it is, and its files."""


def write(shape: str, folder: Path) -> Path:
    """Write a shape into a folder of its name; return that."""
    made = folder / shape
    for name, text in SHAPES[shape][1].items():
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return made


def names() -> Iterator[str]:
    """Return the names of all shapes."""
    return iter(SHAPES)
