#!/bin/sh
# Run PostgreSQL on its volume. The first start makes the database and the one role that may use it.
set -eu

password="${DATABASE_PASSWORD:?is not set}"
unset DATABASE_PASSWORD
case "$password" in
*[!A-Za-z0-9_.-]*) echo "DATABASE_PASSWORD may contain letters, digits, '_', '.' and '-' only" >&2 && exit 1 ;;
esac

# initdb looks up the user's name, which an arbitrary user does not have.
if ! getent passwd "$(id -u)" >/dev/null; then
    echo "postgres:x:$(id -u):$(id -g)::/tmp:/bin/false" >/tmp/passwd
    export NSS_WRAPPER_PASSWD=/tmp/passwd NSS_WRAPPER_GROUP=/etc/group
    wrapper=libnss_wrapper.so
fi

if [ ! -d "$PGDATA" ]; then
    # In another folder until it is complete: an interrupted start begins again.
    rm -rf "$PGDATA.new"
    LD_PRELOAD="${wrapper:-}" initdb --pgdata="$PGDATA.new" --username=postgres --encoding=UTF8 --locale=C.UTF-8 \
        --auth=reject --data-checksums
    # Nobody listens in single-user mode, and the administrator needs no password that could be lost.
    LD_PRELOAD="${wrapper:-}" postgres --single -D "$PGDATA.new" -c password_encryption=scram-sha-256 postgres <<SQL >/dev/null
CREATE ROLE monitoring LOGIN PASSWORD '$password'
CREATE DATABASE monitoring OWNER monitoring
SQL
    mv "$PGDATA.new" "$PGDATA"
fi
unset password
chmod 0700 "$PGDATA" # a cluster that gives the volume to a group adds the group's bits

LD_PRELOAD="${wrapper:-}" exec postgres -D "$PGDATA" -c config_file=/opt/database/postgresql.conf
