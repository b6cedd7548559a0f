"""Addresses and logins of other services, from Airflow's Connections."""
