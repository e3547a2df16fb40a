"""By which variables of the environment does a program load other code than its own?

Read in the manuals of what obeys them: ld.so(8), bash(1), python(1), node(1), java(1), ruby(1), perlrun, R's
Startup, php.ini, lua(1), git(1), erl(1), openssl-env(7), .NET's runtime configuration knobs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_ALWAYS = """
    LD_PRELOAD LD_AUDIT LD_LIBRARY_PATH GCONV_PATH PATH BASH_ENV BASH_FUNC_.* ZDOTDIR FPATH
    PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONEXECUTABLE PYTHONPLATLIBDIR
    PYTHONPYCACHEPREFIX PYTHON_PRESITE
    NODE_PATH NODE_REPL_EXTERNAL_MODULE
    CLASSPATH JAVA_HOME JRE_HOME CATALINA_HOME CATALINA_BASE LOADER_(PATH|MAIN|HOME|CONFIG_LOCATION)
    RUBYLIB RUBYPATH GEM_PATH GEM_HOME RUBYGEMS_GEMDEPS BUNDLE_GEMFILE BUNDLE_PATH
    PERL5LIB PERLLIB PERL5DB
    PHPRC PHP_INI_SCAN_DIR
    R_HOME R_PROFILE(_USER)? R_ENVIRON(_USER)? R_LIBS(_USER|_SITE)? R_DEFAULT_PACKAGES
    LUA_C?PATH(_5_[0-9]+)? LUA_INIT(_5_[0-9]+)?
    JULIA_(LOAD_PATH|DEPOT_PATH|PROJECT) ERL_LIBS TCLLIBPATH TCL_LIBRARY CAML_LD_LIBRARY_PATH
    GUILE_LOAD_(COMPILED_)?PATH GUILE_EXTENSIONS_PATH
    DOTNET_STARTUP_HOOKS DOTNET_ADDITIONAL_DEPS DOTNET_SHARED_STORE DOTNET_BUNDLE_EXTRACT_BASE_DIR
    DOTNET_ROOT([_(].*)? (DOTNET|COMPlus)_(GCName|GCPath|AltJit|AltJitName) COR(ECLR)?_PROFILER_PATH(_.*)?
    ASPNETCORE_HOSTINGSTARTUPASSEMBLIES MONO_PATH MONO_CONFIG MONO_GAC_PREFIX
    OPENSSL_CONF OPENSSL_CONF_INCLUDE OPENSSL_MODULES OPENSSL_ENGINES
    GIT_EXEC_PATH GIT_TEMPLATE_DIR GIT_SSH(_COMMAND)? GIT_ASKPASS GIT_EXTERNAL_DIFF GIT_PROXY_COMMAND
    GIT_(SEQUENCE_)?EDITOR GIT_PAGER SSH_ASKPASS
    GIT_CONFIG(_(GLOBAL|SYSTEM|COUNT|PARAMETERS|(KEY|VALUE)_[0-9]+))?
    GIO_(EXTRA_MODULES|MODULE_DIR) GTK_PATH GTK_MODULES GDK_PIXBUF_MODULE_FILE
    GST_PLUGIN_((SYSTEM_)?PATH|SCANNER)(_1_0)?
    QT_PLUGIN_PATH QML2?_IMPORT_PATH LIBGL_DRIVERS_PATH LIBVA_DRIVERS_PATH
    VK_(LAYER_PATH|ADD_LAYER_PATH|ICD_FILENAMES|DRIVER_FILES) OCL_ICD_(VENDORS|FILENAMES)
    CUDA_INJECTION(32|64)_PATH OMP_TOOL_LIBRARIES GDAL_DRIVER_PATH MAGICK_(CODER|FILTER)_MODULE_PATH
    SASL_PATH ODBCSYSINI ODBCINSTINI
"""
"""Patterns of names of variables that load code, or programs, whatever their value is."""

_JAVA = (
    r"-javaagent|-agentpath|-agentlib|-Xrun|-Xbootclasspath|-Xshareclasses|-Xoptionsfile|-cp\b|-?-class-?path"
    r"|--patch-module|--(upgrade-)?module-path|(^|\s)-p\s|(^|\s)-jar\b|(^|\s)@"
    r"|-XX:(VMOptionsFile|Flags|OnOutOfMemoryError|OnError|SharedArchiveFile|AOT\w+|CRaCRestoreFrom)\s*="
    r"|-D(java\.(library\.path|class\.path|ext\.dirs|endorsed\.dirs|system\.class\.loader)"
    r"|java\.security\.(properties|manager)|sun\.boot\.\w+\.path|jna\.(boot\.)?library\.path|jdk\.module\."
    r"|loader\.(path|main|home|config))"
)
_SOMETIMES: Mapping[str, str] = {
    r"_?(\w+_)?(JAVA|JVM|JDK)_(\w+_)?(OPTS|OPTIONS|ARGS)(_APPEND)?": _JAVA,
    r"(CATALINA|KAFKA|MAVEN|GRADLE|SBT|JETTY|HADOOP)_(OPTS|OPTIONS|ARGS)": _JAVA,
    "NODE_OPTIONS": (
        r"-r\b|--require|--import|--loader|--experimental-(loader|default-config|config-file)|--inspect"
        r"|--openssl-(shared-)?config|--snapshot-blob|--env-file|(^|\s)-C|--conditions"
    ),
    "BUN_OPTIONS": r"-r\b|--preload|--require|--import|--inspect|--config|-c\b",
    "RUBYOPT": r"-r|-I|-C|-x",
    "PERL5OPT": r"-[MmId]",
    r"(ELIXIR_)?ERL_(A|Z)?(FLAGS|OPTIONS)": r"-(pa|pz|path|s|run|eval|boot|config|args_file|mode)\b",
    "GUNICORN_CMD_ARGS": r"-[ck]\b|--config|--worker-class|--chdir|--pythonpath|--logger-class|--paste",
    "PYTHONWARNINGS": r"antigravity",
    "PYTHONBREAKPOINT": r"\.",
    "BROWSER": r"[/%\s]",
    "PS4": r"[$`]",
}
"""Patterns of names of variables, and of those of their values that load code."""

_ALWAYS_NAMED = re.compile("|".join(_ALWAYS.split()))


def can_load(name: str, value: str | None) -> bool:
    """Return whether a variable has code loaded; None is a value that is not known, which can be anything."""
    if _ALWAYS_NAMED.fullmatch(name):
        return True
    return any(
        re.fullmatch(pattern, name) and (value is None or re.search(loading, value))
        for pattern, loading in _SOMETIMES.items()
    )
