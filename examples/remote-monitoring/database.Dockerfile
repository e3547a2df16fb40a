ARG BASE=python:3.11-slim-bookworm

FROM ${BASE} AS release
# Debian's packages would make a cluster and a key at once: every copy of the image would share them.
RUN install -d /etc/postgresql-common \
    && echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf \
    && apt-get update \
    && apt-get install -y --no-install-recommends 'postgresql-15=15.*' libnss-wrapper \
    && rm -rf /var/lib/apt/lists/* /var/log/* /var/cache/* \
        /etc/ssl/private/ssl-cert-snakeoil.key /etc/ssl/certs/ssl-cert-snakeoil.pem
COPY database /opt/database
# Group 0 may do what the owner may: some clusters run the image under a user of their own choice.
RUN chmod 0755 /opt/database/*.sh && install -d -o 10002 -g 0 -m 0770 /var/lib/remote-monitoring
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/remote-monitoring/data
EXPOSE 5432
USER 10002:0
# "Fast" for PostgreSQL: its clients are sent away, and the data are written.
STOPSIGNAL SIGINT
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["pg_isready", "--quiet", "--host=127.0.0.1", "--username=monitoring", "--dbname=monitoring"]
CMD ["/opt/database/start.sh"]

FROM release AS test
USER root
COPY requirements.txt requirements-test.txt ./
RUN pip install --no-cache-dir --require-hashes -r requirements.txt -r requirements-test.txt
USER 10002:0
