"""What an observer needs to follow up a position: line of sight, visibility, and files for telescopes."""
