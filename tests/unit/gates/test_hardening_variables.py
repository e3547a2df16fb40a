"""Variables by which other code is loaded, and ordinary ones beside them."""

from __future__ import annotations

from typing import Any

import pytest

from autoclave.gates.hardening import Pod
from autoclave.gates.hardening.program import CHECKS
from autoclave.gates.hardening.variables import can_load


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "PATH", "BASH_ENV", "BASH_FUNC_ls%%", "ZDOTDIR",
        "PYTHONPATH", "PYTHONUSERBASE", "PYTHONPYCACHEPREFIX", "PYTHONPLATLIBDIR",
        "GEM_PATH", "GEM_HOME", "BUNDLE_GEMFILE", "PERLLIB", "PERL5LIB", "PHPRC",
        "LUA_PATH", "LUA_CPATH", "LUA_PATH_5_4", "LUA_INIT", "LUA_INIT_5_3",
        "R_PROFILE", "R_PROFILE_USER", "R_ENVIRON", "R_LIBS", "R_LIBS_SITE", "JULIA_LOAD_PATH", "ERL_LIBS",
        "CORECLR_PROFILER_PATH", "CORECLR_PROFILER_PATH_64", "CORECLR_PROFILER_PATH_32",
        "CORECLR_PROFILER_PATH_ARM64", "DOTNET_ADDITIONAL_DEPS", "DOTNET_SHARED_STORE", "DOTNET_ROOT",
        "DOTNET_ROOT_X64", "DOTNET_GCName", "COMPlus_GCName", "ASPNETCORE_HOSTINGSTARTUPASSEMBLIES",
        "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES",
        "GIT_EXEC_PATH", "GIT_SSH_COMMAND", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0",
        "JAVA_HOME", "CLASSPATH", "LOADER_PATH", "QT_PLUGIN_PATH", "GST_PLUGIN_PATH", "GST_PLUGIN_PATH_1_0",
    ],
)  # fmt: skip
def test_these_load_code_whatever_they_say(name: str) -> None:
    assert can_load(name, "x")
    assert can_load(name, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("JAVA_TOOL_OPTIONS", value)
            for value in (
                "--patch-module java.base=/x", "--patch-module=java.base=/x", "--module-path /x", "-p /x",
                "--upgrade-module-path=/x", "-XX:VMOptionsFile=/x", "-XX:Flags=/x", "-XX:OnError=/x",
                "-XX:OnOutOfMemoryError=/x", "-XX:SharedArchiveFile=/x", "-Xrunx", "-Djava.library.path=/x",
                "-Djava.security.properties=/x", "--class-path /x", "-Xmx1g -jar /x.jar", "@/x",
            )
        ],
        ("CATALINA_OPTS", "-javaagent:/x.jar"),
        ("ES_JAVA_OPTS", "-javaagent:/x.jar"),
        ("JAVA_OPTS_APPEND", "-javaagent:/x.jar"),
        ("IBM_JAVA_OPTIONS", "-Xshareclasses:cacheDir=/x"),
        ("NODE_OPTIONS", "--inspect=0.0.0.0:9229"),
        ("NODE_OPTIONS", "--openssl-config=/x"),
        ("RUBYOPT", "-r/x"),
        ("PERL5OPT", "-d:x"),
        ("ERL_FLAGS", "-pa /x"),
        ("ERL_ZFLAGS", "-eval x"),
        ("ELIXIR_ERL_OPTIONS", "-pa /x"),
        ("GUNICORN_CMD_ARGS", "--config=/x.py"),
        ("PYTHONWARNINGS", "all:0:antigravity.x:0:0"),
        ("BROWSER", "/bin/sh -c x"),
        ("PYTHONBREAKPOINT", "x.y"),
        ("PS4", "$(/x)"),
    ],
)  # fmt: skip
def test_these_load_code_by_what_they_say(name: str, value: str) -> None:
    assert can_load(name, value)
    assert can_load(name, None)
    assert not can_load(name, "")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JAVA_TOOL_OPTIONS", "-Xmx64m -XX:+ExitOnOutOfMemoryError -XX:MaxRAMPercentage=75 -Dserver.port=1"),
        ("JAVA_OPTS", "-Dhttp.proxy-port=80 -XX:+UseSerialGC -Djava.io.tmpdir=/tmp"),
        ("NODE_OPTIONS", "--max-old-space-size=256 --enable-source-maps"),
        ("PYTHONWARNINGS", "ignore::DeprecationWarning"),
        ("PYTHONBREAKPOINT", "0"),
        ("BROWSER", "none"),
        ("ERL_FLAGS", "+S 2:2"),
        ("GUNICORN_CMD_ARGS", "--workers=2 --bind=0.0.0.0:80"),
        ("DOTNET_gcServer", "1"),
        ("DOTNET_ENVIRONMENT", "Production"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_AUTHOR_NAME", "x"),
        ("LUA_PATHS", "x"),
        ("MYPYTHONPATH", "x"),
        ("LD_PRELOADED", "x"),
        ("R_VERSION", "4"),
        ("SSL_CERT_FILE", "/x"),
        ("GEM_VERSION", "1"),
    ],
)
def test_these_load_no_code(name: str, value: str) -> None:
    assert not can_load(name, value)


SECRET = {"secretKeyRef": {"name": "x", "key": "y"}}


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ([{"name": "A", "value": "-javaagent:/x"}, {"name": "JAVA_OPTS", "value": "$(A)"}], True),
        ([{"name": "A", "value": "-java"}, {"name": "JAVA_OPTS", "value": "$(A)agent:/x"}], True),
        ([{"name": "A", "valueFrom": SECRET}, {"name": "JAVA_OPTS", "value": "-Da=$(A)"}], True),
        ([{"name": "JAVA_OPTS", "value": "$(FROM_ELSEWHERE)"}], True),
        ([{"name": "A", "value": "64m"}, {"name": "JAVA_OPTS", "value": "-Xmx$(A)"}], False),
        ([{"name": "JAVA_OPTS", "value": "-Da=$$(A)"}], False),
        (
            [
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "JAVA_OPTS", "value": "-Dhost=$(IP)"},
            ],
            False,
        ),
        (
            [
                {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['a']"}}},
                {"name": "JAVA_OPTS", "value": "$(A)"},
            ],
            True,
        ),
        ([{"name": "JAVA_OPTS", "value": "$(OPTIONS)"}], True),
    ],
)
def test_what_kubernetes_puts_into_a_value_is_looked_at(env: list[dict[str, Any]], found: bool) -> None:
    source = {"configMapRef": {"name": "settings"}}
    container = {"name": "a", "env": env, "envFrom": [source]}
    settings = {"settings": {"OPTIONS": "-javaagent:/x"}}
    pod = Pod("Deployment/app", "Deployment", {"containers": [container]}, settings=settings)
    assert any(check.id == "AK-LOADER" and check.of(pod, container) for check in CHECKS) is found
