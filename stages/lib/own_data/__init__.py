"""What the tasks' readers of the user's own files share: tables with line numbers, and splits."""
