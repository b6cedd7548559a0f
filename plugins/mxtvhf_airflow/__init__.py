"""Airflow integration of MXT-VHF: thin operators, sensors, links and pages around the package ``mxtvhf``."""
