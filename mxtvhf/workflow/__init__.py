"""The workflow of an alert: its steps, the GP client, runs, latency, replay and comparison."""
