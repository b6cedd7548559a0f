"""Keeping an installation: backup and restore, retention, health, metrics."""
