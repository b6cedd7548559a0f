"""Notification: who is on duty, what they are told of a burst, by which channel, and who has it in hand."""
