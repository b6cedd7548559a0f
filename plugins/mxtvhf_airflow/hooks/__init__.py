"""Clients of other services, configured by Airflow Connections."""
