"""Airflow's command line with rarer garbage collection: ``python -m mxtvhf_airflow scheduler``."""

from mxtvhf_airflow.command_line import run_airflow

if __name__ == "__main__":
    run_airflow()
