"""Deployment on several hosts: the configuration file, the services made from it, and their health checks."""
