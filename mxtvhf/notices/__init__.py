"""Notices: read and write VOEvents, and combine the notices of a burst."""
