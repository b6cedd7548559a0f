# One image for every service of docker-compose.yaml: Airflow's components and the reference GP service.
FROM python:3.11-slim-bookworm
RUN useradd --create-home --uid 50000 mxtvhf
WORKDIR /opt/mxtvhf
COPY requirements.txt pyproject.toml README.md LICENSE ./
RUN pip install --no-cache-dir -r requirements.txt
COPY mxtvhf mxtvhf
COPY plugins plugins
COPY dags dags
RUN pip install --no-cache-dir --no-deps . && install -d -o mxtvhf /var/lib/mxtvhf
USER mxtvhf
ENV AIRFLOW_HOME=/var/lib/mxtvhf/airflow MXTVHF_STATE=/var/lib/mxtvhf PYTHONPATH=/opt/mxtvhf/plugins
