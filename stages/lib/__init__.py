"""What the stages share: configuration, files, text, statistics, tracking, and the task interface."""
