"""What the pipeline says: reports, announcements and messages."""
