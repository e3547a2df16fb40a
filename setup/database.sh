#!/usr/bin/env bash
# The advisory database for Trivy. Prints the Trivy cache folder with it.
#
#   database.sh         Trivy's own database where it can be downloaded, else the small one
#   database.sh small   the small one, built from setup/trivy/advisories.json and java.json: tests need the same
#                       findings every day
#
# The small one contains its build time, so it is built again when it is older than 12 hours.
# shellcheck source=setup/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
facts="$ROOT/setup/trivy/advisories.json"
java="$ROOT/setup/trivy/java.json"
small="$CACHE/database-small"
full="$CACHE/database-full"
PATIENCE=180 # seconds for one download; the database has some hundred MiB

younger() { # FOLDER MINUTES: it has a database younger than that
    [ -s "$1/db/trivy.db" ] && [ -n "$(find "$1/db/metadata.json" -mmin "-$2" 2>/dev/null)" ]
}

download() {
    local tools
    tools="$("$ROOT/setup/trivy.sh")" || exit 1
    if within "$PATIENCE" "$tools/trivy" image --download-db-only --disable-telemetry --skip-version-check \
        --cache-dir "$full" >"$LOGS/database.log" 2>&1 </dev/null &&
        within "$PATIENCE" "$tools/trivy" image --download-java-db-only --disable-telemetry --skip-version-check \
            --cache-dir "$full" >>"$LOGS/database.log" 2>&1 </dev/null; then
        touch "$full/db/metadata.json"
        return
    fi
    note "Trivy's own database cannot be downloaded; the reason is in $LOGS/database.log"
    return 1
}

build_small() {
    local new="$small.new.$$" tools python="$ROOT/.venv/bin/python"
    [ -x "$python" ] || python=python3
    tools="$("$ROOT/setup/trivy.sh")"
    rm -rf "$new"
    logged "$LOGS/database-small.log" "the small advisory database cannot be built" "check $facts" \
        "$tools/advisories" -in "$facts" -out "$new"
    logged "$LOGS/database-small.log" "the small Java database cannot be built" "check $java" \
        "$python" "$ROOT/setup/trivy/java_index.py" "$java" "$new"
    sum_facts >"$new/facts"
    sha256 "$new/db/trivy.db" >"$new/sum"
    mkdir -p "$small" && rm -rf "$small/db" "$small/java-db"
    mv "$new/db" "$new/java-db" "$new/facts" "$new/sum" "$small/" && rmdir "$new"
}

sum_facts() { cat "$facts" "$java" | sums | cut -c 1-64; }

small_is_current() {
    younger "$small" 720 && [ "$(cat "$small/facts" 2>/dev/null)" = "$(sum_facts)" ] &&
        [ "$(cat "$small/sum" 2>/dev/null)" = "$(sha256 "$small/db/trivy.db")" ]
}

warn_partial() {
    note "####################################################################"
    note "WARNING: a PARTIAL DEMONSTRATION DATABASE is in use. It lists"
    note "$(grep -c '"VendorIDs"' "$facts") well-known advisories and no others: an image may"
    note "have many known vulnerabilities and still pass the scan."
    note "Policies for production refuse it."
    note "####################################################################"
}

# choose FOLDER: `exports.sh` names the folder that was chosen last; a run of the tests does not change it.
choose() { ln -sfn "$(basename "$1")" "$CACHE/database"; }

if [ "${1:-}" = small ]; then
    chosen="$small"
# Do not retry a failed download every time: while the small one is current, the last try is recent enough.
elif younger "$full" 1440 || { ! small_is_current && download; }; then
    chosen="$full"
else
    chosen="$small"
fi
if [ "$chosen" = "$small" ]; then
    if ! small_is_current; then build_small; fi
    warn_partial
fi
if [ "${1:-}" != small ]; then choose "$chosen"; fi
printf '%s\n' "$chosen"
