"""Operation of an installation: backup and restore, retention, health and metrics."""
