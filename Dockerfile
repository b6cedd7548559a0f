# One image for every service of docker-compose.yaml but PostgreSQL: the first word after `service` says which.
FROM nats:2.11.8-alpine AS nats

FROM python:3.13.9-slim-bookworm
RUN apt-get update -qq \
    && apt-get install -y -qq --no-install-recommends redis-server \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 50000 mxtvhf
COPY --from=nats /usr/local/bin/nats-server /usr/local/bin/
WORKDIR /opt/mxtvhf
COPY requirements.txt pyproject.toml README.md LICENSE ./
COPY tools/constraints.txt tools/
COPY tools/voevent-parse tools/voevent-parse
ENV PIP_NO_CACHE_DIR=1
RUN tools/voevent-parse/wheel.sh python wheels \
    && pip install --find-links wheels -r requirements.txt \
    && rm -r wheels
COPY mxtvhf mxtvhf
COPY plugins plugins
COPY dags dags
# What the volumes are mounted on belongs to the user, so that they do, too.
RUN pip install --no-deps . && install -d -o mxtvhf -g mxtvhf /var/lib/mxtvhf /data
USER mxtvhf
ENTRYPOINT ["mxtvhf", "service"]
