"""Output of the pipeline: reports, announcements and messages."""
