"""Notices: VOEvents read and written, and what they say of a burst."""
