"""Notification of people about bursts: rota, messages, channels, escalation and acknowledgements."""
