#!/bin/sh
# Make the database once, give its role the password of today, and run the server as this process.
set -eu
: "${PGDATA:?}" "${DATABASE_PASSWORD:?is not set: the role needs a password}"
settings=/etc/database/postgresql.conf
umask 077

# PostgreSQL wants a name for its user, which an arbitrary user of OpenShift may not have.
if ! getent passwd "$(id -u)" >/dev/null; then
    printf 'database:x:%s:%s::/tmp:/usr/sbin/nologin\n' "$(id -u)" "$(id -g)" >/tmp/passwd
    printf 'database:x:%s:\n' "$(id -g)" >/tmp/group
    NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/tmp/group
    LD_PRELOAD="$(find /usr/lib -name libnss_wrapper.so)"
    export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP LD_PRELOAD
fi

# One statement a line; from standard input, so that no password stands in a command line.
statements() { # FOLDER DATABASE
    postgres --single -c config_file="$settings" -c exit_on_error=true -c log_min_messages=fatal -D "$1" "$2" >/dev/null
}

if [ ! -e "$PGDATA/PG_VERSION" ]; then
    # Aside first: what a stop in the middle leaves is not taken for a database.
    rm -rf "$PGDATA.new"
    initdb --pgdata="$PGDATA.new" --username=owner --auth=reject --data-checksums \
        --encoding=UTF8 --locale=C.UTF-8 --no-instructions
    statements "$PGDATA.new" postgres <<'SQL'
CREATE ROLE monitoring LOGIN;
CREATE DATABASE monitoring OWNER monitoring;
SQL
    mv "$PGDATA.new" "$PGDATA"
fi
quoted="$(printf '%s' "$DATABASE_PASSWORD" | sed "s/'/''/g")"
printf "ALTER ROLE monitoring PASSWORD '%s';\n" "$quoted" | statements "$PGDATA" postgres
unset DATABASE_PASSWORD quoted

exec postgres -c config_file="$settings" -D "$PGDATA"
